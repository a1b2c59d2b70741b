"""Prepare a run: open the input, find its columns, check the rules. No row is read yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from marketpulse.atomic import TemporaryFolder
from marketpulse.colors.arrivals import Arrivals
from marketpulse.colors.cell_readings import cell_readings
from marketpulse.colors.columns import (
    Columns,
    Kind,
    parse_hierarchy,
    parse_mapping,
    parse_types,
    resolve_columns,
    without_run_columns,
)
from marketpulse.colors.engine import Engine
from marketpulse.colors.inputs import ColorInput, open_input, select_columns
from marketpulse.colors.memory import parse_memory_limit
from marketpulse.colors.options import RunOptions
from marketpulse.colors.rules import (
    NO_RULES,
    BoundRule,
    RuleBook,
    RuleFault,
    join_books,
    read_rules,
    require_rules,
    rules_from,
)
from marketpulse.colors.spellings import DateForm, parse_date_forms
from marketpulse.errors import UsageError
from marketpulse.model import NO_PROGRESS, CellReading, FileNotes, Progress


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What a run does with rows of some columns: their roles, the rules on them, the order."""

    columns: Columns
    book: RuleBook
    rules: tuple[BoundRule, ...]
    warnings: tuple[RuleFault, ...]
    other_rules: tuple[BoundRule, ...]
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    types: dict[str, str]

    def make_engine(self, arrivals: Arrivals) -> Engine:
        """An engine that runs the plan on these rows."""
        return Engine(arrivals, self.columns, self.rules, self.hierarchy)


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """The options of a run that decide what becomes of rows, checked without an input."""

    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    types: dict[str, Kind]
    book: RuleBook
    date_forms: Mapping[str | None, DateForm]
    rounded_ids: bool

    def cell_readings(self) -> dict[str, CellReading]:
        """How a condition reads the cells of files: as the values that ranking sees."""
        return cell_readings(
            self.mapping,
            types=self.types,
            date_forms=self.date_forms,
            rounded_ids=self.rounded_ids,
        )

    def plan(self, schema: pa.Schema, notes: FileNotes, other_book: RuleBook = NO_RULES) -> RunPlan:
        """The plan for rows of this schema. Raises `DataError` or `RulesError`."""
        columns = resolve_columns(schema, self.mapping, notes.first_rows, types=self.types)
        columns = columns.permit(self.date_forms, rounded_ids=self.rounded_ids)
        rules, warnings = require_rules(self.book, columns)
        other_rules, _ = require_rules(other_book, columns)
        return RunPlan(
            columns=columns,
            book=self.book,
            rules=rules,
            warnings=warnings,
            other_rules=other_rules,
            hierarchy=self.hierarchy,
            mapping=self.mapping,
            types={name: kind.value for name, kind in self.types.items()},
        )


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """An input, the plan for it, and the engine that runs it."""

    color_input: ColorInput
    plan: RunPlan
    engine: Engine

    @property
    def columns(self) -> Columns:
        """The columns of the plan."""
        return self.plan.columns

    @property
    def rules(self) -> tuple[BoundRule, ...]:
        """The active rules of the plan."""
        return self.plan.rules


@contextmanager
def prepare(
    data: object,
    options: RunOptions,
    other_book: RuleBook = NO_RULES,
    progress: Progress = NO_PROGRESS,
) -> Iterator[PreparedRun]:
    """Prepare a run; leaving the context closes input and engine.

    The rules of `other_book` exclude nothing: they are there to be compared. `progress` counts the
    rows as they are read.
    Raises `UsageError`, `NotFoundError`, `RulesError` or `DataError`.
    """
    memory_limit = options.memory_limit
    memory = None if memory_limit is None else parse_memory_limit(memory_limit)
    request = parse_request(options)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryFolder())
        color_input = open_input(data, stack, options, request.cell_readings())
        if options.again:
            color_input = select_columns(color_input, without_run_columns(color_input.schema))
        plan = request.plan(color_input.schema, color_input.read_notes(), other_book)
        color_input = color_input.with_progress(progress)
        arrivals = stack.enter_context(closing(Arrivals(color_input, Path(folder), memory)))
        yield PreparedRun(color_input=color_input, plan=plan, engine=plan.make_engine(arrivals))


def parse_request(options: RunOptions) -> RunRequest:
    """What the options ask for. Raises `UsageError`, `NotFoundError` or `RulesError`."""
    return RunRequest(
        hierarchy=parse_hierarchy(options.hierarchy),
        mapping=parse_mapping(_pairs(options.mapping)),
        types=parse_types(_pairs(options.types)),
        book=rule_book(options.rules),
        date_forms=parse_date_forms(options.date_formats),
        rounded_ids=options.accept_rounded_ids,
    )


def rule_book(rules: object) -> RuleBook:
    """The rules of one or several files, documents or books, in their order.

    Raises what `read_rules` raises, and `UsageError` if it is none of these.
    """
    if rules is None:
        return NO_RULES
    if isinstance(rules, RuleBook):
        return rules
    if isinstance(rules, str | Path):
        return read_rules(Path(rules))
    if isinstance(rules, Mapping) or _is_array_of_rules(rules):
        return rules_from(rules)
    if isinstance(rules, list | tuple):
        return join_books([rule_book(part) for part in rules]) if rules else NO_RULES
    raise UsageError(
        f"rules: {type(rules).__name__} is neither a path nor the content of a rules file",
        hint='give a path, {"rules": [...]}, or a list of these',
    )


def _is_array_of_rules(rules: object) -> bool:
    """Whether this is the content of a file that is a bare array."""
    return (
        isinstance(rules, list)
        and bool(rules)
        and all(isinstance(rule, Mapping) and "rules" not in rule for rule in rules)
    )


def _pairs(pairs: Mapping[str, str] | Sequence[str]) -> Sequence[str]:
    """The pairs of a mapping as NAME=VALUE."""
    if isinstance(pairs, Mapping):
        return [f"{name}={value}" for name, value in pairs.items()]
    return pairs
