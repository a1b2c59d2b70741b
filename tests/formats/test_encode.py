"""Every value has one spelling as text."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.formats.encode import (
    LogicalType,
    is_date,
    is_number,
    logical_field,
    logical_type,
    may_contain,
    mixed_field,
    plain_field,
    text_buffer,
    to_json,
    to_tagged,
    to_text,
    untag,
    value_type,
    without_errors,
)


def spelled(values: Sequence[Any], data_type: pa.DataType) -> list[str | None]:
    """Return values of a type as text."""
    array = pa.array(values, data_type)
    texts: list[str | None] = to_text(array, pa.field("x", data_type)).to_pylist()
    return texts


CANONICAL: dict[str, tuple[pa.DataType, list[Any], list[str | None]]] = {
    "integers": (
        pa.int64(),
        [17700000000000001, -1, 0, None],
        ["17700000000000001", "-1", "0", None],
    ),
    "unsigned": (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
    "decimals": (
        pa.decimal128(20, 3),
        [Decimal("101.7"), Decimal("-0.001"), Decimal(0), Decimal("12345678901234567.891")],
        ["101.700", "-0.001", "0.000", "12345678901234567.891"],
    ),
    "tiny decimals": (
        pa.decimal128(38, 20),
        [Decimal("1E-20"), Decimal("-1E-10"), Decimal(0), Decimal(5)],
        [
            "0.00000000000000000001",
            "-0.00000000010000000000",
            "0.00000000000000000000",
            "5.00000000000000000000",
        ],
    ),
    "decimals of a negative scale": (
        pa.decimal128(5, -3),
        [Decimal("1E+3"), Decimal("-12E+3"), Decimal(0)],
        ["1000", "-12000", "0"],
    ),
    "long decimals": (pa.decimal256(60, 2), [Decimal("1" * 50 + ".10")], ["1" * 50 + ".10"]),
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
    "floats of 16 bits": (
        pa.float16(),
        [1.5, 65504.0, -0.0, math.nan, math.inf, None],
        ["1.5", "65504.0", "-0.0", "NaN", "inf", None],
    ),
    "days": (
        pa.date32(),
        [date(2026, 3, 13), date(1, 1, 1), None],
        ["2026-03-13", "0001-01-01", None],
    ),
    "days of 64 bits": (pa.date64(), [date(2026, 3, 13)], ["2026-03-13"]),
    "timestamps": (
        pa.timestamp("us"),
        list(
            map(datetime.fromisoformat, ("2026-03-13", "2026-03-13T01:02:03.000040", "0001-01-01"))
        ),
        ["2026-03-13 00:00:00", "2026-03-13 01:02:03.00004", "0001-01-01 00:00:00"],
    ),
    "timestamps with a zone": (
        pa.timestamp("ms", "America/New_York"),
        [datetime(2026, 3, 13, 1, 2, 3, 400000, tzinfo=UTC)],
        ["2026-03-13 01:02:03.4"],
    ),
    "booleans": (pa.bool_(), [True, False, None], ["true", "false", None]),
    "nothing": (pa.null(), [None, None], [None, None]),
    "bytes": (pa.binary(), [b"\xff\x00", None], ["ff00", None]),
    "times": (pa.time64("us"), [time(1, 2, 3)], ["01:02:03"]),
    "durations": (
        pa.duration("ms"),
        [timedelta(seconds=1), timedelta(seconds=-90, milliseconds=5), timedelta(0), None],
        ["PT1.000S", "PT-89.995S", "PT0.000S", None],
    ),
    "durations in seconds": (pa.duration("s"), [timedelta(days=1)], ["PT86400S"]),
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
    """The text of a float gives back the float, and has a point and no unnecessary digit."""
    for value, text in zip(values, spelled(values, pa.float64()), strict=True):
        assert text is not None
        if math.isfinite(value):
            assert re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
            assert math.copysign(1, float(text)) == math.copysign(1, value)
            assert float(text) == value
            assert Decimal(text) == Decimal(repr(value))


@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_float_of_32_bits_is_spelled_in_its_own_digits(values: list[float]) -> None:
    """A float of 32 bits does not get the digits of 64 bits."""
    for value, text in zip(values, spelled(values, pa.float32()), strict=True):
        assert text is not None
        assert np.float32(text) == np.float32(value)
        assert Decimal(text) == Decimal(str(np.float32(value)))


@given(data=st.data(), scale=st.integers(-5, 30))
def test_any_decimal_is_spelled_with_its_scale(data: st.DataObject, scale: int) -> None:
    """A decimal has as many digits after its point as its type, and no exponent."""
    most = 10 ** (38 + min(scale, 0)) - 1
    numbers = data.draw(st.lists(st.integers(-most, most)))
    values = [
        Decimal((number < 0, tuple(map(int, str(abs(number)))), -scale)) for number in numbers
    ]
    texts = [f"{value:f}" if value else f"{0:.{max(scale, 0)}f}" for value in values]
    assert spelled(values, pa.decimal128(38, scale)) == texts


UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


BEGIN, END = -62135596800, 253402300800  # of the years 1 to 9999, in seconds since 1970


@given(
    unit=st.sampled_from(list(UNITS)),
    zone=st.sampled_from([None, "UTC", "Asia/Tokyo"]),
    data=st.data(),
)
def test_any_timestamp_is_spelled_in_utc(unit: str, zone: str | None, data: st.DataObject) -> None:
    """A timestamp of any unit keeps its fraction without the zeros at the end."""
    ticks = UNITS[unit]
    low, high = max(BEGIN * ticks, -(2**63)), min(END * ticks, 2**63) - 1
    counts = data.draw(st.lists(st.integers(low + 1, high)))
    data_type = pa.timestamp(unit, zone)
    array = pa.array(counts, pa.int64()).cast(data_type)
    for count, text in zip(counts, to_text(array, pa.field("x", data_type)), strict=True):
        seconds, rest = divmod(count, ticks)
        timestamp = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - UTC
        digits = f"{rest:0{len(str(ticks)) - 1}d}".rstrip("0") if rest else ""
        assert text.as_py() == timestamp.isoformat(" ") + (f".{digits}" if digits else "")


def test_mixed_cells_are_spelled_without_tags() -> None:
    """Text has no tags."""
    column = logical_field("x", LogicalType.MIXED)
    assert to_text(pa.array(["tx", "n5", None]), column).to_pylist() == ["x", "5", None]


def test_duration_nulls() -> None:
    """A column of durations is text, also if each cell is null."""
    duration = pa.duration("ms")
    assert to_text(pa.array([None], duration), pa.field("x", duration)).type == pa.string()


def test_untag() -> None:
    """Only mixed columns change: they become plain text at their place, under their name."""
    fields = [
        logical_field("number", LogicalType.NUMBER),
        mixed_field("mixed", [LogicalType.TEXT, LogicalType.NUMBER]),
        pa.field("integer", pa.int64()),
    ]
    columns = [pa.array(["1.50"]), pa.array(["n7.0"]), pa.array([1])]
    for rows in (
        pa.table(columns, pa.schema(fields)),
        pa.record_batch(columns, pa.schema(fields)),
    ):
        plain = untag(rows)
        assert plain.to_pydict() == {"number": ["1.50"], "mixed": ["7.0"], "integer": [1]}
        assert [logical_type(field) for field in plain.schema] == [
            LogicalType.NUMBER,
            LogicalType.TEXT,
            None,
        ]
        assert plain.schema.field("mixed").metadata is None


def test_untag_large() -> None:
    """Exact numbers in a column of large text: a table of ours that another library cast."""
    field = logical_field("number", LogicalType.NUMBER).with_type(pa.large_string())
    plain = untag(pa.table([pa.array(["1e2"], field.type)], pa.schema([field])))
    assert plain.to_pydict() == {"number": ["100"]}
    assert logical_type(plain.schema.field("number")) is LogicalType.NUMBER


def test_mixed_cells_in_json() -> None:
    """The tag of each cell decides whether it is a number, text, a boolean or null."""
    cells = [
        "tx",
        "n5.0",
        "n0.50",
        "btrue",
        'j{"a": 1}',
        "fNaN",
        "f007",
        "s000",
        "d2026-03-13",
        "t5",
        None,
    ]
    literals = [
        '"x"',
        "5.0",
        "0.50",
        "true",
        '{"a": 1}',
        "null",
        "7",
        "0",
        '"2026-03-13"',
        '"5"',
        "null",
    ]
    cells_in_json = to_json(pa.array(cells), logical_field("x", LogicalType.MIXED))
    assert cells_in_json.to_pylist() == literals


@pytest.mark.parametrize(
    ("kind", "text", "literal"),
    [
        (LogicalType.JSON, "[1]", "[1]"),
        (LogicalType.JSON, "true", "true"),
        (LogicalType.JSON, "1", "1"),
        (LogicalType.JSON, '"a"', r'"\"a\""'),
        (LogicalType.JSON, "null", '"null"'),
        (LogicalType.JSON, "", '""'),
        (LogicalType.TEXT, "null", '"null"'),
        (LogicalType.TEXT, "true", '"true"'),
        (LogicalType.NUMBER, "101.700", "101.700"),
        (LogicalType.NUMBER, "-0", "-0"),
        (LogicalType.NUMBER, "0.5", "0.5"),
        (LogicalType.NUMBER, "NaN", "null"),
        (LogicalType.NUMBER, "", "null"),
        (LogicalType.FLOAT, "0.0", "0.0"),
        (LogicalType.FLOAT, "007", "7"),
        (LogicalType.TEXT, 'a"\\\n\x01é', r'"a\"\\\n\u0001é"'),
        (LogicalType.BOOLEAN, "false", "false"),
        (LogicalType.ERROR, "#N/A", '"#N/A"'),
    ],
)
def test_text_in_json(kind: LogicalType, text: str, literal: str) -> None:
    """A JSON string or null in a column of JSON stays distinct from text and from SQL's null."""
    bare = {LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.BOOLEAN, LogicalType.JSON}
    plain = "5" if kind in bare else '"5"'
    cells = pa.array([text, None, "5"])
    assert to_json(cells, logical_field("x", kind)).to_pylist() == [literal, "null", plain]


