"""The statement of a run as SQL: rules as predicates, and the total order of the rows.

It reads the relation `valued`, which `with_values` adds. For the input's column 3 that has

    c3      the cell as it arrived
    v3      its value, which the order and the rules compare
    x3      its text in lower case and trimmed, which rules on text compare
    k3      its exact value without limits of size
    s3_0    its spelling, the last resort in a tie

and `reason`, which says why a row is rejected. Values of rules become literals, so text in a rules
file never becomes SQL.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

import pyarrow as pa

from marketpulse.colors.cells import Cell, Precision, literal, trim_once, with_trimmed
from marketpulse.colors.columns import KEYS, InputColumn, Kind
from marketpulse.colors.rules import BoundCondition, BoundRule, Instant, Operator

_DESCENDING = ("date", "price")
SORTED = {"CUSIP", *KEYS.values(), "MESSAGE_ID"}  # the roles that the sort keys compare


@dataclass(frozen=True)
class SortKey:
    """A key of the total order; `label` is its name in an explanation, `value` its column."""

    label: str
    column: InputColumn
    value: str
    descending: bool = False

    @property
    def ordered(self) -> str:
        """The key in ORDER BY."""
        return f"{self.value}{' DESC' if self.descending else ''} NULLS LAST"


def sort_keys(cells: Sequence[Cell], hierarchy: Sequence[str]) -> list[SortKey]:
    """The keys of the order within a group: the hierarchy, then MESSAGE_ID, the latest first.

    Nulls are last in each key.
    """
    by_role = {cell.column.role: cell for cell in cells}
    keys = [_by_value(by_role[KEYS[key]], key, descending=key in _DESCENDING) for key in hierarchy]
    # Ids grow with time, so the later message wins, as the newest date does.
    latest = _by_value(by_role["MESSAGE_ID"], "the later message wins", descending=True)
    return [*keys, latest]


def tie_breaks(cells: Sequence[Cell]) -> list[SortKey]:
    """The keys after the sort keys: the remaining columns as values, in the input's order.

    The spellings of all cells are last, MESSAGE_ID's first, then in the input's order.
    """
    keys = [_by_value(cell) for cell in cells if cell.column.role not in SORTED]
    for cell in sorted(cells, key=lambda cell: cell.column.role != "MESSAGE_ID"):
        label = f"{cell.column.label} (its spelling)"
        for number, text in enumerate(cell.spellings):
            value = _key_column(cell, text, f"s{cell.column.place}_{number}")
            keys.append(SortKey(label, cell.column, value))
    return keys


def _by_value(cell: Cell, remark: str = "", *, descending: bool = False) -> SortKey:
    column = cell.column
    value = _key_column(cell, cell.value, f"v{column.place}")
    return SortKey(
        f"{column.label} ({remark})" if remark else column.label, column, value, descending
    )


def _key_column(cell: Cell, key: str, name: str) -> str:
    # The sort keeps a column once if it is a key as it arrived; the CUSIP leaves as its value.
    is_output = cell.column.role != "CUSIP"
    return cell.raw if key == cell.raw and is_output else name


def with_values(statement: str, cells: Sequence[Cell], rows: str = "arrived") -> str:
    """The statement with the relation `valued` over these rows.

    The relation has only the columns that the statement names: each costs time.
    """
    names = set(re.findall(r"\b[kvxs][0-9]+(?:_[0-9]+)?\b", statement))
    selected = ["*"]
    cells = trim_once(cells)
    for cell in cells:
        place = cell.column.place
        forms = {f"v{place}": cell.value, f"k{place}": cell.key, f"x{place}": cell.folded}
        forms |= {f"s{place}_{number}": text for number, text in enumerate(cell.spellings)}
        selected += [f"{form} AS {name}" for name, form in forms.items() if name in names]
    values = ", ".join(selected)
    valued = f"SELECT {values} FROM {with_trimmed(rows, cells, values)}"
    return f"WITH valued AS ({valued}) {statement}"


def excluding_rule(rules: Sequence[BoundRule], cells: Sequence[Cell]) -> str:
    """The id of the first rule that excludes the row, or null."""
    if not rules:
        return "CAST(NULL AS VARCHAR)"
    cases = (f"WHEN {rule_predicate(rule, cells)} THEN {literal(rule.rule.id)}" for rule in rules)
    return f"CASE {' '.join(cases)} END"


def rule_predicate(rule: BoundRule, cells: Sequence[Cell]) -> str:
    """Whether a row matches: the conditions folded from left to right, never null."""

    def fold(left: str, condition: BoundCondition) -> str:
        join = "OR" if condition.written.connector == "or" else "AND"
        return f"({left} {join} {condition_predicate(condition, cells[condition.column.place])})"

    first, *others = rule.conditions
    return reduce(fold, others, condition_predicate(first, cells[first.column.place]))


def condition_predicate(condition: BoundCondition, cell: Cell) -> str:
    """Whether a cell matches a condition, never null. A null matches only `is_null`."""
    column, operator = condition.column, condition.written.operator
    if operator is Operator.IS_NULL:
        return f"(v{column.place} IS NULL)"
    if operator is Operator.IS_NOT_NULL:
        return f"(v{column.place} IS NOT NULL)"
    if column.kind is Kind.TEXT:
        matches = _text_predicate(condition, f"x{column.place}")
    elif column.kind is Kind.DATE:
        matches = _date_predicate(condition, cell)
    else:
        matches = _number_predicate(condition, cell)
    return f"coalesce({matches}, false)"


def _text_predicate(condition: BoundCondition, text: str) -> str:
    texts = [f"lower({literal(str(operand))})" for operand in condition.operands]
    match condition.written.operator:
        case Operator.EQUALS | Operator.IN:
            return f"{text} IN ({', '.join(texts)})"
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return f"{text} NOT IN ({', '.join(texts)})"
        case Operator.CONTAINS:
            return f"strpos({text}, {texts[0]}) > 0"
        case Operator.NOT_CONTAINS:
            return f"strpos({text}, {texts[0]}) = 0"
        case Operator.STARTS_WITH:
            return f"left({text}, length({texts[0]})) = {texts[0]}"
        case _:
            return f"right({text}, length({texts[0]})) = {texts[0]}"


def _number_predicate(condition: BoundCondition, cell: Cell) -> str:
    numbers = [operand for operand in condition.operands if isinstance(operand, Decimal)]
    types = [_exact_type(number, condition.column, cell) for number in numbers]
    if all(types):
        value = f"v{condition.column.place}"
        literals = [
            f"CAST({literal(format(number, 'f'))} AS {data_type})"
            for number, data_type in zip(numbers, types, strict=True)
        ]
    else:
        value = f"k{condition.column.place}"
        literals = [f"number_key({literal(str(number))})" for number in numbers]
    return _compare(condition.written.operator, value, [(number, None) for number in literals])


def _exact_type(number: Decimal, column: InputColumn, cell: Cell) -> str | None:
    """The type in which number and column compare exactly; None if there is none."""
    # Beyond 15 digits a DOUBLE equals numbers that it is not; a DECIMAL rounds what has more
    # decimals than its scale; a BIGINT ends at 18 digits.
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > 30 or len(digits) > 30:
        return None
    whole = number == number.to_integral_value()
    places = len(digits) + max(exponent, 0)
    data_type = column.field.type
    if column.logical_type:
        if cell.precision is Precision.EXACT:
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


def _date_predicate(condition: BoundCondition, cell: Cell) -> str:
    place = condition.column.place
    days = [operand for operand in condition.operands if isinstance(operand, Instant)]
    data_type = condition.column.field.type
    nanoseconds = pa.types.is_timestamp(data_type) and data_type.unit == "ns"
    # A TIMESTAMP has microseconds: anything finer is compared by its exact key.
    exact = (
        nanoseconds
        or (condition.column.logical_type is not None and cell.precision is Precision.EXACT)
        or any(len(day.fraction) > 6 for day in days)
    )
    as_sql = _instant_key if exact else _timestamp
    spans = [(as_sql(day), as_sql(day.end) if day.whole_day else None) for day in days]
    return _compare(condition.written.operator, f"{'k' if exact else 'v'}{place}", spans)


def _instant_key(instant: Instant) -> str:
    return f"row({instant.seconds}::BIGINT, {literal(instant.fraction)})"


def _timestamp(instant: Instant) -> str:
    micros = instant.seconds * 1_000_000 + int(instant.fraction.ljust(6, "0") or 0)
    return f"make_timestamp({micros}::BIGINT)"


# A number or a time is a point, its second value None. A day goes to the next midnight.
Span = tuple[str, str | None]


def _compare(operator: Operator, value: str, spans: Sequence[Span]) -> str:
    """Compare a value with spans: from the first value to before the second, or one point."""

    def inside(span: Span) -> str:
        begin, end = span
        return f"{value} = {begin}" if end is None else f"({value} >= {begin} AND {value} < {end})"

    def below_end(span: Span) -> str:
        begin, end = span
        return f"{value} <= {begin}" if end is None else f"{value} < {end}"

    first, last = spans[0], spans[-1]
    match operator:
        case Operator.EQUALS | Operator.IN:
            return " OR ".join(map(inside, spans))
        case Operator.NOT_EQUALS | Operator.NOT_IN:
            return f"NOT ({' OR '.join(map(inside, spans))})"
        case Operator.LESS_THAN:
            return f"{value} < {first[0]}"
        case Operator.GREATER_OR_EQUAL:
            return f"{value} >= {first[0]}"
        case Operator.LESS_OR_EQUAL:
            return below_end(first)
        case Operator.GREATER_THAN:
            return f"NOT ({below_end(first)})"
        case _:
            return f"{value} >= {first[0]} AND {below_end(last)}"
