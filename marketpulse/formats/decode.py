"""The way back from `encode`: text becomes values again, and a column's description its type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.encode import (
    FRACTION_DIGITS,
    LogicalType,
    is_text,
    logical_field,
    logical_type,
    to_text,
)
from marketpulse.model import Column, Part

# A parsed cell of JSON. Numbers are the text that the document has for them.
_JsonCell: TypeAlias = "Mapping[str, _JsonCell] | Sequence[_JsonCell] | str | bool | None"


def column_of(
    field: pa.Field,
    source_type: str = "",
    *,
    nullable: bool = True,
    comment: str = "",
    default: str = "",
    unreadable: str = "",
) -> Column:
    """Describe the column of this field. `source_type` is its type as the source calls it."""
    kind = logical_type(field)
    return Column(
        name=field.name,
        type=source_type or str(field.type),
        arrow_type=str(field.type),
        nullable=nullable,
        comment=comment,
        logical_type="" if kind in {None, LogicalType.TEXT} else str(kind),
        parts=_parts(field.type),
        default=default,
        unreadable=unreadable,
    )


def field_of(column: Column) -> pa.Field:
    """Return the field of a described column. Raises `ValueError` if its type is unknown."""
    if column.logical_type and column.logical_type != LogicalType.MIXED:
        return logical_field(column.name, LogicalType(column.logical_type))
    try:
        return pa.field(column.name, _parse_type(column.arrow_type, column.parts))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"{column.arrow_type!r} is not an Arrow type") from error


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
    return tuple(Part(field.name, str(field.type), _parts(field.type)) for field in fields)


def _parse_type(text: str, parts: tuple[Part, ...]) -> pa.DataType:
    """Return the type that Arrow prints as `text`; `parts` describe what a nested type holds."""
    fields = [pa.field(part.name, _parse_type(part.arrow_type, part.parts)) for part in parts]
    name, _, rest = text.partition("<")
    numbers = [int(digits) for digits in re.findall(r"-?\d+", rest or text)]
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
    if zone := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", text):
        return pa.timestamp(*zone.groups())
    if text.startswith("fixed_size_binary"):
        return pa.binary(*numbers)
    if text.startswith("decimal"):
        bits, *precision = numbers
        return getattr(pa, f"decimal{bits}")(*precision)
    return pa.type_for_alias(text)


def decode_batches(
    path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file in the types of a schema.

    Raises `DataError` if the file has other columns, or values that do not fit the types.
    """
    for batch in batches:
        if batch.schema.names != schema.names:
            raise DataError(
                f"{path}: its columns are {', '.join(batch.schema.names)}, but should be "
                f"{', '.join(schema.names)}",
                check="MP-DAT-018",
            )
        try:
            columns = [
                from_text(to_text(column, own), field)
                if is_text(own.type)
                else column.cast(field.type)
                for column, own, field in zip(batch.columns, batch.schema, schema, strict=True)
            ]
        except (
            pa.ArrowException,
            ArithmeticError,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
        ) as error:
            raise DataError(
                f"{path}: its values do not fit the types in the manifest: {error}",
                check="MP-DAT-018",
            ) from error
        yield pa.record_batch(columns, schema)


def from_text(text: pa.Array, field: pa.Field) -> pa.Array:
    """Return the values that `encode.to_text` spelled.

    Raises `pa.ArrowInvalid`, `ArithmeticError` or `ValueError` if the text does not fit the type,
    and for nested values `KeyError`, `TypeError` or `RecursionError` too.
    """
    # Text that stands for a number or a date stays text: no Arrow type holds each of its digits.
    if logical_type(field) is not None and not pa.types.is_dictionary(field.type):
        return text.cast(field.type)
    types, data_type = pa.types, field.type
    if types.is_null(data_type):
        return pa.nulls(len(text))
    if types.is_nested(data_type):
        return _nested([_parse_cell(cell) for cell in text.to_pylist()], data_type)
    if types.is_timestamp(data_type) and data_type.tz:
        return text.cast(pa.timestamp(data_type.unit)).cast(data_type)
    if types.is_time(data_type):
        # Arrow reads no time alone, so it reads one of the day where its count begins.
        timestamps = pc.binary_join_element_wise("1970-01-01", text, " ")
        return timestamps.cast(pa.timestamp(data_type.unit)).cast(data_type)
    if types.is_duration(data_type):
        counts = [_parse_duration(cell, data_type.unit) for cell in text.to_pylist()]
        return pa.array(counts, pa.int64()).cast(data_type)
    if is_binary(data_type):
        cells = text.to_pylist()
        return pa.array(
            [None if cell is None else bytes.fromhex(cell) for cell in cells], data_type
        )
    if types.is_timestamp(data_type):
        return parse_timestamps(text, data_type.unit)
    return text.cast(data_type)


