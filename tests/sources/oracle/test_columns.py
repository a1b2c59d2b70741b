"""The projection: every value of every type arrives without loss, and the plan of each column."""

import csv
import json
import math
import random
import re
import struct
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracle_server.answers import DayInterval, MonthInterval, Timestamp, Value
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.market import ALL_TYPES
from oracle_server.server import OracleServer
from support import Tool

import marketpulse
from marketpulse.sources.oracle.columns import ColumnDef, RowDecoder, batch_rows, project

WIDE = Context(prec=60)
NUMBER_TEXT = """TO_CHAR("A", 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"""


def expected_cell(value: Value, sql_type: str) -> str:
    """Return a value as CSV should have it, without the code under test."""
    if value is None:
        return ""
    if isinstance(value, Timestamp):
        return expected_date(value, sql_type)
    if isinstance(value, DayInterval):
        return "+02 03:04:05.000006" if value.days else "-00 01:00:00.000000"
    if isinstance(value, MonthInterval):
        return "+01-02" if value.months == 14 else "-00-01"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def expected_date(value: Timestamp, sql_type: str) -> str:
    """Return a date or a timestamp as CSV should have it."""
    clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    year = value.year if value.year > 0 else value.year + 1
    day = f"{'-' if year < 0 else ''}{abs(year):04}-{value.month:02}-{value.day:02}"
    fraction = f".{value.nanosecond:09}"
    if "ZONE" in sql_type:
        offset = value.offset_minutes or 0
        hours, minutes = divmod(abs(offset), 60)
        return f"{day}T{clock}{fraction}{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"
    if "(9)" in sql_type:
        return f"{day}T{clock}{fraction}"
    return (
        f"{day} {clock}{fraction}".rstrip("0").rstrip(".") if value.nanosecond else f"{day} {clock}"
    )


