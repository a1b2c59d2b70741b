"""Tables of other libraries and rows of Python arrive with every digit, or are refused by name."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from color_tables import column, day, outcome_of, reasons, three_colors
from color_tables import expected as expected_day

from marketpulse import run_colors
from marketpulse.colors.tables import as_reader
from marketpulse.errors import DataError, UsageError
from marketpulse.formats.encode import LogicalType, logical_type

ID = 17679633591029711  # a float keeps ...710 or ...712
ROWS: list[dict[str, Any]] = [
    {"MESSAGE_ID": ID, "CUSIP": "037833100", "RANK": 2, "DATE": date(2026, 3, 13), "PX": 98.5},
    {"PX": 98.5, "MESSAGE_ID": ID + 2, "CUSIP": "037833100", "RANK": 1, "DATE": date(2026, 3, 13)},
    {"MESSAGE_ID": ID + 1, "CUSIP": "037833100", "RANK": 3, "DATE": date(2026, 3, 13), "PX": None},
]


def polars_categories() -> pl.DataFrame:
    """A frame with Polars' own text types, and a column of nulls."""
    return pl.DataFrame(ROWS).with_columns(
        pl.col("CUSIP").cast(pl.Categorical),
        EMPTY=pl.lit(None),
        KIND=pl.lit("a").cast(pl.Enum("a")),
    )


def duckdb_relation() -> object:
    """A relation whose identifiers are of DuckDB's widest integers."""
    rows = pa.Table.from_pylist(ROWS)  # noqa: F841 - DuckDB reads the local name
    return duckdb.sql("SELECT * REPLACE (CAST(MESSAGE_ID AS HUGEINT) AS MESSAGE_ID) FROM rows")


TABLES: dict[str, Callable[[], object]] = {
    "pandas": lambda: pd.DataFrame(ROWS),
    "pandas with nullable types": lambda: pd.DataFrame(ROWS).convert_dtypes(),
    "polars": lambda: pl.DataFrame(ROWS),
    "polars, lazy": lambda: pl.LazyFrame(ROWS),
    "polars with categories": polars_categories,
    "duckdb": duckdb_relation,
    "arrow": lambda: pa.Table.from_pylist(ROWS),
    "dicts": lambda: ROWS,
    "a tuple of dicts": lambda: tuple(ROWS),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=list(TABLES))
def test_every_table_keeps_its_identifiers(make: Callable[[], object]) -> None:
    """The same rows of any library give the same order, with every digit, to pandas, too."""
    run = run_colors(make())
    assert list(map(int, column(run.processed, "MESSAGE_ID"))) == [ID + 2, ID, ID + 1]
    assert run.processed is not None
    parents = run.processed.to_pandas()["PARENT_MESSAGE_ID"]
    assert list(map(int, parents[1:])) == [ID + 2, ID + 2]
    assert parents.isna().tolist() == [True, False, False]


def test_the_day_as_dicts() -> None:
    """The real day as a list of dicts of text gives the expected results."""
    header, rows = day()
    run = run_colors([dict(zip(header, row, strict=True)) for row in rows])
    assert run.input == "rows"
    assert outcome_of(run).processed == expected_day("rank_date_price").processed


def test_keys_may_differ_between_dicts() -> None:
    """Every key of any row is a column; Arrow alone would take those of the first row."""
    run = run_colors([ROWS[0], {**ROWS[1], "NOTE": "late"}])
    assert column(run.processed, "NOTE") == ["late", None]


MIXED: dict[str, tuple[list[object], str | pa.DataType, list[object]]] = {
    "integers": ([1, None], pa.int64(), [1, None]),
    "integers above 2**53 and fractions": (
        [ID, 0.5],
        LogicalType.MIXED,
        [f"n{ID}", "f0.5"],
    ),
    "integers beyond 64 bits": ([2**70, 1], LogicalType.NUMBER, [str(2**70), "1"]),
    "integers of numpy": ([np.int64(ID), 5], pa.int64(), [ID, 5]),
    "integers and decimals": (
        [1, Decimal("101.700")],
        LogicalType.NUMBER,
        ["1", "101.700"],
    ),
    "fractions": ([1, 98.5, float("nan")], pa.float64(), [1.0, 98.5, None]),
    "nulls": ([None, pd.NA, pd.NaT, float("nan")], LogicalType.TEXT, [None] * 4),
    "text and numbers": (
        ["x", 5, True, pd.NA, Decimal("NaN"), {"a": 1}],
        LogicalType.MIXED,
        ["tx", "n5", "btrue", None, "tNaN", 'j{"a": 1}'],
    ),
    "decimals with exponents, and what a mapping holds": (
        [Decimal("1E+5"), {"é": date(2026, 3, 13)}],
        LogicalType.MIXED,
        ["n100000", 'j{"é": "2026-03-13"}'],
    ),
    "dates and times": (
        [date(2026, 3, 13), datetime(2026, 3, 13, 14, 5)],  # noqa: DTZ001 - a cell has no zone
        LogicalType.DATE,
        ["2026-03-13", "2026-03-13 14:05:00"],
    ),
}


