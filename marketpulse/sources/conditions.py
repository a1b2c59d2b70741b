"""Translation of Oracle's conditions to DuckDB: only what certainly means the same.

The translator builds each part of a condition anew. It refuses a part that it does not know; no
part passes unchanged, with another meaning in DuckDB.

    NAME LIKE 'a%'   ->   nullif("NAME", '') LIKE 'a%'      an empty text is NULL in Oracle
    PX > 100         ->   CAST("PX" AS DECIMAL(38, 12)) > 100     if PX is text
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from marketpulse.formats.encode import LogicalType, logical_type

# DuckDB would round text to as many decimals as the number has that it is compared with.
NUMBER_TYPE = "DECIMAL(38, 12)"
_MOST_DIGITS = 38
_NUMBER_TEXT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_DATE_TEXT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?")
_DATE_FORMATS = {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul)


class UntranslatableError(Exception):
    """A part of a condition that DuckDB does not have, or may understand differently."""

    def __init__(self, part: exp.Expr, reason: str = "it is not supported here") -> None:
        super().__init__(reason)
        self.part = part
        self.reason = reason


class _Kind(Enum):
    NUMBER = "a number"
    TEXT = "text"
    DATE = "a date"


@dataclass(frozen=True)
class _Operand:
    """A value in a condition: Oracle's part, its translation, and its text if it is a literal."""

    part: exp.Expr
    sql: exp.Expr
    kind: _Kind
    literal: str | None = None


def to_duckdb(condition: exp.Expr, fields: Mapping[str, pa.Field]) -> exp.Expr:
    """Translate a condition on these columns. Raises `UntranslatableError`."""
    return _Translator(fields).predicate(condition)


class _Translator:
    def __init__(self, fields: Mapping[str, pa.Field]) -> None:
        self._fields = fields

    def predicate(self, part: exp.Expr) -> exp.Expr:
        """Translate something that is true or false."""
        match part:
            case exp.And() | exp.Or():
                parts = [self.predicate(operand) for operand in part.flatten(unnest=False)]
                return reduce(lambda left, right: type(part)(this=left, expression=right), parts)
            case exp.Paren() | exp.Not():
                return type(part)(this=self.predicate(part.this))
            case exp.Boolean():
                return part.copy()
            case exp.Is():
                return self._is_null(part)
            case exp.Like():
                return self._like(part)
            case exp.In() | exp.Between():
                return self._in_or_between(part)
            case _ if isinstance(part, _COMPARISONS):
                _require_only(part, "this", "expression")
                left, right = self._comparable([part.this, part.expression])
                return type(part)(this=left, expression=right)
        raise UntranslatableError(part)

    def _is_null(self, part: exp.Is) -> exp.Expr:
        if not isinstance(part.expression, exp.Null):
            raise UntranslatableError(part)
        value = part.this
        if isinstance(value, exp.Column) and not _is_plain_text(self._field(value)):
            # Possible for all types, also for those that `_column` cannot compare.
            return exp.Is(this=value.copy(), expression=exp.null())
        return exp.Is(this=self._operand(value).sql, expression=exp.null())

    def _like(self, part: exp.Like) -> exp.Expr:
        _require_only(part, "this", "expression", "negate")
        value, pattern = self._operand(part.this), self._operand(part.expression)
        if value.kind is not _Kind.TEXT:
            raise UntranslatableError(part, "LIKE is for text only")
        if pattern.literal is None:
            raise UntranslatableError(part, "LIKE needs a pattern in quotes")
        like = exp.Like(this=value.sql, expression=pattern.sql)
        return exp.Not(this=like) if part.args.get("negate") else like

    def _in_or_between(self, part: exp.In | exp.Between) -> exp.Expr:
        if isinstance(part, exp.In):
            _require_only(part, "this", "expressions")
            value, *others = self._comparable([part.this, *part.expressions])
            return exp.In(this=value, expressions=others)
        _require_only(part, "this", "low", "high")
        value, low, high = self._comparable([part.this, part.args["low"], part.args["high"]])
        return exp.Between(this=value, low=low, high=high)

    def _comparable(self, parts: Sequence[exp.Expr]) -> list[exp.Expr]:
        """Translate values to one kind: Oracle converts text that meets a number or a date."""
        operands = [self._operand(part) for part in parts]
        kinds = {operand.kind for operand in operands} - {_Kind.TEXT}
        if len(kinds) > 1:
            raise UntranslatableError(
                parts[0].parent or parts[0], "a date is compared with a number"
            )
        kind = kinds.pop() if kinds else _Kind.TEXT
        return [_convert(operand, kind) for operand in operands]

    def _operand(self, part: exp.Expr) -> _Operand:
        match part:
            case exp.Paren():
                inner = self._operand(part.this)
                return _Operand(part, exp.Paren(this=inner.sql), inner.kind, inner.literal)
            case exp.Column():
                return self._column(part)
            case exp.Literal() | exp.RawString() | exp.National():
                return _literal(part)
            case exp.Neg():
                return _Operand(part, exp.Neg(this=self._number(part.this)), _Kind.NUMBER)
            case exp.Coalesce():
                return self._coalesce(part)
            case exp.DateStrToDate() | exp.StrToDate() | exp.StrToTime():
                return _date_literal(part)
            case exp.Anonymous() if part.name.upper() == "TRUNC" and len(part.expressions) == 1:
                return self._truncated_date(part)
            case _ if isinstance(part, _ARITHMETIC):
                left, right = self._number(part.this), self._number(part.expression)
                return _Operand(part, type(part)(this=left, expression=right), _Kind.NUMBER)
        raise UntranslatableError(part)

    def _field(self, column: exp.Column) -> pa.Field:
        _require_only(column, "this")
        return self._fields[column.name]

    def _column(self, part: exp.Column) -> _Operand:
        field, column = self._field(part), part.copy()
        data_type, types = field.type, pa.types
        if _is_plain_text(field):  # an empty text is NULL in Oracle
            return _Operand(part, exp.Nullif(this=column, expression=_text("")), _Kind.TEXT)
        if logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}:
            return _Operand(part, exp.cast(column, NUMBER_TYPE), _Kind.NUMBER)
        if types.is_integer(data_type) or types.is_floating(data_type) or _is_decimal(data_type):
            return _Operand(part, column, _Kind.NUMBER)
        if types.is_timestamp(data_type):
            in_utc = exp.func("make_timestamp", exp.func("epoch_us", column))
            return _Operand(part, in_utc if data_type.tz else column, _Kind.DATE)
        if types.is_date(data_type) or logical_type(field) is LogicalType.DATE:
            return _Operand(part, _as_timestamp(column), _Kind.DATE)
        raise UntranslatableError(part, f"a column of type {data_type} allows only IS NULL")

    def _number(self, part: exp.Expr) -> exp.Expr:
        operand = self._operand(part)
        if operand.kind is _Kind.DATE:
            raise UntranslatableError(part.parent or part)
        return _convert(operand, _Kind.NUMBER)

    def _coalesce(self, part: exp.Coalesce) -> _Operand:
        operands = [self._operand(value) for value in (part.this, *part.expressions)]
        if len({operand.kind for operand in operands}) > 1:
            raise UntranslatableError(part, "its values are of different types")
        first, *others = (operand.sql for operand in operands)
        return _Operand(part, exp.Coalesce(this=first, expressions=others), operands[0].kind)

    def _truncated_date(self, part: exp.Anonymous) -> _Operand:
        operand = self._operand(part.expressions[0])
        if operand.kind is not _Kind.DATE:
            raise UntranslatableError(part, "it is supported for dates only")
        return _Operand(part, _as_timestamp(exp.cast(operand.sql, "DATE")), _Kind.DATE)


