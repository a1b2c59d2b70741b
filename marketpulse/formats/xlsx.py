"""XLSX: read for its values; written so that a spreadsheet changes no cell."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile

import pyarrow as pa
import xlsxwriter
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan, XlsxOptions
from marketpulse.formats.encode import LogicalType, to_text
from marketpulse.formats.spool import Spool
from marketpulse.formats.spreadsheet import LONGEST_CELL, MOST_DIGITS

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

_MOST_ROWS = 1_048_576
# openpyxl checks little: a damaged workbook makes it raise any of these.
_DAMAGED = (
    BadZipFile,
    zlib.error,
    EOFError,
    SyntaxError,  # also of XML
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_ESCAPE = re.compile("_x(?!D[89A-F])([0-9A-F]{4})_", re.IGNORECASE)


class _Cell(Protocol):
    """A cell of openpyxl's read-only sheets."""

    value: object
    data_type: str


_Row: TypeAlias = "Sequence[_Cell]"


class _Sheet(Protocol):
    """openpyxl's read-only sheet, which its stubs describe only in part."""

    def reset_dimensions(self) -> None:
        """Forget which cells the workbook says are used."""

    def iter_rows(self) -> Iterable[_Row]:
        """Yield the rows."""


def prepare_scan(path: Path, workspace: Path) -> Scan:
    """Decode the sheet into the workspace; return the function that reads the rows there."""
    # openpyxl gives either the formulas or their results, and both are needed to tell an empty
    # cell from a formula without a result.
    with (
        closing(_open_workbook(path, results=True)) as results,
        closing(_open_workbook(path, results=False)) as formulas,
    ):
        with _damage_is_bad_data(path):
            title = _find_sheet(path, results)
        with (
            closing(_iter_rows(cast("_Sheet", results[title]))) as result_rows,
            closing(_iter_rows(cast("_Sheet", formulas[title]))) as formula_rows,
        ):
            rows = _guard(path, zip_longest(result_rows, formula_rows, fillvalue=()))
            return _decode(path, title, rows, workspace).scan


def _decode(path: Path, title: str, rows: Iterable[tuple[_Row, _Row]], workspace: Path) -> Spool:
    cells = (list(_tagged_row(results, formulas)) for results, formulas in rows)
    filled = (row for row in cells if any(cell and cell[1:].strip() for cell in row))
    header = [cell[1:] if cell else "" for cell in _trimmed(next(filled, []))]
    if not header:
        raise DataError(
            f"{path}: the sheet {title!r} is empty: it has no header",
            hint="the first row names the columns, MESSAGE_ID, CUSIP, ...",
            check="MP-DAT-002",
        )
    if duplicate := next((name for name in header if header.count(name) > 1), None):
        raise DataError(f"{path}: two columns of the name {duplicate!r}", check="MP-DAT-008")
    spool = Spool(workspace, tuple(header))
    for row in map(_trimmed, filled):
        if len(row) > len(header):
            spool.add_malformed_line(len(row), len(header), _as_line(row))
        else:
            spool.append(dict(zip(header, row, strict=False)))
    spool.finish()
    return spool


def _open_workbook(path: Path, *, results: bool) -> Workbook:
    with _damage_is_bad_data(path), catch_warnings():
        simplefilter("ignore")  # openpyxl warns about styles and extensions, which we do not read
        reader = _Reader(path, read_only=True, data_only=results)
        reader.read()
        return reader.wb


def _guard(path: Path, rows: Iterable[tuple[_Row, _Row]]) -> Iterator[tuple[_Row, _Row]]:
    with _damage_is_bad_data(path):
        yield from rows


@contextmanager
def _damage_is_bad_data(path: Path) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        # With an errno the system failed. Without one, the file's content is wrong.
        if isinstance(error, OSError) and error.errno:
            raise
        raise DataError(
            f"{path}: this is not an XLSX workbook, or it is damaged or has a password",
            hint="save it as .xlsx without a password, or better as CSV in UTF-8",
            check="MP-DAT-006",
        ) from error


class _Reader(ExcelReader):
    """openpyxl's reader, except that it keeps escapes such as `_x000D_` in shared strings.

    openpyxl decodes some of them and not others; `_tagged` decodes all.
    """

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        part = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call] # the stubs omit it
        if part is None:
            return
        with self.archive.open(part.PartName[1:]) as file:
            for _, node in iterparse(file):
                if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                    self.shared_strings.append(cast("Text", Text.from_tree(node)).content)
                    node.clear()


def _find_sheet(path: Path, workbook: Workbook) -> str:
    """Return the title of the only visible sheet with data. Raises `DataError` if it has more."""
    filled = [
        sheet.title
        for sheet in workbook.worksheets
        if sheet.sheet_state == "visible" and _has_data(cast("_Sheet", sheet))
    ]
    if len(filled) > 1:
        raise DataError(
            f"{path}: {len(filled)} sheets hold data: {', '.join(map(repr, filled))}",
            hint="keep the sheet with the colors, or save it as CSV in UTF-8",
            check="MP-DAT-009",
        )
    return str((filled or workbook.sheetnames)[0])


