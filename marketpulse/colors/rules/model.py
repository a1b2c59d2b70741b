"""What a rules file holds: rules, their conditions, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import NamedTuple

from marketpulse.colors.columns import InputColumn
from marketpulse.colors.rules.operands import Operand


class Operator(StrEnum):
    """How a condition compares a cell with its value."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    LESS_THAN = "less_than"
    GREATER_THAN = "greater_than"
    LESS_OR_EQUAL = "less_or_equal"
    GREATER_OR_EQUAL = "greater_or_equal"
    BETWEEN = "between"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    IN = "in"
    NOT_IN = "not_in"
    IS_NULL = "is_null"
    IS_NOT_NULL = "is_not_null"


_SPELLINGS: dict[Operator, tuple[str, ...]] = {
    Operator.EQUALS: ("equal to", "is equal to", "eq"),
    Operator.NOT_EQUALS: ("not equal to", "is not equal to", "ne"),
    Operator.LESS_THAN: ("is less than", "lt"),
    Operator.GREATER_THAN: ("is greater than", "gt"),
    Operator.LESS_OR_EQUAL: ("less than equal to", "lte"),
    Operator.GREATER_OR_EQUAL: ("greater than equal to", "gte"),
    Operator.NOT_CONTAINS: ("does not contain",),
}
# All spellings in lower case, with blanks instead of underscores.
OPERATORS = {operator.value.replace("_", " "): operator for operator in Operator} | {
    spelling: operator for operator, spellings in _SPELLINGS.items() for spelling in spellings
}
# Which operators a kind of column lacks, and how many values an operator takes.
ORDERING = frozenset(
    {
        Operator.LESS_THAN,
        Operator.GREATER_THAN,
        Operator.LESS_OR_EQUAL,
        Operator.GREATER_OR_EQUAL,
        Operator.BETWEEN,
    }
)
MATCHING = frozenset(
    {Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH}
)
LISTS = frozenset({Operator.IN, Operator.NOT_IN})
VALUELESS = frozenset({Operator.IS_NULL, Operator.IS_NOT_NULL})


@dataclass(frozen=True)
class RuleFault:
    """What is wrong with a rules file, and where. A fatal fault stops a run."""

    place: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    def demote(self) -> RuleFault:
        """The same fault as a warning, because the rule is switched off."""
        return RuleFault(self.place, f"{self.message} (switched off)", fatal=False)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition as the file writes it, with a known operator."""

    place: str
    connector: str
    column: str
    operator: Operator
    values: tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as the file writes it."""

    id: str
    name: str
    active: bool
    conditions: tuple[Condition, ...]
    file: str = ""  # only if the rules come from several files

    @property
    def place(self) -> str:
        """How messages name the rule."""
        return place_in(self.file, f"rule {self.id} ({self.name!r})")


@dataclass(frozen=True, kw_only=True)
class Example:
    """A row of an example, and what has to happen to it."""

    place: str
    row: Mapping[str, object]
    outcome: str  # kept, excluded, rejected
    rule: str | None  # the id of the rule that excludes the row, if the example names it


@dataclass(frozen=True)
class RuleBook:
    """The rules of one or several files in their order, and the faults of their shape.

    `broken` are the rules with faults, with those of their conditions that can be read. They
    exclude nothing, but what can be read is checked, so that one check shows all faults.
    """

    name: str
    rules: tuple[Rule, ...]
    faults: tuple[RuleFault, ...] = ()
    broken: tuple[Rule, ...] = ()
    files: int = 1
    examples: tuple[Example, ...] = ()
    example_faults: tuple[RuleFault, ...] = ()  # a run does not read the examples


NO_RULES = RuleBook("no rules", ())


def place_in(file: str, place: str) -> str:
    """A place as messages name it, after the name of its file."""
    return ": ".join(part for part in (file, place) if part)


def repeated_id(rule: Rule, earlier: Iterable[Rule]) -> RuleFault | None:
    """The fault of a rule whose id an earlier rule has, too. It is fatal if both are active."""
    same = [other for other in earlier if other.id == rule.id]
    if not same:
        return None
    first = next((other for other in same if other.active), same[0])
    where = f" in {first.file}" if first.file else ""
    return RuleFault(
        rule.place,
        f"an earlier rule{where} has the same id",
        fatal=rule.active and first.active,
    )


@dataclass(frozen=True)
class BoundCondition:
    """A condition on a column of an input, with operands of the column's kind."""

    written: Condition
    column: InputColumn
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class BoundRule:
    """A rule on the columns of an input."""

    rule: Rule
    conditions: tuple[BoundCondition, ...]


class BoundRules(NamedTuple):
    """The active rules of a file on the columns of an input, and all faults of the file."""

    rules: tuple[BoundRule, ...]
    faults: tuple[RuleFault, ...]


@dataclass(frozen=True)
class CheckedRules:
    """The result of checking a rules file without an input."""

    name: str
    active: int
    inactive: int
    examples: int
    faults: tuple[RuleFault, ...]

    @property
    def errors(self) -> int:
        """How many faults would stop a run."""
        return sum(fault.fatal for fault in self.faults)

    def as_json(self) -> dict[str, object]:
        """The check as `--format json` shows it."""
        return {**asdict(self), "errors": self.errors}
