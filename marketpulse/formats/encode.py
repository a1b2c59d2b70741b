"""Values as text and as JSON: one spelling for each value, without the loss of a digit.

Some values have no Arrow type that keeps every digit: a number of JSON with its trailing zeros,
a date of a spreadsheet that has a time only sometimes, a column whose cells are of different
kinds. Their Arrow column is text, and the field's metadata says what the text is (`LogicalType`):

    field                               cell      as text   as JSON
    decimal128(9, 3)                    101.700   101.700   101.700
    string                              101.700   101.700   "101.700"
    string, logical type `number`       101.700   101.700   101.700
    string, logical type `mixed`        n101.700  101.700   101.700
                                        tA        A         "A"
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import islice
from json.encoder import encode_basestring
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError


class LogicalType(StrEnum):
    """What the text of a column is, or the text of a cell in a `MIXED` column."""

    TEXT = "text"
    NUMBER = "number"  # an exact number
    FLOAT = "float"  # a binary float in decimal digits, which are not exact beyond 2**53
    DATE = "date"
    BOOLEAN = "boolean"
    JSON = "json"  # an array or an object
    UNEVALUATED = "unevaluated"  # a formula without a result
    ERROR = "error"  # the `#N/A` of a spreadsheet and the like: a cell without a value
    SCIENTIFIC = "scientific"  # a whole `FLOAT` that the spreadsheet shows with an exponent
    CLOCK = "clock"  # a time without a day, or a duration
    MIXED = "mixed"  # each cell begins with the tag of its own logical type

    @property
    def tag(self) -> str:
        """The letter before a cell of this type in a mixed column."""
        return self.value[0]

    @classmethod
    def from_tag(cls, tag: str) -> LogicalType:
        """Return the type with this tag. Raises `KeyError`."""
        return _BY_TAG[tag]


_BY_TAG = {kind.tag: kind for kind in LogicalType if kind is not LogicalType.MIXED}
FRACTION_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a second, by Arrow's name of the unit
_PLAIN = frozenset("0123456789+-.: NaInfEe")  # the characters of numbers and dates
_LONGEST_EXPANSION = 1000  # zeros written for an exponent; beyond, the number stays as it is
_EXPONENTS = "[0-9][eE]"
_EXPONENTS_MIXED = rf"^{LogicalType.NUMBER.tag}[-0-9.]+[eE]"
# What JSON writes without quotes, and the cells for which that is not enough: they have zeros in
# front, are no number, or are a JSON string or null.
_NUMBERS = (LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.SCIENTIFIC)
_BARE = {*_NUMBERS, LogicalType.BOOLEAN, LogicalType.JSON}
_ODD = dict.fromkeys(_NUMBERS, "^0[0-9]|[^0-9]$|^$") | {LogicalType.JSON: '^(?:["n]|$)'}
_ODD_TEXT = r'[\x00-\x1f"\\]'
_ESCAPED = bytes(range(32)) + b'"\\'
_METADATA_KEY = b"marketpulse"
_TAGS_KEY = b"marketpulse.tags"

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def logical_field(name: str, kind: LogicalType) -> pa.Field:
    """Return the field of a text column whose cells are of this logical type."""
    metadata = None if kind is LogicalType.TEXT else {_METADATA_KEY: kind.value.encode()}
    return pa.field(name, pa.string(), metadata=metadata)


def mixed_field(name: str, kinds: Iterable[LogicalType]) -> pa.Field:
    """Return the field of a `MIXED` column whose cells are of these logical types."""
    tags = "".join(sorted(kind.tag for kind in kinds))
    field = logical_field(name, LogicalType.MIXED)
    return field.with_metadata({**field.metadata, _TAGS_KEY: tags.encode()})


def cell_types(field: pa.Field) -> frozenset[LogicalType]:
    """Return the logical types of a mixed column's cells; empty if they are not known."""
    tags = (field.metadata or {}).get(_TAGS_KEY, b"").decode()
    return frozenset(map(LogicalType.from_tag, tags))


