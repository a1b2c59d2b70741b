"""Read a rules file: JSON or TOML becomes a `RuleBook`.

The parser collects every fault of the file's shape, so that one check shows them all. Whether
columns and values fit is decided when the rules are bound.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from marketpulse.colors.columns import suggest
from marketpulse.colors.rules.examples import parse_examples
from marketpulse.colors.rules.model import (
    OPERATORS,
    VALUELESS,
    Condition,
    Operator,
    Rule,
    RuleBook,
    RuleFault,
    place_in,
    repeated_id,
)
from marketpulse.colors.rules.values import parse_id, show_value
from marketpulse.errors import NotFoundError, RulesError, address_hint
from marketpulse.formats.nesting import check_nesting, refuse_repeated_keys

# The signs of other languages. A rules file has words, so a sign only brings a suggestion.
_SIGNS = {
    "=": Operator.EQUALS,
    "==": Operator.EQUALS,
    "!=": Operator.NOT_EQUALS,
    "<>": Operator.NOT_EQUALS,
    "<": Operator.LESS_THAN,
    ">": Operator.GREATER_THAN,
    "<=": Operator.LESS_OR_EQUAL,
    ">=": Operator.GREATER_OR_EQUAL,
}
_SHAPE = 'a rules file is JSON such as {"rules": [...]}, or TOML if its name ends in .toml'
_CONNECTORS = ("where", "and", "or")
_ANY_COLUMN = Operator.IS_NULL  # every column has this operator, and it takes no value


def read_rules(path: Path) -> RuleBook:
    """Read a JSON or TOML file. Its faults are in the result; `require_rules` raises them.

    Raises `NotFoundError` if the file cannot be opened, and `RulesError` if it cannot be parsed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"{path}: the rules cannot be read: {error.strerror}",
            hint="rules are read from a file here: download it first"
            if address_hint(path)
            else "--rules takes a file, JSON or TOML: check its name and its permissions",
            check="MP-SRC-005",
        ) from error
    return parse_rules(content, str(path), is_toml=path.suffix.lower() == ".toml")


