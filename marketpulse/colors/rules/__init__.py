"""Exclusion rules: which colors leave before the ranking.

    parse    a JSON or TOML file becomes a `RuleBook`, its examples too
    bind     each condition finds its column, its values become operands of the column's kind
    lint     warnings: never matches, contradicts itself, is shadowed
    model    what all of these pass on

`colors.ranking` turns bound rules into SQL.
"""

from marketpulse.colors.rules.bind import bind_rules, require_rules
from marketpulse.colors.rules.model import (
    NO_RULES,
    OPERATORS,
    BoundCondition,
    BoundRule,
    BoundRules,
    CheckedRules,
    Example,
    Operator,
    RuleBook,
    RuleFault,
)
from marketpulse.colors.rules.operands import Instant, describe_operand
from marketpulse.colors.rules.parse import join_books, parse_rules, read_rules, rules_from

__all__ = [
    "NO_RULES",
    "OPERATORS",
    "BoundCondition",
    "BoundRule",
    "BoundRules",
    "CheckedRules",
    "Example",
    "Instant",
    "Operator",
    "RuleBook",
    "RuleFault",
    "bind_rules",
    "describe_operand",
    "join_books",
    "parse_rules",
    "read_rules",
    "require_rules",
    "rules_from",
]
