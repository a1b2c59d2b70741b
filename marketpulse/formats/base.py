"""What the formats have in common: the writer, its options, and the function that reads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from marketpulse.model import FileNotes, OnMalformedLine

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Scan:
    """A checked file. Calling it starts to read the rows, as often as you call it."""

    read: Callable[[OnMalformedLine], pa.RecordBatchReader]
    notes: FileNotes = field(default_factory=FileNotes)

    def __call__(self, on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        return self.read(on_malformed_line)


class Writer(Protocol):
    """Takes record batches one after another; the file is complete after `close`."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the batch's rows. Raises `DataError` if the format has no room for them."""

    def close(self) -> None:
        """Finish the file."""


@runtime_checkable
class DiscardableWriter(Protocol):
    """A writer whose `close` takes long, because it packs all rows."""

    def close(self) -> None:
        """Finish the file."""

    def discard(self) -> None:
        """Close what is open without finishing the file, which nobody will read."""


@dataclass(frozen=True, kw_only=True)
class CsvOptions:
    """How CSV is written: with `excel`, opening it in a spreadsheet changes no cell."""

    excel: bool = False


@dataclass(frozen=True, kw_only=True)
class JsonOptions:
    """How JSON is written: with `pretty`, each cell has its own line."""

    pretty: bool = False


@dataclass(frozen=True, kw_only=True)
class XlsxOptions:
    """How XLSX is written.

    Cells of `number_columns` are numbers and those of `date_columns` are dates, if a spreadsheet
    keeps all that they say. All others are text. `title` is the name of the sheet.
    """

    number_columns: frozenset[str] = frozenset()
    date_columns: frozenset[str] = frozenset()
    title: str = ""


WriterOptions: TypeAlias = CsvOptions | JsonOptions | XlsxOptions


def read_ahead(batches: Iterator[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
    """Yield the same batches; a thread fetches the next one while the caller works on this one."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(next, batches, None)
        while (batch := future.result()) is not None:
            future = thread.submit(next, batches, None)
            yield batch
