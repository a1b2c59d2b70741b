"""File formats: one module reads and writes each of them, and this package is their only door.

Rows travel as Arrow record batches. A format has three functions, all reached from here:

    prepare_scan   a file of unknown origin -> rows, typed as the file itself says
    open_writer    rows -> a file
    read_back      a file that `open_writer` made -> rows in the types they had before
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from marketpulse.errors import UsageError
from marketpulse.extras import require_extra
from marketpulse.formats.base import (
    CsvOptions,
    DiscardableWriter,
    JsonOptions,
    Scan,
    Writer,
    WriterOptions,
    XlsxOptions,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "BY_SUFFIX",
    "FORMATS",
    "CsvOptions",
    "JsonOptions",
    "Scan",
    "Writer",
    "WriterOptions",
    "XlsxOptions",
    "close_at_end",
    "estimate_rows",
    "open_writer",
    "parse_delimiter",
    "parse_formats",
    "prepare_scan",
    "read_back",
    "write_behind",
    "write_rows",
]

T = TypeVar("T")

FORMATS = ("csv", "ndjson", "json", "parquet", "xlsx")
BY_SUFFIX = {f".{name}": name for name in FORMATS} | {
    ".jsonl": "ndjson",
    ".tsv": "csv",
    ".xlsm": "xlsx",
}
_ESTIMATED_BYTES = 1 << 18  # of a text file whose lines are counted
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|"}


def parse_formats(names: str | Iterable[str]) -> tuple[str, ...]:
    """Return the formats of these names, without duplicates; text has commas between them.

    Raises `UsageError`.
    """
    names = names.split(",") if isinstance(names, str) else names
    formats = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise UsageError(
            f"--formats: unknown format {', '.join(map(repr, unknown))}"
            if unknown
            else "--formats: no format is given",
            hint=f"the formats are {', '.join(FORMATS)}",
        )
    if "xlsx" in formats:
        require_extra("xlsx", "the format xlsx")
    return formats


def parse_delimiter(text: str) -> str:
    """Return the character that `--delimiter` names. Raises `UsageError`."""
    delimiter = _DELIMITERS.get(text.strip().lower(), text)
    # What fields consist of, or quotes them, cannot separate them.
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in "\"'.+-_\r\n\0":
        raise UsageError(
            f"--delimiter: {text!r} cannot separate fields",
            hint="for example --delimiter semicolon or --delimiter tab",
        )
    if not delimiter.isascii():
        raise UsageError(
            f"--delimiter: {text!r} is not a character of ASCII",
            hint="for example --delimiter semicolon",
        )
    return delimiter


def open_writer(
    name: str, path: Path, schema: pa.Schema, options: WriterOptions | None = None
) -> Writer:
    """Start a file of the named format.

    `options` are those of the format: `CsvOptions`, `JsonOptions` or `XlsxOptions`; without them
    the format's defaults apply. Raises `TypeError` for options of another format.
    """
    # Each format loads its own libraries, and a command needs only some of them.
    match name, options:
        case "csv", None | CsvOptions():
            from marketpulse.formats.csv import CsvWriter  # noqa: PLC0415 - loads numpy, pyarrow

            return CsvWriter(path, schema, options or CsvOptions())
        case "json", None | JsonOptions():
            from marketpulse.formats.json import JsonWriter  # noqa: PLC0415 - loads duckdb

            return JsonWriter(path, schema, options or JsonOptions())
        case "ndjson", None:
            from marketpulse.formats.json import NdjsonWriter  # noqa: PLC0415 - loads duckdb

            return NdjsonWriter(path, schema)
        case "parquet", None:
            from marketpulse.formats.parquet import ParquetWriter  # noqa: PLC0415 - loads pyarrow

            return ParquetWriter(path, schema)
        case "xlsx", None | XlsxOptions():
            from marketpulse.formats.xlsx import XlsxWriter  # noqa: PLC0415 - loads openpyxl

            return XlsxWriter(path, schema, options or XlsxOptions())
    raise TypeError(f"{name} cannot be written with {options!r}")


def read_back(
    path: Path, schema: pa.Schema, workspace: Path, *, excel: bool = False
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that `open_writer` made, in the types of this schema.

    `excel` says that a CSV file was written with `CsvOptions(excel=True)`. XLSX has no way back.
    Raises `DataError` if the file has other columns or values.
    """
    match BY_SUFFIX[path.suffix.lower()]:
        case "csv":
            from marketpulse.formats import csv  # noqa: PLC0415 - loads numpy, pyarrow

            return csv.read_back(path, schema, excel=excel)
        case "parquet":
            from marketpulse.formats import parquet  # noqa: PLC0415 - loads pyarrow

            return parquet.read_back(path, schema)
        case "json" | "ndjson":
            from marketpulse.formats import json  # noqa: PLC0415 - loads duckdb

            return json.read_back(path, schema, workspace)
    raise ValueError(f"{path}: this format cannot be read back")


