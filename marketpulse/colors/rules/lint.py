"""Lint bound rules: conditions that can never be true, and rules that an earlier one shadows.

A linted rule is valid, but it hardly does what its author meant. So these faults are warnings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from marketpulse.colors.columns import Kind
from marketpulse.colors.rules.model import BoundCondition, BoundRule, Operator, RuleFault
from marketpulse.colors.rules.operands import Instant, Operand

Bound = tuple[Decimal, bool]  # a limit of a range, and whether the limit itself is outside


def lint_rule(rule: BoundRule, earlier: Iterable[BoundRule]) -> list[RuleFault]:
    """Warnings about a rule, given the active rules before it."""
    place, conditions = rule.rule.place, rule.conditions
    warnings = [warning for condition in conditions for warning in _lint_condition(condition)]
    # With `or` a condition that is false can be made up for, so nothing is certain.
    if all(condition.written.connector != "or" for condition in conditions):
        warnings += [
            RuleFault(
                place, f"never matches: its conditions on {name} contradict each other", False
            )
            for name in _contradictory_columns(conditions)
        ]
    meaning = _meaning(rule)
    for other in earlier:
        if _meaning(other) == meaning:
            message = f"takes no row: {other.rule.place} has the same conditions and comes first"
            warnings.append(RuleFault(place, message, fatal=False))
            break
    return warnings


def _lint_condition(condition: BoundCondition) -> Iterator[RuleFault]:
    operator, place = condition.written.operator, condition.written.place
    if operator is Operator.BETWEEN:
        low, high = map(_sort_key, condition.operands)
        if low > high:
            message = "never matches: the first value is above the second"
            yield RuleFault(place, message, fatal=False)
    equality = operator in {Operator.EQUALS, Operator.IN}
    whole = condition.column.kind is Kind.INTEGER
    if equality and whole and all(map(_is_fractional, condition.operands)):
        message = f"never matches: {condition.column.label} holds whole numbers"
        yield RuleFault(place, message, fatal=False)


def _contradictory_columns(conditions: Sequence[BoundCondition]) -> Iterator[str]:
    """The columns for which conditions joined by `and` cannot all be true."""
    operators: defaultdict[str, set[Operator]] = defaultdict(set)
    equal: defaultdict[str, set[object]] = defaultdict(set)
    for condition in conditions:
        name, operator = condition.column.label, condition.written.operator
        operators[name].add(operator)
        if operator is Operator.EQUALS:
            operand = condition.operands[0]
            # A time and its whole day do not contradict each other.
            equal[name].add(operand.day if isinstance(operand, Instant) else _fold(operand))
    empty = _empty_ranges(conditions)
    for name, used in operators.items():
        null_and_value = Operator.IS_NULL in used and len(used) > 1
        if null_and_value or len(equal[name]) > 1 or name in empty:
            yield name


def _empty_ranges(conditions: Iterable[BoundCondition]) -> set[str]:
    """The columns for which no number is within all limits."""
    lows: defaultdict[str, list[Bound]] = defaultdict(list)
    highs: defaultdict[str, list[Bound]] = defaultdict(list)
    for condition in conditions:
        name, operator = condition.column.label, condition.written.operator
        numbers = [operand for operand in condition.operands if isinstance(operand, Decimal)]
        if not numbers or numbers[0] > numbers[-1]:  # which the condition's own warning says
            continue
        match operator:
            case Operator.EQUALS | Operator.BETWEEN:
                lows[name].append((numbers[0], False))
                highs[name].append((numbers[-1], False))
            case Operator.GREATER_THAN | Operator.GREATER_OR_EQUAL:
                lows[name].append((numbers[0], operator is Operator.GREATER_THAN))
            case Operator.LESS_THAN | Operator.LESS_OR_EQUAL:
                highs[name].append((numbers[0], operator is Operator.LESS_THAN))
    return {
        name
        for name in lows
        for low, low_outside in lows[name]
        for high, high_outside in highs[name]
        if low > high or (low == high and (low_outside or high_outside))
    }


def _is_fractional(operand: Operand) -> bool:
    return isinstance(operand, Decimal) and operand != operand.to_integral_value()


def _fold(operand: Operand) -> Operand:
    return operand.lower() if isinstance(operand, str) else operand


def _sort_key(operand: Operand) -> tuple[Decimal, str]:
    """A key that orders numbers or instants as the engine does."""
    if isinstance(operand, Instant):
        return Decimal(operand.seconds), operand.fraction
    return Decimal(operand), ""


def _meaning(rule: BoundRule) -> list[tuple[object, ...]]:
    """Two rules with the same meaning match the same rows."""
    return [
        (
            condition.written.connector,
            condition.column.name,
            condition.written.operator,
            tuple(map(_fold, condition.operands)),
        )
        for condition in rule.conditions
    ]
