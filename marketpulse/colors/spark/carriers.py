"""Types in which columns pass through Spark: the same values, in the types that Spark keeps.

Spark has neither unsigned integers nor times of nanoseconds, and it moves timestamps between time
zones. Its rows carry counts instead, and each task casts them back.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from marketpulse.errors import DataError


def carrier_schema(schema: pa.Schema, label: str) -> pa.Schema:
    """The columns c0, c1, ... in which rows of this schema travel.

    Raises `DataError` for a column that Spark cannot carry; `label` names the input.
    """
    fields = []
    for place, field in enumerate(schema):
        carrier = _carrier_type(field.type)
        if carrier is None:
            raise DataError(
                f"{label}: --engine spark cannot carry the column {field.name!r} ({field.type})",
                hint="write the column as text, leave it out, or use --engine duckdb",
                check="MP-DAT-018",
            )
        fields.append(pa.field(f"c{place}", carrier))
    return pa.schema(fields)


def cast_columns(columns: Sequence[pa.Array], schema: pa.Schema) -> list[pa.Array]:
    """The columns of a schema in its types: those of carriers, or those that they had before."""
    return [_cast(column, field.type) for column, field in zip(columns, schema, strict=False)]


def result_type(data_type: pa.DataType) -> pa.DataType:
    """The type of a column in a DataFrame of results."""
    types = pa.types
    if types.is_timestamp(data_type):
        return pa.timestamp("us", "UTC" if data_type.tz else None)
    if types.is_time(data_type):
        return pa.string()
    if types.is_date(data_type):
        return pa.date32()
    return _carrier_type(data_type) or data_type


def _cast(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    if column.type == data_type:
        return column
    # Arrow casts no text to the type of a column that holds nothing.
    is_null = pa.types.is_null(data_type)
    return pa.nulls(len(column)) if is_null else column.cast(data_type)


def _carrier_type(data_type: pa.DataType) -> pa.DataType | None:
    """The type that carries the values of this one; None if there is none."""
    types = pa.types
    if types.is_decimal(data_type):
        is_wide = data_type.precision > 38 or not 0 <= data_type.scale <= data_type.precision
        return None if is_wide else pa.decimal128(data_type.precision, data_type.scale)
    if types.is_null(data_type) or types.is_string(data_type) or types.is_large_string(data_type):
        return pa.string()
    if types.is_binary(data_type) or types.is_large_binary(data_type):
        return pa.binary()
    if types.is_uint64(data_type):
        return pa.decimal128(20, 0)
    if types.is_unsigned_integer(data_type):
        return pa.int64()
    if types.is_date32(data_type) or types.is_time32(data_type):
        return pa.int32()
    if types.is_timestamp(data_type) or types.is_date64(data_type) or types.is_time64(data_type):
        return pa.int64()
    is_plain = types.is_signed_integer(data_type) or types.is_boolean(data_type)
    is_float = types.is_float32(data_type) or types.is_float64(data_type)
    return data_type if is_plain or is_float else None
