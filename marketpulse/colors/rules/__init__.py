"""Exclusion rules: read, checked to the last word before any row is read, and turned into SQL.

Rules fail closed. A rule that would silently match nothing publishes what should be excluded, so
an unknown column, operator or key, or a value that the column cannot have, is a fault.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from textwrap import shorten
from typing import Any

from marketpulse.colors import cells
from marketpulse.colors.columns import CONTRACT, Columns, InputColumn, Kind, nearest
from marketpulse.errors import NotFoundError, RulesError


class Operator(StrEnum):
    """What a condition asks of a cell."""

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
# What other languages write: guessed, and never taken.
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
OPERATORS = {one.value.replace("_", " "): one for one in Operator} | {
    spelling: one for one, spellings in _SPELLINGS.items() for spelling in spellings
}
_ORDERING = frozenset(
    {
        Operator.LESS_THAN,
        Operator.GREATER_THAN,
        Operator.LESS_OR_EQUAL,
        Operator.GREATER_OR_EQUAL,
        Operator.BETWEEN,
    }
)
_MATCHING = frozenset(
    {Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH}
)
_LISTS = frozenset({Operator.IN, Operator.NOT_IN})
_VALUELESS = frozenset({Operator.IS_NULL, Operator.IS_NOT_NULL})
_CONNECTORS = ("where", "and", "or")
_LONGEST_ID = 100  # digits
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the seconds of the years 1 to 9999


@dataclass(frozen=True)
class Instant:
    """A date value: seconds since 1970 in UTC, the digits of a fraction, or a whole day."""

    seconds: int
    fraction: str = ""
    whole_day: bool = False

    @property
    def end(self) -> Instant:
        """The first instant that is no longer meant."""
        return Instant(self.seconds + 86_400) if self.whole_day else self


Operand = Decimal | Instant | str


@dataclass(frozen=True)
class Fault:
    """What is wrong with a rules file, and where. `fatal` faults stop a run."""

    place: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


@dataclass(frozen=True)
class Condition:
    """One condition as it is written, its words understood."""

    place: str
    connector: str
    column: str
    operator: Operator
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Rule:
    """A rule as it is written."""

    id: str
    name: str
    active: bool
    conditions: tuple[Condition, ...]

    @property
    def place(self) -> str:
        """How messages name the rule."""
        return f"rule {self.id} ({self.name!r})"


@dataclass(frozen=True)
class BoundCondition:
    """A condition on a column of an input, with operands of the column's kind."""

    written: Condition
    column: InputColumn
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class BoundRule:
    """An active rule, ready to be asked."""

    rule: Rule
    conditions: tuple[BoundCondition, ...]


@dataclass(frozen=True)
class RuleBook:
    """A rules file: its rules in their order, and what is wrong with their shape."""

    name: str
    rules: tuple[Rule, ...]
    faults: tuple[Fault, ...] = ()

    def bind(self, columns: Columns | None) -> tuple[tuple[BoundRule, ...], tuple[Fault, ...]]:
        """The active rules on an input's columns, and every fault.

        Without `columns` the rules are checked against the contract, and other columns can only
        be warned about.
        """
        faults = list(self.faults)
        bound: list[BoundRule] = []
        for rule in self.rules:
            found: list[Fault] = []
            conditions = [_bind(condition, columns, found) for condition in rule.conditions]
            whole = tuple(condition for condition in conditions if condition)
            complete = len(whole) == len(rule.conditions)
            if complete:
                found += _suspicions(rule, whole, bound)
            if rule.active and complete:
                bound.append(BoundRule(rule, whole))
            if not rule.active:
                found = [Fault(one.place, f"{one.message} (switched off)", False) for one in found]
            faults += found
        return tuple(bound), tuple(faults)

    def require(self, columns: Columns) -> tuple[tuple[BoundRule, ...], tuple[Fault, ...]]:
        """The active rules on these columns, and what to warn about.

        Raises `RulesError` that names the first fault and counts the others.
        """
        bound, faults = self.bind(columns)
        fatal = [fault for fault in faults if fault.fatal]
        if fatal:
            more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
            raise RulesError(
                f"{self.name}: {fatal[0]}{more}",
                hint="`marketpulse rules check FILE` lists every fault of a rules file",
            )
        return bound, tuple(fault for fault in faults if not fault.fatal)