PAIR = pa.struct({"a": pa.float64(), "b": pa.string()})


@pytest.mark.parametrize(
    ("data_type", "values", "literals"),
    [
        (pa.float64(), [math.nan, -math.inf, 1.5, None], ["null", "null", "1.5", "null"]),
        (pa.float64(), [math.nan, 1.5], ["null", "1.5"]),
        (pa.bool_(), [True, None], ["true", "null"]),
        (pa.decimal128(5, 2), [Decimal("1.50")], ["1.50"]),
        (pa.date32(), [date(2026, 3, 13)], ['"2026-03-13"']),
        (PAIR, [{"a": math.nan, "b": "x"}, {"a": None, "b": None}, None],
         ['{"a": "NaN", "b": "x"}', '{"a": null, "b": null}', "null"]),
        (pa.struct([]), [{}, None], ["{}", "null"]),
        (pa.list_(pa.float64()), [[math.inf, 1.0, None], None, [], [2.0]],
         ['["inf", 1.0, null]', "null", "[]", "[2.0]"]),
        (pa.list_(pa.bool_()), [[True, False]], ["[true, false]"]),
        (pa.list_(pa.list_(pa.int64())), [[[1], [2, 3]], [[]]], ["[[1], [2, 3]]", "[[]]"]),
        (pa.map_(pa.string(), pa.int64()), [[("k", 1), ("l", None)], []],
         ['[{"key": "k", "value": 1}, {"key": "l", "value": null}]', "[]"]),
    ],
)  # fmt: skip
def test_values_in_json(data_type: pa.DataType, values: list[Any], literals: list[str]) -> None:
    """JSON has no NaN: it is null as a cell, and text inside of a nested value."""
    cells = to_json(pa.array(values, data_type), pa.field("x", data_type))
    assert cells.to_pylist() == literals


