"""How a value is spelled where there is only text, and how text says what it stands for.

Some values have no Arrow type that keeps every digit: a number of JSON with its trailing zeros,
a date of a spreadsheet that has a time only sometimes, a column that mixes kinds. They travel as
text, and their field's metadata says what the text stands for (`LogicalType`).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


class LogicalType(StrEnum):
    """What the text of a column, or of a cell of a `MIXED` column, stands for."""

    TEXT = "text"
    NUMBER = "number"  # an exact number
    FLOAT = "float"  # a binary float, spelled in decimal: beyond 2**53 its digits are not exact
    DATE = "date"
    BOOLEAN = "boolean"
    JSON = "json"  # an array or an object
    UNEVALUATED = "unevaluated"  # a formula that nobody has worked out
    MIXED = "mixed"  # each cell begins with the first letter of its own kind

    @property
    def tag(self) -> str:
        """The letter that a cell of this kind begins with in a mixed column."""
        return self.value[0]


BY_TAG = {kind.tag: kind for kind in LogicalType if kind is not LogicalType.MIXED}
UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # and the digits of a second's fraction
_KEY = b"marketpulse"


def logical_field(name: str, kind: LogicalType) -> pa.Field:
    """A text column whose cells stand for values of this kind."""
    metadata = None if kind is LogicalType.TEXT else {_KEY: kind.value.encode()}
    return pa.field(name, pa.string(), metadata=metadata)


def logical_type(field: pa.Field) -> LogicalType | None:
    """What the text of this column stands for; None where the column is typed."""
    if not is_text(field.type):
        return None
    return LogicalType((field.metadata or {}).get(_KEY, b"text").decode())


def is_text(data_type: pa.DataType) -> bool:
    """Whether values of this type are text."""
    types = pa.types
    if types.is_dictionary(data_type):
        return is_text(data_type.value_type)
    return bool(
        types.is_string(data_type)
        or types.is_large_string(data_type)
        or types.is_string_view(data_type)
    )


def is_number(field: pa.Field) -> bool:
    """Whether the values of this column are numbers, exact ones that travel as text included."""
    types, data_type = pa.types, field.type
    return bool(
        types.is_integer(data_type)
        or types.is_floating(data_type)
        or types.is_decimal(data_type)
        or logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}
    )


def stored_plain(field: pa.Field) -> pa.Field:
    """The field without what says nothing of its values: dictionaries, views, others' metadata."""
    data_type = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_string_view(data_type):
        data_type = pa.string()
    return pa.field(field.name, data_type)


def without_tags(rows: Any) -> Any:
    """The same table or batch for others to read, its mixed columns as their text."""
    for place, field in enumerate(rows.schema):
        if logical_type(field) is LogicalType.MIXED:
            text = as_text(rows.column(place), field)
            rows = rows.set_column(place, logical_field(field.name, LogicalType.TEXT), text)
    return rows


def as_text(column: pa.Array, field: pa.Field) -> pa.Array:
    """Spell each cell canonically: integers plain, decimals with their scale, floats shortest.

    No exponents; dates `YYYY-MM-DD`, times after one blank, without trailing zeros, in UTC.
    Nulls stay null.
    """
    kind = logical_type(field)
    if kind is LogicalType.MIXED:
        return pc.utf8_slice_codeunits(column, 1)
    if kind is not None:
        return column.cast(pa.string())
    types, data_type = pa.types, column.type
    if types.is_floating(data_type):
        return _floats(column)
    if types.is_decimal(data_type):
        return without_exponents(column.cast(pa.string()))
    if types.is_temporal(data_type):
        return _moments(column)
    if types.is_nested(data_type):
        return pa.array(_nested(column), pa.string())
    if types.is_boolean(data_type) or types.is_integer(data_type) or types.is_null(data_type):
        return column.cast(pa.string())
    return pa.array([_spell(value) for value in column.to_pylist()], pa.string())


def _moments(column: pa.Array) -> pa.Array:
    """Dates, times, and both; durations as ISO 8601 has them, in seconds."""
    types, data_type = pa.types, column.type
    if types.is_duration(data_type):
        units = column.cast(pa.int64()).to_pylist()
        return pa.array([_seconds(it, data_type.unit) for it in units], pa.string())
    if types.is_timestamp(data_type):
        column = column.cast(pa.timestamp(data_type.unit))  # in UTC
        try:
            return column.cast(pa.timestamp("s")).cast(pa.string())
        except pa.ArrowInvalid:  # some have a fraction
            pass
    if types.is_date(data_type):
        return column.cast(pa.string())
    # Without the zeros at the end of the fractions.
    return pc.replace_substring_regex(column.cast(pa.string()), r"\.0+$|(\.\d*?[1-9])0+$", r"\1")