def value_type(field: pa.Field) -> LogicalType | None:
    """Return the logical type of a column's cells, without those that have no value.

    `#N/A` does not make text of a column of numbers: this is `FLOAT`. None is a column that is
    not text.
    """
    kinds = cell_types(field) - {LogicalType.ERROR, LogicalType.UNEVALUATED}
    if kinds and kinds <= {LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.SCIENTIFIC}:
        return LogicalType.FLOAT
    return LogicalType.DATE if kinds == {LogicalType.DATE} else logical_type(field)


def without_errors(column: pa.Array, field: pa.Field) -> pa.Array:
    """Return the column with nulls for the error cells of a spreadsheet."""
    if logical_type(field) is not LogicalType.MIXED:
        return column
    is_error = pc.fill_null(pc.starts_with(column, LogicalType.ERROR.tag), False)
    return pc.if_else(is_error, None, column)


def logical_type(field: pa.Field) -> LogicalType | None:
    """Return what the text of this column is; None for a column that is not text."""
    if not is_text(field.type):
        return None
    return LogicalType((field.metadata or {}).get(_METADATA_KEY, b"text").decode())


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
    """Whether the values of this column are numbers, including exact numbers stored as text."""
    types, data_type = pa.types, field.type
    return bool(
        types.is_integer(data_type)
        or types.is_floating(data_type)
        or types.is_decimal(data_type)
        or logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}
    )


def is_date(field: pa.Field) -> bool:
    """Whether the values of this column are dates, with or without a time."""
    types, data_type = pa.types, field.type
    return bool(
        types.is_date(data_type)
        or types.is_timestamp(data_type)
        or value_type(field) is LogicalType.DATE
    )


def plain_field(field: pa.Field) -> pa.Field:
    """Return the field without what only concerns storage: dictionaries, views and metadata."""
    return pa.field(field.name, _plain_type(field.type))


def to_plain(column: pa.Array, data_type: pa.DataType) -> pa.Array:
    """Return the cells of a column in the type of its `plain_field`."""
    if isinstance(column, pa.RunEndEncodedArray):
        return pc.run_end_decode(column).cast(data_type)
    if isinstance(column, pa.DictionaryArray):
        # Arrow takes no cells from a dictionary of views, such as Polars' categories.
        column = pa.DictionaryArray.from_arrays(column.indices, column.dictionary.cast(data_type))
    return column.cast(data_type)


def _plain_type(data_type: pa.DataType) -> pa.DataType:
    """The type without dictionaries and views, also within lists and structures.

    Arrow neither filters nor sorts views. It cannot turn views of lists into lists, so these stay.
    """
    types = pa.types
    if types.is_dictionary(data_type) or types.is_run_end_encoded(data_type):
        return _plain_type(data_type.value_type)
    if types.is_string_view(data_type):
        return pa.string()
    if types.is_binary_view(data_type):
        return pa.binary()
    if types.is_list(data_type):
        return pa.list_(_plain_inner(data_type.value_field))
    if types.is_large_list(data_type):
        return pa.large_list(_plain_inner(data_type.value_field))
    if types.is_struct(data_type):
        return pa.struct([_plain_inner(field) for field in data_type])
    if types.is_map(data_type):
        return pa.map_(_plain_inner(data_type.key_field), _plain_inner(data_type.item_field))
    return data_type


def _plain_inner(field: pa.Field) -> pa.Field:
    return field.with_type(_plain_type(field.type))


def with_pandas_types(schema: pa.Schema) -> pa.Schema:
    """Return the schema with a note for pandas: its integers are nullable.

    Without it, `to_pandas` and `read_parquet` make floats of a column of integers with a null, and
    an identifier above 2**53 loses its last digits.
    """
    columns = [
        {
            "name": field.name,
            "field_name": field.name,
            "pandas_type": str(field.type),
            "numpy_type": str(field.type).replace("uint", "UInt").replace("int", "Int"),
            "metadata": None,
        }
        for field in schema
        if pa.types.is_integer(field.type)
    ]
    # No versions: the same rows give the same bytes.
    note = {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "3"}
    return schema.with_metadata({**(schema.metadata or {}), b"pandas": json.dumps(note).encode()})


