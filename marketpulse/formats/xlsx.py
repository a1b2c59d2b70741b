"""XLSX: read for its values; written so that a spreadsheet changes no cell."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, dropwhile
from pathlib import Path

import pyarrow as pa
import xlsxwriter

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan, XlsxOptions
from marketpulse.formats.encode import is_text, to_text
from marketpulse.formats.nameless import likely_header, nameless_error
from marketpulse.formats.spool import Spool
from marketpulse.formats.spreadsheet import LONGEST_CELL, MOST_DIGITS
from marketpulse.formats.workbook import Sheet, SheetRow, Workbook
from marketpulse.model import FIRST_ROWS, FileNotes

_MOST_ROWS = 1_048_576
_MEASURED_ROWS = 500  # the first ones, to find how wide the columns are
_FILTER_WIDTH = 3  # characters that the button of a filter covers
_WIDEST = 60  # characters
_DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
_FIRST_DATE = "1900-03-01"  # Excel counts a day before it that never was


def prepare_scan(
    path: Path, workspace: Path, title: str | None = None, header_row: int | None = None
) -> Scan:
    """Decode the sheet into the workspace; return the function that reads the rows there.

    `title` is the sheet, `header_row` the row that names the columns; see `prepare_scan` of the
    package.
    """
    with Workbook(path) as workbook:
        sheet = _find_sheet(path, workbook) if title is None else _named(path, workbook, title)
        place = f"{path}: the sheet {sheet.title!r}"
        with closing(_filled_rows(workbook, sheet)) as rows:
            if header_row is None:
                return _decode(place, rows, workspace)
            below = dropwhile(lambda row: row.number < header_row, rows)
            first = next(below, None)
            if first is None or first.number > header_row:
                raise DataError(
                    f"{place}: the row {header_row} is empty",
                    hint="give the number of the row that names the columns to --header-row",
                    check="MP-DAT-002",
                )
            return _decode(place, chain([first], below), workspace)


def _named(path: Path, workbook: Workbook, title: str) -> Sheet:
    sheets = workbook.sheets()
    folded = title.strip().casefold()
    same = [sheet for sheet in sheets if sheet.title == title]
    same = same or [sheet for sheet in sheets if sheet.title.strip().casefold() == folded]
    if not same:
        titles = ", ".join(repr(sheet.title) for sheet in sheets)
        raise DataError(
            f"{path}: there is no sheet {title!r}",
            hint=f"the sheets are {titles}",
            check="MP-DAT-009",
        )
    return same[0]


def _decode(place: str, rows: Iterator[SheetRow], workspace: Path) -> Scan:
    header = next(rows, None)
    if header is None:
        raise DataError(
            f"{place} is empty: it has no header",
            hint="the first row names the columns, MESSAGE_ID, CUSIP, ...",
            check="MP-DAT-002",
        )
    decoder = _Decoder(place, header, workspace)
    for row in rows:
        decoder.add(row)
    return decoder.finish()


def _find_sheet(path: Path, workbook: Workbook) -> Sheet:
    """Return the only visible sheet with data. Raises `DataError` if there are more."""
    sheets = workbook.sheets()
    visible = [sheet for sheet in sheets if sheet.is_visible]
    filled = []
    for sheet in visible:
        with closing(_filled_rows(workbook, sheet)) as rows:
            filled += [sheet] if next(rows, None) else []
    if len(filled) > 1:
        titles = ", ".join(repr(sheet.title) for sheet in filled)
        raise DataError(
            f"{path}: {len(filled)} sheets hold data: {titles}",
            hint="name the one with the colors with --sheet",
            check="MP-DAT-009",
        )
    if not sheets:
        raise DataError(
            f"{path}: the workbook has no sheet with cells",
            hint="put the colors into a sheet, or save them as CSV in UTF-8",
            check="MP-DAT-002",
        )
    return (filled or visible or sheets)[0]


def _filled_rows(workbook: Workbook, sheet: Sheet) -> Generator[SheetRow]:
    """Yield the rows with content."""
    for row in workbook.rows(sheet):
        if not all(map(_is_blank, row.cells)):
            yield row


class _Decoder:
    """Stores the rows of one sheet in a spool; `place` names the sheet in messages."""

    def __init__(self, place: str, header: SheetRow, workspace: Path) -> None:
        self._place = place
        self._width = _width(header.cells)
        self._names = {
            index: _text(cell) for index, cell in enumerate(header.cells) if not _is_blank(cell)
        }
        self._gaps = [index for index in range(self._width) if index not in self._names]
        names = tuple(self._names.values())
        if duplicate := next((name for name in names if names.count(name) > 1), None):
            raise DataError(
                f"{place}: two columns named {duplicate!r}",
                hint="rename one of them",
                check="MP-DAT-008",
            )
        self._spool = Spool(workspace, names)
        self._first_rows: list[tuple[int, tuple[str, ...]]] = []
        self._hidden_rows = 0
        self._has_rows = False
        self._in_gap: tuple[SheetRow, int] | None = None  # the first cell without a name
        self._beyond: tuple[SheetRow, int] | None = None  # the first one beyond the header

    def add(self, row: SheetRow) -> None:
        """Store a row below the header."""
        self._hidden_rows += row.is_hidden
        if len(self._first_rows) < FIRST_ROWS:
            self._first_rows.append((row.number, tuple(map(_text, row.cells))))
        cells = row.cells
        if self._in_gap is None:
            filled = [
                index for index in self._gaps if not all(map(_is_blank, cells[index : index + 1]))
            ]
            self._in_gap = (row, filled[0]) if filled else None
        if len(cells) > self._width < (width := _width(cells)):
            self._beyond = self._beyond or (row, width - 1)
            self._spool.add_malformed_line(width, self._width, _as_line(cells[:width]))
        else:
            self._has_rows = True
            self._spool.append(
                {name: cells[index] for index, name in self._names.items() if index < len(cells)}
            )

    def finish(self) -> Scan:
        """Return the scan. Raises `DataError` if a column without a name holds anything."""
        # A row that is longer than the header is rejected. If all are, a name is missing.
        if unnamed := self._in_gap or (None if self._has_rows else self._beyond):
            row, index = unnamed
            what = (
                f"column {row.letters(index)} has no name, but row {row.number} holds "
                f"{_text(row.cells[index])!r} there"
            )
            header = likely_header(len(self._names), self._first_rows)
            raise nameless_error(self._place, what, header)
        notes = FileNotes(
            hidden_rows=self._hidden_rows,
            nameless_columns=len(self._gaps),
            first_rows=tuple(self._first_rows),
        )
        return Scan(self._spool.scan, notes)


def _width(cells: Sequence[str | None]) -> int:
    """Return the number of cells up to the last one that is not blank."""
    width = len(cells)
    while width and _is_blank(cells[width - 1]):
        width -= 1
    return width


def _text(cell: str | None) -> str:
    """Return the text of a tagged cell."""
    return cell[1:] if cell else ""


def _is_blank(cell: str | None) -> bool:
    return not _text(cell).strip()


def _as_line(cells: Iterable[str | None]) -> str:
    """Return a row as CSV, to be shown to the user."""
    text = io.StringIO()
    csv.writer(text).writerow(map(_text, cells))
    return text.getvalue().removesuffix("\r\n")


class XlsxWriter:
    """A workbook with one sheet, see `XlsxSheet`."""

    def __init__(self, path: Path, schema: pa.Schema, options: XlsxOptions) -> None:
        self._book = XlsxBook(path)
        self._sheet = self._book.add_sheet(schema, options)

    def write(self, batch: pa.RecordBatch) -> None:
        self._sheet.write(batch)

    def close(self) -> None:
        self._book.close()

    def discard(self) -> None:
        self._book.discard()


class XlsxBook:
    """A workbook of several sheets, which can be written at the same time."""

    def __init__(self, path: Path) -> None:
        self.name = f"{path.name.partition('.xlsx')[0]}.xlsx"  # without the suffix of a part
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True})
        # The same rows give the same bytes only if the date is fixed.
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - XLSX has no zone
        self._sheets: list[XlsxSheet] = []
        self._formats: dict[tuple[str, bool], object] = {}  # by their codes

    def add_sheet(self, schema: pa.Schema, options: XlsxOptions) -> XlsxSheet:
        """Add a sheet with a header."""
        sheet = self._book.add_worksheet(_sheet_title(options.title))
        self._sheets.append(XlsxSheet(self, sheet, schema, options))
        return self._sheets[-1]

    def format(self, code: str, *, bold: bool = False) -> object:
        """The format of a cell; `code` is how Excel spells that of a number."""
        if (code, bold) not in self._formats:
            properties = {"bold": bold} | ({"num_format": code} if code else {})
            self._formats[code, bold] = self._book.add_format(properties)
        return self._formats[code, bold]

    def close(self) -> None:
        """Finish the file."""
        for sheet in self._sheets:
            sheet.finish()
        self._book.close()

    def discard(self) -> None:
        """Close and remove the temporary files, and write no workbook."""
        for sheet in self._book.worksheets():
            sheet.row_data_fh.close()
        for file in self.row_files():
            file.unlink(missing_ok=True)

    def row_files(self) -> list[Path]:
        """The temporary files that XlsxWriter keeps rows in."""
        return [Path(sheet.row_data_filename) for sheet in self._book.worksheets()]


class XlsxSheet:
    """One sheet, with a header that stays in view and filters the rows.

    Number columns have numbers that show all their decimals, date columns have dates; all else is
    text. A number with more digits than a spreadsheet keeps (15) is text, too, and so is a date
    whose spelling a spreadsheet would change. Nothing is a formula.
    """

    def __init__(
        self,
        book: XlsxBook,
        sheet: xlsxwriter.worksheet.Worksheet,
        schema: pa.Schema,
        options: XlsxOptions,
    ) -> None:
        self._book = book
        self._name = book.name
        self._sheet = sheet
        self._schema = schema
        self._write_cells = [self._cell_writer(field, options) for field in schema]
        self._widths = [len(name) + _FILTER_WIDTH for name in schema.names]
        self._row = 0
        for index, name in enumerate(schema.names):
            self._write_string(index, name, bold=True)
        self._row = 1

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows. Raises `DataError` if the sheet has no room for them."""
        if self._row + len(batch) > _MOST_ROWS:
            raise DataError(
                f"{self._name}: a sheet has room for {_MOST_ROWS:,} rows",
                hint="run it again without xlsx in --formats",
                check="MP-DAT-010",
            )
        texts = []
        for column, field in zip(batch.columns, self._schema, strict=True):
            texts.append(to_text(column, field).to_pylist())
        self._widen(texts)
        for cells in zip(*texts, strict=True):
            for index, text in enumerate(cells):
                if text is not None:
                    self._write_cells[index](index, text)
            self._row += 1

    def close(self) -> None:
        """Do nothing: the workbook finishes its sheets."""

    def finish(self) -> None:
        """Set what depends on all rows."""
        for index, width in enumerate(self._widths):
            self._sheet.set_column(index, index, min(width + 1, _WIDEST))
        self._sheet.freeze_panes(1, 0)
        if self._widths:
            self._sheet.autofilter(0, 0, max(self._row - 1, 1), len(self._widths) - 1)

    def _cell_writer(self, field: pa.Field, options: XlsxOptions) -> Callable[[int, str], None]:
        """The function that writes a cell of this column: its place in the row, its text."""
        if field.name in options.number_columns:
            return self._write_number
        if field.name in options.date_columns:
            # Without its zeros, the midnight of a typed column is the same value.
            return self._write_date if is_text(field.type) else self._write_typed_date
        return self._write_string

    def _widen(self, texts: Sequence[Sequence[str | None]]) -> None:
        """Make the columns as wide as the first rows need, however these come in batches."""
        rows = max(_MEASURED_ROWS + 1 - self._row, 0)
        for index, cells in enumerate(texts):
            lengths = (len(text) for text in cells[:rows] if text is not None)
            self._widths[index] = max(self._widths[index], *lengths, 0)

    def _write_number(self, index: int, text: str) -> None:
        value = _exact_float(text)
        if value is None:
            self._write_string(index, text)
        else:
            self._sheet.write_number(self._row, index, value, self._book.format(_number_code(text)))

    def _write_date(self, index: int, text: str) -> None:
        if text.endswith(" 00:00:00"):
            self._write_string(index, text)
        else:
            self._write_typed_date(index, text)

    def _write_typed_date(self, index: int, text: str) -> None:
        value = _exact_date(text)
        if value is None:
            self._write_string(index, text)
        else:
            code = "yyyy-mm-dd hh:mm:ss" if " " in text else "yyyy-mm-dd"
            self._sheet.write_datetime(self._row, index, value, self._book.format(code))

    def _write_string(self, index: int, text: str, *, bold: bool = False) -> None:
        style = self._book.format("", bold=True) if bold else None
        if self._sheet.write_string(self._row, index, text, style):  # not 0: it is too long
            raise DataError(
                f"{self._name}: {self._schema.names[index]}: a cell has room for "
                f"{LONGEST_CELL:,} characters",
                hint="run it again without xlsx in --formats",
                check="MP-DAT-010",
            )


def _sheet_title(title: str) -> str:
    """The title as Excel allows it: 31 characters, and none of those that its formulas use."""
    allowed = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", title)[:31].strip("'")
    return f"{allowed}_" if allowed.casefold() == "history" else allowed or "Sheet1"


def _number_code(text: str) -> str:
    """The format code that shows all decimals of a number, and the zeros before it."""
    whole, _, decimals = text.strip().lstrip("+-").partition(".")
    zeros = "0" * (len(whole) if whole.startswith("0") else 1)
    return f"{zeros}.{'0' * len(decimals)}" if decimals else zeros


def _exact_date(text: str) -> datetime | None:
    """The date if a spreadsheet keeps all that its text says, else None."""
    if not _DATE.fullmatch(text) or text < _FIRST_DATE:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # such as February 30
        return None


def _exact_float(text: str) -> float | None:
    """Return the number if a spreadsheet keeps all its digits, else None."""
    stripped = text.strip()
    if len(stripped) > 17 or not _NUMBER.fullmatch(stripped):
        return None
    digits = sum(char.isdigit() for char in stripped.lstrip("+-0."))
    return float(stripped) if digits <= MOST_DIGITS else None
