"""Formats: what is written is what was there, by our own reader's word and by others'."""

import csv
import io
import json
import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import colors_model as model
import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from openpyxl.utils.escape import unescape

from marketpulse import ColorsRun, run_colors
from marketpulse.cli import console
from marketpulse.errors import DataError
from marketpulse.extraction.sample import Wanted, sample
from marketpulse.formats import FORMATS, open_writer, opener
from marketpulse.formats.encode import LogicalType, as_text, logical_field, logical_type
from marketpulse.model import MalformedLine
from marketpulse.sources import open_files

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
# Two escapes that share an underscore: XlsxWriter escapes only the first of them.
TWINS = re.compile("_x[0-9A-Fa-f]{4}_x[0-9A-Fa-f]{4}_")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a test share."""
    return tmp_path_factory.mktemp("formats")


@dataclass
class Read:
    """What the format's own opener found in a file."""

    table: pa.Table
    malformed_lines: list[MalformedLine] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """The cells of a column."""
        cells: list[Any] = self.table.column(name).to_pylist()
        return cells

    def kind(self, name: str) -> LogicalType | None:
        """What the text of a column stands for."""
        return logical_type(self.table.schema.field(name))

    def rows(self) -> list[list[Any]]:
        """The rows."""
        columns = [column.to_pylist() for column in self.table.columns]
        return [list(row) for row in zip(*columns, strict=True)]


def read(path: Path) -> Read:
    """Read a file as every command does."""
    workspace = path.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    malformed_lines: list[MalformedLine] = []
    table = opener(path, workspace)(malformed_lines.append).read_all()
    return Read(table, malformed_lines)


def write(path: Path, table: pa.Table, *, numbers: Sequence[str] = (), at_once: int = 1000) -> Path:
    """Write a table in the format that the path's name tells, in several batches."""
    writer = open_writer(path.suffix[1:], path, table.schema, numbers=frozenset(numbers))
    try:
        for batch in table.to_batches(at_once):
            writer.write(batch)
    finally:
        writer.close()
    return path


