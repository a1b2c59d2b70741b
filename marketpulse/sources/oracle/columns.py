"""The projection: for each column the SELECT expression and the Arrow type that lose nothing.

Where an Arrow type holds every value of a column, the driver fetches that type:

    NUMBER(12,4)         "PX"                               decimal128(12, 4)

Where none does, the server converts the value to text, and the field's logical type says what the
text is:

    NUMBER               TO_CHAR("PX", 'TM9', ...)          string, logical type `number`
    TIMESTAMP(9)         TO_CHAR("SENT", 'YYYY-MM-DD...')   string

`batch_rows` says how many rows come at once, and `RowDecoder` makes of them what was planned.
"""

from __future__ import annotations

import re
from calendar import isleap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.decode import column_of, parse_timestamps
from marketpulse.formats.encode import (
    LogicalType,
    expand_exponents,
    logical_field,
    logical_type,
    replace_where,
)
from marketpulse.model import Column, format_count
from marketpulse.sources.names import quoted

_CUT_MARK = "…[cut]"  # the end of text that --max-lob cut
_BATCH_BYTES = 4 << 20  # of rows as they are expected
_LARGEST_BATCH_BYTES = 32 << 20  # of rows that fill their columns
_LOB_BYTES = 8000  # the estimate for a LOB that nobody has measured
_LONGEST_INLINE_LOB = 4000  # bytes of a LOB in its row
_MOST_ROWS = 20_000  # of a batch
_CHARACTER_BYTES = 4
_INT64_DIGITS = 18
_DECIMAL128_DIGITS = 38


_ARROW_TYPES = {
    **dict.fromkeys(("VARCHAR2", "VARCHAR", "CHAR", "NVARCHAR2", "NCHAR"), pa.string()),
    **dict.fromkeys(("CLOB", "NCLOB", "LONG"), pa.large_string()),
    "RAW": pa.binary(),
    "BLOB": pa.large_binary(),
    "LONG RAW": pa.large_binary(),
    "BINARY_FLOAT": pa.float32(),
    "BINARY_DOUBLE": pa.float64(),
    "DATE": pa.timestamp("s"),
}
_NUMBER_TEXT = "TO_CHAR({}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
_TIMESTAMP_TEXT = "TO_CHAR({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')"
_ZONED_TEXT = "TO_CHAR({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9TZH:TZM')"
_OLD_DATE_TEXT = "TO_CHAR({}, 'SYYYY-MM-DD\"T\"HH24:MI:SS{}')"  # S: the sign of a year BC
_FRACTIONS = {"s": "", "ms": ".FF3", "us": ".FF6"}
# Types that the server converts: the SELECT expression, the type to fetch, the type of the field.
_CONVERSIONS: dict[str, tuple[str, pa.DataType, LogicalType | pa.DataType]] = {
    "NUMBER": (_NUMBER_TEXT, pa.string(), LogicalType.NUMBER),
    "FLOAT": (_NUMBER_TEXT, pa.string(), LogicalType.NUMBER),
    "TIMESTAMP": (_TIMESTAMP_TEXT, pa.string(), LogicalType.TEXT),
    "TIMESTAMP WITH TIME ZONE": (_ZONED_TEXT, pa.string(), LogicalType.TEXT),
    "TIMESTAMP WITH LOCAL TIME ZONE": (_ZONED_TEXT, pa.string(), LogicalType.TEXT),
    "INTERVAL YEAR TO MONTH": ("TO_CHAR({})", pa.string(), LogicalType.TEXT),
    "INTERVAL DAY TO SECOND": ("TO_CHAR({})", pa.string(), LogicalType.TEXT),
    "BOOLEAN": ("TO_CHAR({})", pa.string(), pa.bool_()),
    "ROWID": ("ROWIDTOCHAR({})", pa.string(), LogicalType.TEXT),
    "UROWID": ("TO_CHAR({})", pa.string(), LogicalType.TEXT),
    "JSON": ("JSON_SERIALIZE({} RETURNING CLOB)", pa.large_string(), LogicalType.JSON),
    "VECTOR": ("VECTOR_SERIALIZE({} RETURNING CLOB)", pa.large_string(), LogicalType.TEXT),
    "XMLTYPE": ("XMLSERIALIZE(CONTENT {} AS CLOB)", pa.large_string(), LogicalType.TEXT),
    "OBJECT": ("XMLSERIALIZE(CONTENT XMLTYPE({}) AS CLOB)", pa.large_string(), LogicalType.TEXT),
    "BFILE": ("TO_BLOB({})", pa.large_binary(), pa.large_binary()),
}


