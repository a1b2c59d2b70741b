"""Write the report of a bundle or of a run, whichever a path holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from marketpulse.artifacts import MANIFEST, RUN_SUMMARY
from marketpulse.atomic import write_file
from marketpulse.bundle import find_bundle
from marketpulse.errors import NotFoundError
from marketpulse.extras import require_extra


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page that was written. `kind` is `bundle` or `run`."""

    kind: str
    path: Path
    bytes: int

    def as_json(self) -> dict[str, object]:
        """The result as `report --format json` prints it."""
        return {"kind": self.kind, "path": str(self.path), "bytes": self.bytes}


def write_report(source: Path, output: Path | None = None) -> Report:
    """Write the page of a bundle (folder or zip) or of a run's folder; return what was written.

    Without `output` the page is beside `source`, as `NAME_report.html`. An earlier page of that
    name is replaced. Raises `NotFoundError` if `source` is neither, `DataError` if it is damaged,
    `MissingExtraError` if the page is one of a run and the extra `report` is not installed.
    """
    if not source.exists():
        raise NotFoundError(
            f"{source}: no such file or folder", hint="name the folder of a bundle or of a run"
        )
    if (source / RUN_SUMMARY).is_file():
        require_charts()
        from marketpulse.report.run import run_page  # noqa: PLC0415 - loads the engine, 0.3 s

        kind, page = "run", run_page(source)
    elif source.is_file() or find_bundle(source):
        from marketpulse.report.bundle import bundle_page  # noqa: PLC0415 - loads DuckDB, 0.2 s

        kind, page = "bundle", bundle_page(source)
    else:
        raise NotFoundError(
            f"{source}: it has neither {MANIFEST} nor {RUN_SUMMARY}",
            hint="name a folder that `marketpulse sample` or `marketpulse run-colors` wrote",
            check="MP-BND-001",
        )
    target = output or default_path(source)
    write_file(target, page)
    return Report(kind=kind, path=target, bytes=target.stat().st_size)


def require_charts() -> None:
    """Raise `MissingExtraError` if the extra `report` is not installed."""
    require_extra("report", "the page of a run")


def default_path(source: Path) -> Path:
    """The path of the page beside a bundle or a run: a file inside would not belong to it."""
    folder = source.resolve()
    stem = folder.stem if source.is_file() else folder.name
    return folder.with_name(f"{stem}_report.html")