def parsed(text: str) -> Any:
    """A text of JSON, its numbers exact."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def others_read(path: Path) -> list[list[Any]]:
    """The rows of a file as a reader has them that is not ours."""
    match path.suffix:
        case ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return [[cell or None for cell in row] for row in list(csv.reader(file))[1:]]
        case ".json":
            return [list(row.values()) for row in parsed(path.read_text(encoding="utf-8"))]
        case ".ndjson":
            lines = path.read_text(encoding="utf-8").split("\n")
            assert lines.pop() == ""
            return [list(parsed(line).values()) for line in lines]
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


# -------------------------------------------------------------------------------------------- Text


def check_text(suffix: str, cells: Sequence[str | None], folder: Path) -> None:
    """Check that cells of text come back, from our reader and from another one."""
    numbered = [str(number) for number in range(len(cells))]
    table = pa.table({"K": numbered, "T": pa.array(cells, pa.string())})
    path = write(folder / f"text.{suffix}", table, at_once=7)
    # Text of CSV has no empty string: what is empty is null.
    wanted = [cell or None for cell in cells] if suffix == "csv" else list(cells)
    ours = read(path)
    assert ours.column("T") == wanted
    assert ours.column("K") == numbered
    assert ours.kind("T") is LogicalType.TEXT
    theirs = others_read(path)
    assert theirs == [list(row) for row in zip(numbered, wanted, strict=True)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_that_programs_like_to_change_comes_back(suffix: str, tmp_path: Path) -> None:
    """Identifiers, zeros, words, formulas, line ends and control characters stay as they are."""
    check_text(suffix, TEXTS, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
@given(
    cells=st.lists(st.one_of(st.none(), st.text(), st.sampled_from(TEXTS)), min_size=1, max_size=20)
)
def test_any_text_comes_back(suffix: str, cells: list[str | None], folder: Path) -> None:
    """Any text that UTF-8 has comes back to the letter from every format."""
    assume(not any(TWINS.search(cell or "") for cell in cells) or suffix != "xlsx")
    check_text(suffix, cells, folder)


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_of_columns_come_back(suffix: str, tmp_path: Path) -> None:
    """A column may be called anything, by quotes, commas, line ends and percent signs too."""
    names = ["K", 'a "b", c', "l1\nl2", "100%s", "東京", " x "]
    table = pa.table({name: ["1"] for name in names})
    assert read(write(tmp_path / f"names.{suffix}", table)).table.schema.names == names


def test_csv_quotes_only_where_needed(tmp_path: Path) -> None:
    r"""Null is empty, an empty string is "", lines end with \n, plain cells have no quotes."""
    table = pa.table({"A": ["x y", None, "a,b", 'a"b', "a\rb"], "B": ["", "é", "1", " ", None]})
    path = write(tmp_path / "quotes.csv", table, at_once=2)
    assert path.read_bytes() == 'A,B\nx y,""\n,é\n"a,b",1\n"a""b", \n"a\rb",\n'.encode()


def test_a_table_without_rows_is_written(tmp_path: Path) -> None:
    """A file of every format says which columns there were, JSON aside, and has no row."""
    table = pa.table({"A": pa.array([], pa.string()), "B": pa.array([], pa.string())})
    for suffix in FORMATS:
        path = write(tmp_path / f"empty.{suffix}", table)
        if suffix == "ndjson":
            assert path.read_bytes() == b""
        elif suffix == "json":
            assert path.read_bytes() == b"[]\n"
        else:
            assert read(path).table.schema.names == ["A", "B"]
        if suffix != "ndjson":
            assert read(path).rows() == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_rows_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    """Two files of the same rows are one file, however the rows were cut into batches."""
    table = pa.table(
        {
            "T": [text or "x" for text in TEXTS] * 3,
            "N": pa.array(range(3 * len(TEXTS)), pa.int64()),
            "D": pa.array([Decimal("101.70")] * 3 * len(TEXTS), pa.decimal128(9, 2)),
        }
    )
    one = write(tmp_path / f"one.{suffix}", table, numbers=["D"])
    other = write(tmp_path / f"other.{suffix}", table, numbers=["D"])
    assert one.read_bytes() == other.read_bytes()
    if suffix != "parquet":  # there a batch is a row group
        cut = write(tmp_path / f"cut.{suffix}", table, numbers=["D"], at_once=10)
        assert cut.read_bytes() == one.read_bytes()


# ------------------------------------------------------------------------------ Canonical spelling


def spelled(values: Sequence[Any], data_type: pa.DataType) -> list[str | None]:
    """How values of a type are written where there is only text."""
    array = pa.array(values, data_type)
    texts: list[str | None] = as_text(array, pa.field("x", data_type)).to_pylist()
    return texts


D = Decimal
CANONICAL: dict[str, tuple[pa.DataType, list[Any], list[str | None]]] = {
    "integers": (
        pa.int64(),
        [17700000000000001, -1, 0, None],
        ["17700000000000001", "-1", "0", None],
    ),
    "unsigned": (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
    "decimals": (
        pa.decimal128(20, 3),
        [D("101.7"), D("-0.001"), D(0), D("12345678901234567.891")],
        ["101.700", "-0.001", "0.000", "12345678901234567.891"],
    ),
    "tiny decimals": (
        pa.decimal128(38, 20),
        [D("1E-20"), D("-1E-10"), D(0), D(5)],
        [
            "0.00000000000000000001",
            "-0.00000000010000000000",
            "0.00000000000000000000",
            "5.00000000000000000000",
        ],
    ),
    "decimals of a negative scale": (
        pa.decimal128(5, -3),
        [D("1E+3"), D("-12E+3"), D(0)],
        ["1000", "-12000", "0"],
    ),
    "long decimals": (pa.decimal256(60, 2), [D("1" * 50 + ".10")], ["1" * 50 + ".10"]),
    "floats": (
        pa.float64(),
        [101.7, 1.0, -0.0, 0.1 + 0.2, 1e22, 1e-7, 5e-324, 2.0**53, math.nan, math.inf, -math.inf],
        [
            *("101.7", "1.0", "-0.0", "0.30000000000000004", "10000000000000000000000.0"),
            *("0.0000001", "0." + "0" * 323 + "5", "9007199254740992.0", "NaN", "inf", "-inf"),
        ],
    ),
    "floats of 32 bits": (
        pa.float32(),
        [0.1, 101.7, 16777216, 1e-7, 3e38, math.nan],
        ["0.1", "101.7", "16777216.0", "0.0000001", "3" + "0" * 38 + ".0", "NaN"],
    ),
    "days": (
        pa.date32(),
        [date(2026, 3, 13), date(1, 1, 1), None],
        ["2026-03-13", "0001-01-01", None],
    ),
    "days of 64 bits": (pa.date64(), [date(2026, 3, 13)], ["2026-03-13"]),
    "instants": (
        pa.timestamp("us"),
        list(
            map(datetime.fromisoformat, ("2026-03-13", "2026-03-13T01:02:03.000040", "0001-01-01"))
        ),
        ["2026-03-13 00:00:00", "2026-03-13 01:02:03.00004", "0001-01-01 00:00:00"],
    ),
    "instants with a zone": (
        pa.timestamp("ms", "America/New_York"),
        [datetime(2026, 3, 13, 1, 2, 3, 400000, tzinfo=UTC)],
        ["2026-03-13 01:02:03.4"],
    ),
    "booleans": (pa.bool_(), [True, False, None], ["true", "false", None]),
    "nothing": (pa.null(), [None, None], [None, None]),
    "bytes": (pa.binary(), [b"\xff\x00", None], ["ff00", None]),
    "times": (pa.time64("us"), [time(1, 2, 3)], ["01:02:03"]),
    "lists": (pa.list_(pa.int64()), [[1, 2], [], None], ["[1, 2]", "[]", None]),
    "objects": (pa.struct({"a": pa.string()}), [{"a": "é"}], ['{"a": "é"}']),
}


@pytest.mark.parametrize("name", CANONICAL)
def test_values_are_spelled_canonically(name: str) -> None:
    """Every type has one spelling for each value, without exponents, in UTC."""
    data_type, values, texts = CANONICAL[name]
    assert spelled(values, data_type) == texts


@given(values=st.lists(st.floats()))
def test_any_float_is_spelled_in_its_shortest_digits(values: list[float]) -> None:
    """A float's text reads back as the same float, has a point and no digit too many."""
    for value, text in zip(values, spelled(values, pa.float64()), strict=True):
        assert text is not None
        if math.isfinite(value):
            assert re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
            assert math.copysign(1, float(text)) == math.copysign(1, value)
            assert float(text) == value
            assert D(text) == D(repr(value))


@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_float_of_32_bits_is_spelled_in_its_own_digits(values: list[float]) -> None:
    """A float of 32 bits has no digits of 64."""
    for value, text in zip(values, spelled(values, pa.float32()), strict=True):
        assert text is not None
        assert np.float32(text) == np.float32(value)
        assert D(text) == D(str(np.float32(value)))


@given(data=st.data(), scale=st.integers(-5, 30))
def test_any_decimal_is_spelled_with_its_scale(data: st.DataObject, scale: int) -> None:
    """A decimal has as many digits after its point as its type, and no exponent."""
    most = 10 ** (38 + min(scale, 0)) - 1
    numbers = data.draw(st.lists(st.integers(-most, most)))
    values = [D((number < 0, tuple(map(int, str(abs(number)))), -scale)) for number in numbers]
    texts = [f"{value:f}" if value else f"{0:.{max(scale, 0)}f}" for value in values]
    assert spelled(values, pa.decimal128(38, scale)) == texts


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
BEGIN, END = -62135596800, 253402300800  # of the years 1 to 9999, in seconds since 1970


