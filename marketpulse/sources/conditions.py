"""Conditions in Oracle's words, said in DuckDB's: what surely means the same, and nothing else.

Each part of a condition is built anew for DuckDB. A part that this module does not know is
refused with its name; it never passes with another meaning.
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

# DuckDB alone would round text to the decimals of the number that it meets.
NUMBER = "DECIMAL(38, 12)"
_MOST_DIGITS = 38
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d{1,6})?)?")
_FORMATS = {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_SUMS = (exp.Add, exp.Sub, exp.Mul)


class NotTheSame(Exception):
    """A part of a condition that DuckDB lacks, or may understand in another way."""

    def __init__(self, part: exp.Expr, why: str = "it is not understood here") -> None:
        super().__init__(why)
        self.part = part
        self.why = why


class _Kind(Enum):
    NUMBER = "a number"
    TEXT = "text"
    MOMENT = "a date"


@dataclass(frozen=True)
class _Operand:
    """A value in a condition, in DuckDB's words; `literal` is the text of a text literal."""

    part: exp.Expr
    sql: exp.Expr
    kind: _Kind
    literal: str | None = None


def in_duckdb(condition: exp.Expr, fields: Mapping[str, pa.Field]) -> exp.Expr:
    """The condition for DuckDB; its columns are spelled as in `fields`. Raises `NotTheSame`."""
    return _Translation(fields).predicate(condition)


class _Translation:
    def __init__(self, fields: Mapping[str, pa.Field]) -> None:
        self._fields = fields

    def predicate(self, part: exp.Expr) -> exp.Expr:
        """What is true or false of a row."""
        match part:
            case exp.And() | exp.Or():
                parts = [self.predicate(it) for it in part.flatten(unnest=False)]
                return reduce(lambda one, two: type(part)(this=one, expression=two), parts)
            case exp.Paren() | exp.Not():
                return type(part)(this=self.predicate(part.this))
            case exp.Boolean():
                return part.copy()
            case exp.Is():
                return self._is_null(part)
            case exp.Like():
                return self._like(part)
            case exp.In() | exp.Between():
                return self._among(part)
            case _ if isinstance(part, _COMPARISONS):
                _has_only(part, "this", "expression")
                one, two = self._alike([part.this, part.expression])
                return type(part)(this=one, expression=two)
        raise NotTheSame(part)

    def _is_null(self, part: exp.Is) -> exp.Expr:
        if not isinstance(part.expression, exp.Null):
            raise NotTheSame(part)
        value = part.this
        if isinstance(value, exp.Column) and not _is_plain_text(self._field(value)):
            return exp.Is(this=value.copy(), expression=exp.null())
        return exp.Is(this=self._operand(value).sql, expression=exp.null())

    def _like(self, part: exp.Like) -> exp.Expr:
        _has_only(part, "this", "expression", "negate")
        value, pattern = self._operand(part.this), self._operand(part.expression)
        if value.kind is not _Kind.TEXT:
            raise NotTheSame(part, "LIKE is for text alone")
        if pattern.literal is None:
            raise NotTheSame(part, "LIKE needs a pattern in quotes")
        like = exp.Like(this=value.sql, expression=pattern.sql)
        return exp.Not(this=like) if part.args.get("negate") else like

    def _among(self, part: exp.In | exp.Between) -> exp.Expr:
        if isinstance(part, exp.In):
            _has_only(part, "this", "expressions")
            value, *others = self._alike([part.this, *part.expressions])
            return exp.In(this=value, expressions=others)
        _has_only(part, "this", "low", "high")
        value, low, high = self._alike([part.this, part.args["low"], part.args["high"]])
        return exp.Between(this=value, low=low, high=high)

    def _alike(self, parts: Sequence[exp.Expr]) -> list[exp.Expr]:
        """The values in one kind: text that meets a number or a date counts as one."""
        operands = [self._operand(it) for it in parts]
        kinds = {it.kind for it in operands} - {_Kind.TEXT}
        if len(kinds) > 1:
            raise NotTheSame(parts[0].parent or parts[0], "a date is compared with a number")
        return [_as_kind(it, *kinds) for it in operands]

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
                return self._first(part)
            case exp.DateStrToDate() | exp.StrToDate() | exp.StrToTime():
                return _moment_literal(part)
            case exp.Anonymous() if part.name.upper() == "TRUNC" and len(part.expressions) == 1:
                return self._day(part)
            case _ if isinstance(part, _SUMS):
                one, two = self._number(part.this), self._number(part.expression)
                return _Operand(part, type(part)(this=one, expression=two), _Kind.NUMBER)
        raise NotTheSame(part)

    def _field(self, column: exp.Column) -> pa.Field:
        _has_only(column, "this")
        return self._fields[column.name]

    def _column(self, part: exp.Column) -> _Operand:
        field, column = self._field(part), part.copy()
        data_type, types = field.type, pa.types
        if _is_plain_text(field):  # an empty text is NULL to Oracle
            return _Operand(part, exp.Nullif(this=column, expression=_text("")), _Kind.TEXT)
        if logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}:
            return _Operand(part, exp.cast(column, NUMBER), _Kind.NUMBER)
        if types.is_integer(data_type) or types.is_floating(data_type) or _is_decimal(data_type):
            return _Operand(part, column, _Kind.NUMBER)
        if types.is_timestamp(data_type):
            in_utc = exp.func("make_timestamp", exp.func("epoch_us", column))
            return _Operand(part, in_utc if data_type.tz else column, _Kind.MOMENT)
        if types.is_date(data_type) or logical_type(field) is LogicalType.DATE:
            return _Operand(part, _moment(column), _Kind.MOMENT)
        raise NotTheSame(part, f"{data_type} can be asked for with IS NULL alone")

    def _number(self, part: exp.Expr) -> exp.Expr:
        operand = self._operand(part)
        if operand.kind is _Kind.MOMENT:
            raise NotTheSame(part.parent or part)
        return _as_kind(operand, _Kind.NUMBER)

    def _first(self, part: exp.Coalesce) -> _Operand:
        operands = [self._operand(it) for it in (part.this, *part.expressions)]
        if len({it.kind for it in operands}) > 1:
            raise NotTheSame(part, "its values are of several kinds")
        values = [it.sql for it in operands]
        return _Operand(
            part, exp.Coalesce(this=values[0], expressions=values[1:]), operands[0].kind
        )

    def _day(self, part: exp.Anonymous) -> _Operand:
        operand = self._operand(part.expressions[0])
        if operand.kind is not _Kind.MOMENT:
            raise NotTheSame(part, "it is understood for dates alone")
        return _Operand(part, _moment(exp.cast(operand.sql, "DATE")), _Kind.MOMENT)


