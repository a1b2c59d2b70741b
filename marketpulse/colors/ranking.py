"""The statement: rules as predicates, the total order, what leaves and what stays. One SQL tree.

It reads a relation `valued` that an engine provides: the cells as they arrived (c0, c1, ...), the
value of each (v), its text as rules compare it (x), its exact key (k), and the `reason` why the
row cannot be used. Literals are literals of the tree, never pasted text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

import pyarrow as pa
from sqlglot import exp

from marketpulse.colors.cells import Cell, Precision
from marketpulse.colors.columns import KEYS, Columns, InputColumn, Kind
from marketpulse.colors.rules import BoundCondition, BoundRule, Instant, Operator

_DESCENDING = ("date", "price")
SORTED = {"CUSIP", *KEYS.values(), "MESSAGE_ID"}  # the roles that the sort keys compare


@dataclass(frozen=True)
class SortKey:
    """A key of the total order; `label` is how an explanation names it."""

    label: str
    column: InputColumn
    ordered: exp.Ordered


def sort_keys(columns: Columns, hierarchy: Sequence[str]) -> list[SortKey]:
    """The keys of the order within a group: the hierarchy, then MESSAGE_ID, the latest first.

    Nulls last in each.
    """
    keys = []
    for key in hierarchy:
        column = columns.role(KEYS[key])
        value = exp.column(f"v{column.place}")
        ordered = _ordered(value, descending=key in _DESCENDING)
        keys.append(SortKey(f"{column.label} ({key})", column, ordered))
    column = columns.role("MESSAGE_ID")
    latest = _ordered(exp.column(f"v{column.place}"), descending=True)  # ids grow with time
    return [*keys, SortKey(f"{column.label} (the later message wins)", column, latest)]


def tie_breaks(cells: Sequence[Cell]) -> list[SortKey]:
    """What puts rows in order that the sort keys leave tied, by the columns of these cells.

    The remaining columns in the input's order, as values; last the spelling of every cell,
    MESSAGE_ID's first, then in the input's order.
    """
    keys = [_by_value(cell.column) for cell in cells if cell.column.role not in SORTED]
    for cell in sorted(cells, key=lambda cell: cell.column.role != "MESSAGE_ID"):
        for number in range(len(cell.spellings)):
            spelling = exp.column(f"s{cell.column.place}_{number}")
            keys.append(
                SortKey(f"{cell.column.label} (its spelling)", cell.column, _ordered(spelling))
            )
    return keys


def _by_value(column: InputColumn) -> SortKey:
    return SortKey(column.label, column, _ordered(exp.column(f"v{column.place}")))


def with_values(statement: exp.Expr, cells: Sequence[Cell], rows: str = "arrived") -> str:
    """The statement as SQL, with the relation `valued` that it reads, made of these rows.

    The relation has just the columns that the statement names.
    """
    names = {column.name for column in statement.find_all(exp.Column)}
    selected = ["*"]
    for cell in cells:
        place = cell.column.place
        forms = {f"v{place}": cell.value, f"k{place}": cell.key, f"x{place}": cell.folded}
        forms |= {f"s{place}_{number}": it for number, it in enumerate(cell.spellings)}
        selected += [f"{form} AS {name}" for name, form in forms.items() if name in names]
    valued = f"SELECT {', '.join(selected)} FROM {rows}"  # noqa: S608 - our own words alone
    return f"WITH valued AS ({valued}) {statement.sql('duckdb')}"


def taken_by(rules: Sequence[BoundRule], cells: Sequence[Cell]) -> exp.Expr:
    """The id of the first rule that takes the row, or null."""
    if not rules:
        return exp.cast(exp.null(), "VARCHAR")
    case = exp.Case()
    for rule in rules:
        case = case.when(predicate(rule, cells), exp.Literal.string(rule.rule.id))
    return case


def predicate(rule: BoundRule, cells: Sequence[Cell]) -> exp.Expr:
    """The rule's conditions folded from left to right; never null."""

    def fold(left: exp.Expr, condition: BoundCondition) -> exp.Expr:
        join = exp.or_ if condition.written.connector == "or" else exp.and_
        return join(left, asked(condition, cells[condition.column.place]))

    first, *others = rule.conditions
    return reduce(fold, others, asked(first, cells[first.column.place]))


def asked(condition: BoundCondition, cell: Cell) -> exp.Expr:
    """Whether a cell answers a condition; a null answers only `is_null`."""
    column, operator = condition.column, condition.written.operator
    value = exp.column(f"v{column.place}")
    if operator is Operator.IS_NULL:
        return value.is_(exp.null())
    if operator is Operator.IS_NOT_NULL:
        return exp.not_(value.is_(exp.null()))
    if column.kind is Kind.TEXT:
        answer = _text(condition, exp.column(f"x{column.place}"))
    elif column.kind is Kind.DATE:
        answer = _date(condition, cell)
    else:
        answer = _number(condition, cell)
    return exp.func("coalesce", answer, exp.false())