@given(
    unit=st.sampled_from(list(UNITS)),
    zone=st.sampled_from([None, "UTC", "Asia/Tokyo"]),
    data=st.data(),
)
def test_any_instant_is_spelled_in_utc(unit: str, zone: str | None, data: st.DataObject) -> None:
    """An instant of any unit keeps every digit of its fraction but the zeros at the end."""
    ticks = UNITS[unit]
    low, high = max(BEGIN * ticks, -(2**63)), min(END * ticks, 2**63) - 1
    counts = data.draw(st.lists(st.integers(low + 1, high)))
    data_type = pa.timestamp(unit, zone)
    array = pa.array(counts, pa.int64()).cast(data_type)
    for count, text in zip(counts, as_text(array, pa.field("x", data_type)), strict=True):
        seconds, rest = divmod(count, ticks)
        moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - UTC
        digits = f"{rest:0{len(str(ticks)) - 1}d}".rstrip("0") if rest else ""
        assert text.as_py() == moment.isoformat(" ") + (f".{digits}" if digits else "")


# ----------------------------------------------------------------------------------------- Numbers

TYPED = pa.table(
    {
        "K": pa.array([1, 2, 3], pa.int64()),
        "ID": pa.array([17700000000000001, None, 2], pa.int64()),
        "D": pa.array([D("101.700"), D("-0.001"), None], pa.decimal128(20, 3)),
        "F": pa.array([101.7, math.nan, math.inf]),
        "B": pa.array([True, None, False]),
        "DAY": pa.array([date(2026, 3, 13), None, date(2026, 3, 12)]),
        "AT": pa.array([0, 1500000, None], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "L": pa.array([[1], None, []], pa.list_(pa.int64())),
        "T": pa.array(["007", None, ""]).dictionary_encode(),
    }
)


def test_typed_values_in_csv_are_canonical(tmp_path: Path) -> None:
    """CSV has every typed value in its one spelling."""
    lines = write(tmp_path / "typed.csv", TYPED).read_text(encoding="utf-8").splitlines()
    assert lines == [
        "K,ID,D,F,B,DAY,AT,L,T",
        "1,17700000000000001,101.700,101.7,true,2026-03-13,1970-01-01 00:00:00,[1],007",
        "2,,-0.001,NaN,,,1970-01-01 00:00:01.5,,",
        '3,2,,inf,false,2026-03-12,,[],""',
    ]


@pytest.mark.parametrize("suffix", ["json", "ndjson"])
def test_typed_values_in_json_are_exact(suffix: str, tmp_path: Path) -> None:
    """JSON has numbers with all their digits, booleans, nulls; NaN has no place and is null."""
    path = write(tmp_path / f"typed.{suffix}", TYPED)
    assert others_read(path) == [
        [
            *(1, 17700000000000001, D("101.700"), D("101.7"), True, "2026-03-13"),
            *("1970-01-01 00:00:00", [1], "007"),
        ],
        [2, None, D("-0.001"), None, None, None, "1970-01-01 00:00:01.5", None, None],
        [3, 2, None, None, False, "2026-03-12", None, [], ""],
    ]
    assert '"D": 101.700' in path.read_text(encoding="utf-8")


def test_typed_values_in_parquet_keep_their_types(tmp_path: Path) -> None:
    """Parquet is typed both ways; a dictionary is only how a column was stored."""
    path = write(tmp_path / "typed.parquet", TYPED)
    plain = TYPED.set_column(8, "T", TYPED.column("T").cast(pa.string()))
    for table, wanted in ((pq.read_table(path), TYPED), (read(path).table, plain)):
        assert table.schema == wanted.schema
        assert str(table.to_pylist()) == str(wanted.to_pylist())  # as text NaN is NaN


def test_numbers_in_a_sheet_are_numbers_where_they_are_asked_for(tmp_path: Path) -> None:
    """A number column has numbers, shown with their decimals; long ones are text."""
    table = pa.table(
        {
            "ID": pa.array([17700000000000001, 7], pa.int64()),
            "P": ["101.700", "1E5"],
            "Q": ["1234567890123456", " 98.5 "],
            "R": ["NaN", "-0.25"],
            "S": ["007", "+5"],
            "T": ["1.", ".5"],
        }
    )
    path = write(tmp_path / "numbers.xlsx", table, numbers=["P", "Q", "R", "S", "T"])
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert rows == [
        ["17700000000000001", 101.7, "1234567890123456", "NaN", 7, 1],
        ["7", "1E5", 98.5, -0.25, 5, 0.5],
    ]
    assert sheet["B2"].number_format == "0.000"
    assert sheet["A2"].data_type == "s"


NUMBERS = st.one_of(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**15), max_value=10**15
    ),
    st.integers(-(10**17), 10**17).map(D),
)


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=20))
def test_any_number_in_a_sheet_keeps_its_value(numbers: list[Decimal], folder: Path) -> None:
    """Written as a number or as text, every digit of a number is there."""
    texts = [f"{number:f}" for number in numbers]
    table = pa.table({"K": [str(place) for place in range(len(texts))], "N": texts})
    path = write(folder / "any.xlsx", table, numbers=["N"])
    for text, (_, cell) in zip(texts, others_read(path), strict=True):
        assert isinstance(cell, int | float | str)
        assert D(repr(cell) if isinstance(cell, float) else cell) == D(text)
        digits = re.sub("[^0-9]", "", text).lstrip("0")
        assert isinstance(cell, str) == (len(digits) > 15)
    ours = read(path)
    kinds = {LogicalType.TEXT, LogicalType.FLOAT, LogicalType.MIXED}
    assert ours.kind("N") in kinds


@given(
    numbers=st.lists(
        st.one_of(NUMBERS, st.decimals(allow_nan=False, allow_infinity=False)), min_size=1
    )
)
@example(numbers=[D("1E400"), D("1E-400"), D("123456789012345678901234567890.10"), D("-0.0")])
def test_any_number_of_json_is_exact(numbers: list[Decimal], folder: Path) -> None:
    """A number comes out of JSON with all its digits and goes in again, an exponent written out."""
    assume(all(abs(int(number.as_tuple().exponent)) <= 1000 for number in numbers))
    path = folder / "numbers.ndjson"
    lines = [f'{{"K": "x", "N": {str(number).replace("E+", "e")}}}' for number in numbers]
    path.write_text("\n".join(lines), encoding="utf-8")
    ours = read(path)
    assert ours.kind("N") is LogicalType.NUMBER
    assert ours.column("N") == [f"{number:f}" for number in numbers]
    again = write(folder / "again.ndjson", ours.table)
    assert others_read(again) == [["x", number] for number in numbers]
    assert read(again).table.equals(ours.table, check_metadata=True)


