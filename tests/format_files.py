"""Files of every format for tests: cells that programs like to change, writing, and reading."""

import csv
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from marketpulse.formats import XlsxOptions, open_writer, prepare_scan
from marketpulse.formats.encode import LogicalType, logical_type
from marketpulse.model import FileNotes, MalformedLine

TEXTS = (
    "17700000000000001",
    "007",
    "101.700",
    "-0.0",
    "NULL",
    "null",
    "NA",
    "N/A",
    "NaN",
    "TRUE",
    "false",
    "1E5",
    "1,5",
    "2026-03-13",
    "a\nb",
    "a\r\nb",
    "a\rb",
    "\n",
    'say "x"',
    '"',
    '""',
    "a,b",
    "é",
    "東京",
    "\U0001f600",
    "=1+1",
    "=HYPERLINK(1)",
    "{=1}",
    "+1",
    "-1",
    "@x",
    "'x",
    "#N/A",
    "http://example.com",
    "_x0041_",
    "_x000D_",
    "_x",
    "\x00",
    "\x01",
    "\x0b",
    "\x1f",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\uffff",
    " a ",
    " ",
    "\t",
    "\xa0",
    "\\",
    "%s",
    "{}",
    "",
    None,
)


# Two escapes that share an underscore. XlsxWriter escapes only the first of them.
ADJACENT_ESCAPES = re.compile("_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_")


TYPED = pa.table(
    {
        "K": pa.array([1, 2, 3], pa.int64()),
        "ID": pa.array([17700000000000001, None, 2], pa.int64()),
        "D": pa.array([Decimal("101.700"), Decimal("-0.001"), None], pa.decimal128(20, 3)),
        "F": pa.array([101.7, math.nan, math.inf]),
        "B": pa.array([True, None, False]),
        "DAY": pa.array([date(2026, 3, 13), None, date(2026, 3, 12)]),
        "AT": pa.array([0, 1500000, None], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "L": pa.array([[1], None, []], pa.list_(pa.int64())),
        "T": pa.array(["007", None, ""]).dictionary_encode(),
    }
)


NUMBERS = st.one_of(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**15), max_value=10**15
    ),
    st.integers(-(10**17), 10**17).map(Decimal),
)


@dataclass
class FileContent:
    """What reading a file gave."""

    table: pa.Table
    malformed_lines: list[MalformedLine] = field(default_factory=list)
    notes: FileNotes = field(default_factory=FileNotes)

    def column(self, name: str) -> list[Any]:
        """Return the cells of a column."""
        cells: list[Any] = self.table.column(name).to_pylist()
        return cells

    def kind(self, name: str) -> LogicalType | None:
        """Return the logical type of a column."""
        return logical_type(self.table.schema.field(name))

    def rows(self) -> list[list[Any]]:
        """Return the rows."""
        columns = [column.to_pylist() for column in self.table.columns]
        return [list(row) for row in zip(*columns, strict=True)]


def read(path: Path) -> FileContent:
    """Read a file as every command does."""
    workspace = path.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    malformed_lines: list[MalformedLine] = []
    scan = prepare_scan(path, workspace)
    table = scan(malformed_lines.append).read_all()
    return FileContent(table, malformed_lines, scan.notes)


def write(
    path: Path,
    table: pa.Table,
    *,
    numbers: Sequence[str] = (),
    dates: Sequence[str] = (),
    title: str = "",
    batch_rows: int = 1000,
) -> Path:
    """Write a table in the format of the path's suffix; `numbers`, `dates`, `title` are XLSX's."""
    options = XlsxOptions(
        number_columns=frozenset(numbers), date_columns=frozenset(dates), title=title
    )
    is_xlsx = path.suffix == ".xlsx"
    writer = open_writer(path.suffix[1:], path, table.schema, options if is_xlsx else None)
    try:
        for batch in table.to_batches(batch_rows):
            writer.write(batch)
    finally:
        writer.close()
    return path


def parse_exactly(text: str) -> Any:
    """Parse JSON without rounding its numbers."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def read_independently(path: Path) -> list[list[Any]]:
    """Return the rows of a file as another library reads them."""
    match path.suffix:
        case ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return [[cell or None for cell in row] for row in list(csv.reader(file))[1:]]
        case ".json":
            return [list(row.values()) for row in parse_exactly(path.read_text(encoding="utf-8"))]
        case ".ndjson":
            lines = path.read_text(encoding="utf-8").split("\n")
            assert lines.pop() == ""
            return [list(parse_exactly(line).values()) for line in lines]
        case ".parquet":
            rows = pq.read_table(path).to_pylist()
            return [list(row.values()) for row in rows]
        case _:
            sheet = openpyxl.load_workbook(path).active
            assert sheet is not None
            assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
            return [
                [unescape(cell) if isinstance(cell, str) else cell for cell in row]
                for row in sheet.iter_rows(min_row=2, max_col=2, values_only=True)
            ]


@dataclass(frozen=True)
class Formula:
    """A formula and its result when the workbook was last calculated."""

    text: str
    result: Any


HEADER = ["MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX", "NOTE"]


def write_sheet(path: Path, *rows: Sequence[Any], header: Sequence[str] = HEADER) -> Path:
    """Write a workbook of one sheet."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([header, *rows]):
            for index, cell in enumerate(row):
                if isinstance(cell, Formula):
                    sheet.write_formula(number, index, cell.text, None, cell.result)
                elif isinstance(cell, str):
                    sheet.write_string(number, index, cell)
                elif cell is not None:
                    sheet.write(number, index, cell)
    return path


def write_text(path: Path, text: str | bytes) -> Path:
    """Write a file of this text."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