@pytest.mark.parametrize(
    ("data_type", "value", "cell"),
    [
        (pa.int64(), 5, "n5"),
        (pa.decimal128(3, 1), Decimal(5), "n5.0"),
        (pa.float64(), 5.0, "f5.0"),
        (pa.bool_(), True, "btrue"),
        (pa.list_(pa.int64()), [5], "j[5]"),
        (pa.string(), "5", "t5"),
    ],
)
def test_to_tagged(data_type: pa.DataType, value: object, cell: str) -> None:
    """A cell gets the tag of its type; a mixed column has its tags already."""
    field = pa.field("x", data_type)
    assert to_tagged(pa.array([value, None], data_type), field).to_pylist() == [cell, None]
    mixed = pa.array([cell, None])
    assert to_tagged(mixed, logical_field("x", LogicalType.MIXED)) is mixed


def test_plain_field() -> None:
    """A plain field has neither a dictionary, a view nor metadata."""
    for data_type in (pa.string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        field = pa.field("x", data_type, metadata={"a": "b"})
        assert plain_field(field) == pa.field("x", pa.string())
        assert plain_field(field).metadata is None


NUMBERS = (pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(5, 2), LogicalType.NUMBER)
DATES = (pa.date32(), pa.date64(), pa.timestamp("s"), LogicalType.DATE)
OTHERS = (pa.string(), pa.bool_(), LogicalType.TEXT, LogicalType.JSON)


def field_of(kind: pa.DataType | LogicalType) -> pa.Field:
    """A column of this type."""
    return logical_field("x", kind) if isinstance(kind, LogicalType) else pa.field("x", kind)


@pytest.mark.parametrize("kind", [*NUMBERS, *DATES, *OTHERS], ids=str)
def test_what_columns_hold(kind: pa.DataType | LogicalType) -> None:
    """Numbers and dates, whatever they travel as; they have no comma and no quote."""
    field = field_of(kind)
    assert is_number(field) is (kind in NUMBERS)
    assert is_date(field) is (kind in DATES)
    is_typed_date = kind in DATES and kind is not LogicalType.DATE
    assert may_contain(field, ",") is not (kind in NUMBERS or is_typed_date)
    assert may_contain(field, "-1")


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((LogicalType.NUMBER, LogicalType.ERROR), LogicalType.FLOAT),
        ((LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.SCIENTIFIC), LogicalType.FLOAT),
        ((LogicalType.DATE, LogicalType.UNEVALUATED), LogicalType.DATE),
        ((LogicalType.DATE, LogicalType.NUMBER), LogicalType.MIXED),
        ((LogicalType.ERROR,), LogicalType.MIXED),
    ],
)
def test_errors_do_not_change_a_column(
    kinds: tuple[LogicalType, ...], expected: LogicalType
) -> None:
    """The cells of a spreadsheet without a value do not count, and are null."""
    field = mixed_field("x", kinds)
    assert value_type(field) is expected
    cells = pa.array(["n1", f"{LogicalType.ERROR.tag}#N/A", None])
    assert without_errors(cells, field).to_pylist() == ["n1", None, None]


def test_the_text_of_a_part_of_a_column() -> None:
    """One cell after another, nulls left out, for both widths of offsets."""
    for data_type in (pa.string(), pa.large_string()):
        cells = pa.array(["a", "bc", None, "d", "e"], data_type)
        assert bytes(text_buffer(cells[1:4])) == b"bcd"
        assert bytes(text_buffer(cells[:0])) == b""