def parse_rules(content: bytes, name: str, *, is_toml: bool | None = None) -> RuleBook:
    """Parse the content of a rules file. If nobody says whether it is TOML, TOML is what parses so.

    Raises `RulesError` if it cannot be parsed.
    """
    try:
        text = content.decode("utf-8-sig")
        if is_toml is None:
            is_toml = _is_toml(text)
        document = tomllib.loads(text, parse_float=Decimal) if is_toml else _load_json(text)
    except UnicodeDecodeError as error:
        raise RulesError(
            f"{name}: byte {error.start} is not UTF-8", hint="save the rules as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RulesError(f"{name}: {place}: invalid JSON: {error.msg}", hint=_SHAPE) from None
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{name}: invalid TOML: {error}", hint=_SHAPE) from None
    except UnicodeEncodeError as error:
        surrogate = ascii(error.object[error.start])
        raise RulesError(f"{name}: {surrogate} is half a character") from None
    except InvalidOperation:
        raise RulesError(f"{name}: a number is too large") from None
    except RecursionError:
        raise RulesError(f"{name}: the values are nested too deeply") from None
    except ValueError as error:
        raise RulesError(f"{name}: {error}") from None
    return rules_from(document, name)


def _is_toml(text: str) -> bool:
    try:
        return bool(tomllib.loads(text))
    except (ValueError, RecursionError):
        return False


def rules_from(document: object, name: str = "rules") -> RuleBook:
    """The rules of `{"rules": [...]}` or of the array alone, parsed from JSON or TOML."""
    if not isinstance(document, Mapping):
        document = {"rules": document}
    written_rules = document.get("rules")
    if not isinstance(written_rules, list):
        message = 'a rules file looks like {"rules": [...]}; this one has no list "rules"'
        return RuleBook(name, (), (RuleFault("", message),))
    rules: list[Rule] = []
    broken: list[Rule] = []
    faults: list[RuleFault] = []
    for number, written in enumerate(written_rules, 1):
        rule, rule_faults = _parse_rule(written, number)
        faults += rule_faults
        if rule is None:
            continue
        if fault := repeated_id(rule, (*rules, *broken)):
            faults.append(fault)
        (broken if rule_faults else rules).append(rule)
    examples, example_faults = parse_examples(document.get("examples"))
    return RuleBook(
        name,
        tuple(rules),
        tuple(faults),
        broken=tuple(broken),
        examples=examples,
        example_faults=example_faults,
    )


def join_books(books: Sequence[RuleBook]) -> RuleBook:
    """The rules of several files as one book, in the order of the files.

    Places begin with the name of their file. An id that two files use is a fault.
    """
    if len(books) == 1:
        return books[0]
    rules: list[Rule] = []
    broken: list[Rule] = []
    faults: list[RuleFault] = []
    for book in books:
        faults += [replace(fault, place=place_in(book.name, fault.place)) for fault in book.faults]
        own = [_in_file(rule, book.name) for rule in book.rules]
        own_broken = [_in_file(rule, book.name) for rule in book.broken]
        # Ids that a file itself repeats are among its own faults.
        earlier = (*rules, *broken)
        faults += [fault for rule in own + own_broken if (fault := repeated_id(rule, earlier))]
        rules += own
        broken += own_broken
    return RuleBook(
        ", ".join(book.name for book in books),
        tuple(rules),
        tuple(faults),
        broken=tuple(broken),
        files=len(books),
        examples=tuple(
            replace(example, place=place_in(book.name, example.place))
            for book in books
            for example in book.examples
        ),
        example_faults=tuple(
            replace(fault, place=place_in(book.name, fault.place))
            for book in books
            for fault in book.example_faults
        ),
    )


def _in_file(rule: Rule, file: str) -> Rule:
    conditions = [
        replace(condition, place=place_in(file, condition.place)) for condition in rule.conditions
    ]
    return replace(rule, file=file, conditions=tuple(conditions))


def _load_json(text: str) -> object:
    check_nesting(text)
    # Every number is a Decimal: a float would round what a rule compares exactly.
    document = json.loads(
        text,
        parse_float=Decimal,
        parse_int=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=refuse_repeated_keys,
    )
    # JSON can spell half of a surrogate pair (\ud83c), which cannot be written as UTF-8.
    json.dumps(document, ensure_ascii=False, default=str).encode()
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _parse_rule(written: object, number: int) -> tuple[Rule | None, list[RuleFault]]:
    """The rule and its faults. With faults it has the conditions that can be read all the same."""
    place = f"rule number {number}"
    if not isinstance(written, Mapping):
        return None, [RuleFault(place, 'a rule is an object with "id", "name" and "conditions"')]
    identity = parse_id(written.get("id"))
    name = written.get("name")
    active = written.get("is_active")
    conditions = written.get("conditions")
    messages = []
    if identity is None:
        messages.append('"id" must be a whole number or text')
    if not isinstance(name, str) or not name.strip():
        messages.append('"name" must be text')
    if not isinstance(active, bool):
        messages.append('"is_active" must be true or false')
    if not isinstance(conditions, list) or not conditions:
        messages.append('"conditions" must be a list of at least one condition')
    rule = None
    faults = [RuleFault(f"rule {identity}" if identity else place, text) for text in messages]
    if not messages and identity is not None and isinstance(conditions, list):
        rule = Rule(id=identity, name=str(name), active=bool(active), conditions=())
        rule, faults = _with_conditions(rule, conditions)
    return rule, [fault.demote() for fault in faults] if active is False else faults


def _with_conditions(rule: Rule, written: list[object]) -> tuple[Rule, list[RuleFault]]:
    conditions: list[Condition] = []
    faults: list[RuleFault] = []
    for position, document in enumerate(written, 1):
        place = f"{rule.place}, condition {position}"
        condition, condition_faults = _parse_condition(document, position, place)
        conditions += [condition] if condition else []
        faults += condition_faults
    return replace(rule, conditions=tuple(conditions)), faults


def _parse_condition(
    written: object, position: int, place: str
) -> tuple[Condition | None, list[RuleFault]]:
    """The condition and its faults. With faults it says no more than which column it is about."""
    if not isinstance(written, Mapping):
        message = 'a condition is an object with "type", "column", "operator" and "value"'
        return None, [RuleFault(place, message)]
    messages = []
    connector, column = written.get("type"), written.get("column")
    expected = _CONNECTORS[:1] if position == 1 else _CONNECTORS[1:]
    if not isinstance(connector, str) or connector.strip().lower() not in expected:
        choice = " or ".join(map(repr, expected))
        messages.append(f'"type" is {show_value(connector)}, expected {choice}')
    has_column = isinstance(column, str) and column.strip() != ""
    if not has_column:
        messages.append(f'"column" is {show_value(column)}, expected the name of a column')
    operator = _parse_operator(written.get("operator"))
    keys = _value_keys(operator) if isinstance(operator, Operator) else ()
    if not isinstance(operator, Operator):
        messages.append(operator)
    elif not messages:
        messages += [
            f'"{key}" is missing: the operator {operator.value!r} needs it'
            for key in keys
            if _is_missing(written.get(key))
        ]
    is_whole = not messages
    condition = Condition(
        place=place,
        connector=str(connector).strip().lower(),
        column=str(column),
        operator=operator if isinstance(operator, Operator) and is_whole else _ANY_COLUMN,
        values=tuple(written[key] for key in keys) if is_whole else (),
    )
    return condition if has_column else None, [RuleFault(place, text) for text in messages]


def _value_keys(operator: Operator) -> tuple[str, ...]:
    if operator in VALUELESS:
        return ()
    return ("value", "value2") if operator is Operator.BETWEEN else ("value",)


def _parse_operator(written: object) -> Operator | str:
    """The operator, or the message that says why it is not one."""
    if not isinstance(written, str):
        return f'"operator" is {show_value(written)}, expected a word such as "equals"'
    folded = " ".join(written.lower().replace("_", " ").split())
    if folded in OPERATORS:
        return OPERATORS[folded]
    known = {spelling: repr(operator.value) for spelling, operator in (OPERATORS | _SIGNS).items()}
    hint = suggest(folded, known) or f"; the operators are {', '.join(Operator)}"
    return f"{written!r} is not an operator{hint}"


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value == []
