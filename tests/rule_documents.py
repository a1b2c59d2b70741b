"""Rules files for tests: builders, the columns that they are bound to, and their faults."""

import json
from typing import Any

import pyarrow as pa
import pytest
from support import RULES

from marketpulse.colors.columns import CONTRACT, Columns, resolve_columns
from marketpulse.colors.rules import (
    BoundRule,
    RuleBook,
    bind_rules,
    require_rules,
    rules_from,
)
from marketpulse.errors import RulesError

DAY_RULES = json.loads(RULES.read_text(encoding="utf-8"))


NOTE = "NOTE"  # a column beyond the contract


COLUMNS = resolve_columns(pa.schema([(name, pa.string()) for name in (*CONTRACT, NOTE)]), {})


DAY_RULES_AS_TOML = """
[[rules]]
id = 1
name = "No Stonex"
is_active = true
conditions = [{type = "where", column = "Source", operator = "is equal to", value = "stonex"}]

[[rules]]
id = 2
name = "No valuations"
is_active = true
conditions = [{type = "where", column = "BIAS", operator = "contains", value = "valuation"}]

[[rules]]
id = 3
name = "Distressed talk"
is_active = true

[[rules.conditions]]
type = "where"
column = "PX"
operator = "between"
value = "2"
value2 = "50"

[[rules.conditions]]
type = "and"
column = "BIAS"
operator = "starts with"
value = "BWIC"

[[rules]]
id = 4
name = "Switched off"
is_active = false
conditions = [{type = "where", column = "PX", operator = "gt", value = "0"}]

[[rules]]
id = "5"
name = "Left to right"
is_active = true
conditions = [
    {type = "where", column = "SOURCE", operator = "equals", value = "MS"},
    {type = "and", column = "CONFIDENCE", operator = "less than equal to", value = 5},
    {type = "or", column = "NOTE", operator = "equals", value = "TALK ONLY"},
]
"""


def condition(column: str, operator: str, value: object = None, **others: object) -> dict[str, Any]:
    """A first condition."""
    return {"type": "where", "column": column, "operator": operator, "value": value, **others}


def rule(*conditions: object, **others: object) -> dict[str, Any]:
    """An active rule."""
    return {"id": 7, "name": "Seven", "is_active": True, "conditions": list(conditions), **others}


def book(*rules: object) -> RuleBook:
    """A rules file as it comes out of JSON."""
    return rules_from({"rules": list(rules)}, "rules.json")


def faults_of(rules: RuleBook, columns: Columns | None = COLUMNS) -> list[tuple[str, str, bool]]:
    """Place, message and whether it is fatal, of each fault."""
    return [(fault.place, fault.message, fault.fatal) for fault in bind_rules(rules, columns)[1]]


def meaning(rules: tuple[BoundRule, ...]) -> list[object]:
    """What bound rules ask."""
    return [
        (
            bound.rule.id,
            bound.rule.name,
            [
                (
                    part.written.connector,
                    part.column.name,
                    part.written.operator,
                    part.operands,
                )
                for part in bound.conditions
            ],
        )
        for bound in rules
    ]


def operands(column: str, operator: str, value: object, **others: object) -> tuple[object, ...]:
    """What a condition's value is understood as."""
    ((bound,), faults) = bind_rules(
        book(rule(condition(column, operator, value, **others))), COLUMNS
    )
    assert faults == ()
    return bound.conditions[0].operands


def check_fault(wrong: object, message: str) -> None:
    """Check that a condition has this fault, alone, as a second one, and switched off."""
    place = "rule 7 ('Seven'), condition"
    assert faults_of(book(rule(wrong))) == [(f"{place} 1", message, True)]
    if isinstance(wrong, dict) and wrong.get("type") == "where":
        second = faults_of(book(rule(condition("PX", "gt", 1), {**wrong, "type": "and"})))
        assert second == [(f"{place} 2", message, True)]
    with pytest.raises(RulesError) as refused:
        require_rules(book(rule(wrong)), COLUMNS)
    assert refused.value.message == f"rules.json: {place} 1: {message}"
    assert refused.value.exit_code == 7

    switched_off = book(rule(wrong, is_active=False))
    (fault,) = faults_of(switched_off)
    assert fault == (f"{place} 1", f"{message} (switched off)", False)
    bound, warnings = require_rules(switched_off, COLUMNS)
    assert bound == ()
    assert [str(warning) for warning in warnings] == [f"{fault[0]}: {fault[1]}"]
