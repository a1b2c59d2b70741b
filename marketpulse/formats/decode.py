"""Types in words, and text that becomes values again: the way back from `text`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.encode import (
    UNITS,
    LogicalType,
    as_text,
    is_text,
    logical_field,
    logical_type,
)
from marketpulse.model import Column, Part


def column_of(field: pa.Field, type_words: str = "", **told: Any) -> Column:
    """The column that arrives in this field, its type in the source's words and in Arrow's."""
    kind = logical_type(field)
    return Column(
        field.name,
        type_words or str(field.type),
        str(field.type),
        logical_type="" if kind in {None, LogicalType.TEXT} else str(kind),
        parts=_parts(field.type),
        **told,
    )


def field_of(column: Column) -> pa.Field:
    """The field in which a column arrives. Raises `ValueError` for words that are no type."""
    if column.logical_type and column.logical_type != LogicalType.MIXED:
        return logical_field(column.name, LogicalType(column.logical_type))
    try:
        return pa.field(column.name, _type(column.arrow_type, column.parts))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{column.arrow_type!r} is no type") from error


def _parts(data_type: pa.DataType) -> tuple[Part, ...]:
    types = pa.types
    if types.is_map(data_type):
        fields = [data_type.key_field, data_type.item_field]
    elif types.is_struct(data_type):
        fields = list(data_type)
    elif types.is_nested(data_type) and not types.is_union(data_type):
        fields = [data_type.value_field]
    else:
        return ()
    return tuple(Part(it.name, str(it.type), _parts(it.type)) for it in fields)


def _type(words: str, parts: tuple[Part, ...]) -> pa.DataType:
    fields = [pa.field(part.name, _type(part.arrow_type, part.parts)) for part in parts]
    name, _, rest = words.partition("<")
    numbers = [int(it) for it in re.findall(r"-?\d+", rest or words)]
    if name == "dictionary":
        values, indices = re.findall(r"(?:values|indices)=(\w+)", rest)
        return pa.dictionary(pa.type_for_alias(indices), pa.type_for_alias(values))
    if name == "struct":
        return pa.struct(fields)
    if name == "map":
        return pa.map_(*(field.type for field in fields))
    if name == "large_list":
        return pa.large_list(*fields)
    if name in {"list", "list_view"}:
        return pa.list_(*fields)
    if name == "fixed_size_list":
        return pa.list_(*fields, numbers[-1])
    if zone := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", words):
        return pa.timestamp(*zone.groups())
    if words.startswith("fixed_size_binary"):
        return pa.binary(*numbers)
    if words.startswith("decimal"):
        bits, *shape = numbers
        return getattr(pa, f"decimal{bits}")(*shape)
    return pa.type_for_alias(words)


def as_schema(
    path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of a file in the types of a schema. Raises `DataError` where they are of others."""
    for batch in batches:
        if batch.schema.names != schema.names:
            raise DataError(
                f"{path}: its columns are {', '.join(batch.schema.names)}, and should be "
                f"{', '.join(schema.names)}",
                check="MP-DAT-018",
            )
        try:
            columns = [
                as_typed(as_text(column, own), field)
                if is_text(own.type)
                else column.cast(field.type)
                for column, own, field in zip(batch.columns, batch.schema, schema, strict=True)
            ]
        except (pa.ArrowException, ArithmeticError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: its values are not of the types that were told: {error}",
                check="MP-DAT-018",
            ) from error
        yield pa.record_batch(columns, schema)


def as_typed(text: pa.Array, field: pa.Field) -> pa.Array:
    """The values that `as_text` spelled so. Raises `pa.ArrowInvalid` or `ValueError` for others."""
    if logical_type(field) is not None and not pa.types.is_dictionary(field.type):
        return text.cast(field.type)
    types, data_type = pa.types, field.type
    if types.is_null(data_type):
        return pa.nulls(len(text))
    if types.is_nested(data_type):
        values = [_decoded(cell) for cell in text.to_pylist()]
        return _nested(values, data_type)
    if types.is_timestamp(data_type) and data_type.tz:
        return text.cast(pa.timestamp(data_type.unit)).cast(data_type)
    if types.is_time(data_type):
        dated = pc.binary_join_element_wise("1970-01-01", text, " ")
        return dated.cast(pa.timestamp(data_type.unit)).cast(data_type)
    if types.is_duration(data_type):
        counts = [_count(cell, data_type.unit) for cell in text.to_pylist()]
        return pa.array(counts, pa.int64()).cast(data_type)
    if types.is_binary(data_type) or types.is_large_binary(data_type) or _other_binary(data_type):
        cells = text.to_pylist()
        return pa.array([None if it is None else bytes.fromhex(it) for it in cells], data_type)
    if types.is_timestamp(data_type):
        return moments(text, data_type.unit)
    return text.cast(data_type)


def moments(text: pa.Array, unit: str) -> pa.Array:
    """Timestamps from ISO 8601, where the year before 1 is 0, and -43 is 44 BC.

    Raises `ValueError` for a day that is none.
    """
    try:
        return text.cast(pa.timestamp(unit))
    except pa.ArrowInvalid:  # it knows no year before 0
        import numpy as np  # noqa: PLC0415 - for such years alone

        return pa.array(np.array(text.to_pylist(), f"datetime64[{unit}]"))


def _other_binary(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_binary(data_type) or pa.types.is_binary_view(data_type))


def _count(text: str | None, unit: str) -> int | None:
    if text is None:
        return None
    return int(Decimal(text.removeprefix("PT").removesuffix("S")).scaleb(UNITS[unit]))


def _decoded(cell: str | None) -> Any:
    """A nested value as Python's lists and dictionaries, numbers as they are spelled."""
    return None if cell is None else json.loads(cell, parse_int=str, parse_float=str)


def _nested(values: list[Any], data_type: pa.DataType) -> pa.Array:
    types = pa.types
    if not types.is_nested(data_type):
        texts = [str(it).lower() if isinstance(it, bool) else it for it in values]
        return as_typed(pa.array(texts, pa.string()), pa.field("", data_type))
    nulls = pa.array([it is None for it in values], pa.bool_())
    if types.is_struct(data_type):
        fields = list(data_type)
        parts = [_nested([it and it[one.name] for it in values], one.type) for one in fields]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=nulls)
    if types.is_map(data_type):
        pair = pa.struct([("key", data_type.key_type), ("value", data_type.item_type)])
        pairs = _lists(values, pa.list_(pair), nulls)
        keys, items = (pairs.values.field(place) for place in (0, 1))
        return pa.MapArray.from_arrays(pairs.offsets, keys, items, data_type, mask=nulls)
    return _lists(values, data_type, nulls)


def _lists(values: list[Any], data_type: pa.DataType, nulls: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_list(data_type):
        filling = [None] * data_type.list_size
        inner = list(chain.from_iterable(filling if it is None else it for it in values))
        parts = _nested(inner, data_type.value_type)
        return pa.FixedSizeListArray.from_arrays(parts, type=data_type, mask=nulls)
    offsets = [0]
    for it in values:
        offsets.append(offsets[-1] + len(it or ()))
    inner = _nested(list(chain.from_iterable(it or () for it in values)), data_type.value_type)
    large = pa.types.is_large_list(data_type)
    kind = pa.LargeListArray if large else pa.ListArray
    places = pa.array(offsets, pa.int64() if large else pa.int32())
    return kind.from_arrays(places, inner, type=data_type, mask=nulls)
