"""CSV: read as text to the letter by Arrow, written with quotes only where they are needed.

Arrow's reader is the one that loses nothing (fields with line ends, blanks before a quote, lines
of the wrong length handed over whole), but it forgives broken quotes. They are looked for beside
it.
"""

from __future__ import annotations

import codecs
import csv
import io
import mmap
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from marketpulse.errors import DataError
from marketpulse.formats.decode import as_schema
from marketpulse.formats.encode import as_text
from marketpulse.formats.spreadsheet import harmless, unharmed
from marketpulse.model import MalformedLine, OnMalformedLine

LONGEST_RECORD = 1 << 22  # bytes; larger blocks would make reading slower
_LONGEST_WRITTEN = 1 << 26  # bytes; what was written here may hold long texts
_PORTION = 1 << 24  # bytes looked at together
_ENDS = np.isin(np.arange(256), list(b",\r\n"))  # what may stand before and after a field
_NAME = pa.field("name", pa.string())
_NULL_IS_EMPTY = pc.JoinOptions(null_handling="replace", null_replacement="")


@dataclass(frozen=True)
class Layout:
    """What the beginning of a file tells."""

    header: tuple[str, ...]
    blank_lines: int  # before the header
    has_rows: bool


def opener(path: Path, _workspace: Path) -> Callable[[OnMalformedLine], Any]:
    """Look at the header, then read the file as often as is wanted, every cell as text."""
    layout = _layout(path)
    schema = pa.schema([(name, pa.string()) for name in layout.header])

    def scan(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        batches = _batches(path, layout, on_malformed_line) if layout.has_rows else iter(())
        return pa.RecordBatchReader.from_batches(schema, batches)

    return scan


def _batches(
    path: Path, layout: Layout, on_malformed_line: OnMalformedLine
) -> Iterator[pa.RecordBatch]:
    names = [str(place) for place in range(len(layout.header))]
    with ThreadPoolExecutor(1) as beside:
        quotes = beside.submit(_check_quotes, path)
        try:
            reader = pa.csv.open_csv(
                path,
                pa.csv.ReadOptions(
                    use_threads=False,  # the only way in which a misfit knows its line
                    column_names=names,
                    skip_rows=layout.blank_lines,
                    skip_rows_after_names=1,
                    block_size=LONGEST_RECORD,
                ),
                pa.csv.ParseOptions(
                    newlines_in_values=True,
                    invalid_row_handler=_malformed_lines(on_malformed_line, layout.blank_lines),
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
            quotes.result()
            if "UTF8" in str(error):
                raise _not_utf8(path) from None
            raise DataError(
                f"{path}: cannot be read as CSV: {error}",
                hint=f"a record may have at most {LONGEST_RECORD:,} bytes: is a quote never "
                "closed?",
                check="MP-DAT-003",
            ) from error
        quotes.result()


def read_back(
    path: Path, schema: pa.Schema, _workspace: Path, *, excel: bool = False
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `Writer` wrote, in the types that they had."""
    return as_schema(path, _as_written(path, schema.names, excel=excel), schema)


def _as_written(path: Path, header: list[str], *, excel: bool) -> Iterator[pa.RecordBatch]:
    """Every cell as the text that was written: `""` is no null, an empty line is a row."""
    names = [str(place) for place in range(len(header))]
    try:
        reader = pa.csv.open_csv(
            path,
            pa.csv.ReadOptions(
                use_threads=False,
                column_names=names,
                skip_rows_after_names=1,
                block_size=_LONGEST_WRITTEN,
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
            columns = [unharmed(column) if excel else column for column in batch.columns]
            yield pa.record_batch(columns, header)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{path}: this is not the CSV that was written: {error}", check="MP-DAT-003"
        ) from error


def _layout(path: Path) -> Layout:
    with path.open("rb") as file:
        _refuse_other_formats(path, file.read(4))
    with path.open(encoding="utf-8-sig", newline="") as lines:
        try:
            return _layout_of(path, lines)
        except UnicodeDecodeError:
            raise _not_utf8(path) from None


def _layout_of(path: Path, lines: Iterator[str]) -> Layout:
    blank_lines = 0
    for head in lines:
        if head.strip():
            break
        blank_lines += 1
    else:
        raise DataError(
            f"{path}: the file is empty: it has no header",
            hint="the first line names the columns, MESSAGE_ID,CUSIP,...",
            check="MP-DAT-002",
        )

    csv.field_size_limit(LONGEST_RECORD)
    try:
        header = tuple(next(csv.reader(chain((head,), lines), strict=True)))
    except csv.Error as error:
        raise _broken_quote(path, blank_lines + 1, error) from None
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in head), None)):
        raise DataError(
            f"{path}: the columns are separated by {other!r}, not by commas",
            hint="save it as comma-separated CSV in UTF-8",
            check="MP-DAT-004",
        )
    return Layout(header, blank_lines, has_rows=next(lines, None) is not None)


def _check_quotes(path: Path) -> None:
    """Raise `DataError` that names the line of the first broken quote."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not _all_pairs(data):
            _read_strictly(path, data)


def _all_pairs(data: mmap.mmap) -> bool:
    """Whether every quote opens a field, closes it, or doubles one inside.

    In such a file the quotes take turns: one at an even place stands after a comma or a line end,
    or doubles the one before it; one at an odd place stands before a comma or a line end, or is
    doubled by the next. False where that is not so, which does not yet mean that one is broken.
    """
    text = np.frombuffer(data, np.uint8)
    try:
        portions = range(0, len(text), _PORTION)
        found = [np.flatnonzero(text[it : it + _PORTION] == ord('"')) + it for it in portions]
        places = np.concatenate(found)
        if len(places) % 2:
            return False
        opening, closing = places[::2], places[1::2]
        doubled = np.append(opening[1:], -1) == closing + 1
        begins = _ENDS[text[np.maximum(opening - 1, 0)]] | (opening == 0)
        ends = _ENDS[text[np.minimum(closing + 1, len(text) - 1)]] | (closing == len(text) - 1)
        return bool(np.all(begins | np.roll(doubled, 1)) and np.all(ends | doubled))
    finally:
        del text  # or the map could not be closed


def _read_strictly(path: Path, data: mmap.mmap) -> None:
    """Let Python's strict reader find the broken quote, if there is one.

    Lines without a quote cannot break one: inside a quoted field they are content, outside they
    are plain fields. So the reader is spared them. Quotes and commas are ASCII: the encoding of
    the rest does not matter here.
    """
    begin: int | None = None  # where the record begins that is being read

    def quoted() -> Iterator[str]:
        nonlocal begin
        place = data.find(b'"')
        while place >= 0:
            line = data.rfind(b"\n", 0, place) + 1
            end = data.find(b"\n", place) + 1 or len(data)
            text = data[line:end].removeprefix(codecs.BOM_UTF8).decode("latin-1")
            line = end - len(text)
            for part in io.StringIO(text, newline="") if "\r" in text else (text,):
                begin = line if begin is None else begin
                yield part
                line += len(part)
            place = data.find(b'"', end)

    try:
        for _ in csv.reader(quoted(), strict=True):
            begin = None
    except csv.Error as error:
        line = len(re.findall(rb"\r\n?|\n", data[: begin or 0])) + 1
        raise _broken_quote(path, line, error) from None


def _broken_quote(path: Path, line: int, error: csv.Error) -> DataError:
    return DataError(
        f"{path}: line {line}: a quote is broken ({error})",
        hint='a field that begins with " ends with ", and a " inside it stands twice',
        check="MP-DAT-003",
    )


def _refuse_other_formats(path: Path, start: bytes) -> None:
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in start[:2]:
        raise DataError(
            f"{path}: line 1: the text is UTF-16, not UTF-8",
            hint="save it as CSV in UTF-8",
            check="MP-DAT-005",
        )
    for magic, what in ((b"PK\3\4", "an XLSX file or a zip"), (b"PAR1", "a Parquet file")):
        if start == magic:
            raise DataError(
                f"{path}: this is {what}, not CSV",
                hint="give the file the name ending of its format",
                check="MP-DAT-006",
            )


def _not_utf8(path: Path) -> DataError:
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if found := re.search("[\udc80-\udcff]", line):
                byte = ord(found[0]) - 0xDC00
                column = len(line[: found.start()].encode()) + 1
                return DataError(
                    f"{path}: line {number}: byte 0x{byte:02X} at column {column} is not "
                    "UTF-8 (Latin-1 or Windows-1252?)",
                    hint="save it as CSV in UTF-8",
                    check="MP-DAT-005",
                )
    return DataError(f"{path}: the text is not UTF-8", check="MP-DAT-005")


def _malformed_lines(on_malformed_line: OnMalformedLine, blank_lines: int) -> Callable[[Any], str]:
    seen = 0

    def handle(row: Any) -> str:
        nonlocal seen
        seen += 1
        if row.text.strip():  # a line of blanks alone is no row
            after = row.number - 1 - blank_lines - seen
            on_malformed_line(
                MalformedLine(after, row.actual_columns, row.expected_columns, row.text)
            )
        return "skip"

    return handle


class Writer:
    """UTF-8, a line feed after each row, null is empty and an empty string `""`.

    Arrow's own writer quotes every string or none. Two threads spell the batches, one ahead of
    what is written: they have to keep up with an engine that sorts on all cores.

    With `excel` there is a byte order mark, and what a spreadsheet would change is marked as text.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, excel: bool = False) -> None:
        self._schema = schema
        self._excel = excel
        self._pens = ThreadPoolExecutor(2)
        self._spelling: deque[Future[memoryview]] = deque()
        self._file = path.open("wb")
        self._file.write(codecs.BOM_UTF8 if excel else b"")
        names = [pa.array([name], pa.string()) for name in schema.names]
        self._file.write(_lines([harmless(it, _NAME) for it in names] if excel else names))

    def write(self, batch: pa.RecordBatch) -> None:
        self._spelling.append(self._pens.submit(self._spelled, batch))
        if len(self._spelling) > 2:
            self._file.write(self._spelling.popleft().result())

    def close(self) -> None:
        try:
            while self._spelling:
                self._file.write(self._spelling.popleft().result())
        finally:
            self._pens.shutdown()
            self._file.close()

    def _spelled(self, batch: pa.RecordBatch) -> memoryview:
        texts = [
            as_text(column, field)
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        if self._excel:
            texts = [harmless(text, field) for text, field in zip(texts, self._schema, strict=True)]
        return _lines(texts)


def _lines(columns: list[pa.Array]) -> memoryview:
    """The rows as CSV."""
    cells = [_quoted(column) for column in columns]
    cells[-1] = pc.binary_join_element_wise(cells[-1], "\n", "", options=_NULL_IS_EMPTY)
    lines = pc.binary_join_element_wise(*cells, ",", options=_NULL_IS_EMPTY)
    return _text_of(lines)


def _quoted(column: pa.Array) -> pa.Array:
    """Quote the cells that need it. A column without any, the common case, costs one look."""
    raw = bytes(_text_of(column))
    if any(mark in raw for mark in (b'"', b",", b"\n", b"\r")):
        needed = pc.fill_null(pc.match_substring_regex(column, '[",\n\r]'), False)
        doubled = pc.replace_substring(column.filter(needed), '"', '""')
        quoted = pc.binary_join_element_wise('"', doubled, '"', "")
        column = pc.replace_with_mask(column, needed, quoted)
    empty = pc.equal(pc.binary_length(column), 0)
    return pc.if_else(empty, '""', column) if pc.any(empty).as_py() else column


def _text_of(column: pa.Array) -> memoryview:
    """The text of all cells of a column, one after another."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int32)[[column.offset, column.offset + len(column)]]
    return memoryview(data)[int(ends[0]) : int(ends[1])]