def parse_timestamps(text: pa.Array, unit: str) -> pa.Array:
    """Return timestamps from ISO 8601, in which the year 0 is 1 BC and the year -43 is 44 BC.

    Raises `ValueError` for a day that does not exist.
    """
    try:
        return text.cast(pa.timestamp(unit))
    except pa.ArrowInvalid:  # Arrow reads no year before 0
        import numpy as np  # noqa: PLC0415 - takes 0.1 s, and only such years need it

        return pa.array(np.array(text.to_pylist(), f"datetime64[{unit}]"))


def is_binary(data_type: pa.DataType) -> bool:
    """Whether values of this type are bytes."""
    types = pa.types
    return bool(
        types.is_binary(data_type)
        or types.is_large_binary(data_type)
        or types.is_fixed_size_binary(data_type)
        or types.is_binary_view(data_type)
    )


def _parse_duration(text: str | None, unit: str) -> int | None:
    if text is None:
        return None
    seconds = Decimal(text.removeprefix("PT").removesuffix("S"))
    return int(seconds.scaleb(FRACTION_DIGITS[unit]))


def _parse_cell(text: str | None) -> _JsonCell:
    """Parse the JSON of a nested value; its numbers stay text, so no digit is lost."""
    if text is None:
        return None
    cell: _JsonCell = json.loads(text, parse_int=str, parse_float=str)
    return cell


def _nested(cells: Sequence[_JsonCell], data_type: pa.DataType) -> pa.Array:
    types = pa.types
    if not types.is_nested(data_type):
        # JSON's parser has turned true and false into booleans, all else is still text.
        texts = [str(cell).lower() if isinstance(cell, bool) else cell for cell in cells]
        return from_text(pa.array(texts, pa.string()), pa.field("", data_type))
    nulls = pa.array([cell is None for cell in cells], pa.bool_())
    if types.is_struct(data_type):
        fields = list(data_type)
        parts = [
            _nested([_member(cell, field.name) for cell in cells], field.type) for field in fields
        ]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=nulls)
    if types.is_map(data_type):
        entry = pa.struct([("key", data_type.key_type), ("value", data_type.item_type)])
        entries = _lists(cells, pa.list_(entry), nulls)
        keys, items = (entries.values.field(index) for index in (0, 1))
        return pa.MapArray.from_arrays(entries.offsets, keys, items, data_type, mask=nulls)
    return _lists(cells, data_type, nulls)


def _member(cell: _JsonCell, name: str) -> _JsonCell:
    if cell is None:
        return None
    if not isinstance(cell, Mapping):
        raise TypeError(f"{cell!r} is not an object")
    return cell[name]


def _lists(cells: Sequence[_JsonCell], data_type: pa.DataType, nulls: pa.Array) -> pa.Array:
    if pa.types.is_fixed_size_list(data_type):
        # Arrow stores elements for a null, too, if all lists have the same length.
        filling: Sequence[_JsonCell] = [None] * data_type.list_size
        elements = chain.from_iterable(
            filling if cell is None else _elements(cell) for cell in cells
        )
        values = _nested([*elements], data_type.value_type)
        return pa.FixedSizeListArray.from_arrays(values, type=data_type, mask=nulls)
    # All elements in one array, and where each list begins:
    #     [[a, b], null, [c]]    values a b c    offsets 0 2 2 3    nulls 0 1 0
    lists = [_elements(cell) for cell in cells]
    offsets = [0]
    for elements_of_cell in lists:
        offsets.append(offsets[-1] + len(elements_of_cell))
    values = _nested([*chain.from_iterable(lists)], data_type.value_type)
    is_large = pa.types.is_large_list(data_type)
    array_class = pa.LargeListArray if is_large else pa.ListArray
    positions = pa.array(offsets, pa.int64() if is_large else pa.int32())
    return array_class.from_arrays(positions, values, type=data_type, mask=nulls)


def _elements(cell: _JsonCell) -> Sequence[_JsonCell]:
    if cell is None:
        return ()
    if isinstance(cell, str | bool | Mapping):
        raise TypeError(f"{cell!r} is not an array")
    return cell
