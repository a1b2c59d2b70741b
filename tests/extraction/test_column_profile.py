"""The profile of columns: what is counted, and how values are compared."""

from datetime import date
from decimal import Decimal

import pyarrow as pa

from marketpulse.extraction.column_profile import BUCKETS, ColumnProfile, profile_columns
from marketpulse.formats.encode import LogicalType, logical_field


def profile(column: pa.Array, field: pa.Field | None = None) -> ColumnProfile:
    """Profile one column."""
    table = pa.table([column], schema=pa.schema([field or pa.field("A", column.type)]))
    (result,) = profile_columns(table.to_reader())
    return result


def test_nulls_and_distinct_values_are_counted() -> None:
    """An empty text is a value; the most frequent values come first, the lowest of equals."""
    result = profile(pa.array(["b", None, "", "a", "b", None, "a", "c"]))

    assert (result.rows, result.nulls, result.distinct) == (8, 2, 4)
    assert (result.lowest, result.highest) == ("", "c")
    assert result.frequent == (("a", 2), ("b", 2), ("", 1))
    assert result.histogram == ()


def test_numbers_are_compared_as_numbers() -> None:
    """Digits that a double does not keep still decide, in integers, decimals and text."""
    large = profile(pa.array([9007199254740993, 9007199254740992, 100]))
    exact = profile(pa.array(["100", "20.50", "-3"]), logical_field("A", LogicalType.NUMBER))
    decimals = profile(pa.array([Decimal("1.50"), Decimal("10.00")]))

    assert (large.lowest, large.highest) == ("100", "9007199254740993")
    assert (exact.lowest, exact.highest) == ("-3", "100")
    assert (decimals.lowest, decimals.highest) == ("1.50", "10.00")


def test_nan_is_neither_lowest_nor_highest() -> None:
    """It is a value that no other is compared with."""
    result = profile(pa.array([float("nan"), 1.5, float("inf"), -2.0]))

    assert (result.lowest, result.highest, result.nulls) == ("-2.0", "inf", 0)


def test_a_histogram_counts_every_value_once() -> None:
    """Buckets are of equal width; the highest value is in the last one."""
    days = profile(pa.array([date(2026, 3, day) for day in range(1, 26)]))
    numbers = profile(pa.array([*range(24), None]))

    assert sum(days.histogram) == 25
    assert numbers.histogram == (2,) * BUCKETS
    assert profile(pa.array([7, 7])).histogram == ()


def test_a_table_without_rows_has_a_profile() -> None:
    """Nothing is compared, nothing fails."""
    result = profile(pa.array([], pa.int64()))

    assert (result.rows, result.distinct, result.lowest, result.frequent) == (0, 0, None, ())
