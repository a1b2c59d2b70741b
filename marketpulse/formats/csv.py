"""CSV: every cell is read as text, character by character, and quoted only where it must be.

Arrow's reader loses nothing: it keeps line ends within fields and blanks before a quote, and hands
over lines of the wrong length whole. But it accepts broken quotes. A second thread looks for them.
"""

from __future__ import annotations

import codecs
import csv
import io
import mmap
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv

from marketpulse.errors import DataError
from marketpulse.formats.base import CsvOptions, Scan, read_ahead
from marketpulse.formats.csv_lines import CsvLines
from marketpulse.formats.decode import decode_batches
from marketpulse.formats.spreadsheet import unprotect
from marketpulse.model import FIRST_ROWS, FileNotes, MalformedLine, OnMalformedLine

_LONGEST_RECORD = 1 << 22  # bytes; Arrow reads in blocks of this size, and larger ones are slower
_LONGEST_WRITTEN_RECORD = 1 << 26  # bytes; files of ours may hold long texts
_CHUNK = 1 << 19  # bytes in which quotes are looked for at once: larger ones are new memory each
# Rows that become text at once: Arrow's allocator returns more than 8 MB to the system each time.
_ROWS_ENCODED = 20_000
_BOM = "\ufeff"
# The first line with which Excel names the delimiter: `sep=;`, with quotes in files of some tools.
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n]|\t)"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True)
class _Layout:
    """What the beginning of a file shows."""

    header: tuple[str, ...]
    blank_lines: int  # before the header, the line `sep=;` included
    delimiter: str
    has_rows: bool
    first_rows: tuple[tuple[int, tuple[str, ...]], ...]


class _InvalidRow(Protocol):
    """A line of the wrong length, as Arrow hands it over."""

    number: int
    actual_columns: int
    expected_columns: int
    text: str


def prepare_scan(path: Path, delimiter: str | None = None) -> Scan:
    """Check the header; return the function that reads the rows, every cell as text.

    Without a delimiter the file may name it in a first line `sep=;`; otherwise it is a comma.
    """
    layout = _read_layout(path, delimiter)
    schema = pa.schema([(name, pa.string()) for name in layout.header])

    def scan(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        rows = _read_batches(path, layout, on_malformed_line) if layout.has_rows else iter(())
        batches = read_ahead(rows)
        return pa.RecordBatchReader.from_batches(schema, batches)

    return Scan(scan, FileNotes(first_rows=layout.first_rows))


def _read_batches(
    path: Path, layout: _Layout, on_malformed_line: OnMalformedLine
) -> Iterator[pa.RecordBatch]:
    # Two columns of a file may share a name, which Arrow refuses. It gets numbers instead.
    names = [str(index) for index in range(len(layout.header))]
    with ThreadPoolExecutor(1) as executor:
        quotes = executor.submit(_check_quotes, path, layout.delimiter)
        try:
            reader = pa.csv.open_csv(
                path,
                pa.csv.ReadOptions(
                    use_threads=False,  # else Arrow does not know the number of a malformed line
                    column_names=names,
                    skip_rows=layout.blank_lines,
                    skip_rows_after_names=1,
                    block_size=_LONGEST_RECORD,
                ),
                pa.csv.ParseOptions(
                    delimiter=layout.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=_report_to(on_malformed_line, layout.blank_lines),
                ),
                pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                ),
            )
            for batch in reader:
                yield batch.rename_columns(list(layout.header))
        except pa.ArrowInvalid as error:
            quotes.result()  # a broken quote is the better explanation
            # Arrow cannot pass on a malformed line that is not UTF-8, and stops at its row.
            if "UTF8" in str(error) or "CSV parse error: Row" in str(error):
                raise _not_utf8(path) from None
            is_long = "straddling" in str(error)  # two of Arrow's blocks
            reason = f"a record has more than {_LONGEST_RECORD:,} bytes" if is_long else error
            raise DataError(
                f"{path}: cannot be read as CSV: {reason}",
                hint="is a quote never closed?",
                check="MP-DAT-003",
            ) from error
        quotes.result()


def _report_to(
    on_malformed_line: OnMalformedLine, blank_lines: int
) -> Callable[[_InvalidRow], str]:
    """Return Arrow's handler for lines with too few or too many fields."""
    skipped = 0

    def handle(row: _InvalidRow) -> str:
        nonlocal skipped
        skipped += 1
        if row.text.strip():  # a line of blanks alone is not a row
            after = row.number - 1 - blank_lines - skipped
            on_malformed_line(
                MalformedLine(after, row.actual_columns, row.expected_columns, row.text)
            )
        return "skip"

    return handle