def _convert(operand: _Operand, kind: _Kind) -> exp.Expr:
    """Return the value as a value of this kind."""
    if operand.kind is kind:
        return operand.sql
    if operand.literal is None:
        is_date = kind is _Kind.DATE
        return _as_timestamp(operand.sql) if is_date else exp.cast(operand.sql, NUMBER_TYPE)
    parse: Callable[[str], exp.Expr | None] = _parse_date if kind is _Kind.DATE else _parse_number
    value = parse(operand.literal)
    if value is None:
        raise UntranslatableError(operand.part, f"it is not {kind.value}")
    return value


def _literal(part: exp.Expr) -> _Operand:
    text = str(part.this)
    if isinstance(part, exp.Literal) and not part.is_string:
        value = _parse_number(format(Decimal(text), "f"))
        if value is None:
            raise UntranslatableError(part, f"it has more than {_MOST_DIGITS} digits")
        return _Operand(part, value, _Kind.NUMBER)
    if not text:
        raise UntranslatableError(part, "an empty text is NULL in Oracle: use IS NULL")
    return _Operand(part, _text(text), _Kind.TEXT, text)


def _date_literal(part: exp.Expr) -> _Operand:
    """Translate DATE '...', TIMESTAMP '...', and TO_DATE of a literal in a known format."""
    value, date_format = part.this, part.args.get("format")
    if not isinstance(part, exp.DateStrToDate) and not (
        date_format and date_format.name in _DATE_FORMATS
    ):
        raise UntranslatableError(part)
    date = _parse_date(value.this) if isinstance(value, exp.Literal) and value.is_string else None
    if date is None:
        raise UntranslatableError(part, "it is not a date such as DATE '2026-03-13'")
    return _Operand(part, date, _Kind.DATE)


def _parse_number(text: str) -> exp.Expr | None:
    if _NUMBER_TEXT.fullmatch(text.strip()) is None:
        return None
    number = format(Decimal(text.strip()), "f")
    if sum(character.isdigit() for character in number) > _MOST_DIGITS:
        return None  # DuckDB would read it as a float, and lose digits
    return exp.Literal.number(number)


def _parse_date(text: str) -> exp.Expr | None:
    with suppress(ValueError):
        if _DATE_TEXT.fullmatch(text):
            datetime.fromisoformat(text)
            return _as_timestamp(_text(text))
    return None


def _as_timestamp(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "TIMESTAMP")


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _is_plain_text(field: pa.Field) -> bool:
    """Return whether the values are text, and not numbers or dates written as text."""
    numbers_and_dates = {LogicalType.NUMBER, LogicalType.FLOAT, LogicalType.DATE}
    return logical_type(field) not in {None, *numbers_and_dates}


def _is_decimal(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(data_type))


def _require_only(part: exp.Expr, *names: str) -> None:
    """Raise if the part has other arguments, such as the ESCAPE of LIKE."""
    if any(value for name, value in part.args.items() if name not in names):
        raise UntranslatableError(part)
