"""XLSX: read for the values that stand in it, written so that a spreadsheet spoils nothing."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter
from zipfile import BadZipFile

import pyarrow as pa
import xlsxwriter
from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from marketpulse.errors import DataError
from marketpulse.formats.encode import LogicalType, as_text
from marketpulse.formats.spool import Spool
from marketpulse.formats.spreadsheet import LONGEST_CELL, MOST_DIGITS
from marketpulse.model import OnMalformedLine

_MOST_ROWS = 1_048_576
# What the library raises where a workbook is not as it expects; it checks little.
_DAMAGED = (
    BadZipFile,
    zlib.error,
    EOFError,
    SyntaxError,  # of XML, too
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_ESCAPE = re.compile("_x(?!D[89A-F])([0-9A-F]{4})_", re.IGNORECASE)


def opener(path: Path, workspace: Path) -> Callable[[OnMalformedLine], Any]:
    """Decode the sheet once into the workspace; scans read that."""
    # Twice, since a workbook shows either what a formula says or what it gave.
    with (
        closing(_workbook(path, data_only=True)) as values,
        closing(_workbook(path, data_only=False)) as formulas,
    ):
        with _whole(path):
            title = _only_sheet(path, values)
        with closing(_rows(values[title])) as shown, closing(_rows(formulas[title])) as said:
            rows = _read(path, zip_longest(shown, said, fillvalue=()))
            return _spooled(path, title, rows, workspace).scan


def _spooled(path: Path, title: str, rows: Iterable[Any], workspace: Path) -> Spool:
    cells = (list(_cells(shown, said)) for shown, said in rows)
    filled = (row for row in cells if any(cell and cell[1:].strip() for cell in row))
    header = [cell[1:] if cell else "" for cell in _trimmed(next(filled, []))]
    if not header:
        raise DataError(
            f"{path}: the sheet {title!r} is empty: it has no header",
            hint="the first row names the columns, MESSAGE_ID, CUSIP, ...",
            check="MP-DAT-002",
        )
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise DataError(f"{path}: two columns of the name {twice!r}", check="MP-DAT-008")
    spool = Spool(workspace, tuple(header))
    for row in map(_trimmed, filled):
        if len(row) > len(header):
            spool.malformed_line(len(row), len(header), _line(row))
        else:
            spool.append(dict(zip(header, row, strict=False)))
    spool.finish()
    return spool


def _workbook(path: Path, *, data_only: bool) -> Any:
    with _whole(path), catch_warnings():
        simplefilter("ignore")  # of the library's, about styles and the like
        reader = _Reader(path, read_only=True, data_only=data_only)
        reader.read()
        return reader.wb


def _read(path: Path, rows: Iterable[Any]) -> Iterator[Any]:
    with _whole(path):
        yield from rows


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the system's own, and no word about what the file holds
        raise DataError(
            f"{path}: this is not an XLSX workbook, or it is damaged or has a password",
            hint="save it as .xlsx without a password, or better as CSV in UTF-8",
            check="MP-DAT-006",
        ) from error


class _Reader(ExcelReader):
    """A reader that leaves escapes in shared strings alone; openpyxl's own undoes half of one."""

    def read_strings(self) -> None:
        """Read the texts that cells share."""
        package: Any = self.package
        part = package.find(SHARED_STRINGS)
        if part is None:
            return
        with self.archive.open(part.PartName[1:]) as file:
            for _, node in iterparse(file):
                if node.tag == f"{{{SHEET_MAIN_NS}}}si":
                    text: Any = Text.from_tree(node)
                    self.shared_strings.append(text.content)
                    node.clear()


def _only_sheet(path: Path, workbook: Any) -> str:
    filled = [
        sheet.title
        for sheet in workbook.worksheets
        if sheet.sheet_state == "visible" and any(any(row) for row in _rows(sheet, values=True))
    ]
    if len(filled) > 1:
        names = ", ".join(map(repr, filled))
        raise DataError(
            f"{path}: {len(filled)} sheets hold data: {names}",
            hint="keep the sheet with the colors, or save it as CSV in UTF-8",
            check="MP-DAT-009",
        )
    return str((filled or workbook.sheetnames)[0])


def _rows(sheet: Any, *, values: bool = False) -> Generator[Any]:
    sheet.reset_dimensions()  # programs that stream write none, or wrong ones
    rows: Generator[Any] = sheet.iter_rows(values_only=values)
    return rows