# -------------------------------------------------------------------------------------- JSON, read


def json_file(path: Path, text: str | bytes) -> Path:
    """A file of this text."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


JSON_SHAPES = {
    "an array": '[{"A": "x", "B": 1}, {"A": "y", "B": 2}]',
    "an array over lines": '[\n  {"A": "x",\n   "B": 1},\n  {"A": "y", "B": 2}\n]\n',
    "an object a line": '{"A": "x", "B": 1}\n{"A": "y", "B": 2}\n',
    "blank lines": '{"A": "x", "B": 1}\n\n{"A": "y", "B": 2}',
    "Windows' line ends": '{"A": "x", "B": 1}\r\n{"A": "y", "B": 2}\r\n',
    "objects one after another": '{"A": "x", "B": 1} {"A": "y", "B": 2}',
    "a byte order mark": '\ufeff{"A": "x", "B": 1}\n{"A": "y", "B": 2}',
    "a byte order mark before an array": '\ufeff[{"A": "x", "B": 1}, {"A": "y", "B": 2}]',
}


@pytest.mark.parametrize("name", JSON_SHAPES)
def test_json_is_read_in_any_shape(name: str, tmp_path: Path) -> None:
    """Objects in an array or one after another, whatever the file's ending says."""
    for suffix in ("json", "ndjson"):
        ours = read(json_file(tmp_path / f"shape.{suffix}", JSON_SHAPES[name]))
        assert ours.rows() == [["x", "1"], ["y", "2"]]
        assert ours.kind("B") is LogicalType.NUMBER


def test_kinds_that_meet_in_a_column_of_json_stay_apart(tmp_path: Path) -> None:
    """Numbers, text, booleans and inner values of one column are written as they were read."""
    inner = '[1.50, {"b": null, "c": "é\\n"}, true]'
    cells = ['"5"', "5", "5.0", "true", "null", inner, '"true"', '""', '{"a": 1E2}']
    lines = [f'{{"K": {number}, "M": {cell}}}' for number, cell in enumerate(cells)]
    ours = read(json_file(tmp_path / "mixed.ndjson", "\n".join(lines)))
    assert ours.kind("M") is LogicalType.MIXED
    again = write(tmp_path / "again.ndjson", ours.table).read_text(encoding="utf-8")
    found = [line.partition('"M": ')[2][:-1] for line in again.splitlines()]
    assert found == [*cells[:-1], '{"a": 100}']
    plain = ["5", "5", "5.0", "true", None, inner, "true", "", '{"a": 100}']
    csv_rows = others_read(write(tmp_path / "again.csv", ours.table))
    assert [row[1] for row in csv_rows] == [cell or None for cell in plain]
    for suffix in ("parquet", "xlsx"):
        path = write(tmp_path / f"again.{suffix}", ours.table)
        assert [row[1] for row in others_read(path)] == plain
        assert read(path).column("M") == plain


def test_columns_of_json_may_come_late(tmp_path: Path) -> None:
    """A name that first appears in a later object is a column, null before it."""
    ours = read(json_file(tmp_path / "late.json", '[{"A": 1}, {"B": true}, {"A": null, "C": [1]}]'))
    assert ours.rows() == [["1", None, None], [None, True, None], [None, None, "[1]"]]
    assert ours.table.schema.field("B").type == pa.bool_()


def test_constants_that_json_does_not_have_are_numbers(tmp_path: Path) -> None:
    """NaN and the infinities, which many programs write, leave their column one of numbers."""
    path = json_file(tmp_path / "nan.ndjson", '{"A": NaN}\n{"A": -Infinity}\n{"A": 10}\n{"A": 9}')
    ours = read(path)
    assert ours.kind("A") is LogicalType.NUMBER
    assert ours.column("A") == ["NaN", "-Infinity", "10", "9"]
    written = write(tmp_path / "again.ndjson", ours.table)
    assert others_read(written) == [[None], [None], [10], [9]]


def test_numbers_of_json_have_no_limit(tmp_path: Path) -> None:
    """Thousands of digits and exponents that no decimal holds stay as they are spelled."""
    numbers = ["1" * 5000, "1e5000", "-1E-99999999999999999999", "0.1" + "0" * 500]
    lines = "\n".join(f'{{"A": {number}}}' for number in numbers)
    ours = read(json_file(tmp_path / "long.ndjson", lines))
    assert ours.column("A") == numbers
    assert write(tmp_path / "again.ndjson", ours.table).read_text() == lines + "\n"