def _text(condition: BoundCondition, text: exp.Column) -> exp.Expr:
    wanted = [exp.func("lower", exp.Literal.string(str(operand))) for operand in condition.operands]
    match condition.written.operator:
        case Operator.EQUALS | Operator.IN:
            return exp.or_(*(text.eq(one) for one in wanted))
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return exp.and_(*(text.neq(one) for one in wanted))
        case Operator.CONTAINS:
            return exp.StrPosition(this=text, substr=wanted[0]) > 0
        case Operator.NOT_CONTAINS:
            return exp.StrPosition(this=text, substr=wanted[0]).eq(0)
        case Operator.STARTS_WITH:
            return exp.func("left", text, exp.func("length", wanted[0])).eq(wanted[0])
        case _:
            return exp.func("right", text, exp.func("length", wanted[0])).eq(wanted[0])


def _number(condition: BoundCondition, cell: Cell) -> exp.Expr:
    numbers = [operand for operand in condition.operands if isinstance(operand, Decimal)]
    casts = [_cast_of(number, condition.column, cell) for number in numbers]
    if all(casts):
        value: exp.Expr = exp.column(f"v{condition.column.place}")
        wanted: list[exp.Expr] = [
            exp.cast(exp.Literal.string(format(number, "f")), str(cast))
            for number, cast in zip(numbers, casts, strict=True)
        ]
    else:
        value = exp.column(f"k{condition.column.place}")
        wanted = [exp.func("number_key", exp.Literal.string(str(number))) for number in numbers]
    return _compared(condition.written.operator, value, [(one, None) for one in wanted])


def _cast_of(number: Decimal, column: InputColumn, cell: Cell) -> str | None:
    """The type in which this number and the column's values compare exactly, if there is one."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > 30 or len(digits) > 30:
        return None
    whole = number == number.to_integral_value()
    places = len(digits) + max(exponent, 0)
    data_type = column.field.type
    if column.logical_type:
        if cell.look is Precision.EXACT:
            return None
        if column.kind is Kind.INTEGER:
            return "BIGINT" if whole and abs(number) < 10**18 else None
        return "DOUBLE" if places <= 15 else None
    if pa.types.is_integer(data_type):
        return "HUGEINT" if whole else None
    if pa.types.is_float64(data_type):
        return "DOUBLE" if places <= 15 else None
    if pa.types.is_decimal128(data_type):
        precision, scale = data_type.precision, data_type.scale
        fits = scale >= -exponent and places + min(exponent, 0) + scale <= precision
        return f"DECIMAL({precision}, {scale})" if fits else None
    return None


def _date(condition: BoundCondition, cell: Cell) -> exp.Expr:
    place = condition.column.place
    days = [operand for operand in condition.operands if isinstance(operand, Instant)]
    data_type = condition.column.field.type
    nanoseconds = pa.types.is_timestamp(data_type) and data_type.unit == "ns"
    exact = (
        nanoseconds
        or (condition.column.logical_type is not None and cell.look is Precision.EXACT)
        or any(len(day.fraction) > 6 for day in days)
    )
    value = exp.column(f"k{place}" if exact else f"v{place}")
    literal = _instant_key if exact else _timestamp
    spans = [(literal(day), literal(day.end) if day.whole_day else None) for day in days]
    return _compared(condition.written.operator, value, spans)


def _instant_key(instant: Instant) -> exp.Expr:
    seconds = exp.cast(exp.Literal.number(instant.seconds), "BIGINT")
    return exp.func("row", seconds, exp.Literal.string(instant.fraction))


def _timestamp(instant: Instant) -> exp.Expr:
    micros = instant.seconds * 1_000_000 + int(instant.fraction.ljust(6, "0") or 0)
    return exp.func("make_timestamp", exp.cast(exp.Literal.number(micros), "BIGINT"))


Span = tuple[exp.Expr, exp.Expr | None]


def _compared(operator: Operator, value: exp.Expr, spans: Sequence[Span]) -> exp.Expr:
    """Compare with spans: from their begin to before their end, or a point where there is none."""

    def inside(span: Span) -> exp.Expr:
        begin, end = span
        return value.eq(begin) if end is None else exp.and_(value >= begin, value < end)

    def below_end(span: Span) -> exp.Expr:
        begin, end = span
        return value <= begin if end is None else value < end

    first, last = spans[0], spans[-1]
    match operator:
        case Operator.EQUALS | Operator.IN:
            return exp.or_(*map(inside, spans))
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return exp.not_(exp.or_(*map(inside, spans)))
        case Operator.LESS_THAN:
            return value < first[0]
        case Operator.GREATER_OR_EQUAL:
            return value >= first[0]
        case Operator.LESS_OR_EQUAL:
            return below_end(first)
        case Operator.GREATER_THAN:
            return exp.not_(below_end(first))
        case _:
            return exp.and_(value >= first[0], below_end(last))


def _ordered(key: exp.Expr, *, descending: bool = False) -> exp.Ordered:
    return exp.Ordered(this=key, desc=descending, nulls_first=False)