def read_back(path: Path, schema: pa.Schema, *, excel: bool = False) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that `CsvWriter` wrote, in the types of this schema."""
    return decode_batches(path, _read_written(path, schema.names, excel=excel), schema)


def _read_written(path: Path, header: list[str], *, excel: bool) -> Iterator[pa.RecordBatch]:
    """Yield every cell as it was written: `""` is not null, and an empty line is a row."""
    names = [str(index) for index in range(len(header))]
    try:
        reader = pa.csv.open_csv(
            path,
            pa.csv.ReadOptions(
                use_threads=False,
                column_names=names,
                skip_rows_after_names=1,
                block_size=_LONGEST_WRITTEN_RECORD,
            ),
            pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in reader:
            columns = [unprotect(column) if excel else column for column in batch.columns]
            yield pa.record_batch(columns, header)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path}: this is not the CSV that was written: {error}", check="MP-DAT-003"
        ) from error


def _read_layout(path: Path, delimiter: str | None) -> _Layout:
    with path.open("rb") as file:
        _refuse_other_formats(path, file.read(4))
    with path.open(encoding="utf-8", newline="") as lines:
        try:
            return _parse_layout(path, lines, delimiter)
        except UnicodeDecodeError:
            raise _not_utf8(path) from None


def _parse_layout(path: Path, file: Iterator[str], delimiter: str | None) -> _Layout:
    # Programs that add a byte order mark to a file which has one double it.
    lines = chain((next(file, "").lstrip(_BOM),), file)
    blank_lines = 0
    for number, head in enumerate(lines):
        if number == 0 and (separator := _SEPARATOR_LINE.fullmatch(head)):
            delimiter = delimiter or separator[1]
        elif head.strip():
            break
        blank_lines += 1
    else:
        raise DataError(
            f"{path}: the file is empty: it has no header",
            hint="the first line names the columns, MESSAGE_ID,CUSIP,...",
            check="MP-DAT-002",
        )

    delimiter = delimiter or ","
    csv.field_size_limit(_LONGEST_RECORD)
    try:
        reader = csv.reader(chain((head,), lines), strict=True, delimiter=delimiter)
        header = tuple(next(reader))
    except csv.Error as error:
        raise _broken_quote(path, blank_lines + 1, error) from None
    others = (mark for mark in ",;\t|" if mark in head and mark != delimiter)
    if len(header) == 1 and (separator_found := next(others, None)):
        raise _other_delimiter(path, separator_found, delimiter)
    records = csv.reader(lines, delimiter=delimiter)
    first_rows = []
    line = blank_lines + reader.line_num
    # A record that cannot be parsed is an error when the rows are read.
    with suppress(csv.Error):
        for cells in islice(records, FIRST_ROWS):
            first_rows.append((line + 1, tuple(cells)))
            line = blank_lines + reader.line_num + records.line_num
    has_rows = records.line_num > 0
    return _Layout(header, blank_lines, delimiter, has_rows, tuple(first_rows))


def _other_delimiter(path: Path, found: str, expected: str) -> DataError:
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
    argument = names.get(found, f'"{found}"')
    expected_name = {",": "commas", ";": "semicolons", "\t": "tabs"}.get(expected, repr(expected))
    return DataError(
        f"{path}: the columns are separated by {found!r}, not by {expected_name}",
        hint=f"read it with --delimiter {argument}",
        check="MP-DAT-004",
    )


def _check_quotes(path: Path, delimiter: str) -> None:
    """Raise `DataError` with the line of the first broken quote."""
    if quotes_pair_up(path, delimiter):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _read_strictly(path, data, delimiter)


def quotes_pair_up(path: Path, delimiter: str, chunk_size: int = _CHUNK) -> bool:
    """Whether every quote opens a field, closes it, or is one half of a doubled quote inside.

    In a correct file the quotes alternate, counted from 0:

        a,"x""y",b
          0 12 3      even: after a field boundary (0), or right after its partner (2)
                      odd: before a field boundary (3), or right before its partner (1)

    False does not mean that a quote is broken: plain fields may hold quotes, too. Then the strict
    reader decides, which takes far longer.
    """
    is_neighbor = np.isin(np.arange(256), list(f'{delimiter}\r\n"'.encode()))
    count = 0
    before = b"\n"
    with path.open("rb") as file:
        # In chunks that are read, not mapped: the memory of this check does not grow with the file.
        chunk = file.read(chunk_size)
        while chunk:
            following = file.read(chunk_size)
            text = np.frombuffer(before + chunk + (following[:1] or b"\n"), np.uint8)
            places = np.flatnonzero(text[1:-1] == ord('"')) + 1
            is_odd = (np.arange(len(places)) + count) % 2 == 1
            if not is_neighbor[text[places + np.where(is_odd, 1, -1)]].all():
                return False
            count += len(places)
            before, chunk = chunk[-1:], following
    return count % 2 == 0


def _read_strictly(path: Path, data: mmap.mmap, delimiter: str) -> None:
    """Find the broken quote, if there is one, with Python's strict reader.

    The reader sees only lines with a quote. Others cannot break one: inside a quoted field they
    are content, outside they are plain fields. Quotes and commas are ASCII, so the encoding of
    the rest does not matter.
    """
    record_start: int | None = None  # byte at which the current record begins

    def lines_with_quotes() -> Iterator[str]:
        nonlocal record_start
        quote = data.find(b'"')
        while quote >= 0:
            line = data.rfind(b"\n", 0, quote) + 1
            end = data.find(b"\n", quote) + 1 or len(data)
            content = data[line:end]
            while content.startswith(codecs.BOM_UTF8):
                content = content.removeprefix(codecs.BOM_UTF8)
            text = content.decode("latin-1")
            line = end - len(text)
            for part in io.StringIO(text, newline="") if "\r" in text else (text,):
                record_start = line if record_start is None else record_start
                yield part
                line += len(part)
            quote = data.find(b'"', end)

    try:
        for _ in csv.reader(lines_with_quotes(), strict=True, delimiter=delimiter):
            record_start = None
    except csv.Error as error:
        line = len(re.findall(rb"\r\n?|\n", data[: record_start or 0])) + 1
        raise _broken_quote(path, line, error) from None


def _broken_quote(path: Path, line: int, error: csv.Error) -> DataError:
    return DataError(
        f"{path}: line {line}: a quote is broken ({error})",
        hint='a field that begins with " also ends with "; write a " inside it twice',
        check="MP-DAT-003",
    )


def _refuse_other_formats(path: Path, start: bytes) -> None:
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in start[:2]:
        raise DataError(
            f"{path}: line 1: the text is UTF-16, not UTF-8",
            hint="save it as CSV in UTF-8",
            check="MP-DAT-005",
        )
    suffix_hint = "give the file the suffix of its format"
    for magic, actual_format, hint in (
        (b"PK\3\4", "an XLSX file or a zip", suffix_hint),
        (b"PAR1", "a Parquet file", suffix_hint),
        (
            b"\xd0\xcf\x11\xe0",
            "an old .xls workbook",
            "open it in a spreadsheet program and save it as .xlsx, or as CSV in UTF-8",
        ),
        (b"\x1f\x8b", "a compressed file", "decompress it, or end its name in .csv.gz"),
        (b"\x28\xb5\x2f\xfd", "a compressed file", "decompress it, or end its name in .csv.zst"),
    ):
        if start.startswith(magic):
            raise DataError(
                f"{path}: this is {actual_format}, not CSV", hint=hint, check="MP-DAT-006"
            )


def _not_utf8(path: Path) -> DataError:
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if surrogate := re.search("[\udc80-\udcff]", line):
                byte = ord(surrogate[0]) - 0xDC00
                column = len(line[: surrogate.start()].encode()) + 1
                return DataError(
                    f"{path}: line {number}: byte 0x{byte:02X} at column {column} is not "
                    "UTF-8 (Latin-1 or Windows-1252?)",
                    hint="save it as CSV in UTF-8",
                    check="MP-DAT-005",
                )
    return DataError(f"{path}: the text is not UTF-8", check="MP-DAT-005")


class CsvWriter:
    """UTF-8, a line feed after each row; null is an empty cell, empty text is `""`.

    With `excel` the file begins with a byte order mark, and a `'` marks cells that a spreadsheet
    would change.
    """

    def __init__(self, path: Path, schema: pa.Schema, options: CsvOptions) -> None:
        self._lines = CsvLines(schema, excel=options.excel)
        self._executor = ThreadPoolExecutor(2)
        self._file = path.open("wb")
        self._file.write(codecs.BOM_UTF8 if options.excel else b"")
        self._file.write(self._lines.header())

    def write(self, batch: pa.RecordBatch) -> None:
        starts = range(0, len(batch), _ROWS_ENCODED)
        pieces = [batch[start : start + _ROWS_ENCODED] for start in starts]
        encode = self._executor.map if len(pieces) > 1 else map
        for lines in encode(self._lines.encode, pieces):
            self._file.write(lines)

    def close(self) -> None:
        self._executor.shutdown()
        self._file.close()
