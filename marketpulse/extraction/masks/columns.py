"""Masks of columns of an Arrow type: which mask a column can have, and its cells with it."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.extraction.masks.cells import mask_bytes, mask_numbers, mask_texts
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import MaskKind
from marketpulse.formats.decode import field_of
from marketpulse.formats.encode import (
    FRACTION_DIGITS,
    LogicalType,
    is_number,
    is_text,
    logical_type,
    plain_field,
    to_plain,
    to_text,
)
from marketpulse.model import Column

# How the names of types begin whose values are documents, or have a form that a mask would break.
_WHOLE = re.compile(
    r"N?CLOB|BLOB|BFILE|LONG|XMLTYPE|JSON|VECTOR|DATE|TIME|INTERVAL|UUID|BIT$|GEOMETRY|UNION"
    r"|VARIANT|[^(]*\.",  # of a user-defined type: its owner
    re.IGNORECASE,
)
_TIMESTAMP = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|[+-]\d{2}:?\d{2}))?)?$"
_REDACT_HINT = "mask it with redact, or leave it out with --columns"
_SHIFT_HINT = "mask it with redact, or leave out the row with --where"
# The cells of a mixed column that are text or numbers, and those without a value.
_MASKABLE = (
    LogicalType.TEXT, LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.SCIENTIFIC,
    LogicalType.UNEVALUATED, LogicalType.ERROR,
)  # fmt: skip
_DAY_SECONDS = 86_400
_FIRST_DAY = -719_162  # the first one of the year 1, from 1970-01-01


def refusal(column: Column, kind: MaskKind) -> str:
    """Return why a column cannot have a mask; empty if it can."""
    field = field_of(column)
    types, data_type, logical = pa.types, field.type, logical_type(field)
    is_cell = column.type == "string"  # of a file, which has no names for types
    type_name = (column.logical_type or "text") if is_cell else column.type
    if kind is MaskKind.REDACT:
        if column.nullable or _neutral_value(field) is not None:
            return ""
        return f"it allows no null, and its type {type_name} has no other empty value"
    if kind is MaskKind.SHIFT:
        is_day = types.is_date(data_type) or types.is_timestamp(data_type)
        is_text_of_days = column.type.upper().startswith("TIMESTAMP") or logical is LogicalType.DATE
        is_text_of_days |= is_cell and logical is LogicalType.TEXT  # the cells show it
        is_shiftable = is_day or (is_text(data_type) and is_text_of_days)
        return "" if is_shiftable else f"its type {type_name} is not a date"
    if logical is LogicalType.JSON or _WHOLE.match(column.type):
        return f"its type {type_name} is neither a text of one line nor a number"
    is_maskable = is_number(field) or logical in {LogicalType.TEXT, LogicalType.MIXED}
    if is_maskable or types.is_binary(data_type) or types.is_null(data_type):
        return ""
    return f"its type {type_name} is neither text nor a number"


def masked_field(field: pa.Field) -> pa.Field:
    """Return the field of a column's masks: dictionaries would list the originals."""
    return field.with_type(plain_field(field).type)


def mask_column(
    column: pa.Array, field: pa.Field, kind: MaskKind, nullable: bool, key: MaskKey | None
) -> pa.Array:
    """Return the cells with masks, in the type of `masked_field`.

    Raises `DataError`, which quotes no cell, for a cell that can have none.
    """
    field = masked_field(field)
    if kind is MaskKind.REDACT:
        neutral = None if nullable else _neutral_value(field)
        if neutral is None:
            return pa.nulls(len(column), field.type)
        return pa.repeat(neutral, len(column))
    if key is None:
        raise AssertionError("only the mask redact needs no key")
    column = to_plain(column, field.type)
    if kind is MaskKind.SHIFT:
        return _shift(column, field, key.days)
    return _mask(column, field, key)


def _mask(column: pa.Array, field: pa.Field, key: MaskKey) -> pa.Array:
    if pa.types.is_null(field.type):
        return column
    if logical_type(field) is LogicalType.MIXED:
        return _mask_mixed(column, field, key)
    if is_number(field):
        texts = to_text(column, field)
        _refuse_exponents(texts, field.name)
        return mask_numbers(texts, field.type, key.permutation)
    mask = mask_texts if is_text(field.type) else mask_bytes
    return mask(column, key.permutation)