def is_same(cell: str, value: Value, sql_type: str) -> bool:
    """Return whether a cell is exactly the value."""
    if isinstance(value, float):
        if math.isnan(value):
            return math.isnan(float(cell))
        code = "f" if sql_type == "BINARY_FLOAT" else "d"
        return struct.pack(code, float(cell)) == struct.pack(code, value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "E" not in cell.upper() and Decimal(cell) == value
    return cell == expected_cell(value, sql_type)


def test_every_type(tool: Tool) -> None:
    """Each cell of CSV is the value in the database, and the other formats have the same rows."""
    done = tool.run("sample", "ALL_TYPES", "--formats", "csv,json,parquet", "--json-rows", "all")
    assert done.code == 0, done.err
    assert tool.run("verify", "sample_data").code == 0
    (path,) = (tool.folder / "sample_data").glob("*.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)

    assert header == [name for name, _, _ in ALL_TYPES]
    for index, (name, sql_type, values) in enumerate(ALL_TYPES[1:], 1):
        for row, value in zip(rows, values, strict=False):  # the other rows are empty
            assert is_same(row[index], value, sql_type), (name, value, row[index])
        assert all(row[index] in {"", "NULL"} for row in rows[len(values) :]), name
    assert marketpulse.load(tool.folder / "sample_data").arrow("ALL_TYPES").num_rows == len(rows)


def test_invalid_bytes(tool: Tool) -> None:
    """Bytes that are invalid in the character set become U+FFFD, with a warning."""
    done = tool.run("sample", "BROKEN")

    assert done.code == 0
    assert "WORDS: 1 value contains invalid bytes" in done.err


def test_max_lob(tool: Tool) -> None:
    """--max-lob cuts long text, marks it, and warns."""
    done = tool.run("sample", "ALL_TYPES", "--max-lob", "10", "--formats", "csv")

    assert "A_CLOB: 1 value was cut after 10 characters" in done.err
    (path,) = (tool.folder / "sample_data").glob("*.csv")
    assert "a long tex…[cut]" in path.read_text(encoding="utf-8")


def draw_value(sql_type: str, draw: random.Random) -> Value:
    """Return a random value of the type, up to its limits, or None."""
    if draw.random() < 0.1:
        return None
    kind, _, arguments = sql_type.partition("(")
    numbers = [int(number) for number in re.findall(r"-?\d+", arguments)]
    if kind == "NUMBER" and numbers:
        digits = draw.randrange(1, numbers[0] + 1)
        return Decimal(draw.randrange(-(10**digits) + 1, 10**digits)).scaleb(-numbers[1], WIDE)
    if kind == "NUMBER":
        coefficient = Decimal(draw.randrange(-(10**38) + 1, 10**38))
        return coefficient.scaleb(draw.randrange(-150, 85), WIDE)
    if kind.startswith("BINARY"):
        code = "d" if "DOUBLE" in kind else "f"
        return float(struct.unpack(code, draw.randbytes(struct.calcsize(code)))[0])
    if kind in {"DATE", "TIMESTAMP"}:
        day = datetime(2, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(315_000_000_000))
        digits = numbers[0] if numbers else 0
        nanosecond = draw.randrange(10**digits) * 10 ** (9 - digits)
        offset = draw.randrange(-48, 57) * 15 if "TIME ZONE" in sql_type else None
        clock = (day.hour, day.minute, day.second, nanosecond, offset)
        return Timestamp(day.year, day.month, day.day, *clock)
    if kind in {"RAW", "BLOB"}:
        return draw.randbytes(draw.randrange(1, 30))
    alphabet = 'aZ09 ,";=+-@\t\n\r\\é東\U0001d54f\u00a0' + "'"
    return "".join(draw.choices(alphabet, k=draw.randrange(1, 40)))


RANDOM_TYPES = (
    "NUMBER(1,0)", "NUMBER(18,0)", "NUMBER(19,0)", "NUMBER(38,0)", "NUMBER(12,4)", "NUMBER(38,37)",
    "NUMBER(5,-2)", "NUMBER(3,9)", "NUMBER", "BINARY_FLOAT", "BINARY_DOUBLE", "DATE",
    "TIMESTAMP(0)", "TIMESTAMP(2)", "TIMESTAMP(6)", "TIMESTAMP(9)", "TIMESTAMP(9) WITH TIME ZONE",
    "RAW(30)", "BLOB", "VARCHAR2(400)", "NVARCHAR2(40)", "CLOB", "NCLOB",
)  # fmt: skip


def test_random_rows(tmp_path: Path) -> None:
    """Each value of a random table is the same in CSV, JSON and Parquet."""
    draw = random.Random(20260313)
    rows = [tuple(draw_value(sql_type, draw) for sql_type in RANDOM_TYPES) for _ in range(1000)]
    columns = [Column(f"C{index}", sql_type) for index, sql_type in enumerate(RANDOM_TYPES)]
    users = {"MARKET": PASSWORD}
    with OracleServer(DuckEngine(Catalog([Table("ANY", columns, rows)])), users=users) as server:
        tool = Tool(tmp_path / "desk", oracle_environment(server) | {"ORACLE_USERNAME": "market"})
        done = tool.run(
            "sample", "ANY", "--all", "--formats", "csv,json,parquet", "--json-rows", "all"
        )
        assert done.code == 0, done.err
        assert server.record.oddities == []
    folder = tool.folder / "sample_data"
    (csv_path,), (parquet_path,) = folder.glob("*.csv"), folder.glob("*.parquet")
    (json_path,) = folder.glob("*_sample_*.json")
    with csv_path.open(encoding="utf-8", newline="") as file:
        _, *cells = csv.reader(file)
    objects = json.loads(json_path.read_text("utf-8"), parse_int=str, parse_float=str)
    stored = pq.read_table(parquet_path)
    assert len(cells) == len(objects) == stored.num_rows == len(rows)
    for index, sql_type in enumerate(RANDOM_TYPES):
        texts = as_texts(stored.column(index))
        for row, cell_row, json_row, text in zip(rows, cells, objects, texts, strict=True):
            value, cell, json_value = row[index], cell_row[index], json_row[f"C{index}"]
            if value is None:
                assert (cell in {"", "NULL"}, json_value, text) == (True, None, None)
                continue
            assert is_same(cell, value, sql_type), (sql_type, value, cell)
            assert is_same(str(text), value, sql_type), (sql_type, value, text)
            if isinstance(value, float) and not math.isfinite(value):
                assert json_value is None  # JSON has neither NaN nor infinity
            else:
                assert is_same(json_value, value, sql_type), (sql_type, value, json_value)


def as_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return each value as CSV should have it, by means of Arrow and Python only."""
    if pa.types.is_timestamp(column.type):
        texts = column.cast(pa.string()).to_pylist()
        return [text.rstrip("0").rstrip(".") if text and "." in text else text for text in texts]
    values = column.to_pylist()
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [None if value is None else value.hex() for value in values]
    if pa.types.is_decimal(column.type):
        return [None if value is None else format(value, "f") for value in values]
    if pa.types.is_floating(column.type):
        return [None if value is None else repr(value) for value in values]
    return [None if value is None else str(value) for value in values]


@pytest.mark.parametrize(
    ("definition", "ddl_type", "arrow_type", "expression"),
    [
        (ColumnDef(name="A", type="NUMBER", precision=18, scale=0),
         "NUMBER(18,0)", "int64", '"A"'),
        (ColumnDef(name="A", type="NUMBER", precision=19, scale=0),
         "NUMBER(19,0)", "decimal128(19, 0)", '"A"'),
        (ColumnDef(name="A", type="NUMBER", precision=38, scale=0),
         "NUMBER(38,0)", "decimal128(38, 0)", '"A"'),
        (ColumnDef(name="A", type="NUMBER", precision=5, scale=-2),
         "NUMBER(5,-2)", "decimal128(7, 0)", '"A"'),
        (ColumnDef(name="A", type="NUMBER", precision=5, scale=7),
         "NUMBER(5,7)", "decimal128(7, 7)", '"A"'),
        (ColumnDef(name="A", type="NUMBER", precision=38, scale=-1),
         "NUMBER(38,-1)", "string", NUMBER_TEXT),
        (ColumnDef(name="A", type="NUMBER"), "NUMBER", "string", NUMBER_TEXT),
        (ColumnDef(name="A", type="NUMBER", scale=3), "NUMBER(*,3)", "string", NUMBER_TEXT),
        (ColumnDef(name="A", type="FLOAT", precision=63), "FLOAT(63)", "string", NUMBER_TEXT),
        (ColumnDef(name='a"b', type="VARCHAR2", length=20, by_character=True),
         "VARCHAR2(20 CHAR)", "string", '"a""b"'),
        (ColumnDef(name="A", type="CHAR", length=9), "CHAR(9 BYTE)", "string", '"A"'),
        (ColumnDef(name="A", type="RAW", length=16), "RAW(16)", "binary", '"A"'),
        (ColumnDef(name="A", type="TIMESTAMP(0)"), "TIMESTAMP(0)", "timestamp[s]", '"A"'),
        (ColumnDef(name="A", type="TIMESTAMP(3)"), "TIMESTAMP(3)", "timestamp[ms]", '"A"'),
        (ColumnDef(name="A", type="TIMESTAMP"), "TIMESTAMP", "timestamp[us]", '"A"'),
        (ColumnDef(name="A", type="TIMESTAMP(4)"), "TIMESTAMP(4)", "timestamp[us]", '"A"'),
        (ColumnDef(name="A", type="TIMESTAMP(7)"), "TIMESTAMP(7)", "string",
         """TO_CHAR("A", 'YYYY-MM-DD"T"HH24:MI:SS.FF9')"""),
        (ColumnDef(name="A", type="ROWID"), "ROWID", "string", 'ROWIDTOCHAR("A")'),
        (ColumnDef(name="A", type="POINT", type_owner="MARKET"), "MARKET.POINT", "large_string",
         'XMLSERIALIZE(CONTENT XMLTYPE("A") AS CLOB)'),
        (ColumnDef(name="A", type="ANYDATA", type_owner="SYS"), "SYS.ANYDATA", "null", "NULL"),
    ],
)  # fmt: skip
def test_project(definition: ColumnDef, ddl_type: str, arrow_type: str, expression: str) -> None:
    """Each type has a name in DDL, an Arrow type to fetch, and an expression in SELECT."""
    item = project(definition)
    assert (item.column.type, str(item.fetched)) == (ddl_type, arrow_type)
    assert item.expression == expression
    assert (item.column.unreadable != "") is (arrow_type == "null")


def test_project_long_text() -> None:
    """--max-lob selects one character more than it keeps; the server cannot cut a LONG."""
    clob, long = (ColumnDef(name="A", type=sql_type) for sql_type in ("CLOB", "LONG"))
    assert project(clob, 10).expression == 'SUBSTR("A", 1, 11)'
    assert project(long, 10).expression == '"A"'


def test_project_old_dates() -> None:
    """With `old_dates` the server converts dates to text, with the fraction of their type."""
    for sql_type, fraction in (("DATE", ""), ("TIMESTAMP(3)", ".FF3"), ("TIMESTAMP(6)", ".FF6")):
        item = project(ColumnDef(name="A", type=sql_type), old_dates=True)
        assert item.expression == f"""TO_CHAR("A", 'SYYYY-MM-DD"T"HH24:MI:SS{fraction}')"""
        assert item.fetched == pa.string()
        assert pa.types.is_timestamp(item.field.type)


@pytest.mark.parametrize(
    ("definition", "rows"),
    [
        (ColumnDef(name="A", type="NUMBER"), 20_000),
        *(
            (ColumnDef(name="A", type=name), 524)
            for name in ("CLOB", "LONG RAW", "XMLTYPE", "JSON")
        ),
        (ColumnDef(name="A", type="CLOB", average_bytes=100), 524),  # only of the locator
        (ColumnDef(name="A", type="CLOB", average_bytes=99_999), 41),
        (ColumnDef(name="A", type="BLOB", average_bytes=10**6), 4),
        (ColumnDef(name="A", type="BLOB", average_bytes=10**8), 1),
    ],
)
def test_batch_rows(definition: ColumnDef, rows: int) -> None:
    """A round trip fetches about 4 MB, at least one row and at most 20,000."""
    assert batch_rows([definition]) == rows


@pytest.mark.parametrize(
    ("definition", "value_bytes"),
    [
        (ColumnDef(name="A", type="NUMBER"), 11),
        (ColumnDef(name="A", type="CHAR", length=80), 40),
        (ColumnDef(name="A", type="VARCHAR2", length=800), 200),
        (ColumnDef(name="A", type="VARCHAR2", length=400, average_bytes=299), 300),
    ],
)
def test_value_bytes(definition: ColumnDef, value_bytes: int) -> None:
    """The estimate of a value follows the statistics, or is half of the column's length."""
    rows = batch_rows([definition] * 100)
    assert rows == (4 << 20) // (value_bytes * 100)


@pytest.mark.parametrize("average_bytes", [None, 1])
def test_wide_rows_fit_if_they_are_full(average_bytes: int | None) -> None:
    """Rows that fill all their columns take 32 MB at most, whatever the statistics say."""
    wide = ColumnDef(name="A", type="VARCHAR2", length=4000, average_bytes=average_bytes)
    assert batch_rows([wide] * 1000) == 8
    wider = ColumnDef(name="A", type="VARCHAR2", length=4000, by_character=True)
    assert batch_rows([wider] * 1000) == 2


def test_lengths_of_lobs() -> None:
    """LOBs count with the length that was measured, or where they are cut."""
    lob = ColumnDef(name="A", type="CLOB")
    assert batch_rows([lob], None, {"A": 2**25}) == 1
    assert batch_rows([lob], None, {"A": 10}) == 20_000
    assert batch_rows([lob], 1024) == 1024


def test_described_column() -> None:
    """The column of a projection has what the dictionary says, or why it cannot be read."""
    definition = ColumnDef(
        name="A", type="NUMBER", nullable=False, comment="a comment", default="1"
    )
    column = project(definition).column
    assert (column.name, column.nullable) == ("A", False)
    assert (column.comment, column.default, column.unreadable) == ("a comment", "1", "")
    item = project(ColumnDef(name="A", type="ANYDATA", type_owner="SYS"))
    assert item.column.unreadable == "the type SYS.ANYDATA is not supported"
    assert item.field == pa.field("A", pa.null())


def test_types_of_an_owner() -> None:
    """XMLTYPE of the owner SYS has a conversion, unlike SYS's other types."""
    item = project(ColumnDef(name="A", type="XMLTYPE", type_owner="SYS"))
    assert item.expression == 'XMLSERIALIZE(CONTENT "A" AS CLOB)'


def test_decode() -> None:
    """Cut text, invalid bytes and Julian leap days are counted, and each has a remark."""
    definitions = [
        ColumnDef(name="TEXT", type="CLOB"),
        ColumnDef(name="BYTES", type="VARCHAR2", length=4),
        ColumnDef(name="DAY", type="DATE"),
    ]
    items = [project(definition, 3, old_dates=True) for definition in definitions]
    batch = pa.record_batch(
        [
            pa.array(["abcd", "abc", None], pa.large_string()),
            pa.array([b"caf\xe9", b"ok", None]).view(pa.string()),
            pa.array(["-0044-03-15T08:30:00", " 1500-02-29T00:00:00", None]),
        ],
        names=["TEXT", "BYTES", "DAY"],
    )
    decoder = RowDecoder(items, 3)
    (decoded,) = decoder.decode([batch], items)
    assert decoded.column("TEXT").to_pylist() == ["abc…[cut]", "abc", None]
    assert decoded.column("BYTES").to_pylist() == ["caf\ufffd", "ok", None]
    days = decoded.column("DAY").cast(pa.string()).to_pylist()
    assert days == ["-0043-03-15 08:30:00", None, None]
    assert decoder.changes == {"cut TEXT": 1, "replaced BYTES": 1, "dropped DAY": 1}
    assert [remark.partition(":")[0] for remark in decoder.remarks()] == ["TEXT", "BYTES", "DAY"]


def test_decode_numbers() -> None:
    """Numbers have a zero before the point, and no exponent."""
    item = project(ColumnDef(name="A", type="NUMBER"))
    batch = pa.record_batch([pa.array([".5", "-.5", "1E+3", "0", None])], names=["A"])
    (decoded,) = RowDecoder([item]).decode([batch], [item])
    assert decoded.column("A").to_pylist() == ["0.5", "-0.5", "1000", "0", None]


def test_decode_booleans() -> None:
    """The server spells booleans as text, in any case."""
    item = project(ColumnDef(name="A", type="BOOLEAN"))
    assert item.field == pa.field("A", pa.bool_())
    batch = pa.record_batch([pa.array(["TRUE", "false", "true", None])], names=["A"])
    (decoded,) = RowDecoder([item]).decode([batch], [item])
    assert decoded.column("A").to_pylist() == [True, False, True, None]


def test_decode_years() -> None:
    """Oracle has no year 0; ISO 8601 calls the year 1 BC so, and has four digits at least."""
    item = project(ColumnDef(name="A", type="DATE"), old_dates=True)
    cells = ["-0001-01-02T00:00:00", "-4712-01-01T00:00:00", "-1001-05-06T00:00:00"]
    batch = pa.record_batch([pa.array([*cells, " 2026-03-13T01:02:03"])], names=["A"])
    (decoded,) = RowDecoder([item]).decode([batch], [item])
    texts = decoded.column("A").cast(pa.string()).to_pylist()
    assert texts == [
        "0000-01-02 00:00:00",
        "-4711-01-01 00:00:00",
        "-1000-05-06 00:00:00",
        "2026-03-13 01:02:03",
    ]


def test_counts_add_up() -> None:
    """Changed values are counted over all batches; columns without one have no remark."""
    definitions = [
        ColumnDef(name="TEXT", type="CLOB"),
        ColumnDef(name="BYTES", type="CLOB"),
        ColumnDef(name="DAY", type="DATE"),
    ]
    items = [project(definition, 3, old_dates=True) for definition in definitions]
    plain = pa.array(["abc"], pa.large_string())
    unchanged = pa.record_batch(
        [plain, plain, pa.array(["2026-03-13T00:00:00"])], names=["TEXT", "BYTES", "DAY"]
    )
    changed = pa.record_batch(
        [
            pa.array(["abcd", "abcde", "é"], pa.large_string()),
            pa.array([b"\xff", b"\xfe", b"ok"], pa.large_binary()).view(pa.large_string()),
            pa.array(["1500-02-29T00:00:00", "1900-02-29T00:00:00", "1600-02-29T00:00:00"]),
        ],
        names=["TEXT", "BYTES", "DAY"],
    )
    decoder = RowDecoder(items, 3)
    list(decoder.decode([unchanged], items))
    assert decoder.changes == {}
    list(decoder.decode([changed, changed], items))
    assert decoder.changes == {"cut TEXT": 4, "replaced BYTES": 4, "dropped DAY": 4}


def test_invalid_text_is_cut() -> None:
    """Long text with invalid bytes is cut after its bytes are replaced."""
    item = project(ColumnDef(name="A", type="CLOB"), 2)
    cells = pa.array([b"\xffabc", None], pa.large_binary()).view(pa.large_string())
    decoder = RowDecoder([item], 2)
    (decoded,) = decoder.decode([pa.record_batch([cells], names=["A"])], [item])
    assert decoded.column("A").to_pylist() == ["\ufffda…[cut]", None]
    assert decoder.changes == {"cut A": 1, "replaced A": 1}


def test_decode_dates_without_values() -> None:
    """A batch with only nulls is a batch of dates, too."""
    item = project(ColumnDef(name="A", type="DATE"), old_dates=True)
    batch = pa.record_batch([pa.array([None], pa.string())], names=["A"])
    (decoded,) = RowDecoder([item]).decode([batch], [item])
    assert decoded.column("A") == pa.array([None], pa.timestamp("s"))


def test_decode_all_columns() -> None:
    """A batch with more columns than the plan is a fault, not a loss."""
    item = project(ColumnDef(name="A", type="NUMBER"))
    batch = pa.record_batch([pa.array(["1"]), pa.array(["2"])], names=["A", "B"])
    with pytest.raises(ValueError, match="zip"):
        list(RowDecoder([item]).decode([batch], [item]))
