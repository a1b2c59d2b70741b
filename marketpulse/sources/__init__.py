"""Where rows come from. Every command reads from one `Source` and knows no more about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.artifacts import MANIFEST, TABLE_LIST, is_schema_file
from marketpulse.sources.base import Source, unknown

if TYPE_CHECKING:
    from marketpulse.settings import OracleSettings
    from marketpulse.sources.bundle import BundleSource

__all__ = ["Source", "open_bundle", "open_files", "open_source", "unknown"]


def open_source(
    name: str,
    *,
    rows: int | None = None,
    oracle: OracleSettings | None = None,
    max_lob: int | None = None,
    system: bool = False,
) -> Source:
    """Open `oracle`, `demo` (with this many colors), a bundle, a file, a glob or a folder of files.

    `oracle` None means the settings of the environment, `max_lob` cuts its long text after so many
    characters, `system` shows its own schemas, too. Raises `NotFoundError` where there is nothing
    of that name, `DataError` where a file is not what it says, and what `OracleDatabase` raises.
    """
    if name == "demo":
        from marketpulse.sources.demo import DemoSource  # noqa: PLC0415 - heavy, only where needed

        return DemoSource() if rows is None else DemoSource(rows)
    if name == "oracle":
        from marketpulse.sources.oracle import OracleDatabase, OracleSource  # noqa: PLC0415 - so too

        return OracleSource(OracleDatabase(oracle), max_lob=max_lob, system=system)
    path = Path(name)
    if path.suffix.lower() == ".zip" or _is_bundle(path):
        return open_bundle(path)
    return open_files([name])


def open_bundle(path: Path) -> BundleSource:
    """Open a bundle, a folder or a zip. Raises `NotFoundError` or `DataError` where it is none."""
    from marketpulse.sources.bundle import BundleSource  # noqa: PLC0415 - heavy, so too

    return BundleSource(path)


def _is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, or has been one: the files beside a lost manifest tell."""
    if not path.is_dir():
        return False
    return any(
        entry.name in {MANIFEST, TABLE_LIST} or is_schema_file(entry.name)
        for entry in path.iterdir()
    )


def open_files(names: Sequence[str | Path]) -> Source:
    """Open files, globs and folders together as one table."""
    from marketpulse.sources.files import FilesSource  # noqa: PLC0415 - heavy, only where needed

    return FilesSource([str(name) for name in names])