BROKEN_JSON = {
    "nothing": (b"", "the file is empty"),
    "no JSON": (b"MESSAGE_ID,CUSIP\n1,2\n", "broken JSON at byte 1 in value 1: "),
    "an unfinished object": (b'{"A": 1}\n{"A": 2}\n{"A":', "broken JSON at byte 6 in value 3: "),
    "a word": (b'{"A": 1}\n{"A": x}\n{"A": 3}\n', "broken JSON at byte 7 in value 2: "),
    "a word in an array": (b'[{"A": 1},\n{"A": x},\n{"A": 3}]', "at byte 7 in value 2: "),
    "a comma too many": (b'[{"A": 1},]', "broken JSON"),
    "Latin-1": (b'[{"A": "\xe9"}]', "broken JSON .* invalid UTF-8"),
    "UTF-16": ('[{"A": 1}]'.encode("utf-16"), "broken JSON .* UTF-16"),
    "half a character": (b'[{"A": "\\ud800"}]', "broken JSON .* surrogate"),
    "a number alone": (b"[1, 2]", "value 1: it is not an object"),
    "an array in the array": (b'[{"A": 1}, [2]]', "value 2: it is not an object"),
    "a name twice": (b'[{"A": 1, "A": 2}]', "value 1: two columns of the name 'A'"),
    "a well": (b'[{"A": ' + b"[" * 5000 + b"]" * 5000 + b"}]", "value 1: it is nested too deep"),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json_is_said_to_be_so(name: str, tmp_path: Path) -> None:
    """What is no JSON, or no objects, is bad data, and the place is named."""
    text, words = BROKEN_JSON[name]
    with pytest.raises(DataError, match=words):
        read(json_file(tmp_path / "broken.json", text))


# -------------------------------------------------------------------------------------- XLSX, read

HEADER = ["MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX", "NOTE"]


def sheet_of(path: Path, *rows: Sequence[Any], header: Sequence[str] = HEADER) -> Path:
    """A workbook of one sheet; dates look like dates."""
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([header, *rows]):
            for place, cell in enumerate(row):
                if isinstance(cell, Formula):
                    sheet.write_formula(number, place, cell.says, None, cell.gave)
                elif isinstance(cell, str):
                    sheet.write_string(number, place, cell)
                elif cell is not None:
                    sheet.write(number, place, cell)
    return path


@dataclass(frozen=True)
class Formula:
    """A formula and what it gave when the workbook was last calculated."""

    says: str
    gave: Any


def replaced(path: Path, old: str, new: str) -> Path:
    """The same workbook, something in its sheet replaced: what XlsxWriter does not write."""
    changed = path.with_name(f"changed_{path.name}")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert old.encode() in data
                data = data.replace(old.encode(), new.encode())
            after.writestr(name, data)
    return changed


def test_a_sheet_is_read_for_its_values(tmp_path: Path) -> None:
    """Numbers, text, booleans and dates are what they are; a date has a time if not midnight."""
    path = sheet_of(
        tmp_path / "sheet.xlsx",
        ["007", 101.7, 5, datetime.fromisoformat("2026-03-13"), True, "x"],
        ["a", 0.1, 1e22, datetime.fromisoformat("2026-03-13 10:30"), False, "#N/A"],
        ["b", -2.0, 2**53 + 1, datetime.fromisoformat("2026-03-12 23:59:59.500000"), None, None],
        header=["T", "N", "M", "D", "B", "X"],
    )
    ours = read(path)
    assert ours.rows() == [
        ["007", "101.7", "5", "2026-03-13", True, "x"],
        ["a", "0.1", "10000000000000000000000", "2026-03-13 10:30:00", False, "#N/A"],
        ["b", "-2", "9007199254740992", "2026-03-12 23:59:59.5", None, None],
    ]
    kinds = [ours.kind(name) for name in "TNMDBX"]
    floats = LogicalType.FLOAT
    assert kinds == [LogicalType.TEXT, floats, floats, LogicalType.DATE, None, LogicalType.TEXT]


def test_kinds_that_meet_in_a_column_of_a_sheet_stay_apart(tmp_path: Path) -> None:
    """Text and numbers of one column of a sheet are not taken for each other."""
    path = sheet_of(tmp_path / "mixed.xlsx", ["5"], [5], [True], [date(2026, 3, 13)], header=["A"])
    ours = read(path)
    assert ours.kind("A") is LogicalType.MIXED
    assert parsed(f"[{write(tmp_path / 'a.json', ours.table).read_text()}]")[0] == [
        {"A": "5"},
        {"A": 5},
        {"A": True},
        {"A": "2026-03-13"},
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</sheetData>", ""),
        ('<c r="B2"', '<c r="??"'),
        ("<v>98.5</v>", "<v>a half</v>"),
        ('t="s"><v>0</v>', 't="s"><v>99</v>'),
    ],
)
def test_a_workbook_that_is_damaged_within(tmp_path: Path, old: str, new: str) -> None:
    """Whatever the library makes of it, it is bad data, and no fault of ours."""
    path = sheet_of(tmp_path / "sheet.xlsx", ["1", "A", 1, "2026-03-13", 98.5, "x"])
    with pytest.raises(DataError, match="damaged"):
        run_colors(replaced(path, old, new))


