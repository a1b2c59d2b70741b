"""File formats: how each is read and written, one module a format, one door for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from marketpulse.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from marketpulse.model import OnMalformedLine

FORMATS = ("csv", "ndjson", "json", "parquet", "xlsx")
BY_SUFFIX = {f".{name}": name for name in FORMATS} | {".jsonl": "ndjson"}

_OPTIONS = {
    "csv": {"excel"},
    "ndjson": set[str](),
    "json": {"pretty"},
    "parquet": set[str](),
    "xlsx": {"numbers"},
}


class Writer(Protocol):
    """Takes record batches as they come; the file is whole once it is closed."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows."""

    def close(self) -> None:
        """Finish the file."""


def chosen(names: Iterable[str]) -> tuple[str, ...]:
    """The formats of these names, each once. Raises `UsageError`."""
    found = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    unknown = [name for name in found if name not in FORMATS]
    if unknown or not found:
        raise UsageError(
            f"--formats: {', '.join(map(repr, unknown)) or 'nothing'} is no format",
            hint=f"the formats are {', '.join(FORMATS)}",
        )
    return found


def open_writer(name: str, path: Path, schema: pa.Schema, **options: Any) -> Writer:
    """Begin a file of the named format.

    Options of some: `numbers`, the columns that a spreadsheet may count (xlsx); `excel`, a CSV
    that a spreadsheet does not spoil; `pretty`, JSON with a line for each cell. No format is given
    the options of another.
    """
    module = import_module(f"marketpulse.formats.{_module(name)}")
    meant = {it: value for it, value in options.items() if it in _OPTIONS[name]}
    if name == "ndjson":
        meant["lines"] = True
    writer: Writer = module.Writer(path, schema, **meant)
    return writer


def read_back(
    path: Path, schema: pa.Schema, workspace: Path, *, excel: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that a writer here wrote of this schema, with the values they had.

    Raises `DataError` where that cannot be.
    """
    module = import_module(f"marketpulse.formats.{_module(BY_SUFFIX[path.suffix.lower()])}")
    batches: Iterator[pa.RecordBatch] = module.read_back(path, schema, workspace, excel=excel)
    return batches


def write_behind(write: Callable[[Any], None], batches: Iterable[Any]) -> None:
    """Write each batch in another thread while the next one is made."""
    with ThreadPoolExecutor(1) as pen:
        pending: Future[None] | None = None
        for batch in batches:
            if pending:
                pending.result()
            pending = pen.submit(write, batch)
        if pending:
            pending.result()


def opener(path: Path, workspace: Path) -> Callable[[OnMalformedLine], Any]:
    """How to read this file: a function that gives a new `pa.RecordBatchReader` at each call.

    The file is looked at once, here: wrong encodings, broken quotes, a missing header and columns
    of one name are found before any row is read. `workspace` is a folder for what has to be
    decoded first.

    Raises `DataError` for a file that is not what its name says.
    """
    module = import_module(f"marketpulse.formats.{_module(BY_SUFFIX[path.suffix.lower()])}")
    scan: Callable[[OnMalformedLine], Any] = module.opener(path, workspace)
    return scan


def _module(name: str) -> str:
    return "json" if name == "ndjson" else name