NO_RULES = RuleBook("no rules", ())


def read_rules(path: Path) -> RuleBook:
    """Read a JSON or TOML file. What its rules say is only checked when they are bound.

    Raises `NotFoundError` for a file that cannot be opened, `RulesError` for one that
    cannot be parsed.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RulesError(
            f"{path}: byte {error.start} is not UTF-8", hint="save the rules as UTF-8"
        ) from None
    except OSError as error:
        raise NotFoundError(
            f"{path}: the rules cannot be read: {error.strerror}",
            hint="--rules names one file, JSON or TOML: check the name, and who may read it",
            check="MP-SRC-005",
        ) from error
    try:
        document = _parse(text, toml=path.suffix.lower() == ".toml")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RulesError(f"{path}: {place}: this is not JSON: {error.msg}") from None
    except tomllib.TOMLDecodeError as error:
        raise RulesError(f"{path}: this is not TOML: {error}") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise RulesError(f"{path}: {half} is half a character") from None
    except InvalidOperation:
        raise RulesError(f"{path}: a number is too large") from None
    except RecursionError:
        raise RulesError(f"{path}: the values are nested too deeply") from None
    except ValueError as error:
        raise RulesError(f"{path}: {error}") from None
    return rules_from(document, str(path))


@dataclass(frozen=True)
class CheckedRules:
    """What a look at a rules file alone tells."""

    name: str
    active: int
    inactive: int
    faults: tuple[Fault, ...]

    @property
    def errors(self) -> int:
        """How many faults would stop a run."""
        return sum(fault.fatal for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """The check as `--format json` shows it."""
        return {**asdict(self), "errors": self.errors}


def check_rules(path: Path) -> CheckedRules:
    """Check a rules file without an input. Raises what `read_rules` raises."""
    book = read_rules(path)
    _, faults = book.bind(None)
    active = sum(rule.active for rule in book.rules)
    return CheckedRules(book.name, active, len(book.rules) - active, faults)


def rules_from(document: object, name: str = "rules") -> RuleBook:
    """The rules of `{"rules": [...]}` as it comes out of JSON or TOML."""
    faults: list[Fault] = []
    if not isinstance(document, Mapping) or not isinstance(document.get("rules"), list):
        faults.append(Fault("", 'a rules file is {"rules": [...]}: there is no list "rules"'))
        return RuleBook(name, (), tuple(faults))
    rules: list[Rule] = []
    for number, written in enumerate(document["rules"], 1):
        rule = _rule(written, number, faults)
        if rule is None:
            continue
        same = [other.active for other in rules if other.id == rule.id]
        if same:
            fatal = rule.active and any(same)
            faults.append(Fault(rule.place, "an earlier rule has the same id", fatal))
        rules.append(rule)
    return RuleBook(name, tuple(rules), tuple(faults))


def _parse(text: str, *, toml: bool) -> object:
    if toml:
        return tomllib.loads(text, parse_float=Decimal)

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the key {name!r} stands twice in one object")
        return dict(pairs)

    document = json.loads(
        text,
        parse_float=Decimal,
        parse_int=Decimal,
        parse_constant=constant,
        object_pairs_hook=once,
    )
    # JSON can spell halves of characters, which nothing can write.
    json.dumps(document, ensure_ascii=False, default=str).encode()
    return document


def _rule(written: object, number: int, faults: list[Fault]) -> Rule | None:
    place = f"rule number {number}"
    if not isinstance(written, Mapping):
        faults.append(Fault(place, 'a rule is an object with "id", "name" and "conditions"'))
        return None
    identity = _identity(written.get("id"))
    name = written.get("name")
    active = written.get("is_active")
    conditions = written.get("conditions")
    wrong = []
    if identity is None:
        wrong.append('"id" is missing, or neither a whole number nor text')
    if not isinstance(name, str) or not name.strip():
        wrong.append('"name" is missing, or no text')
    if not isinstance(active, bool):
        wrong.append('"is_active" is missing, or neither true nor false')
    if not isinstance(conditions, list) or not conditions:
        wrong.append('"conditions" is missing, or no list of at least one condition')
    if wrong or identity is None:
        place = f"rule {identity}" if identity else place
        off = " (switched off)" if active is False else ""
        faults += [Fault(place, one + off, fatal=not off) for one in wrong]
        return None
    rule = Rule(identity, str(name), bool(active), ())
    understood = [
        _condition(one, position, f"{rule.place}, condition {position}", faults, rule.active)
        for position, one in enumerate(conditions or (), 1)
    ]
    if None in understood:
        return None
    return Rule(rule.id, rule.name, rule.active, tuple(one for one in understood if one))


def _identity(value: object) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    number = None if isinstance(value, float) else _operand(value, Kind.INTEGER)
    # No id has so many digits; written out they could fill the memory.
    if not isinstance(number, Decimal) or number.adjusted() > _LONGEST_ID:
        return None
    return str(int(number)) if number == number.to_integral_value() else None


def _condition(
    written: object, position: int, place: str, faults: list[Fault], active: bool
) -> Condition | None:
    def fault(message: str) -> None:
        suffix = "" if active else " (switched off)"
        faults.append(Fault(place, message + suffix, fatal=active))

    if not isinstance(written, Mapping):
        fault('a condition is an object with "type", "column", "operator" and "value"')
        return None
    before = len(faults)
    connector, column = written.get("type"), written.get("column")
    expected = _CONNECTORS[:1] if position == 1 else _CONNECTORS[1:]
    if not isinstance(connector, str) or connector.strip().lower() not in expected:
        fault(f'"type" is {_shown(connector)}, expected {" or ".join(map(repr, expected))}')
    if not isinstance(column, str) or not column.strip():
        fault(f'"column" is {_shown(column)}, expected the name of a column')
    operator = _operator(written.get("operator"), fault)
    if len(faults) > before or operator is None:
        return None
    values: tuple[Any, ...] = ()
    if operator not in _VALUELESS:
        keys = ("value", "value2") if operator is Operator.BETWEEN else ("value",)
        missing = [key for key in keys if _is_missing(written.get(key))]
        for key in missing:
            fault(f'"{key}" is missing: the operator {operator.value!r} needs it')
        if missing:
            return None
        values = tuple(written[key] for key in keys)
    return Condition(place, str(connector).strip().lower(), str(column), operator, values)


def _operator(written: object, fault: Callable[[str], None]) -> Operator | None:
    if not isinstance(written, str):
        fault(f'"operator" is {_shown(written)}, expected a word such as "equals"')
        return None
    folded = " ".join(written.lower().replace("_", " ").split())
    if folded not in OPERATORS:
        known = {word: repr(one.value) for word, one in OPERATORS.items()}
        guess = nearest(folded, known | {sign: repr(one.value) for sign, one in _SIGNS.items()})
        fault(f"{written!r} is not an operator{guess or '; there is ' + ', '.join(Operator)}")
        return None
    return OPERATORS[folded]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value == []


def _shown(value: object) -> str:
    return "missing" if value is None else shorten(repr(str(value)), 80, placeholder="...")


def _bind(
    condition: Condition, columns: Columns | None, faults: list[Fault]
) -> BoundCondition | None:
    column = _column(condition, columns, faults)
    if column is None:
        return None
    kind, operator = column.kind, condition.operator
    unfit = _MATCHING if kind is not Kind.TEXT else _ORDERING
    if operator in unfit:
        fits = [one.value for one in Operator if one not in unfit]
        faults.append(
            Fault(
                condition.place,
                f"{column.label} is {_a(kind)} column, and {operator.value!r} is not for "
                f"{_a(kind)}; there is {', '.join(fits)}",
            )
        )
        return None
    values = condition.values
    if operator in _LISTS:
        values = _items(values[0])
    operands = []
    for position, value in enumerate(values, 1):
        operand = _operand(value, kind)
        if operand is None:
            which = f"element {position} of the list " if operator in _LISTS else ""
            faults.append(
                Fault(
                    condition.place,
                    f"{which}{_shown(value)} is no {kind.value}, and {column.label} is "
                    f"{_a(kind)} column",
                )
            )
            return None
        operands.append(operand)
    return BoundCondition(condition, column, tuple(operands))


def _a(kind: Kind) -> str:
    return f"an {kind.value}" if kind is Kind.INTEGER else f"a {kind.value}"


def _column(
    condition: Condition, columns: Columns | None, faults: list[Fault]
) -> InputColumn | None:
    if columns is not None:
        column = columns.find(condition.column)
        if column is None:
            guess = columns.nearest(condition.column)
            message = f"the input has no column {condition.column!r}{guess}"
            faults.append(Fault(condition.place, message))
        return column
    folded = condition.column.strip().upper()
    if folded in CONTRACT:
        import pyarrow as pa  # noqa: PLC0415 - a check without an input needs no rows

        return InputColumn(0, pa.field(folded, pa.string()), folded, CONTRACT[folded])
    guess = nearest(folded, {name.casefold(): name for name in CONTRACT})
    message = f"{condition.column!r} is not a column of the contract{guess}; `rules test` tells "
    faults.append(Fault(condition.place, message + "whether an input has it", fatal=False))
    return None


def _items(value: object) -> tuple[Any, ...]:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str):
        return tuple(value.split(","))
    return (value,)


def _operand(value: object, kind: Kind) -> Operand | None:
    """The value as one of this kind, or None."""
    if kind is Kind.TEXT:
        return value.strip() if isinstance(value, str) and value.strip() else None
    if kind is Kind.DATE:
        return _instant(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):  # a document of Python's own json
        value = Decimal(str(value))
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str) and re.fullmatch(cells.NUMBER, value.strip()):
        try:
            return Decimal(value.strip())
        except InvalidOperation:  # an exponent beyond what can be held
            return None
    return None


def _instant(value: object) -> Instant | None:
    if isinstance(value, date):  # TOML has dates of its own
        value = value.isoformat()
    if not isinstance(value, str) or not re.fullmatch(cells.DATE, value.strip()):
        return None
    text = value.strip()
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    seconds = (day - date(1970, 1, 1)) // timedelta(seconds=1)
    if len(text) == 10:
        return Instant(seconds, whole_day=True)
    clock, fraction, offset = re.findall(r"^([0-9:]+)(?:\.([0-9]+))?(.*)", text[11:])[0]
    hours, minutes, second = (*map(int, clock.split(":")), 0)[:3]
    seconds += hours * 3600 + minutes * 60 + second
    if offset not in {"", "Z"}:
        sign = -1 if offset[0] == "-" else 1
        digits = offset[1:].replace(":", "").ljust(4, "0")
        seconds -= sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)
    return Instant(seconds, fraction.rstrip("0")) if _FIRST <= seconds <= _LAST else None


def _suspicions(
    rule: Rule, conditions: Sequence[BoundCondition], earlier: Iterable[BoundRule]
) -> list[Fault]:
    """What is no fault, but hardly meant: conditions that can never, or must always, be true."""
    found = []
    for condition in conditions:
        if condition.written.operator is Operator.BETWEEN:
            low, high = condition.operands
            if _order(low) > _order(high):
                message = "never matches: the first value is above the second"
                found.append(Fault(condition.written.place, message, fatal=False))
        if condition.written.operator in {Operator.EQUALS, Operator.IN} and (
            condition.column.kind is Kind.INTEGER and all(map(_broken, condition.operands))
        ):
            message = f"never matches: {condition.column.label} holds whole numbers"
            found.append(Fault(condition.written.place, message, fatal=False))
    if all(condition.written.connector != "or" for condition in conditions):
        found += _contradictions(rule, conditions)
    meaning = _meaning(conditions)
    for other in earlier:
        if _meaning(other.conditions) == meaning:
            message = f"takes no row: {other.rule.place} asks the same before it"
            found.append(Fault(rule.place, message, fatal=False))
            break
    return found


def _contradictions(rule: Rule, conditions: Sequence[BoundCondition]) -> list[Fault]:
    """Conditions that are all to hold, and cannot: two values, null and a value, or no room."""
    asked: dict[str, set[Operator]] = {}
    equal: dict[str, set[Any]] = {}
    for condition in conditions:
        name, operator = condition.column.label, condition.written.operator
        asked.setdefault(name, set()).add(operator)
        if operator is Operator.EQUALS:
            operand = condition.operands[0]
            # A moment does not exclude the day that it is in.
            day = operand.seconds // 86_400 if isinstance(operand, Instant) else _folded(operand)
            equal.setdefault(name, set()).add(day)
    room = _rooms(conditions)
    return [
        Fault(
            rule.place, f"never matches: its conditions on {name} exclude each other", fatal=False
        )
        for name, operators in asked.items()
        if (Operator.IS_NULL in operators and len(operators) > 1)
        or len(equal.get(name, ())) > 1
        or not room.get(name, True)
    ]


def _rooms(conditions: Iterable[BoundCondition]) -> dict[str, bool]:
    """For each column that is compared with numbers, whether any number is within all bounds."""
    lows: dict[str, list[tuple[Decimal, bool]]] = {}
    highs: dict[str, list[tuple[Decimal, bool]]] = {}  # and whether the bound itself is outside
    for condition in conditions:
        name = condition.column.label
        numbers = [it for it in condition.operands if isinstance(it, Decimal)]
        if not numbers or numbers[0] > numbers[-1]:  # which is told of the condition itself
            continue
        match condition.written.operator:
            case Operator.EQUALS | Operator.BETWEEN:
                lows.setdefault(name, []).append((numbers[0], False))
                highs.setdefault(name, []).append((numbers[-1], False))
            case Operator.GREATER_THAN | Operator.GREATER_OR_EQUAL as operator:
                strict = operator is Operator.GREATER_THAN
                lows.setdefault(name, []).append((numbers[0], strict))
            case Operator.LESS_THAN | Operator.LESS_OR_EQUAL as operator:
                highs.setdefault(name, []).append((numbers[0], operator is Operator.LESS_THAN))
    return {
        name: all(
            low < high or (low == high and not (above or below))
            for low, above in lows[name]
            for high, below in highs[name]
        )
        for name in lows.keys() & highs.keys()
    }


def _broken(operand: Operand) -> bool:
    return isinstance(operand, Decimal) and operand != operand.to_integral_value()


def _folded(operand: Operand) -> Operand:
    return operand.lower() if isinstance(operand, str) else operand


def _order(operand: Operand) -> Any:
    return (operand.seconds, operand.fraction) if isinstance(operand, Instant) else operand


def _meaning(conditions: Iterable[BoundCondition]) -> list[tuple[Any, ...]]:
    return [
        (
            one.written.connector,
            one.column.name,
            one.written.operator,
            tuple(map(_folded, one.operands)),
        )
        for one in conditions
    ]


def value_shown(operand: Operand | datetime) -> str:
    """An operand as people read it."""
    if isinstance(operand, Instant):
        moment = datetime(1970, 1, 1) + timedelta(seconds=operand.seconds)  # noqa: DTZ001 - UTC
        if operand.whole_day:
            return moment.date().isoformat()
        return moment.isoformat(" ") + (f".{operand.fraction}" if operand.fraction else "")
    short = isinstance(operand, Decimal) and abs(operand.adjusted()) <= _LONGEST_ID
    return format(operand, "f") if short else str(operand)
