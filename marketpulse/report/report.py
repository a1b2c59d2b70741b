"""Write the report of a bundle or of a run, whichever a path holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.artifacts import MANIFEST, RUN_SUMMARY
from marketpulse.atomic import write_file
from marketpulse.bundle import Container, find_bundle
from marketpulse.errors import NotFoundError, OutputError
from marketpulse.extras import require_extra
from marketpulse.sources import FileOptions

if TYPE_CHECKING:
    from marketpulse.sources.remote import RemoteFolder


_PAGE_START = b"<!DOCTYPE html>"


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page that was written. `kind` is `bundle` or `run`."""

    kind: str
    path: Path
    bytes: int

    def as_json(self) -> dict[str, object]:
        """The result as `report --format json` prints it."""
        return {"kind": self.kind, "path": str(self.path), "bytes": self.bytes}


def write_report(
    source: str | Path, output: Path | None = None, files: FileOptions | None = None
) -> Report:
    """Write the page of a bundle (folder or zip) or of a run's folder; return what was written.

    Without `output` the page is beside `source`, as `NAME_report.html`, or in the working folder if
    `source` is the address of a prefix in S3. An earlier page of that name is replaced. Raises
    `NotFoundError` if `source` is neither, `DataError` if it is damaged, `AwsError` if S3 fails,
    `MissingExtraError` if the page is one of a run and the extra `report` is not installed, and
    `OutputError` if it would replace another file, or stand in the folder of a bundle.
    """
    target = output or _default_path(source)
    _refuse_target(target, source)
    kind, page = report_page(source, files)
    write_file(target, page)
    return Report(kind=kind, path=target, bytes=target.stat().st_size)


def report_page(source: str | Path, files: FileOptions | None = None) -> tuple[str, str]:
    """Return what `source` is, `bundle` or `run`, and its page. Raises what `write_report` does."""
    if not _is_remote(source):
        return _page(Path(source))
    from marketpulse.sources.remote import RemoteFolder  # noqa: PLC0415 - only for S3

    seals = [RUN_SUMMARY, MANIFEST]
    with RemoteFolder(str(source), files or FileOptions(), seals) as remote, remote.own_names():
        return _remote_page(remote)


def _is_remote(source: str | Path) -> bool:
    return str(source).startswith("s3://")


def _refuse_target(target: Path, source: str | Path) -> None:
    """Raise `OutputError` if the page would replace no page, or break the seal of a bundle."""
    if target.is_file() and not target.read_bytes().startswith(_PAGE_START):
        raise OutputError(
            f"{target}: it would be overwritten, and it is not the page of a report",
            hint="name another file with --output",
        )
    inside = Path(source).resolve()
    if (inside / MANIFEST).is_file() and target.resolve().is_relative_to(inside):
        raise OutputError(
            f"{target}: a bundle may hold no other files",
            hint="name a file beside its folder with --output",
        )


def _page(source: Path) -> tuple[str, str]:
    """Return what a place is, and its page."""
    if not source.exists():
        raise NotFoundError(
            f"{source}: no such file or folder", hint="name the folder of a bundle or of a run"
        )
    if source.is_file() and source.suffix.lower() != ".zip":
        raise NotFoundError(
            f"{source}: a report shows a bundle or a run, not a file",
            hint="name its folder, or rank the colors of a file with "
            "`marketpulse run-colors FILE --report`",
            check="MP-BND-001",
        )
    if (source / RUN_SUMMARY).is_file():
        return "run", _run_page(source)
    if source.is_file() or find_bundle(source):
        return "bundle", _bundle_page(source, source.resolve().name)
    raise NotFoundError(
        f"{source}: it has neither {MANIFEST} nor {RUN_SUMMARY}",
        hint="name a folder that `marketpulse sample` or `marketpulse run-colors` wrote",
        check="MP-BND-001",
    )


def _remote_page(remote: RemoteFolder) -> tuple[str, str]:
    if remote.seal == RUN_SUMMARY:
        from marketpulse.report.run import page_files  # noqa: PLC0415 - loads the engine, 0.3 s

        require_charts()
        folder = remote.copy([RUN_SUMMARY])
        remote.copy(page_files(folder))
        return "run", _run_page(folder)
    if remote.seal == MANIFEST:
        return "bundle", _bundle_page(remote, remote.title)
    from marketpulse.sources.remote import missing_set  # noqa: PLC0415 - only for S3

    raise missing_set(remote, MANIFEST, RUN_SUMMARY)


def _run_page(folder: Path) -> str:
    from marketpulse.report.run import run_page  # noqa: PLC0415 - loads the engine, 0.3 s

    require_charts()
    return run_page(folder)


def _bundle_page(place: Path | Container, title: str) -> str:
    from marketpulse.report.bundle import bundle_page  # noqa: PLC0415 - loads DuckDB, 0.2 s

    return bundle_page(place, title)


def require_charts() -> None:
    """Raise `MissingExtraError` if the extra `report` is not installed."""
    require_extra("report", "the page of a run")


def _default_path(source: str | Path) -> Path:
    """The path of the page beside a bundle or a run: a file inside would not belong to it."""
    if _is_remote(source):
        from marketpulse.sources.remote import title_of  # noqa: PLC0415 - only for S3

        return Path(f"{title_of(str(source))}_report.html")
    folder = Path(source).resolve()
    stem = folder.stem if folder.is_file() else folder.name
    return folder.with_name(f"{stem}_report.html")
