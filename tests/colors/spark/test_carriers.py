"""Every type that a local run ranks passes through Spark unchanged, or is refused by name."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest

from marketpulse.colors.spark.carriers import carrier_schema, cast_columns, result_type
from marketpulse.errors import DataError

# What Spark holds without a change, and Arrow's type is the same.
KEPT = {"string", "bool", "int8", "int16", "int32", "int64", "float", "double", "binary"}
VALUES: list[tuple[pa.DataType, object]] = [
    (pa.null(), None),
    (pa.string(), "101.700"),
    (pa.large_string(), "ä"),
    (pa.binary(), b"\x00\xff"),
    (pa.bool_(), True),
    (pa.int8(), -128),
    (pa.uint8(), 255),
    (pa.uint32(), 2**32 - 1),
    (pa.int64(), -(2**63)),
    (pa.uint64(), 2**64 - 1),
    (pa.float32(), 1.5),
    (pa.float64(), -0.0),
    (pa.decimal128(38, 2), Decimal(10**36 - 1).scaleb(-2)),
    (pa.decimal128(38, 0), Decimal(10**38 - 1)),
    (pa.decimal128(5, 5), Decimal("0.99999")),
    (pa.date32(), date(9999, 12, 31)),
    (pa.date64(), date(1, 1, 1)),
    (pa.time32("ms"), time(23, 59, 59, 999000)),
    (pa.time64("us"), time(0, 0, 0, 1)),
    (pa.timestamp("s"), datetime(1, 1, 1)),  # noqa: DTZ001 - without a zone
    (pa.timestamp("us", "UTC"), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    (pa.timestamp("ns", "Europe/Berlin"), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
]


@pytest.mark.parametrize(("data_type", "value"), VALUES, ids=str)
def test_values_come_back_as_they_were(data_type: pa.DataType, value: object) -> None:
    """A value and a null have their type and every digit after the way through Spark."""
    schema = pa.schema([pa.field("X", data_type)])
    column = pa.array([value, None], data_type)
    carriers = carrier_schema(schema, "input")
    (carried,) = cast_columns([column], carriers)
    assert str(carried.type) in KEPT or pa.types.is_decimal128(carried.type)
    assert cast_columns([carried], schema) == [column]


@pytest.mark.parametrize(
    "data_type",
    [
        pa.list_(pa.int64()),
        pa.decimal256(39, 2),
        pa.decimal128(5, -2),
        pa.decimal128(5, 6),
        pa.struct([("a", pa.int8())]),
    ],
)
def test_other_types_are_refused_by_the_columns_name(data_type: pa.DataType) -> None:
    """The message says which column, and what to do."""
    with pytest.raises(DataError, match="input: --engine spark cannot carry the column 'X'"):
        carrier_schema(pa.schema([pa.field("X", data_type)]), "input")


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [
        (pa.timestamp("ns", "Europe/Berlin"), pa.timestamp("us", "UTC")),
        (pa.timestamp("s"), pa.timestamp("us")),
        (pa.time64("ns"), pa.string()),
        (pa.date64(), pa.date32()),
        (pa.uint64(), pa.decimal128(20, 0)),
        (pa.large_string(), pa.string()),
        (pa.bool_(), pa.bool_()),
    ],
    ids=str,
)
def test_results_have_types_of_spark(data_type: pa.DataType, expected: pa.DataType) -> None:
    """A DataFrame of results has dates and times as such, not the counts that carried them."""
    assert result_type(data_type) == expected