@dataclass(frozen=True, kw_only=True)
class ColumnDef:
    """The definition of a column in Oracle's dictionary.

    `type` is the dictionary's DATA_TYPE, which includes a fraction: TIMESTAMP(6) WITH TIME ZONE.
    `length` counts characters if `by_character`, else bytes. `type_owner` is the owner of a
    user-defined type. `average_bytes` is the average size of a value, from the statistics.
    """

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None
    length: int = 0
    by_character: bool = False
    nullable: bool = True
    comment: str = ""
    default: str = ""
    type_owner: str = ""
    average_bytes: int | None = None
    invisible: bool = False  # SELECT * leaves it out

    @property
    def is_long(self) -> bool:
        """Whether values may be far longer than any declared length: LOB, LONG, XML, JSON."""
        name = self.type
        return "LOB" in name or "LONG" in name or name in {"XMLTYPE", "JSON", "BFILE"}

    @property
    def is_unmeasured_lob(self) -> bool:
        """Whether only DBMS_LOB tells how long the values are.

        Statistics may count the locator of a LOB that is stored out of line instead of its text.
        """
        return self.type in {"CLOB", "NCLOB", "BLOB"} and self.average_length is None

    @property
    def average_length(self) -> int | None:
        """The average size of a long value, where the statistics know it."""
        size = self.average_bytes or 0
        return size if size > _LONGEST_INLINE_LOB else None

    @property
    def ddl_type(self) -> str:
        """The type as in DDL: NUMBER(12,4), VARCHAR2(20 CHAR), DATE INVISIBLE."""
        return f"{self._ddl_type} INVISIBLE" if self.invisible else self._ddl_type

    @property
    def _ddl_type(self) -> str:
        if self.type == "NUMBER":
            if self.precision is None:
                return "NUMBER" if self.scale is None else f"NUMBER(*,{self.scale})"
            return f"NUMBER({self.precision},{self.scale or 0})"
        if self.type == "FLOAT":
            return f"FLOAT({self.precision or 126})"
        if self.type in {"VARCHAR2", "CHAR"}:
            return f"{self.type}({self.length} {'CHAR' if self.by_character else 'BYTE'})"
        if self.type in {"NVARCHAR2", "NCHAR", "RAW"}:
            return f"{self.type}({self.length})"
        return f"{self.type_owner}.{self.type}" if self.type_owner else self.type


@dataclass(frozen=True, kw_only=True)
class SelectItem:
    """A column in a SELECT list: its expression, the type to fetch, and the resulting field.

    Where `fetched` differs from the field's type, `RowDecoder` converts the values.
    """

    column: Column
    field: pa.Field
    fetched: pa.DataType
    expression: str


def project(
    definition: ColumnDef, max_lob: int | None = None, *, old_dates: bool = False
) -> SelectItem:
    """Plan how to select a column; `max_lob` cuts long text after this many characters.

    The driver cannot read years before 1 and days that exist only in the Julian calendar. With
    `old_dates` the server converts dates to text.
    """
    conversion = _conversion(definition)
    if conversion is None:
        reason = f"the type {definition.ddl_type} is not supported"
        field = pa.field(definition.name, pa.null())
        column = _describe(field, definition, unreadable=reason)
        return SelectItem(column=column, field=field, fetched=pa.null(), expression="NULL")
    field, fetched, expression = conversion
    if max_lob is not None and pa.types.is_large_string(fetched) and definition.type != "LONG":
        # One character more than --max-lob keeps: it shows that the text was longer.
        expression = f"SUBSTR({expression}, 1, {max_lob + 1})"
    if old_dates and pa.types.is_timestamp(fetched):
        expression = _OLD_DATE_TEXT.format(expression, _FRACTIONS[fetched.unit])
        fetched = pa.string()
    return SelectItem(
        column=_describe(field, definition), field=field, fetched=fetched, expression=expression
    )


def _describe(field: pa.Field, definition: ColumnDef, unreadable: str = "") -> Column:
    return column_of(
        field,
        definition.ddl_type,
        nullable=definition.nullable,
        comment=definition.comment,
        default=definition.default,
        unreadable=unreadable,
    )