def _has_data(sheet: _Sheet) -> bool:
    return any(any(cell.value for cell in row) for row in _iter_rows(sheet))


def _iter_rows(sheet: _Sheet) -> Generator[_Row]:
    sheet.reset_dimensions()  # programs that stream a workbook write no dimensions, or wrong ones
    yield from sheet.iter_rows()


def _tagged_row(results: _Row, formulas: _Row) -> Iterator[str | None]:
    """Yield each cell of a row as `Spool` takes it; see `_tagged`."""
    for result, formula in zip(results, formulas, strict=True):
        # A formula may have given an empty text ("str"): that is a result.
        if formula.data_type == "f" and result.value is None and result.data_type != "str":
            text = getattr(formula.value, "text", formula.value)
            yield f"{LogicalType.UNEVALUATED.tag}{text}"
        else:
            yield _tagged(result.value)


def _tagged(value: object) -> str | None:
    """Return the tag of a value's logical type and its text."""
    match value:
        case None:
            return None
        case bool():
            return LogicalType.BOOLEAN.tag + ("true" if value else "false")
        case int() | float():
            return LogicalType.FLOAT.tag + _spell_number(value)
        case datetime():
            is_midnight = value.time() == datetime.min.time()
            text = value.date().isoformat() if is_midnight else value.isoformat(" ")
            return LogicalType.DATE.tag + (text if "." not in text else text.rstrip("0"))
        case date():
            return LogicalType.DATE.tag + value.isoformat()
        case _:
            return LogicalType.TEXT.tag + _ESCAPE.sub(_unescape, str(value))


def _unescape(escape: re.Match[str]) -> str:
    """Return the character of an escape such as `_x000D_`."""
    return chr(int(escape[1], 16))


def _spell_number(number: float) -> str:
    """Return the fewest digits that give this number, without exponent, `.0` or `.`."""
    if number == int(number):
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _trimmed(row: list[str | None]) -> list[str | None]:
    """Remove the empty cells at the end of a row."""
    while row and row[-1] is None:
        row.pop()
    return row


def _as_line(row: list[str | None]) -> str:
    """Return a row as CSV, to be shown to the user."""
    text = io.StringIO()
    csv.writer(text).writerow([cell[1:] if cell else "" for cell in row])
    return text.getvalue().removesuffix("\r\n")


class XlsxWriter:
    """One sheet. Number columns have numbers that show all their decimals; all else is text.

    A number with more digits than a spreadsheet keeps (15) is text, too. Nothing is a formula.
    """

    def __init__(self, path: Path, schema: pa.Schema, options: XlsxOptions) -> None:
        self._name = f"{path.name.partition('.xlsx')[0]}.xlsx"  # without the suffix of a part
        self._schema = schema
        self._is_number = [name in options.number_columns for name in schema.names]
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True})
        # The same rows give the same bytes only if the date is fixed.
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - XLSX has no zone
        self._sheet = self._book.add_worksheet()
        self._formats: dict[int, object] = {}  # by the number of decimals
        self._row = 0
        self._write_row(schema.names, [False] * len(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        if self._row + len(batch) > _MOST_ROWS:
            raise DataError(
                f"{self._name}: a sheet has room for {_MOST_ROWS:,} rows",
                hint="run it again without xlsx in --formats",
                check="MP-DAT-010",
            )
        texts = []
        for column, field in zip(batch.columns, self._schema, strict=True):
            texts.append(to_text(column, field).to_pylist())
        for cells in zip(*texts, strict=True):
            self._write_row(cells, self._is_number)

    def close(self) -> None:
        self._book.close()

    def _write_row(self, cells: Iterable[str | None], is_number: Sequence[bool]) -> None:
        for index, (text, as_number) in enumerate(zip(cells, is_number, strict=True)):
            if text is None:
                continue
            if as_number and (value := _exact_float(text)) is not None:
                decimals = len(text.strip().partition(".")[2])
                self._sheet.write_number(self._row, index, value, self._number_format(decimals))
            elif self._sheet.write_string(self._row, index, text):  # not 0: it is too long
                raise DataError(
                    f"{self._name}: {self._schema.names[index]}: a cell has room for "
                    f"{LONGEST_CELL:,} characters",
                    hint="run it again without xlsx in --formats",
                    check="MP-DAT-010",
                )
        self._row += 1

    def _number_format(self, decimals: int) -> object:
        if decimals not in self._formats:
            properties = {"num_format": "0." + "0" * decimals if decimals else "0"}
            self._formats[decimals] = self._book.add_format(properties)
        return self._formats[decimals]


def _exact_float(text: str) -> float | None:
    """Return the number if a spreadsheet keeps all its digits, else None."""
    stripped = text.strip()
    if len(stripped) > 17 or not stripped.strip("+-").replace(".", "", 1).isdecimal():
        return None
    if (
        not stripped.isascii()
        or sum(char.isdigit() for char in stripped.lstrip("+-0.")) > MOST_DIGITS
    ):
        return None
    return float(stripped)