@pytest.mark.parametrize(("values", "expected", "cells"), MIXED.values(), ids=list(MIXED))
def test_the_type_of_a_column_follows_from_all_values(
    values: list[object], expected: object, cells: list[object]
) -> None:
    """Values of one type keep it; others become text that says what it is."""
    table = as_reader([{"A": value} for value in values]).read_all()
    field = table.schema.field("A")
    assert (logical_type(field) or field.type) == expected
    assert table.column("A").to_pylist() == cells


def test_objects_of_pandas_may_be_of_several_types() -> None:
    """A column of objects ranks by its values, as JSON with such cells would."""
    frame = pd.DataFrame(ROWS)
    frame["MESSAGE_ID"] = pd.Series([ID, str(ID + 2), Decimal(ID + 1)], dtype=object)
    run = run_colors(frame)
    assert column(run.processed, "MESSAGE_ID") == [str(ID + 2), str(ID), str(ID + 1)]


def test_an_index_of_pandas() -> None:
    """An index with a name is a column; any other is left out, and the frame stays as it was."""
    frame = pd.DataFrame(ROWS)
    expected = as_reader(frame).read_all()
    for index in ("MESSAGE_ID", ["MESSAGE_ID", "CUSIP"]):
        indexed = frame.set_index(index)
        assert as_reader(indexed).read_all().select(expected.schema.names) == expected
        assert list(indexed.columns) == [name for name in frame.columns if name not in index]
    assert as_reader(frame.set_index(pd.Index([5] * len(frame)))).read_all() == expected
    twice = as_reader(frame.set_index("CUSIP", drop=False)).read_all()
    assert twice.schema.names.count("CUSIP") == 2


def test_floats_of_pandas_are_rejected() -> None:
    """A null makes floats of a pandas column of integers: their digits are lost, and told."""
    frame = pd.DataFrame({**three_colors().to_pydict(), "MESSAGE_ID": [ID, None, 2]})
    run = run_colors(frame)
    assert run.counts.rejected == 2
    assert reasons(run)[1] == "MESSAGE_ID: missing"


FRAME = pd.DataFrame({"SECRET": ["cell of a row"]})
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "a number": (lambda: 5, "int is not a table of colors"),
    "nothing": (lambda: None, "NoneType is not a table of colors"),
    "an empty list": (list, "a list of nothing is not a table of colors"),
    "a list of frames": (lambda: [FRAME, FRAME], "a list of DataFrame is not a table of colors"),
    "frames and paths": (lambda: [FRAME, "x.csv"], "a list of DataFrame, str is not a table"),
    "keys that are no text": (lambda: [{1: 2}], "a list of dicts with a key of the type int"),
    "a column of pandas": (lambda: FRAME["SECRET"], "Series cannot be read .ArrowInvalid."),
    "objects": (lambda: [{"A": object()}, {"A": 1}], "'A' holds values of the type object"),
    "half a character": (lambda: [{"A": "\ud800"}], "'A' holds text with half a character"),
    "objects of polars": (
        lambda: pl.DataFrame({"A": pl.Series([object()], dtype=pl.Object)}),
        "'A' holds values of the type Object",
    ),
    "128 bits of polars": (
        lambda: pl.DataFrame({"A": pl.Series([5], dtype=pl.Int128)}),
        "'A' holds values of the type Int128",
    ),
    "a type that DuckDB exports as -1": (
        lambda: duckdb.sql("SELECT CAST(5 AS UHUGEINT) AS A"),
        "'A' holds values of the type UHUGEINT",
    ),
    "a query that fails": (
        lambda: duckdb.sql("SELECT error('cell of a row') AS A"),
        "DuckDBPyRelation cannot be read",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=list(REFUSED))
def test_an_error_names_what_it_was_without_its_rows(
    make: Callable[[], object], message: str
) -> None:
    """What is no table is refused by its type; no message shows a cell."""
    with pytest.raises(DataError, match=message) as refused:
        run_colors(make())
    assert "cell of a row" not in f"{refused.value.message} {refused.value.hint}"
    assert refused.value.hint


@pytest.mark.parametrize("rules", [5, FRAME, [FRAME]])
def test_rules_that_are_none_are_named_by_their_type(rules: Any) -> None:
    """`rules` of another type is a `UsageError` that shows none of its values."""
    with pytest.raises(UsageError, match="neither a path nor the content") as refused:
        run_colors(ROWS, rules=rules)
    assert "cell of a row" not in str(refused.value)


def test_options_of_sources_are_refused() -> None:
    """They would change nothing."""
    with pytest.raises(UsageError, match="--where needs a file or a database"):
        run_colors(ROWS, where="PX > 1")
    with pytest.raises(UsageError, match="--table needs a file or a database"):
        run_colors(ROWS, table="COLORS")
