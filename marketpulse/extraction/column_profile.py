"""The profile of a table's columns: nulls, distinct values, range, most frequent values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from marketpulse.atomic import TemporaryFolder
from marketpulse.formats.encode import LogicalType, is_date, is_number, to_text, value_type

BUCKETS = 12  # of a histogram
_FREQUENT = 3  # values that are listed


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """A column's values, as text.

    `lowest` and `highest` are compared as values of the column's type, text by code point; they are
    None if no value can be compared: all are null or NaN. `frequent` are the most frequent values
    with their counts, the lowest first among equals. `histogram` counts the values of numbers and
    dates in buckets of equal width, from `lowest` to `highest`; it is empty for other types.
    """

    name: str
    rows: int
    nulls: int
    distinct: int
    lowest: str | None
    highest: str | None
    frequent: tuple[tuple[str, int], ...]
    histogram: tuple[int, ...]


def profile_columns(reader: pa.RecordBatchReader) -> list[ColumnProfile]:
    """Profile the columns of a table, in their order.

    Reads the rows once. They go to a temporary database on disk, so memory does not grow with them.
    Raises what the reader raises.
    """
    # DuckDB would turn an error of the reader into one of its own.
    errors: list[BaseException] = []
    with (
        TemporaryFolder() as folder,
        duckdb.connect(str(Path(folder) / "profile.duckdb")) as database,
    ):
        database.execute("SET TimeZone = 'UTC'")
        database.register("texts", _texts(reader, errors))
        try:
            database.execute("CREATE TABLE cells AS FROM texts")
        except duckdb.Error:
            for error in errors:
                raise error from None
            raise
        return [_profile(database, f"c{place}", field) for place, field in enumerate(reader.schema)]


def _texts(reader: pa.RecordBatchReader, errors: list[BaseException]) -> pa.RecordBatchReader:
    """The cells as text. The columns are c0, c1, ...: names of a table may differ in case only."""
    schema = pa.schema([pa.field(f"c{place}", pa.string()) for place in range(len(reader.schema))])

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                columns = [
                    to_text(column, field).cast(pa.string())
                    for column, field in zip(batch.columns, reader.schema, strict=True)
                ]
                yield pa.record_batch(columns, schema)
        except (Exception, KeyboardInterrupt) as error:
            errors.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, batches())


def _profile(database: duckdb.DuckDBPyConnection, cell: str, field: pa.Field) -> ColumnProfile:
    measure = _measure(cell, field)
    # Doubles that are equal may be numbers that are not: their digits decide.
    key = f"({measure}, TRY_CAST({cell} AS DECIMAL(38, 9)))" if measure else cell
    comparable = f"FILTER ({measure or cell} IS NOT NULL)"  # NaN is not
    rows, values, distinct, lowest, highest = _row(
        database,
        f"SELECT count(*), count({cell}), count(DISTINCT {cell}), "  # noqa: S608 - only our own names
        f"arg_min({cell}, {key}) {comparable}, arg_max({cell}, {key}) {comparable} FROM cells",
    )
    frequent = database.execute(
        f"SELECT {cell}, count(*) FROM cells WHERE {cell} IS NOT NULL GROUP BY ALL "  # noqa: S608 - only our own names
        f"ORDER BY 2 DESC, 1 LIMIT {_FREQUENT}"
    ).fetchall()
    return ColumnProfile(
        name=field.name,
        rows=rows,
        nulls=rows - values,
        distinct=distinct,
        lowest=lowest,
        highest=highest,
        frequent=tuple((text, count) for text, count in frequent),
        histogram=_histogram(database, measure) if measure else (),
    )


def _measure(cell: str, field: pa.Field) -> str:
    """The value of a number or of a date as a double; empty for other types."""
    if is_number(field) or value_type(field) is LogicalType.FLOAT:
        return f"nullif(TRY_CAST({cell} AS DOUBLE), 'nan')"
    if is_date(field):
        return f"epoch(TRY_CAST({cell} AS TIMESTAMPTZ))"
    return ""


def _histogram(database: duckdb.DuckDBPyConnection, measure: str) -> tuple[int, ...]:
    finite = f"(SELECT {measure} AS v FROM cells) WHERE isfinite(v)"  # noqa: S608 - only our own names
    low, high = _row(database, f"SELECT min(v), max(v) FROM {finite}")  # noqa: S608 - only our own names
    if low is None or low == high:
        return ()
    counts = [0] * BUCKETS
    found = database.execute(
        f"SELECT least(floor((v - $low) / ($high - $low) * {BUCKETS})::INT, {BUCKETS - 1}), "  # noqa: S608 - only our own names
        f"count(*) FROM {finite} GROUP BY 1",
        {"low": low, "high": high},
    ).fetchall()
    for bucket, count in found:
        counts[bucket] = count
    return tuple(counts)


def _row(database: duckdb.DuckDBPyConnection, sql: str) -> tuple:  # type: ignore[type-arg] # DuckDB's values have the types of their columns
    (row,) = database.execute(sql).fetchall()
    return row