def _mask_mixed(column: pa.Array, field: pa.Field, key: MaskKey) -> pa.Array:
    tags = pc.utf8_slice_codeunits(column, 0, 1)
    texts = to_text(column, field)  # without exponents: their letter would be masked
    if {*tags.unique().to_pylist()} - {None, *(kind.tag for kind in _MASKABLE)}:
        raise DataError(
            f"the column {field.name!r} has cells that are neither text nor numbers",
            hint=_REDACT_HINT,
        )
    _refuse_exponents(texts.filter(pc.equal(tags, LogicalType.NUMBER.tag)), field.name)
    masked = pc.binary_join_element_wise(tags, mask_texts(texts, key.permutation), "")
    return pc.if_else(pc.equal(tags, LogicalType.ERROR.tag), column, masked)


def _refuse_exponents(numbers: pa.Array, name: str) -> None:
    """Refuse numbers too long to be written without exponent: theirs would show, or be masked."""
    if pc.any(pc.match_substring_regex(numbers, "[0-9][eE]")).as_py():
        raise DataError(
            f"the column {name!r} has a number with more than 1,000 zeros", hint=_REDACT_HINT
        )


def _shift(column: pa.Array, field: pa.Field, days: int) -> pa.Array:
    types, data_type = pa.types, field.type
    try:
        if logical_type(field) is LogicalType.MIXED:
            return _shift_mixed(column, field, days)
        if is_text(data_type):
            return _shift_texts(column, field.name, days)
        if types.is_date32(data_type):
            return _move(column.cast(pa.int32()), days, 1).cast(data_type)
        unit = "ms" if types.is_date64(data_type) else data_type.unit
        day = _DAY_SECONDS * 10 ** FRACTION_DIGITS[unit]
        return _move(column.cast(pa.int64()), days, day).cast(data_type)
    except pa.ArrowInvalid:
        raise DataError(
            f"the column {field.name!r} has a date that does not exist, or that is too early to be "
            "moved into the past",
            hint=_SHIFT_HINT,
        ) from None  # Arrow's message quotes the cell


def _shift_mixed(column: pa.Array, field: pa.Field, days: int) -> pa.Array:
    """Move dates and text; what has the look of a date and is a number, say, is refused."""
    tags = pc.utf8_slice_codeunits(column, 0, 1)
    is_error = pc.equal(tags, LogicalType.ERROR.tag)  # of a spreadsheet, which stays
    is_day = pc.is_in(tags, pa.array([LogicalType.DATE.tag, LogicalType.TEXT.tag]))
    texts = pc.if_else(is_day, pc.utf8_slice_codeunits(column, 1), column)
    texts = pc.if_else(is_error, pa.scalar(None, column.type), texts)
    moved = _shift_texts(texts, field.name, days)
    return pc.if_else(is_error, column, pc.binary_join_element_wise(tags, moved, ""))


def _shift_texts(column: pa.Array, name: str, days: int) -> pa.Array:
    if pc.any(pc.invert(pc.match_substring_regex(column, _TIMESTAMP))).as_py():
        raise DataError(
            f"the column {name!r} has a cell that is not a date such as 2026-03-13, alone or with "
            "a time",
            hint=_SHIFT_HINT,
        )
    parts = pc.utf8_slice_codeunits(column, 0, 10), pc.utf8_slice_codeunits(column, 10)
    moved = _move(parts[0].cast(pa.date32()).cast(pa.int32()), days, 1)
    text = moved.cast(pa.date32()).cast(pa.string())
    return pc.binary_join_element_wise(text, parts[1].cast(pa.string()), "").cast(column.type)


def _move(numbers: pa.Array, days: int, day: int) -> pa.Array:
    """Add days, of which each is the number `day`. Raises `ArrowInvalid` before the year 1."""
    moved = pc.add_checked(numbers, pa.scalar(days * day, numbers.type))
    if pc.any(pc.less(moved, pa.scalar(max(_FIRST_DAY * day, -(2**63)), pa.int64()))).as_py():
        raise pa.ArrowInvalid("a year before 1")
    return moved


def _neutral_value(field: pa.Field) -> pa.Scalar | None:
    """Return what stands for every value of a column without nulls, if there is such a thing."""
    types, data_type = pa.types, plain_field(field).type
    if is_text(data_type):
        texts = {LogicalType.NUMBER: "0", LogicalType.FLOAT: "0", LogicalType.JSON: "{}"}
        kind = logical_type(field)
        if kind in {LogicalType.TEXT, *texts}:
            return pa.scalar(texts.get(kind, "X"), data_type)
        return None
    if is_number(field) or types.is_boolean(data_type):
        return pa.scalar(0).cast(data_type)
    if types.is_date(data_type) or types.is_timestamp(data_type):
        return pa.scalar(0, pa.int64()).cast(pa.timestamp("s")).cast(data_type)
    return (
        pa.scalar(b"\0", data_type)
        if types.is_binary(data_type) or types.is_large_binary(data_type)
        else None
    )