def _seconds(count: int | None, unit: str) -> str | None:
    return None if count is None else f"PT{format(Decimal(count).scaleb(-UNITS[unit]), 'f')}S"


def as_mixed(column: pa.Array, field: pa.Field) -> pa.Array:
    """Each cell as a mixed column has it: the letter of its kind, and its text."""
    kind = logical_type(field) or _kind(field.type)
    if kind is LogicalType.MIXED:
        return column
    return pc.binary_join_element_wise(kind.tag, as_text(column, field), "")


def as_json(column: pa.Array, field: pa.Field, *, inner: bool = False) -> list[str]:
    """Each cell as a JSON literal: text as strings, numbers exact, nulls as null.

    JSON has no NaN and no infinities: they become null, and their names where the cell is part of
    an `inner` value.
    """
    kind = logical_type(field)
    if kind is LogicalType.MIXED:
        cells = column.to_pylist()
        return ["null" if cell is None else _literal(cell[1:], BY_TAG[cell[0]]) for cell in cells]
    if kind is None:
        kind = _kind(field.type)
    texts = as_text(column, field).to_pylist()
    return ["null" if text is None else _literal(text, kind, inner=inner) for text in texts]


def _kind(data_type: pa.DataType) -> LogicalType:
    types = pa.types
    if types.is_floating(data_type):
        return LogicalType.FLOAT
    if types.is_integer(data_type) or types.is_decimal(data_type):
        return LogicalType.NUMBER
    if types.is_boolean(data_type):
        return LogicalType.BOOLEAN
    if types.is_nested(data_type):
        return LogicalType.JSON
    return LogicalType.TEXT


def _literal(text: str, kind: LogicalType, *, inner: bool = False) -> str:
    if kind in {LogicalType.FLOAT, LogicalType.NUMBER}:
        return text if text[-1].isdigit() else encode_basestring(text) if inner else "null"
    if kind is LogicalType.JSON and text[:1] in {'"', "n", ""}:
        return encode_basestring(text)  # a string or null of JSON is told from text and from null
    if kind in {LogicalType.BOOLEAN, LogicalType.JSON}:
        return text
    return encode_basestring(text)


def _nested(column: pa.Array) -> list[str | None]:
    """Each list as a JSON array, each structure as an object, each map as an array of both."""
    types, data_type = pa.types, column.type
    if types.is_map(data_type):
        pair = pa.struct([("key", data_type.key_type), ("value", data_type.item_type)])
        return _nested(column.cast(pa.list_(pair)))
    if types.is_struct(data_type):
        names = [encode_basestring(field.name) for field in data_type]
        parts = (
            as_json(part, field, inner=True)
            for part, field in zip(column.flatten(), data_type, strict=True)
        )
        objects = (
            "{" + ", ".join(map(": ".join, zip(names, cells, strict=True))) + "}"
            for cells in (zip(*parts, strict=True) if names else ((),) * len(column))
        )
        return [it if there else None for it, there in zip(objects, column.is_valid(), strict=True)]
    lengths = pc.if_else(column.is_valid(), pc.list_value_length(column), None).to_pylist()
    inner = iter(as_json(column.flatten(), data_type.value_field, inner=True))
    return [
        None if length is None else f"[{', '.join(islice(inner, length))}]" for length in lengths
    ]


def _floats(column: pa.Array) -> pa.Array:
    text = without_exponents(column.cast(pa.string()))
    text = pc.if_else(pc.is_nan(column), "NaN", text)
    return pc.replace_substring_regex(text, r"^(-?\d+)$", r"\1.0")


def without_exponents(text: pa.Array) -> pa.Array:
    """Write out the few values that Arrow spells with an exponent."""
    exponents = pc.fill_null(pc.match_substring_regex(text, "[0-9][eE]"), False)
    if not pc.any(exponents).as_py():
        return text
    plain = [format(Decimal(cell), "f") for cell in pc.filter(text, exponents).to_pylist()]
    return pc.replace_with_mask(text, exponents, pa.array(plain, pa.string()))


def _spell(value: Any) -> str | None:
    if value is None:
        return None
    return value.hex() if isinstance(value, bytes) else str(value)