def untag(rows: Rows) -> Rows:
    """Return a table or a batch for readers that are not ours: mixed columns are plain text.

    Exact numbers have no exponent. The logical types of other columns stay.
    """
    for index, field in enumerate(rows.schema):
        kind = logical_type(field)
        if kind in {LogicalType.MIXED, LogicalType.NUMBER}:
            column = rows.column(index)
            if isinstance(column, pa.ChunkedArray):
                texts = [to_text(chunk, field) for chunk in column.chunks]
                text = pa.chunked_array(texts, pa.string())
            else:
                text = to_text(column, field)
            is_mixed = kind is LogicalType.MIXED
            text_field = field.with_type(pa.string())
            plain = logical_field(field.name, LogicalType.TEXT) if is_mixed else text_field
            rows = rows.set_column(index, plain, text)
    return rows


def to_text(column: pa.Array, field: pa.Field) -> pa.Array:
    """Spell each cell in its one way.

    Integers are plain, decimals have all digits of their scale, floats the fewest digits that
    give them back; there are no exponents. Dates are `YYYY-MM-DD`, a time follows after one blank,
    without trailing zeros, in UTC. Nested values are JSON, bytes hexadecimal. Nulls stay null.
    """
    kind = logical_type(field)
    if kind is LogicalType.MIXED:
        return _expand_where(_EXPONENTS_MIXED, column, to_spelling(column, field))
    types, data_type = pa.types, column.type
    if kind is not None:
        text = column if types.is_string(data_type) else column.cast(pa.string())
        return expand_exponents(text) if kind is LogicalType.NUMBER else text
    if _is_cast(data_type):
        return _finish(column, column.cast(pa.string()), field)
    if types.is_timestamp(data_type):  # with a time zone
        return to_text(column.cast(pa.timestamp(data_type.unit)), field)  # in UTC
    if types.is_duration(data_type):
        counts = column.cast(pa.int64()).to_pylist()
        return pa.array([_duration_to_text(count, data_type.unit) for count in counts], pa.string())
    if types.is_nested(data_type):
        return pa.array(_nested_to_json(column), pa.string())
    return pa.array(
        [
            cell.hex() if isinstance(cell, bytes) else None if cell is None else str(cell)
            for cell in column.to_pylist()
        ],
        pa.string(),
    )


def to_spelling(column: pa.Array, field: pa.Field) -> pa.Array:
    """Return text as it is spelled, also exponents, and values of other types as `to_text`."""
    if logical_type(field) is LogicalType.MIXED:
        return pc.utf8_slice_codeunits(column, 1)
    return column.cast(pa.string()) if is_text(field.type) else to_text(column, field)


def to_tagged(column: pa.Array, field: pa.Field) -> pa.Array:
    """Return each cell as a mixed column has it: the tag of its logical type and its spelling."""
    kind = logical_type(field) or _json_kind(field.type)
    if kind is LogicalType.MIXED:
        return column
    return pc.binary_join_element_wise(kind.tag, to_spelling(column, field), "")