def _as_kind(operand: _Operand, kind: _Kind = _Kind.TEXT) -> exp.Expr:
    """The value as one of this kind."""
    if operand.kind is kind:
        return operand.sql
    if operand.literal is None:
        return _moment(operand.sql) if kind is _Kind.MOMENT else exp.cast(operand.sql, NUMBER)
    convert: Callable[[str], exp.Expr | None] = _as_moment if kind is _Kind.MOMENT else _as_number
    value = convert(operand.literal)
    if value is None:
        raise NotTheSame(operand.part, f"it is compared as {kind.value}, and is none")
    return value


def _literal(part: exp.Expr) -> _Operand:
    text = str(part.this)
    if isinstance(part, exp.Literal) and not part.is_string:
        value = _as_number(format(Decimal(text), "f"))
        if value is None:
            raise NotTheSame(part, f"it has more than {_MOST_DIGITS} digits")
        return _Operand(part, value, _Kind.NUMBER)
    if not text:
        raise NotTheSame(part, "Oracle takes it for NULL: ask with IS NULL")
    return _Operand(part, _text(text), _Kind.TEXT, text)


def _moment_literal(part: exp.Expr) -> _Operand:
    """DATE '...', TIMESTAMP '...', and TO_DATE of such a text in such a format."""
    value, form = part.this, part.args.get("format")
    if not (isinstance(part, exp.DateStrToDate) or (form and form.name in _FORMATS)):
        raise NotTheSame(part)
    moment = _as_moment(value.this) if isinstance(value, exp.Literal) and value.is_string else None
    if moment is None:
        raise NotTheSame(part, "it is no date such as DATE '2026-03-13'")
    return _Operand(part, moment, _Kind.MOMENT)


def _as_number(text: str) -> exp.Expr | None:
    if _PLAIN_NUMBER.fullmatch(text.strip()) is None:
        return None
    number = format(Decimal(text.strip()), "f")
    if sum(it.isdigit() for it in number) > _MOST_DIGITS:  # DuckDB would make a float of it
        return None
    return exp.Literal.number(number)


def _as_moment(text: str) -> exp.Expr | None:
    with suppress(ValueError):
        if _MOMENT.fullmatch(text):
            datetime.fromisoformat(text)
            return _moment(_text(text))
    return None


def _moment(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "TIMESTAMP")


def _text(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _is_plain_text(field: pa.Field) -> bool:
    """Whether cells are text that stands for no number and no date."""
    return logical_type(field) not in {
        None,
        LogicalType.NUMBER,
        LogicalType.FLOAT,
        LogicalType.DATE,
    }


def _is_decimal(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_decimal(data_type))


def _has_only(part: exp.Expr, *names: str) -> None:
    """Refuse a part that says more than these arguments."""
    if any(value for name, value in part.args.items() if name not in names):
        raise NotTheSame(part)