def _conversion(definition: ColumnDef) -> tuple[pa.Field, pa.DataType, str] | None:
    """Return the field, the type to fetch and the expression; None if the type is unreadable."""
    name = quoted(definition.name)
    data_type = _arrow_type(definition)
    if data_type is not None:
        return pa.field(definition.name, data_type), data_type, name
    type_name = re.sub(r"\(\d+\)", "", definition.type)
    if definition.type_owner and type_name not in _CONVERSIONS:
        # A user's object type becomes XML. SYS's own, such as ANYDATA, have no such conversion.
        type_name = "" if definition.type_owner == "SYS" else "OBJECT"
    if type_name not in _CONVERSIONS:
        return None
    expression, fetched, result = _CONVERSIONS[type_name]
    if isinstance(result, LogicalType):
        field = logical_field(definition.name, result)
    else:
        field = pa.field(definition.name, result)
    return field, fetched, expression.format(name)


def _arrow_type(definition: ColumnDef) -> pa.DataType | None:
    """Return the Arrow type that holds every value of the column; None if there is none."""
    if definition.type == "NUMBER" and definition.precision is not None:
        return _number_type(definition.precision, definition.scale or 0)
    if match := re.fullmatch(r"TIMESTAMP(?:\((\d)\))?", definition.type):
        digits = int(match[1] or 6)
        return None if digits > 6 else pa.timestamp(("s", "ms", "us")[-(-digits // 3)])
    return _ARROW_TYPES.get(definition.type)


def _number_type(precision: int, scale: int) -> pa.DataType | None:
    """Return int64 or a decimal type; None if the numbers may have more than 38 digits."""
    if scale == 0 and precision <= _INT64_DIGITS:
        return pa.int64()
    # NUMBER(5,7) holds 0.0012345: seven digits. NUMBER(5,-2) holds 1234500: seven digits, too.
    digits = max(precision, scale) if scale >= 0 else precision - scale
    return pa.decimal128(digits, max(scale, 0)) if digits <= _DECIMAL128_DIGITS else None


def batch_rows(
    definitions: Sequence[ColumnDef],
    max_lob: int | None = None,
    lob_lengths: Mapping[str, int] | None = None,
) -> int:
    """Return how many rows to fetch in a round trip.

    That is about 4 MB of rows as the statistics expect them, without statistics of rows that fill
    half of their columns, and at most 32 MB of rows that fill them to the declared length. LOBs
    have no such length: `lob_lengths` has the average lengths that are known by column, `max_lob`
    is where they are cut.
    """
    known = lob_lengths or {}
    expected = sum(
        _long_bytes(definition, max_lob, known.get(definition.name))
        if definition.is_long
        else _expected_bytes(definition)
        for definition in definitions
    )
    most = sum(_most_bytes(definition) for definition in definitions if not definition.is_long)
    rows = min(_BATCH_BYTES // max(expected, 1), _LARGEST_BATCH_BYTES // max(most, 1))
    return max(1, min(_MOST_ROWS, rows))


def _long_bytes(definition: ColumnDef, max_lob: int | None, length: int | None) -> int:
    size = definition.average_length or (_LOB_BYTES if length is None else length)
    return size if max_lob is None else min(size, _CHARACTER_BYTES * max_lob)


def _expected_bytes(definition: ColumnDef) -> int:
    if definition.average_bytes:
        return definition.average_bytes + 1
    return min(_most_bytes(definition) // 2, 200)


def _most_bytes(definition: ColumnDef) -> int:
    """Return the size of the longest value of a column that is no LOB."""
    width = _CHARACTER_BYTES if definition.by_character else 1
    # Text takes up to 32,767 bytes, and a NUMBER up to 22.
    return min(definition.length * width, 32_767) or 22


_CHANGES = {
    "cut": ("was", "were", "cut after {max_lob} characters"),
    "replaced": ("contains", "contain", "invalid bytes; U+FFFD replaces these bytes"),
    "dropped": ("is a day", "are days", "that the Gregorian calendar does not have: left empty"),
}


class RowDecoder:
    """Converts batches from the driver into the planned fields, and counts changed values.

    `changes` counts values by kind and column, such as `cut BODY`: text that `max_lob` cut, text
    with bytes that are invalid in the database's character set, and leap days that the Gregorian
    calendar does not have.
    """

    def __init__(self, items: Sequence[SelectItem], max_lob: int | None = None) -> None:
        self.schema = pa.schema([item.field for item in items])
        self.changes: Counter[str] = Counter()
        self._max_lob = max_lob

    def decode(
        self, batches: Iterable[pa.RecordBatch], items: Sequence[SelectItem]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the same rows with the fields of `schema`; `items` is what was selected."""
        for batch in batches:
            columns = [
                self._decode_column(item.field, column)
                for item, column in zip(items, batch.columns, strict=True)
            ]
            yield pa.record_batch(columns, self.schema)

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each column and kind of change."""
        for kind, (singular, plural, rest) in _CHANGES.items():
            for change, count in self.changes.items():
                changed, _, name = change.partition(" ")
                if changed == kind:
                    values = format_count(count, f"value {singular}", f"values {plural}")
                    yield f"{name}: {values} {rest.format(max_lob=self._max_lob)}"

    def _decode_column(self, field: pa.Field, column: pa.Array) -> pa.Array:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = self._replace_invalid_bytes(field.name, column)
        if logical_type(field) is LogicalType.NUMBER:
            return _with_leading_zeros(column)
        if pa.types.is_boolean(field.type):
            return pc.equal(pc.utf8_upper(column), "TRUE")
        if pa.types.is_timestamp(field.type) and pa.types.is_string(column.type):
            return self._parse_dates(field, pc.utf8_trim_whitespace(column))
        if self._max_lob is not None and pa.types.is_large_string(column.type):
            column = self._cut_text(field.name, column, self._max_lob)
        return column if column.type == field.type else column.cast(field.type)

    def _replace_invalid_bytes(self, name: str, column: pa.Array) -> pa.Array:
        """Replace bytes that are not UTF-8 by U+FFFD, and count the values."""
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            cells = column.cast(pa.large_binary()).to_pylist()
            texts = [None if cell is None else cell.decode("utf-8", "replace") for cell in cells]
            invalid = sum(
                text is not None and text.encode() != cell
                for text, cell in zip(texts, cells, strict=True)
            )
            self.changes[f"replaced {name}"] += invalid
            return pa.array(texts, column.type)
        return column

    def _parse_dates(self, field: pa.Field, column: pa.Array) -> pa.Array:
        """Parse dates that the server converted to text."""
        dates = [_with_astronomical_year(cell) for cell in column.to_pylist()]
        julian = {date for date in dates if date and _is_julian_leap_day(date)}
        if julian:
            count = sum(date in julian for date in dates)
            self.changes[f"dropped {field.name}"] += count
            dates = [None if date in julian else date for date in dates]
        return parse_timestamps(pa.array(dates, pa.string()), field.type.unit)

    def _cut_text(self, name: str, column: pa.Array, max_lob: int) -> pa.Array:
        is_longer = pc.fill_null(pc.greater(pc.utf8_length(column), max_lob), False)
        count = pc.sum(is_longer).as_py() or 0
        if not count:
            return column
        self.changes[f"cut {name}"] += count
        start = pc.utf8_slice_codeunits(column, 0, max_lob)
        mark, separator = pa.scalar(_CUT_MARK, start.type), pa.scalar("", start.type)
        marked = pc.binary_join_element_wise(start, mark, separator)
        return pc.if_else(is_longer, marked, column)


def _with_leading_zeros(column: pa.Array) -> pa.Array:
    """Write .5 as 0.5, and 1E+3 as 1000: Oracle omits the zero before the point."""
    starts = pc.or_(pc.starts_with(column, "."), pc.starts_with(column, "-."))
    return expand_exponents(replace_where(starts, column, r"^(-?)\.", r"\10."))


def _with_astronomical_year(date: str | None) -> str | None:
    """Turn Oracle's years BC into ISO 8601's, which has a year 0: -0001 becomes 0000."""
    if date is None or not date.startswith("-"):
        return date
    year = 1 - int(date[1:5])
    return f"{'-' if year < 0 else ''}{abs(year):04}{date[5:]}"


def _is_julian_leap_day(date: str) -> bool:
    """Return whether this is a February 29 that the Gregorian calendar does not have.

    Oracle counts by the Julian calendar before 1582, Arrow by the Gregorian one: 1500 is a leap
    year only in the former.
    """
    day = date.partition("T")[0]
    return day.endswith("-02-29") and not isleap(int(day.removesuffix("-02-29")))