def to_json(column: pa.Array, field: pa.Field, *, nested: bool = False) -> pa.Array:
    """Return each cell as a JSON literal: text as strings, numbers exact, nulls as null.

    JSON has no NaN and no infinities. They become null, and strings if the cell is `nested` in
    another value: there only the text of that value is left to tell them from null.
    """
    kind = logical_type(field) or _json_kind(field.type)
    text = to_text(column, field)
    if kind is LogicalType.MIXED:
        tags = pc.utf8_slice_codeunits(column, 0, 1).to_pylist()
        cells = [
            "null" if cell is None else _json_literal(cell, LogicalType.from_tag(tag))
            for tag, cell in zip(tags, text.to_pylist(), strict=True)
        ]
        return pa.array(cells, pa.string())
    literals = text if kind in _BARE else pc.binary_join_element_wise('"', text, '"', "")
    if _may_be_odd(text, field, kind):
        # Few cells are, and Python spells these.
        odd = pc.match_substring_regex(text, _ODD.get(kind, _ODD_TEXT))
        cells = [_json_literal(cell, kind, nested=nested) for cell in text.filter(odd).to_pylist()]
        literals = pc.replace_with_mask(literals, odd, pa.array(cells, pa.string()))
    return pc.fill_null(literals, "null") if literals.null_count else literals


def _may_be_odd(text: pa.Array, field: pa.Field, kind: LogicalType) -> bool:
    """Return whether some cells may be no JSON literal as they are, or between quotes."""
    raw = bytes(text_buffer(text))
    if kind not in _BARE:
        return len(raw.translate(None, _ESCAPED)) < len(raw)
    # NaN, inf
    return is_text(field.type) or kind is LogicalType.JSON or b"N" in raw or b"n" in raw


def expand_exponents(text: pa.Array) -> pa.Array:
    """Write numbers without exponent. Arrow gives one to very large and very small numbers."""
    content = bytes(text_buffer(text))
    is_plain = b"e" not in content and b"E" not in content
    return text if is_plain else _expand_where(_EXPONENTS, text, text)