def _cells(shown: Iterable[Any], said: Iterable[Any]) -> Iterator[str | None]:
    """The letter of the kind and the text of each cell of a row."""
    for value, formula in zip(shown, said, strict=True):
        if formula.data_type == "f" and value.value is None and value.data_type != "str":
            text = getattr(formula.value, "text", formula.value)
            yield f"{LogicalType.UNEVALUATED.tag}{text}"
        else:
            yield _cell(value.value)


def _cell(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bool():
            return LogicalType.BOOLEAN.tag + ("true" if value else "false")
        case int() | float():
            return LogicalType.FLOAT.tag + _plain(value)
        case datetime():
            midnight = value.time() == datetime.min.time()
            text = value.date().isoformat() if midnight else value.isoformat(" ")
            return LogicalType.DATE.tag + (text if "." not in text else text.rstrip("0"))
        case date():
            return LogicalType.DATE.tag + value.isoformat()
        case _:
            return LogicalType.TEXT.tag + _ESCAPE.sub(_unescaped, str(value))


def _unescaped(escape: re.Match[str]) -> str:
    """The character that `_x000D_` and its like stand for."""
    return chr(int(escape[1], 16))


def _plain(number: float) -> str:
    """The shortest digits that give this number, without exponent; a whole number without point."""
    if number == int(number):
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def _trimmed(row: list[str | None]) -> list[str | None]:
    """The row without the empty cells at its end."""
    while row and row[-1] is None:
        row.pop()
    return row


def _line(row: list[str | None]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([cell[1:] if cell else "" for cell in row])
    return text.getvalue().removesuffix("\r\n")


class Writer:
    """One sheet; number columns as numbers that keep their decimals, all else as text.

    A number with more digits than a spreadsheet keeps (15) is text too. Never a formula.
    """

    def __init__(
        self, path: Path, schema: pa.Schema, *, numbers: frozenset[str] = frozenset()
    ) -> None:
        self._name = f"{path.name.partition('.xlsx')[0]}.xlsx"  # while it is written it has more
        self._schema = schema
        self._numbers = [name in numbers for name in schema.names]
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True})
        # Without a fixed date the same rows would not give the same bytes.
        self._book.set_properties({"created": datetime(2000, 1, 1)})  # noqa: DTZ001 - a fixed date
        self._sheet = self._book.add_worksheet()
        self._formats: dict[int, Any] = {}
        self._row = 0
        self._write_row(schema.names, [False] * len(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        if self._row + len(batch) > _MOST_ROWS:
            raise DataError(
                f"{self._name}: a sheet has room for {_MOST_ROWS:,} rows",
                hint="leave xlsx out of --formats",
                check="MP-DAT-010",
            )
        texts = []
        for column, field in zip(batch.columns, self._schema, strict=True):
            texts.append(as_text(column, field).to_pylist())
        for cells in zip(*texts, strict=True):
            self._write_row(cells, self._numbers)

    def close(self) -> None:
        self._book.close()

    def _write_row(self, cells: Iterable[str | None], numbers: list[bool]) -> None:
        for place, (text, number) in enumerate(zip(cells, numbers, strict=True)):
            if text is None:
                continue
            if number and (value := _as_float(text)) is not None:
                decimals = len(text.strip().partition(".")[2])
                self._sheet.write_number(self._row, place, value, self._decimals(decimals))
            elif self._sheet.write_string(self._row, place, text):
                raise DataError(
                    f"{self._name}: {self._schema.names[place]}: a cell has room for "
                    f"{LONGEST_CELL:,} characters",
                    hint="leave xlsx out of --formats",
                    check="MP-DAT-010",
                )
        self._row += 1

    def _decimals(self, count: int) -> Any:
        if count not in self._formats:
            shown = {"num_format": "0." + "0" * count if count else "0"}
            self._formats[count] = self._book.add_format(shown)
        return self._formats[count]


def _as_float(text: str) -> float | None:
    """The number that a spreadsheet would keep whole, else None."""
    stripped = text.strip()
    if len(stripped) > 17 or not stripped.strip("+-").replace(".", "", 1).isdecimal():
        return None
    if (
        not stripped.isascii()
        or sum(mark.isdigit() for mark in stripped.lstrip("+-0.")) > MOST_DIGITS
    ):
        return None
    return float(stripped)
