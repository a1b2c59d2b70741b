"""The places that rows come from. Every command reads from one `Source`, whatever it is.

base            what all sources promise
oracle          a live database
demo            a market in memory; demo_market: its tables
bundle          a bundle, and sample_folder: a folder of samples without a manifest
files           files as one table ──▶ containers: compressed ones, streams, objects in S3
    remote      a bundle or a run in S3, copied as far as it is read
selection       the rows of a request, for sources that are no database
    clauses     --where and --order-by ──▶ conditions
    row_choice  rows at random, the newest ones, those of keys
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.artifacts import MANIFEST, is_sample_file, shows_bundle
from marketpulse.sources.base import (
    FileOptions,
    KeyPosition,
    RowRequest,
    SnapshotError,
    Source,
    refuse_file_options,
    unknown_name_error,
)

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings
    from marketpulse.sources.oracle.select_query import SelectQuery

__all__ = [
    "FileOptions",
    "KeyPosition",
    "RowRequest",
    "SnapshotError",
    "Source",
    "is_bundle",
    "is_files",
    "open_files",
    "open_source",
    "refuse_file_options",
    "unknown_name_error",
]


def open_source(
    name: str,
    *,
    rows: int | None = None,
    oracle: OracleSettings | None = None,
    max_lob: int | None = None,
    system: bool = False,
    query: SelectQuery | None = None,
    files: FileOptions | None = None,
) -> Source:
    """Open a source: `oracle`, `demo`, or the path of a bundle, a file, a glob or a folder.

    A file may also be `-` for standard input, a pipe, or an address such as `s3://bucket/day.csv`
    or `s3://bucket/prefix/`, where a bundle may stand, too. `files` says how files are read.

    `rows` is the number of colors in the demo. The others are for `oracle`: None means the settings
    of the environment, `max_lob` cuts long text after this many characters, `system` lists Oracle's
    own schemas, `query` is read instead of a table. Raises `NotFoundError` if there is no such
    file, `DataError` if its format is wrong, `AwsError` if S3 fails, and what `OracleDatabase`
    raises.
    """
    if name.startswith("s3://"):
        return _open_address(name, files or FileOptions())
    if is_files(name):
        return open_files([name], files)
    if files:
        refuse_file_options(files, name)
    if name == "demo":
        from marketpulse.sources.demo import DemoSource  # noqa: PLC0415 - DuckDB takes 0.1 s

        return DemoSource() if rows is None else DemoSource(rows)
    if name == "oracle":
        from marketpulse.sources.oracle import OracleDatabase, OracleSource, QuerySource  # noqa: PLC0415 - the driver takes 0.2 s

        if query is not None:
            return QuerySource(OracleDatabase(oracle), query, max_lob=max_lob)
        return OracleSource(OracleDatabase(oracle), max_lob=max_lob, system=system)
    return _open_folder(Path(name))


def is_files(name: str) -> bool:
    """Return whether a name stands for files, not for a database or a bundle."""
    if name in {"demo", "oracle"}:
        return False
    if name.startswith("s3://"):
        return True
    path = Path(name)
    # A zip may be a bundle or a packed file: only its content tells.
    if path.suffix.lower() == ".zip" and path.is_file():
        from marketpulse.sources.containers import is_packed_file  # noqa: PLC0415 - loads pyarrow

        return is_packed_file(path)
    return path.suffix.lower() != ".zip" and not is_bundle(path)


def _open_address(address: str, options: FileOptions) -> Source:
    """Open a bundle below a prefix, or else the files there."""
    _, _, key = address.removeprefix("s3://").partition("/")
    if not key or key.endswith("/"):
        from marketpulse.sources.bundle import BundleSource  # noqa: PLC0415 - DuckDB takes 0.1 s
        from marketpulse.sources.remote import RemoteFolder  # noqa: PLC0415 - only for S3

        with ExitStack() as stack:
            folder = stack.enter_context(RemoteFolder(address, options, [MANIFEST]))
            if folder.seal is not None:
                refuse_file_options(options, address)
                stack.pop_all()  # the bundle closes it
                return BundleSource(folder)
    return open_files([address], options)


def _open_folder(path: Path) -> Source:
    """Open a bundle, or a folder of samples that has no manifest and no file of a run that died."""
    from marketpulse.bundle import find_bundle  # noqa: PLC0415 - pydantic takes 0.2 s

    if path.is_dir() and find_bundle(path) is None:
        from marketpulse.sources.sample_folder import SampleFolder, has_samples  # noqa: PLC0415 - DuckDB takes 0.1 s

        if has_samples(path):
            return SampleFolder(path)
    from marketpulse.sources.bundle import BundleSource  # noqa: PLC0415 - see above

    return BundleSource(path)


def is_bundle(path: Path) -> bool:
    """Return whether a folder is a bundle, also one that has lost its manifest.

    Samples alone are one, too: as files they would be one table, older samples included.
    """
    if not path.is_dir():
        return False
    from marketpulse.bundle import find_bundle  # noqa: PLC0415 - pydantic takes 0.2 s

    if find_bundle(path) is not None:
        return True
    names = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
    if any(map(shows_bundle, names)):
        return True
    return bool(names) and all(map(is_sample_file, names))


def open_files(names: Sequence[str | Path], options: FileOptions | None = None) -> Source:
    """Open files, globs, folders, streams and objects in S3 as one table."""
    from marketpulse.sources.files import FilesSource  # noqa: PLC0415 - DuckDB takes 0.1 s

    return FilesSource([str(name) for name in names], options)
