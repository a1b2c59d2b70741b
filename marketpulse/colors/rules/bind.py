"""Bind rules to the columns of an input: find each column, check operator and values.

Rules fail closed. A rule that silently matches nothing would publish what it should exclude, so
an unknown column, an operator that the column lacks, or a value of another kind is a fault.
"""

from __future__ import annotations

import pyarrow as pa

from marketpulse.colors.cells import ARTICLES
from marketpulse.colors.columns import CONTRACT, Columns, InputColumn, Kind, suggest
from marketpulse.colors.rules.lint import lint_rule
from marketpulse.colors.rules.model import (
    LISTS,
    MATCHING,
    ORDERING,
    BoundCondition,
    BoundRule,
    BoundRules,
    Condition,
    Operator,
    RuleBook,
    RuleFault,
)
from marketpulse.colors.rules.operands import Operand, parse_operand
from marketpulse.colors.rules.values import show_value
from marketpulse.errors import RulesError, command_line


def bind_rules(book: RuleBook, columns: Columns | None) -> BoundRules:
    """The active rules on an input's columns, and all faults of the book.

    Without `columns` the rules are checked against the contract. A column beyond the contract is
    then only a warning, because the input may have it.
    """
    rules: list[BoundRule] = []
    faults = list(book.faults)
    for rule in book.broken:
        results = [_bind_condition(condition, columns) for condition in rule.conditions]
        more = [result for result in results if isinstance(result, RuleFault)]
        faults += more if rule.active else [fault.demote() for fault in more]
    for rule in book.rules:
        results = [_bind_condition(condition, columns) for condition in rule.conditions]
        rule_faults = [result for result in results if isinstance(result, RuleFault)]
        if not rule_faults:
            conditions = [result for result in results if isinstance(result, BoundCondition)]
            bound = BoundRule(rule, tuple(conditions))
            rule_faults = lint_rule(bound, rules)
            # A rule that is switched off is checked, but shadows no other.
            if rule.active:
                rules.append(bound)
        faults += rule_faults if rule.active else [fault.demote() for fault in rule_faults]
    return BoundRules(tuple(rules), tuple(faults))


def require_rules(book: RuleBook, columns: Columns) -> BoundRules:
    """The active rules on an input's columns, and the warnings.

    Raises `RulesError` with the first fatal fault and the number of the others.
    """
    rules, faults = bind_rules(book, columns)
    fatal = [fault for fault in faults if fault.fatal]
    if fatal:
        more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
        place = str(fatal[0]) if book.files > 1 else f"{book.name}: {fatal[0]}"
        is_file = book.files == 1 and book.name.endswith((".json", ".toml"))
        file = command_line([book.name]) if is_file else "FILE"
        raise RulesError(
            f"{place}{more}",
            hint=f"`marketpulse rules check {file}` lists every fault of a rules file",
        )
    return BoundRules(rules, tuple(fault for fault in faults if not fault.fatal))


def _bind_condition(condition: Condition, columns: Columns | None) -> BoundCondition | RuleFault:
    column = _find_column(condition, columns)
    if isinstance(column, RuleFault):
        return column
    kind, operator = column.kind, condition.operator
    if operator in (ORDERING if kind is Kind.TEXT else MATCHING):
        return RuleFault(
            condition.place,
            f"{column.label} is {_describe_column(kind)}, which has no operator "
            f"{operator.value!r}; {_instead(condition, kind)}",
        )
    values = condition.values
    if operator in LISTS:  # the only operators that take a list; it is their single value
        values = _list_items(values[0])
    operands: list[Operand] = []
    for position, value in enumerate(values, 1):
        operand = parse_operand(value, kind)
        if operand is None:
            element = f"element {position} of the list: " if operator in LISTS else ""
            return RuleFault(
                condition.place,
                f"{element}{show_value(value)} is not {ARTICLES[kind]}, "
                f"and {column.label} is {_describe_column(kind)}",
            )
        operands.append(operand)
    return BoundCondition(condition, column, tuple(operands))


def _find_column(condition: Condition, columns: Columns | None) -> InputColumn | RuleFault:
    name = condition.column
    if columns is not None:
        column = columns.find(name)
        message = f"the input has no column {name!r}{columns.suggest(name)}"
        return column or RuleFault(condition.place, message)
    role = name.strip().upper()
    if role in CONTRACT:
        return InputColumn(
            place=0, field=pa.field(role, pa.string()), role=role, kind=CONTRACT[role]
        )
    guess = suggest(name, {known.casefold(): known for known in CONTRACT})
    return RuleFault(
        condition.place,
        f"{name!r} is not a column of the contract{guess}; "
        "check it against an input with `rules test`",
        fatal=False,
    )


def _instead(condition: Condition, kind: Kind) -> str:
    """What to write instead of an operator that this kind of column lacks."""
    lacking = ORDERING if kind is Kind.TEXT else MATCHING
    value = condition.values[0]
    if kind is Kind.TEXT or parse_operand(value, kind) is None:
        usable = ", ".join(operator for operator in Operator if operator not in lacking)
        return f"use one of {usable}"
    negated = condition.operator is Operator.NOT_CONTAINS
    equality = Operator.NOT_EQUALS if negated else Operator.EQUALS
    wider = (
        f"or {Operator.LESS_THAN} and {Operator.GREATER_THAN}, joined by or, for a range"
        if negated
        else f"or {Operator.BETWEEN} for a range"
    )
    single = "day" if kind is Kind.DATE else "number"
    return f"write {equality} {show_value(value)} for one {single}, {wider}"


def _describe_column(kind: Kind) -> str:
    article = "an" if kind is Kind.INTEGER else "a"
    return f"{article} {kind.value} column"


def _list_items(value: object) -> tuple[object, ...]:
    """The elements of an array, of text with commas, or of a single value."""
    if isinstance(value, list):
        return tuple(value)
    return tuple(value.split(",")) if isinstance(value, str) else (value,)
