"""The places that rows come from. Every command reads from one `Source`, whatever it is.

Oracle is in `oracle`, the demo database in `demo`, bundles in `bundle`, files in `files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.artifacts import MANIFEST, TABLE_LIST, is_schema_file
from marketpulse.sources.base import Source, unknown_name_error

if TYPE_CHECKING:
    from marketpulse.settings import OracleSettings
    from marketpulse.sources.bundle import BundleSource

__all__ = [
    "Source",
    "open_bundle",
    "open_files",
    "open_inputs",
    "open_source",
    "unknown_name_error",
]


def open_source(
    name: str,
    *,
    rows: int | None = None,
    oracle: OracleSettings | None = None,
    max_lob: int | None = None,
    system: bool = False,
) -> Source:
    """Open a source: `oracle`, `demo`, or the path of a bundle, a file, a glob or a folder.

    `rows` is the number of colors in the demo. The others are for `oracle`: None means the settings
    of the environment, `max_lob` cuts long text after this many characters, `system` lists Oracle's
    own schemas. Raises `NotFoundError` if there is no such file, `DataError` if its format is
    wrong, and what `OracleDatabase` raises.
    """
    if name == "demo":
        from marketpulse.sources.demo import DemoSource  # noqa: PLC0415 - DuckDB takes 0.1 s

        return DemoSource() if rows is None else DemoSource(rows)
    if name == "oracle":
        from marketpulse.sources.oracle import OracleDatabase, OracleSource  # noqa: PLC0415 - the driver takes 0.2 s

        return OracleSource(OracleDatabase(oracle), max_lob=max_lob, system=system)
    path = Path(name)
    if path.suffix.lower() == ".zip" or _is_bundle(path):
        return open_bundle(path)
    return open_files([name])


def open_inputs(names: Sequence[str]) -> Source:
    """Open one name as `open_source` does, several as one table of files."""
    return open_source(names[0]) if len(names) == 1 else open_files(names)


def open_bundle(path: Path) -> BundleSource:
    """Open a bundle, a folder or a zip.

    Raises `NotFoundError` if there is none, `DataError` if it is incomplete or damaged.
    """
    from marketpulse.sources.bundle import BundleSource  # noqa: PLC0415 - DuckDB takes 0.1 s

    return BundleSource(path)


def _is_bundle(path: Path) -> bool:
    """Return whether a folder is a bundle, also one that has lost its manifest."""
    if not path.is_dir():
        return False
    return any(
        entry.name in {MANIFEST, TABLE_LIST} or is_schema_file(entry.name)
        for entry in path.iterdir()
    )


def open_files(names: Sequence[str | Path]) -> Source:
    """Open files, globs and folders as one table."""
    from marketpulse.sources.files import FilesSource  # noqa: PLC0415 - DuckDB takes 0.1 s

    return FilesSource([str(name) for name in names])