def test_a_formula_counts_as_what_it_gave(tmp_path: Path) -> None:
    """The cached value of a formula is the cell; without one the row is rejected."""
    path = sheet_of(
        tmp_path / "formulas.xlsx",
        ["1", "A", 1, "2026-03-13", Formula("=50+51.7", 101.7), Formula('="x"', "x")],
        ["2", "A", 1, "2026-03-13", Formula("=1/0", "#DIV/0!"), "y"],
        ["3", "A", 1, "2026-03-13", Formula("=NOW()", ""), "z"],
        ["4", "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
        ["5", "A", 1, "2026-03-13", 97, Formula('=""', "-")],
        ["6", Formula("=UPPER(B2)", ""), 1, "2026-03-13", 97, "u"],
    )
    # A text that a formula gave may be empty: then the cell is, too.
    path = replaced(path, "<v>-</v>", "<v></v>")
    run = run_colors(path)
    assert run.processed is not None
    assert run.rejected is not None
    assert run.processed.select(["MESSAGE_ID", "PX", "NOTE"]).to_pylist() == [
        {"MESSAGE_ID": "1", "PX": "101.7", "NOTE": "x"},
        {"MESSAGE_ID": "5", "PX": "97", "NOTE": None},
    ]
    assert run.rejected.column("REASON").to_pylist() == [
        "PX: '#DIV/0!' is not a number",
        "PX: '=NOW()' is not a number",
        "NOTE: '=NOTE' is not a value: the formula has none",
        "CUSIP: '=UPPER(B2)' is not a value: the formula has none",
    ]


def test_one_formula_in_a_column_of_securities_is_noticed(tmp_path: Path) -> None:
    """A security that nobody has worked out is rejected, even where all else is plain."""
    path = sheet_of(
        tmp_path / "cusip.xlsx",
        ["1", "A", "1", "2026-03-13", "98.5", "x"],
        ["2", Formula("=A1", ""), "1", "2026-03-13", "98.5", "x"],
    )
    run = run_colors(path)
    assert run.rejected is not None
    assert run.rejected.column("REASON").to_pylist() == [
        "CUSIP: '=A1' is not a value: the formula has none"
    ]


def test_an_identifier_of_17_digits_is_trusted_only_as_text(tmp_path: Path) -> None:
    """A numeric cell of 2**53 or more in an integer column is rejected: it lost its digits."""
    path = sheet_of(
        tmp_path / "identifiers.xlsx",
        ["17700000000000001", "A", 1, "2026-03-13", 98.5],
        [17700000000000001, "A", 1, "2026-03-13", 98.5],
        [9007199254740991, "A", 1, "2026-03-13", 9007199254740993],
        [9007199254740992, "A", 1, "2026-03-13", 98.5],
        [7, "A", 2.5, "2026-03-13", 98.5],
    )
    run = run_colors(path)
    assert run.processed is not None
    assert run.rejected is not None
    assert run.processed.column("MESSAGE_ID").to_pylist() == [
        "9007199254740991",
        "17700000000000001",
    ]
    assert run.rejected.column("REASON").to_pylist() == [
        "MESSAGE_ID: '17700000000000000' is not an integer",
        "MESSAGE_ID: '9007199254740992' is not an integer",
        "RANK: '2.5' is not an integer",
    ]


def test_a_file_beside_it_makes_no_cell_better(tmp_path: Path) -> None:
    """Floats and formulas are what they are, too, where another file has text in their column."""
    rows = (
        ["7", "A", 1, "2026-03-13", 98.5, "x"],
        [17700000000000001, "A", 1, "2026-03-13", 98.5, "x"],
        ["8", "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
    )
    sheet = sheet_of(tmp_path / "b.xlsx", *rows)
    plain = sheet_of(tmp_path / "plain.xlsx", *rows[:1])
    text = tmp_path / "a.csv"
    text.write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n17700000000000001,B,1,2026-03-13,9,y\n")
    said = reasons(run_colors(sheet))
    assert len(said) == 2
    for beside in (text, plain):
        for names in ([beside, sheet], [sheet, beside]):
            run = run_colors(names)
            assert run.processed is not None
            assert reasons(run) == said
            assert len(run.processed) == 2
    floats = {"MESSAGE_ID": [1.0, 2.0**53], "CUSIP": ["A", "A"], "RANK": [1, 1], "PX": [9.5, 9.5]}
    floats["DATE"] = ["2026-03-13"] * 2
    pq.write_table(pa.table(floats), tmp_path / "floats.parquet")
    pq.write_table(pa.table({**floats, "MESSAGE_ID": [3, 4]}), tmp_path / "integers.parquet")
    run = run_colors([tmp_path / "integers.parquet", tmp_path / "floats.parquet"])
    assert reasons(run) == ["MESSAGE_ID: '9007199254740992.0' is not an integer"]


def test_a_bundle_says_what_it_makes_text_of(tmp_path: Path) -> None:
    """What a cell was is no longer in a file of text: the manifest tells how many there are."""
    sheet = sheet_of(
        tmp_path / "b.xlsx",
        ["7", "A", 1, "2026-03-13", 98.5, "x"],
        [17700000000000001, "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
    )
    with open_files([sheet]) as source:
        taken = sample(
            source,
            [],
            Wanted(),
            output=tmp_path / "bundle",
            taken_at=datetime(2026, 3, 13, tzinfo=UTC),
            progress=console.progress(quiet=True),
        )
    assert taken.manifest.tables[0].notes == (
        "NOTE: 1 formulas without a result are written as their text",
        "MESSAGE_ID: 1 numbers have more digits than a spreadsheet keeps",
    )


def reasons(run: ColorsRun) -> list[str]:
    """Why rows were rejected."""
    assert run.rejected is not None
    told: list[str] = run.rejected.column("REASON").to_pylist()
    return told


def test_rows_of_a_sheet_that_are_too_long_or_blank(tmp_path: Path) -> None:
    """Cells beyond the header make a row a misfit; a row without text is none."""
    path = sheet_of(
        tmp_path / "rows.xlsx",
        [None, " "],
        ["1", "a,b", 'c "d"', "l1\nl2", "l1\rl2"],
        [],
        ["2"],
        ["", "x", None, None, None],
        header=["A", "B"],
    )
    ours = read(path)
    assert ours.rows() == [["2", None], ["", "x"]]
    (malformed_line,) = ours.malformed_lines
    assert (malformed_line.after, malformed_line.fields, malformed_line.expected) == (0, 5, 2)
    assert malformed_line.text == '1,"a,b","c ""d""","l1\nl2","l1\rl2"'
    assert next(csv.reader(io.StringIO(malformed_line.text, newline="")))[4] == "l1\rl2"


def test_escapes_of_a_sheet_are_characters(tmp_path: Path) -> None:
    """`_x000D_` is a carriage return, as Excel shows it, `_x005F_x0041_` five plain characters."""
    path = sheet_of(
        tmp_path / "escapes.xlsx", ["a\rb", "_x0041_", "\x1f", "x_x005F_"], header=list("ABCD")
    )
    assert read(path).rows() == [["a\rb", "_x0041_", "\x1f", "x_x005F_"]]
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["A"])
    sheet.append(["a_x000D_\nb"])
    book.save(tmp_path / "other.xlsx")
    assert read(tmp_path / "other.xlsx").rows() == [["a\r\nb"]]


def test_only_one_sheet_may_hold_data(tmp_path: Path) -> None:
    """Two sheets with data are an error that names them; hidden and empty ones do not count."""
    path = tmp_path / "sheets.xlsx"
    for hidden in (False, True):
        with xlsxwriter.Workbook(path) as book:
            book.add_worksheet("Notes")
            colors, other = book.add_worksheet("Colors"), book.add_worksheet("Other")
            colors.write_column(0, 0, ["A", "x"])
            other.write_column(0, 0, ["B", "y"])
            if hidden:
                other.hide()
        if hidden:
            assert read(path).rows() == [["x"]]
        else:
            with pytest.raises(DataError, match="2 sheets hold data: 'Colors', 'Other'"):
                read(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [([], "is empty"), ([["A", "A"]], "two columns of the name 'A'"), ([[None, " "]], "is empty")],
)
def test_a_sheet_needs_a_header_of_different_names(
    rows: list[list[str | None]], words: str, tmp_path: Path
) -> None:
    """A workbook without a header, or with one name twice, is bad data."""
    path = sheet_of(tmp_path / "header.xlsx", *rows[1:], header=rows[0] if rows else [])  # type: ignore[arg-type] # odd on purpose
    with pytest.raises(DataError, match=words):
        read(path)


def test_what_has_no_room_in_a_sheet_is_refused(tmp_path: Path) -> None:
    """Text of more than 32,767 UTF-16 units and rows beyond the last are errors, never cut."""
    longest = "x" * 32767
    path = write(tmp_path / "longest.xlsx", pa.table({"A": [longest, "é" * 32767]}))
    assert read(path).column("A") == [longest, "é" * 32767]
    for text in (longest + "x", "\U0001f600" * 16384):
        with pytest.raises(DataError, match="A: a cell has room for 32,767 characters"):
            write(tmp_path / "longer.xlsx", pa.table({"A": [text]}))
    many = pa.table({"A": pa.nulls(1_048_576, pa.string())})
    with pytest.raises(DataError, match="a sheet has room for 1,048,576 rows"):
        write(tmp_path / "rows.xlsx", many, at_once=1_048_576)


def test_files_of_other_formats_are_refused(tmp_path: Path) -> None:
    """A file that is not what its name says is named as what it is."""
    sheet = sheet_of(tmp_path / "sheet.xlsx", ["x"], header=["A"]).read_bytes()
    parquet = write(tmp_path / "table.parquet", pa.table({"A": ["x"]})).read_bytes()
    for suffix, data, words in (
        ("csv", sheet, "an XLSX file or a zip, not CSV"),
        ("csv", parquet, "a Parquet file, not CSV"),
        ("xlsx", parquet, "not an XLSX workbook"),
        ("xlsx", sheet[:-200], "not an XLSX workbook"),
        ("parquet", sheet, "not Parquet"),
        ("parquet", parquet[:-20], "not Parquet"),
        ("parquet", parquet[:4] + bytes(len(parquet) - 12) + parquet[-8:], "not Parquet"),
        ("parquet", b"", "not Parquet"),
        ("json", sheet, "broken JSON"),
    ):
        path = tmp_path / f"other.{suffix}"
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            read(path)


# --------------------------------------------------------------------------------------- CSV, read


def csv_file(folder: Path, text: str | bytes) -> Path:
    """A file of this text."""
    path = folder / "input.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


CSV_SHAPES = {
    "plain": "A,B\n1,x\n",
    "no line end": "A,B\n1,x",
    "Windows' line ends": "A,B\r\n1,x\r\n",
    "an old Mac's line ends": "A,B\r1,x\r",
    "all line ends": "A,B\r\n1,x\r\n\n\r",
    "a byte order mark": "\ufeffA,B\n1,x\n",
    "a byte order mark and quotes": '\ufeff"A",B\n1,x\n',
    "blank lines": "\n \n\r\nA,B\n\n  \n1,x\n\t\n",
    "a blank line behind a byte order mark": "\ufeff\nA,B\n1,x\n",
    "quotes around all": '"A","B"\n"1","x"\n',
}


@pytest.mark.parametrize("name", CSV_SHAPES)
def test_csv_is_read_in_any_shape(name: str, tmp_path: Path) -> None:
    """Line ends, blank lines, a byte order mark and needless quotes change nothing."""
    ours = read(csv_file(tmp_path, CSV_SHAPES[name]))
    assert ours.table.schema.names == ["A", "B"]
    assert ours.rows() == [["1", "x"]]
    assert not ours.malformed_lines


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r", "\n\n", "\n \t\n"])
def test_a_header_alone_is_a_table_without_rows(end: str, tmp_path: Path) -> None:
    """A header has columns and no row, with or without a line end."""
    ours = read(csv_file(tmp_path, f"A,B{end}"))
    assert ours.table.schema.names == ["A", "B"]
    assert ours.rows() == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_header_may_have_line_ends_in_quotes(end: str, tmp_path: Path) -> None:
    """A quoted name of a column may go on in the next line."""
    ours = read(csv_file(tmp_path, f'A,"B{end}C"{end}1,"x{end}y"{end}2,z{end}'))
    assert ours.table.schema.names == ["A", f"B{end}C"]
    assert ours.rows() == [["1", f"x{end}y"], ["2", "z"]]


def test_lines_of_too_few_or_many_fields_are_told_in_their_place(tmp_path: Path) -> None:
    """Each misfit comes with its text as it stands in the file and the rows before it."""
    lines = [
        "A,B",
        "",
        "1",
        "1,2,3",
        "  ",
        "4,5",
        '"x\ny"',
        '6,"7\n8"',
        '""',
        '1,"2,""3""",4',
        "9,9",
    ]
    ours = read(csv_file(tmp_path, "\n".join(lines)))
    assert ours.rows() == [["4", "5"], ["6", "7\n8"], ["9", "9"]]
    assert [(it.after, it.fields, it.text) for it in ours.malformed_lines] == [
        (0, 1, "1"),
        (0, 3, "1,2,3"),
        (1, 1, '"x\ny"'),
        (2, 1, '""'),
        (2, 3, '1,"2,""3""",4'),
    ]
    assert {it.expected for it in ours.malformed_lines} == {2}


BROKEN_QUOTES = {
    "text behind a quote": ('A,B\n1,x\n2,"x"y\n3,z\n', 3),
    "a blank behind a quote": ('A,B\n1,x\n2,"x" \n3,z\n', 3),
    "an odd quote behind a quote": ('A,B\n1,x\n2,"x"""y"\n3,z\n', 3),
    "a quote that is never closed": ('A,B\n1,x\n2,"x\n3,z\n', 3),
    "one in the last line": ('A,B\n1,x\n2,"x', 3),
    "behind Windows' line ends": ('A,B\r\n1,x\r\n2,"x"y\r\n3,z\r\n', 3),
    "behind an old Mac's line ends": ('A,B\r1,x\r2,"x"y\r3,z\r', 3),
    "never closed, behind an old Mac's line ends": ('A,B\r1,x\r2,"x\r3,z\r', 3),
    "behind a byte order mark": ('\ufeff"A",B\r1,x\r2,"x"y\r', 3),
    "behind a record of two lines": ('A,B\n1,"x\ny"\n2,"x"y\n3,z\n', 4),
    "in the second line of its record": ('A,B\n1,x\n2,"x\ny"z\n', 3),
    "behind plain quotes": ('A,B\n1,5" pipe\n"2","x\n', 3),
    "in the header": ('A,"B"C\n1,x\n', 1),
    "never closed in the header": ('A,"B\n1,x\n', 1),
    "in a header behind blank lines": ('\n\nA,"B"C\n1,x\n', 3),
}


@pytest.mark.parametrize("name", BROKEN_QUOTES)
def test_a_broken_quote_names_its_line(name: str, tmp_path: Path) -> None:
    """A quote that does not end its field is an error, with the line where its record begins."""
    text, line = BROKEN_QUOTES[name]
    with pytest.raises(DataError, match=f"line {line}: a quote is broken"):
        read(csv_file(tmp_path, text))


PIECES = [
    '"',
    '""',
    ",",
    "\n",
    "\r",
    "\r\n",
    "a",
    " ",
    "é",
    '"a"',
    '"a\nb"',
    ',"',
    '",',
    '"\n',
    '\n"',
]


@settings(max_examples=5 * settings().max_examples)
@given(
    header=st.sampled_from(["A,B\n", "A,B\r\n", "\ufeffA,B\n", '"A",B\r']),
    body=st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
)
def test_any_text_is_read_as_csv_or_refused(header: str, body: str, folder: Path) -> None:
    """Quotes that Python's strict reader refuses are refused; else the cells are the model's."""
    text = header + body
    path = csv_file(folder, text)
    try:
        list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    except csv.Error:
        with pytest.raises(DataError, match="a quote is broken"):
            read(path)
        return
    ours = read(path)
    rows: list[list[str | None]] = []
    malformed_lines = []
    for record in model.read_csv(text)[1]:
        if isinstance(record, model.MalformedLine):
            malformed_lines.append(MalformedLine(len(rows), record.fields, 2, record.raw))
        else:
            rows.append([cell or None for cell in record])
    assert ours.rows() == rows
    assert ours.malformed_lines == malformed_lines


NO_UTF_8 = {
    "Latin-1": (b"A,B\n1,x\n2,\xe9\n", r"line 3: byte 0xE9 at column 3 is not UTF-8"),
    "Latin-1 in the header": (b"A,\xe9\n1,x\n", r"line 1: byte 0xE9 at column 3"),
    "Latin-1 in a record of two lines": (b'A,B\n1,"x\n\xe9"\n', r"line 3: byte 0xE9 at column 1"),
    "Latin-1 far down": (b"A,B\n" + b"1,x\n" * 300000 + b"2,\xfc\n", r"line 300002: byte 0xFC"),
    "Latin-1 behind an old Mac's line ends": (b"A,B\r1,x\r\xc3\xa9,\xe9\r", "line 3: .* column 4"),
    "UTF-16": ("A,B\n1,x\n".encode("utf-16"), r"line 1: the text is UTF-16"),
    "UTF-16 without a mark": ("A,B\n1,x\n".encode("utf-16-be"), r"line 1: the text is UTF-16"),
    "UTF-16 the other way round": ("A,B\n1,x\n".encode("utf-16-le"), r"line 1: the text is UTF-16"),
}


@pytest.mark.parametrize("name", NO_UTF_8)
def test_text_that_is_not_utf_8_names_its_line(name: str, tmp_path: Path) -> None:
    """Another encoding is an error with the line and the byte, never other letters."""
    text, words = NO_UTF_8[name]
    with pytest.raises(DataError, match=words):
        read(csv_file(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ("\n \r\n", "the file is empty"),
        ("A;B\n1;x\n", "the columns are separated by ';'"),
        ("A\tB\n1\tx\n", r"the columns are separated by '\\t'"),
    ],
)
def test_what_is_no_csv_is_refused(text: str, words: str, tmp_path: Path) -> None:
    """An empty file, or one with other separators, is an error that says so."""
    with pytest.raises(DataError, match=words):
        read(csv_file(tmp_path, text))


def test_records_may_be_long(tmp_path: Path) -> None:
    """Records of megabytes are read whole, beyond the size of what is read at a time too."""
    long = "x,y\n" * 400_000
    rows = [["1", long], ["2", "z"], *([str(number), "short"] for number in range(3, 2_000_000, 9))]
    rows += [[str(number), long] for number in range(12)]
    path = tmp_path / "long.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([["A", "B"], *rows])
    assert read(path).rows() == rows


def test_text_of_csv_stays_to_the_letter(tmp_path: Path) -> None:
    """No cell is taken for a number, a null or a boolean; only what is empty is null."""
    cells = [text for text in TEXTS if text]
    text = "".join(
        f'"{cell.replace(chr(34), chr(34) * 2)}",{place}\n' for place, cell in enumerate(cells)
    )
    ours = read(csv_file(tmp_path, f'A,B\n{text},x\n"",y\n'))
    assert ours.column("A") == [*cells, None, None]


def test_mixed_cells_are_spelled_without_their_kind() -> None:
    """What marks the kind of a cell in a mixed column is never shown."""
    column = logical_field("x", LogicalType.MIXED)
    assert as_text(pa.array(["tx", "n5", None]), column).to_pylist() == ["x", "5", None]
