"""Prepare a run: open the input, find its columns, check the rules. No row is read yet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketpulse.colors.arrivals import Arrivals
from marketpulse.colors.columns import (
    Columns,
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
from marketpulse.colors.spellings import parse_date_forms
from marketpulse.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """An input with its columns, the rules on them, and the engine that runs them."""

    color_input: ColorInput
    columns: Columns
    book: RuleBook
    rules: tuple[BoundRule, ...]
    warnings: tuple[RuleFault, ...]
    other_rules: tuple[BoundRule, ...]
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    types: dict[str, str]
    engine: Engine


@contextmanager
def prepare(
    data: object, options: RunOptions, other_book: RuleBook = NO_RULES
) -> Iterator[PreparedRun]:
    """Prepare a run; leaving the context closes input and engine.

    The rules of `other_book` exclude nothing: they are there to be compared.
    Raises `UsageError`, `NotFoundError`, `RulesError` or `DataError`.
    """
    memory_limit = options.memory_limit
    memory = None if memory_limit is None else parse_memory_limit(memory_limit)
    hierarchy = parse_hierarchy(options.hierarchy)
    mapping = parse_mapping(_pairs(options.mapping))
    types = parse_types(_pairs(options.types))
    book = rule_book(options.rules)
    forms = parse_date_forms(options.date_formats)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="marketpulse-"))
        color_input = open_input(data, stack, options, mapping)
        if options.again:
            color_input = select_columns(color_input, without_run_columns(color_input.schema))
        columns = resolve_columns(
            color_input.schema, mapping, color_input.notes.first_rows, types=types
        )
        columns = columns.permit(forms, rounded_ids=options.accept_rounded_ids)
        rules, warnings = require_rules(book, columns)
        other_rules, _ = require_rules(other_book, columns)
        arrivals = stack.enter_context(closing(Arrivals(color_input, Path(folder), memory)))
        engine = Engine(arrivals, columns, rules, hierarchy, other_rules)
        yield PreparedRun(
            color_input=color_input,
            columns=columns,
            book=book,
            rules=rules,
            warnings=warnings,
            other_rules=other_rules,
            hierarchy=hierarchy,
            mapping=mapping,
            types={name: kind.value for name, kind in types.items()},
            engine=engine,
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