def prepare_scan(
    path: Path,
    workspace: Path,
    *,
    delimiter: str | None = None,
    sheet: str | None = None,
    header_row: int | None = None,
) -> Scan:
    """Check a file once; return a function that starts to read its rows, as often as it is called.

    The check finds wrong encodings, a missing header and duplicate columns before any row is read.
    Formats that have to be decoded as a whole put the result into the folder `workspace`.
    Columns without a name are left out. `delimiter` separates the fields of CSV; None is what the
    file or its suffix says, or a comma. `sheet` and `header_row` are for XLSX; None is the only
    sheet with data, and its first row with content.

    Raises `DataError` if the file is not what its name says. Reading raises it, too, if a column
    without a name holds anything.
    """
    from marketpulse.formats.nameless import drop_nameless  # noqa: PLC0415 - loads pyarrow

    return drop_nameless(str(path), _prepare_scan(path, workspace, delimiter, sheet, header_row))


def _prepare_scan(
    path: Path, workspace: Path, delimiter: str | None, sheet: str | None, header_row: int | None
) -> Scan:
    match BY_SUFFIX[path.suffix.lower()]:
        case "csv":
            from marketpulse.formats import csv  # noqa: PLC0415 - loads numpy, pyarrow

            if delimiter is None and path.suffix.lower() == ".tsv":
                delimiter = "\t"
            return csv.prepare_scan(path, delimiter)
        case "parquet":
            from marketpulse.formats import parquet  # noqa: PLC0415 - loads pyarrow

            return parquet.prepare_scan(path)
        case "xlsx":
            require_extra("xlsx", str(path), instead="save the file as CSV")
            from marketpulse.formats import xlsx  # noqa: PLC0415 - loads openpyxl

            return xlsx.prepare_scan(path, workspace, sheet, header_row)
        case _:
            from marketpulse.formats import json  # noqa: PLC0415 - loads duckdb

            return json.prepare_scan(path, workspace)


def estimate_rows(path: Path) -> int | None:
    """Return about how many rows a plain file has; None if only reading it would tell."""
    match BY_SUFFIX[path.suffix.lower()]:
        case "parquet":
            from marketpulse.formats import parquet  # noqa: PLC0415 - loads pyarrow

            return parquet.count_rows(path)
        case "csv" | "ndjson":
            with path.open("rb") as file:
                start = file.read(_ESTIMATED_BYTES)
            # The other lines are about as long as the first ones.
            return start.count(b"\n") * path.stat().st_size // max(len(start), 1)
    return None


def close_at_end(stack: ExitStack, writer: Writer | DiscardableWriter) -> None:
    """Close the writer when the stack ends; after an error, as quickly as it can."""

    def close(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and isinstance(writer, DiscardableWriter):
            writer.discard()
        else:
            writer.close()

    stack.push(close)


def write_rows(
    rows: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    paths: Mapping[str, Path],
    xlsx: XlsxOptions,
    sheet: Writer | None = None,
) -> None:
    """Write rows in one pass to a file in each format, and to the open sheet of a workbook."""
    with ExitStack() as stack:
        writers = [] if sheet is None else [sheet]
        for suffix, path in paths.items():
            writers.append(open_writer(suffix, path, schema, xlsx if suffix == "xlsx" else None))
            close_at_end(stack, writers[-1])

        def write(batch: pa.RecordBatch) -> None:
            for writer in writers:
                writer.write(batch)

        write_behind(write, rows, paths if sheet is None else ["xlsx"])


def write_behind(
    write: Callable[[T], None], batches: Iterable[T], formats: Collection[str]
) -> None:
    """Write each batch in a second thread while this one makes the next batch.

    What was made before an error is written, too. XLSX takes ten times as long to write as to make,
    so this thread writes it: Ctrl-C would wait for a second one.
    """
    if "xlsx" in formats:
        for batch in batches:
            write(batch)
        return
    with ThreadPoolExecutor(1) as executor:
        pending: Future[None] | None = None
        for batch in batches:
            if pending:
                pending.result()
            pending = executor.submit(write, batch)
        if pending:
            pending.result()