def plain_number(text: str) -> str:
    """Return a number without exponent, unless it had too many zeros then."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # the exponent is too large for a Decimal
        return text
    exponent = number.as_tuple().exponent
    is_short = isinstance(exponent, int) and abs(exponent) <= _LONGEST_EXPANSION
    return format(number, "f") if is_short else text


def _expand_where(pattern: str, raw: pa.Array, text: pa.Array) -> pa.Array:
    """Expand the cells of `text` at the places where `raw` has the pattern."""
    exponents = pc.fill_null(pc.match_substring_regex(raw, pattern), False)
    if not pc.any(exponents).as_py():
        return text
    plain = [plain_number(cell) for cell in pc.filter(text, exponents).to_pylist()]
    return pc.replace_with_mask(text, exponents, pa.array(plain, pa.string()))


def may_contain(field: pa.Field, text: str) -> bool:
    """Return whether a cell of this column may be spelled with such a text in it."""
    types, data_type = pa.types, field.type
    is_plain = is_number(field) or types.is_date(data_type) or types.is_timestamp(data_type)
    return not is_plain or _PLAIN.issuperset(text)


def text_buffer(column: pa.Array) -> memoryview:
    """Return the text or the bytes of all cells of a column, one after another, without a copy."""
    _, offsets, data = column.buffers()
    if data is None or not len(column):
        return memoryview(b"")
    plain = memoryview(offsets).cast("B")
    is_large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    positions = plain.cast("q" if is_large else "i")
    start, end = positions[column.offset], positions[column.offset + len(column)]
    return memoryview(data)[start:end]


def _is_cast(data_type: pa.DataType) -> bool:
    """Whether Arrow spells these values, so that at most the ends of its texts are changed."""
    types = pa.types
    return bool(
        types.is_integer(data_type)
        or types.is_floating(data_type)
        or types.is_decimal(data_type)
        or types.is_boolean(data_type)
        or types.is_null(data_type)
        or types.is_date(data_type)
        or types.is_time(data_type)
        or (types.is_timestamp(data_type) and not data_type.tz)
    )


def _finish(column: pa.Array, text: pa.Array, field: pa.Field) -> pa.Array:
    """Return the text that Arrow has for the values of a column, spelled as `to_text` does."""
    types, data_type = pa.types, column.type
    if types.is_floating(data_type):
        return _with_point(column, expand_exponents(text))
    if types.is_decimal(data_type):
        # Arrow gives an exponent only to numbers below 0.000001 and to a negative scale.
        return text if 0 <= data_type.scale <= 6 else expand_exponents(text)
    if not types.is_temporal(data_type):
        return text
    if b"<value out of range" in bytes(text_buffer(text)):
        raise DataError(
            f"the column {field.name!r} holds a date that lies more than 30,000 years away",
            hint="correct the date, or leave it empty",
            check="MP-DAT-018",
        )
    if types.is_date(data_type) or data_type.unit == "s":
        return text
    # Without the zeros at the end of the fractions.
    return pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")


def _with_point(column: pa.Array, text: pa.Array) -> pa.Array:
    """Write 2 as 2.0, and nan as NaN."""
    raw = bytes(text_buffer(text))
    if raw.count(b".") == len(column) - column.null_count:
        return text  # each has one
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())  # Arrow has no `floor` for them
    is_whole = pc.equal(pc.floor(column), column)
    if b"n" in raw:  # nan, inf
        is_whole = pc.and_(is_whole, pc.is_finite(column))
        text = pc.if_else(pc.is_nan(column), "NaN", text)
    return pc.if_else(is_whole, pc.binary_join_element_wise(text, ".0", ""), text)


def replace_where(mask: pa.Array, text: pa.Array, pattern: str, replacement: str) -> pa.Array:
    """Replace a pattern in some cells: a regular expression on all of them takes far longer.

    The mask is null where the text is null.
    """
    if not pc.any(mask).as_py():
        return text
    replaced = pc.replace_substring_regex(text.filter(mask), pattern, replacement)
    return pc.replace_with_mask(text, mask, replaced)


def _duration_to_text(count: int | None, unit: str) -> str | None:
    if count is None:
        return None
    return f"PT{format(Decimal(count).scaleb(-FRACTION_DIGITS[unit]), 'f')}S"


def _json_kind(data_type: pa.DataType) -> LogicalType:
    """Return the logical type that decides how JSON has values of this Arrow type."""
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


def _json_literal(text: str, kind: LogicalType, *, nested: bool = False) -> str:
    if kind in _NUMBERS:
        if text[-1:].isdigit():
            # A float has the zeros in front that a spreadsheet shows. JSON does not allow them.
            return text.lstrip("0") or "0" if text.isdecimal() else text
        return encode_basestring(text) if nested else "null"  # NaN, inf, -inf
    if kind is LogicalType.JSON and text[:1] in {'"', "n", ""}:
        # A JSON string or null stays distinct from text and from SQL's null.
        return encode_basestring(text)
    if kind in {LogicalType.BOOLEAN, LogicalType.JSON}:
        return text
    return encode_basestring(text)


def _nested_to_json(column: pa.Array) -> list[str | None]:
    """Lists become arrays, structs become objects, maps become arrays of key and value."""
    types, data_type = pa.types, column.type
    if types.is_map(data_type):
        entry = pa.struct([("key", data_type.key_type), ("value", data_type.item_type)])
        return _nested_to_json(column.cast(pa.list_(entry)))
    if types.is_struct(data_type):
        names = [encode_basestring(field.name) for field in data_type]
        parts = (
            to_json(part, field, nested=True).to_pylist()
            for part, field in zip(column.flatten(), data_type, strict=True)
        )
        objects = (
            "{" + ", ".join(map(": ".join, zip(names, cells, strict=True))) + "}"
            for cells in (zip(*parts, strict=True) if names else ((),) * len(column))
        )
        return [
            text if is_valid.as_py() else None
            for text, is_valid in zip(objects, column.is_valid(), strict=True)
        ]
    lengths = pc.if_else(column.is_valid(), pc.list_value_length(column), None).to_pylist()
    elements = iter(to_json(column.flatten(), data_type.value_field, nested=True).to_pylist())
    return [
        None if length is None else f"[{', '.join(islice(elements, length))}]" for length in lengths
    ]
