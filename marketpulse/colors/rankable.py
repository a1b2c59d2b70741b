"""Typed columns as the engine takes them: with every digit, or refused by their name.

DuckDB has no decimals of more than 38 digits, no half floats and no durations, and it reads the
largest dates as infinite. Other columns pass unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.encode import FRACTION_DIGITS, LogicalType, logical_field, to_text

_YEARS = 32767  # before and after year 0: no text has a date beyond
_DAYS = int((_YEARS - 1970) * 365.2425)
_SECONDS_A_DAY = 86_400


def rankable(rows: pa.RecordBatchReader, label: str) -> pa.RecordBatchReader:
    """Return the rows in types that the engine compares; `label` names the input in errors.

    Raises `DataError` for a duration. Reading raises it for a date that no text could hold.
    """
    schema = pa.schema([_rankable_field(field, label) for field in rows.schema])
    limits = {place: limit for place, field in enumerate(schema) if (limit := _limit(field.type))}
    if schema.equals(rows.schema, check_metadata=True) and not limits:
        return rows

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            for place, limit in limits.items():
                _check_dates(batch.column(place), limit, schema.field(place).name, label)
            columns = [
                _convert(column, arrived, field)
                for column, arrived, field in zip(batch.columns, batch.schema, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _rankable_field(field: pa.Field, label: str) -> pa.Field:
    types, data_type = pa.types, field.type
    if types.is_decimal256(data_type):
        return logical_field(field.name, LogicalType.NUMBER)
    if types.is_float16(data_type):
        return field.with_type(pa.float32())
    if isinstance(data_type, pa.Bool8Type):
        return field.with_type(pa.bool_())
    if types.is_duration(data_type) or types.is_interval(data_type):
        raise DataError(
            f"{label}: the column {field.name!r} holds durations ({data_type}), which cannot be "
            "ranked",
            hint="leave the column out, or write it as text or as a number of seconds",
            check="MP-DAT-018",
        )
    return field


def _convert(column: pa.Array, arrived: pa.Field, field: pa.Field) -> pa.Array:
    if column.type == field.type:
        return column
    if pa.types.is_decimal256(column.type):
        return to_text(column, arrived)
    return column.cast(field.type)


def _limit(data_type: pa.DataType) -> int:
    """Return the largest count of this type that is a date; 0 if every count is one."""
    types = pa.types
    if types.is_date32(data_type):
        return _DAYS
    if types.is_date64(data_type):
        return _DAYS * _SECONDS_A_DAY * 1000
    if types.is_timestamp(data_type) and data_type.unit != "ns":
        units: int = 10 ** FRACTION_DIGITS[data_type.unit]  # of a second
        return _DAYS * _SECONDS_A_DAY * units
    return 0


def _check_dates(column: pa.Array, limit: int, name: str, label: str) -> None:
    counts = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    bounds = pc.min_max(counts).as_py()
    if bounds["min"] is not None and (bounds["min"] < -limit or bounds["max"] > limit):
        raise DataError(
            f"{label}: the column {name!r} holds a date that lies more than 30,000 years away",
            hint="correct the date, or leave it empty",
            check="MP-DAT-018",
        )
