"""How each column is read so that nothing of its values is lost: an expression, and a type."""

from __future__ import annotations

import re
from calendar import isleap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.decode import column_of, moments
from marketpulse.formats.encode import LogicalType, logical_field, logical_type, without_exponents
from marketpulse.model import Column
from marketpulse.names import quoted

_MARK = "…[cut]"  # ends what --max-lob has cut
_BATCH_BYTES = 32 << 20
_LOB_BYTES = 8_000  # of a LOB, where nobody knows
_FEWEST, _MOST = 100, 20_000  # rows of a batch


_TYPED = {
    "VARCHAR2": pa.string(),
    "VARCHAR": pa.string(),
    "CHAR": pa.string(),
    "NVARCHAR2": pa.string(),
    "NCHAR": pa.string(),
    "CLOB": pa.large_string(),
    "NCLOB": pa.large_string(),
    "LONG": pa.large_string(),
    "RAW": pa.binary(),
    "BLOB": pa.large_binary(),
    "LONG RAW": pa.large_binary(),
    "BINARY_FLOAT": pa.float32(),
    "BINARY_DOUBLE": pa.float64(),
    "DATE": pa.timestamp("s"),
}
_NUMBER = "TO_CHAR({}, 'TM9', 'NLS_NUMERIC_CHARACTERS=''.,''')"
_MOMENT = "TO_CHAR({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')"
_ZONED = "TO_CHAR({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9TZH:TZM')"
_OLD = "TO_CHAR({}, 'SYYYY-MM-DD\"T\"HH24:MI:SS{}')"
_FRACTIONS = {"s": "", "ms": ".FF3", "us": ".FF6"}
# What no type of Arrow holds to the last digit: spelled by the server in this way, fetched as
# that, and standing for what a column's field says.
_SPELLED: dict[str, tuple[str, pa.DataType, LogicalType | pa.DataType]] = {
    "NUMBER": (_NUMBER, pa.string(), LogicalType.NUMBER),
    "FLOAT": (_NUMBER, pa.string(), LogicalType.NUMBER),
    "TIMESTAMP": (_MOMENT, pa.string(), LogicalType.TEXT),
    "TIMESTAMP WITH TIME ZONE": (_ZONED, pa.string(), LogicalType.TEXT),
    "TIMESTAMP WITH LOCAL TIME ZONE": (_ZONED, pa.string(), LogicalType.TEXT),
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


@dataclass(frozen=True)
class ColumnDef:
    """A column as the dictionary declares it; `width` is what a value takes on average, in bytes.

    `type` is the dictionary's word, with a fraction in parentheses where it has one, as in
    TIMESTAMP(6) WITH TIME ZONE. `type_owner` is a type's owner, where users made the type.
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
    width: int | None = None

    @property
    def words(self) -> str:
        """The type as DDL has it: NUMBER(12,4), VARCHAR2(20 CHAR)."""
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


@dataclass(frozen=True)
class SelectItem:
    """A column on its way: what the statement selects, and the field in which it arrives.

    `fetched` is the type that the driver is asked for. Where the two differ, text that stands for
    something is brought into its form by `RowDecoder`.
    """

    column: Column
    field: pa.Field
    fetched: pa.DataType
    expression: str


def project(
    declared: ColumnDef, max_lob: int | None = None, *, old_dates: bool = False
) -> SelectItem:
    """Plan the way of a column: `max_lob` cuts long text after so many characters.

    The driver reads no year before 1 and no day of the Julian calendar alone: with `old_dates` the
    server spells them.
    """
    plan = _plan(declared)
    if plan is None:
        why = f"{declared.words} has no form that text or a file could keep"
        field = pa.field(declared.name, pa.null())
        return SelectItem(_told(field, declared, why), field, pa.null(), "NULL")
    field, fetched, expression = plan
    if max_lob is not None and pa.types.is_large_string(fetched) and declared.type != "LONG":
        # One more than is kept: so it can be seen that there was more.
        expression = f"SUBSTR({expression}, 1, {max_lob + 1})"
    if old_dates and pa.types.is_timestamp(fetched):
        expression = _OLD.format(expression, _FRACTIONS[fetched.unit])
        fetched = pa.string()
    return SelectItem(_told(field, declared), field, fetched, expression)


def _told(field: pa.Field, declared: ColumnDef, unreadable: str = "") -> Column:
    return column_of(
        field,
        declared.words,
        nullable=declared.nullable,
        comment=declared.comment,
        default=declared.default,
        unreadable=unreadable,
    )


def _plan(declared: ColumnDef) -> tuple[pa.Field, pa.DataType, str] | None:
    """The field, the type to ask for, and the expression; None where there is no way."""
    name = quoted(declared.name)
    data_type = _arrow_type(declared)
    if data_type is not None:
        return pa.field(declared.name, data_type), data_type, name
    words = re.sub(r"\(\d+\)", "", declared.type)
    if declared.type_owner and words not in _SPELLED:
        words = "" if declared.type_owner == "SYS" else "OBJECT"
    if words not in _SPELLED:
        return None
    expression, fetched, result = _SPELLED[words]
    if isinstance(result, LogicalType):
        field = logical_field(declared.name, result)
    else:
        field = pa.field(declared.name, result)
    return field, fetched, expression.format(name)


def _arrow_type(declared: ColumnDef) -> pa.DataType | None:
    """The type of a column whose values Arrow can hold."""
    if declared.type == "NUMBER" and declared.precision is not None:
        return _number(declared.precision, declared.scale or 0)
    if found := re.fullmatch(r"TIMESTAMP(?:\((\d)\))?", declared.type):
        digits = int(found[1] or 6)
        return None if digits > 6 else pa.timestamp(("s", "ms", "us")[-(-digits // 3)])
    return _TYPED.get(declared.type)


def _number(precision: int, scale: int) -> pa.DataType | None:
    """int64 where 18 digits are enough, else a decimal; None beyond 38 digits."""
    if scale == 0 and precision <= 18:
        return pa.int64()
    digits = max(precision, scale) if scale >= 0 else precision - scale
    return pa.decimal128(digits, max(scale, 0)) if digits <= 38 else None


def batch_rows(columns: Iterable[ColumnDef]) -> int:
    """How many rows a round trip brings: some megabytes of them."""
    width = sum(_width(column) for column in columns)
    return max(_FEWEST, min(_MOST, _BATCH_BYTES // max(width, 1)))


def _width(column: ColumnDef) -> int:
    if column.width:
        return column.width + 1
    if "LOB" in column.type or "LONG" in column.type or column.type in {"XMLTYPE", "JSON"}:
        return _LOB_BYTES
    return min(column.length or 22, 200)


class RowDecoder:
    """Rows as they come from the driver, brought into their fields; counts what it had to change.

    `cut`, `replaced` and `dropped` are counts by column: values that `max_lob` made shorter, values
    with bytes that are not text in the database's character set, and leap days of centuries in
    which our calendar has none.
    """

    def __init__(self, projected: Sequence[SelectItem], max_lob: int | None = None) -> None:
        self.schema = pa.schema([it.field for it in projected])
        self.cut: dict[str, int] = {}
        self.replaced: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.projected = projected
        self._max_lob = max_lob

    def of(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same rows in their fields."""
        for batch in batches:
            columns = [
                self._arrived(it, column)
                for it, column in zip(self.projected, batch.columns, strict=True)
            ]
            yield pa.record_batch(columns, self.schema)

    def remarks(self) -> Iterator[str]:
        """What was changed, in words."""
        for name, count in self.cut.items():
            yield f"{name}: {count} values were cut after {self._max_lob} characters"
        for name, count in self.replaced.items():
            yield f"{name}: {count} values have bytes that are no text; they became U+FFFD"
        for name, count in self.dropped.items():
            yield f"{name}: {count} values are days that the Gregorian calendar has not; left empty"

    def _arrived(self, projected: SelectItem, column: pa.Array) -> pa.Array:
        field = projected.field
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = self._whole(field.name, column)
        if logical_type(field) is LogicalType.NUMBER:
            return _plain_numbers(column)
        if pa.types.is_boolean(field.type):
            return pc.equal(pc.utf8_upper(column), "TRUE")
        if pa.types.is_timestamp(field.type) and pa.types.is_string(column.type):
            return self._dated(field, pc.utf8_trim_whitespace(column))
        if self._max_lob is not None and pa.types.is_large_string(column.type):
            column = self._shortened(field.name, column)
        return column.cast(field.type)

    def _whole(self, name: str, column: pa.Array) -> pa.Array:
        """Text whose every byte is text; what is not becomes U+FFFD and is counted."""
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            cells = column.cast(pa.large_binary()).to_pylist()
            texts = [None if it is None else it.decode("utf-8", "replace") for it in cells]
            broken = sum(
                text is not None and text.encode() != cell
                for text, cell in zip(texts, cells, strict=True)
            )
            self.replaced[name] = self.replaced.get(name, 0) + broken
            return pa.array(texts, column.type)
        return column

    def _dated(self, field: pa.Field, column: pa.Array) -> pa.Array:
        """Dates that the server spelled; its year before 1 is -1."""
        spelled = [_with_year_0(cell) for cell in column.to_pylist()]
        leaps = {cell for cell in spelled if cell and _is_julian(cell)}
        if leaps:
            gone = sum(cell in leaps for cell in spelled)
            self.dropped[field.name] = self.dropped.get(field.name, 0) + gone
            spelled = [None if cell in leaps else cell for cell in spelled]
        return moments(pa.array(spelled, pa.string()), field.type.unit)

    def _shortened(self, name: str, column: pa.Array) -> pa.Array:
        longer = pc.fill_null(pc.greater(pc.utf8_length(column), self._max_lob), False)
        count = pc.sum(longer).as_py() or 0
        if not count:
            return column
        self.cut[name] = self.cut.get(name, 0) + count
        kept = pc.utf8_slice_codeunits(column, 0, self._max_lob)
        mark, between = (pa.scalar(it, kept.type) for it in (_MARK, ""))
        return pc.if_else(longer, pc.binary_join_element_wise(kept, mark, between), column)


def _plain_numbers(text: pa.Array) -> pa.Array:
    """Numbers as everybody writes them: Oracle leaves out the 0 before the point."""
    return without_exponents(pc.replace_substring_regex(text, r"^(-?)\.", r"\10."))


def _with_year_0(cell: str | None) -> str | None:
    if cell is None or not cell.startswith("-"):
        return cell
    year = 1 - int(cell[1:5])
    return f"{'-' if year < 0 else ''}{abs(year):04}{cell[5:]}"


def _is_julian(cell: str) -> bool:
    """Whether this is a 29th of February that our calendar, counted back, does not have."""
    date = cell.partition("T")[0]
    return date.endswith("-02-29") and not isleap(int(date.removesuffix("-02-29")))
