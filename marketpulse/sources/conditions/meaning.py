"""What a condition means: its tree as functions of a row, in Oracle's three-valued logic."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from marketpulse.sources.conditions import dates, numbers, patterns, syntax
from marketpulse.sources.conditions.cells import ColumnCells
from marketpulse.sources.conditions.dates import Timestamp
from marketpulse.sources.conditions.functions import CHOICES, FUNCTIONS, call, trim
from marketpulse.sources.conditions.parser import is_condition
from marketpulse.sources.conditions.syntax import Node
from marketpulse.sources.conditions.tokens import ConditionError, add_word
from marketpulse.sources.conditions.values import (
    DATES,
    NUMERIC,
    TEXTUAL,
    Cells,
    Operand,
    Type,
    Value,
    apply_function,
    are_of_one_group,
    common_type,
    comparator,
    constant,
    convert,
    derive,
    make_comparable,
)

Truth: TypeAlias = bool | None  # None is unknown
Test: TypeAlias = Callable[[Cells], Truth]

_COMPARISONS: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "<>": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
_DATE_LITERAL = re.compile(r"\d{4}-\d{1,2}-\d{1,2}", re.ASCII)
_TIMESTAMP_LITERAL = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Predicate:
    """A condition as a function of a row. `parts` are joined by `word`, which is AND or OR."""

    test: Test
    columns: frozenset[str]
    word: str = ""
    parts: tuple[Predicate, ...] = ()


class Compiler:
    """Turns the tree of a condition into a `Predicate`."""

    def __init__(self, text: str, columns: Mapping[str, ColumnCells], now: Timestamp) -> None:
        """`columns` are those that the names of the tree mean; SYSDATE is `now`."""
        self._text = text
        self._columns = columns
        self._now = now
        # `Any`: a function takes the kind of node under which it stands.
        self._predicates: dict[type[Node], Callable[[Any], Predicate]] = {
            syntax.Boolean: lambda node: _constant_predicate(node.value),
            syntax.Not: self._negation,
            syntax.Junction: self._junction,
            syntax.Comparison: self._two_values,
            syntax.IsNull: self._is_null,
            syntax.In: self._in,
            syntax.Between: self._between,
            syntax.Like: self._like,
        }
        self._values: dict[type[Node], Callable[[Any], Operand]] = {
            syntax.Number: self._literal,
            syntax.Text: self._literal,
            syntax.Null: self._literal,
            syntax.Date: self._date,
            syntax.Name: self._name,
            syntax.Negative: self._negative,
            syntax.Arithmetic: self._arithmetic,
            syntax.Case: self._case,
            syntax.Trim: self._trim,
            syntax.Call: self._call,
        }

    def predicate(self, node: Node) -> Predicate:
        """Return what is true, false or unknown of a row. Raises `ConditionError`."""
        if isinstance(node, syntax.Row) and len(node.values) == 1:
            return self.predicate(node.values[0])
        if isinstance(node, syntax.Call) and node.name == "REGEXP_LIKE":
            return self._regexp_like(node)
        build = self._predicates.get(type(node))
        if build is not None:
            return build(node)
        if isinstance(node, syntax.Opaque):
            raise ConditionError(node.name, _NOT_UNDERSTOOD)
        if isinstance(node, syntax.Call):
            raise ConditionError(self._text[node.start : node.name_end], _NOT_UNDERSTOOD)
        raise ConditionError(self._word(node), "it is a value, and a condition is expected here")

    def _negation(self, node: syntax.Not) -> Predicate:
        return _negate(self.predicate(node.condition))

    def _junction(self, node: syntax.Junction) -> Predicate:
        return _join(node.word, [self.predicate(part) for part in node.conditions])

    def _two_values(self, node: syntax.Comparison) -> Predicate:
        return self._comparison(node, node.operator, node.left, node.right)

    def _is_null(self, node: syntax.IsNull) -> Predicate:
        value = self.operand(node.value)
        get = value.evaluate
        return _predicate(lambda cells: get(cells) is None, value)

    def _in(self, node: syntax.In) -> Predicate:
        return _join(
            "OR", [self._comparison(node, "=", node.value, choice) for choice in node.choices]
        )

    def _between(self, node: syntax.Between) -> Predicate:
        low = self._comparison(node, ">=", node.value, node.low)
        return _join("AND", [low, self._comparison(node, "<=", node.value, node.high)])

    def _comparison(self, node: Node, operator: str, left: Node, right: Node) -> Predicate:
        first, second = self.operand(left), self.operand(right)
        try:
            first, second = make_comparable(first, second)
        except ConditionError as error:
            if error.word:
                raise
            self._refuse(node, str(error))
        # Nothing is equal to null, and nothing differs from it.
        if Type.NULL in {first.type, second.type}:
            return _predicate(lambda _: None, first, second)
        compare, decide = comparator(first.type, second.type), _COMPARISONS[operator]
        get_first, get_second = first.evaluate, second.evaluate

        def test(cells: Cells) -> Truth:
            one, other = get_first(cells), get_second(cells)
            return None if one is None or other is None else decide(compare(one, other))

        return _predicate(test, first, second)

    def _like(self, node: syntax.Like) -> Predicate:
        parts = [node.value, node.pattern, *([node.escape] if node.escape else [])]
        operands = [self._as_text(part, "LIKE") for part in parts]
        return _texts_predicate(
            "LIKE",
            lambda text, *pattern: patterns.like(*pattern).fullmatch(text) is not None,
            operands,
        )

    def _regexp_like(self, node: syntax.Call) -> Predicate:
        if not 2 <= len(node.arguments) <= 3:
            self._refuse(node, "it takes 2 or 3 arguments")
        operands = [self._as_text(part, node.name) for part in node.arguments]
        return _texts_predicate(
            node.name, lambda text, *pattern: patterns.regexp_like(*pattern)(text), operands
        )

    def _as_text(self, node: Node, word: str) -> Operand:
        operand = self.operand(node)
        try:
            return operand if operand.type is Type.CLOB else convert(operand, Type.TEXT)
        except ConditionError as error:
            raise add_word(word, error) from None

    # -- values ----------------------------------------------------------------------------------

    def operand(self, node: Node) -> Operand:
        """Return a value of a row. Raises `ConditionError`."""
        if isinstance(node, syntax.Row) and len(node.values) == 1:
            return self.operand(node.values[0])
        if isinstance(node, syntax.Opaque):
            raise ConditionError(node.name, _NOT_UNDERSTOOD)
        if is_condition(node):
            self._refuse(node, "it is a condition, and a value is expected here")
        build = self._values.get(type(node))
        if build is None:
            self._refuse(node, _NOT_UNDERSTOOD)
        return build(node)

    def _literal(self, node: syntax.Number | syntax.Text | syntax.Null) -> Operand:
        if isinstance(node, syntax.Number):
            if node.is_binary:
                self._refuse(node, _BINARY)
            return constant(node, Type.NUMBER, node.value)
        if isinstance(node, syntax.Text):
            return constant(node, Type.CHAR, node.value)  # so it compares padded with a CHAR
        return constant(node, Type.NULL, None)

    def _date(self, node: syntax.Date) -> Operand:
        pattern = _DATE_LITERAL if node.word == "DATE" else _TIMESTAMP_LITERAL
        if pattern.fullmatch(node.value) is None:
            example = "'2026-03-13'" if node.word == "DATE" else "'2026-03-13 14:05:09'"
            self._refuse(node, f"write it as {node.word} {example}")
        date, _, time = node.value.partition(" ")
        year, month, day = date.split("-")
        iso = f"{year}-{month:0>2}-{day:0>2}" + (f" {time}" if time else "")
        return constant(node, Type.DATE, dates.parse_iso(iso))

    def _name(self, node: syntax.Name) -> Operand:
        cells = self._columns.get(self._word(node))
        if cells is None:
            if node.value == "SYSDATE":
                # A column may be called SYSDATE, and comes first. A DATE has whole seconds.
                return constant(node, Type.DATE, self._now - self._now % dates.SECOND)
            self._refuse(node, _NOT_UNDERSTOOD)
        name = self._word(node)
        return Operand(
            node=node,
            type=cells.type,
            evaluate=lambda row: row[name],
            columns=frozenset({name}),
        )

    def _negative(self, node: syntax.Negative) -> Operand:
        operand = self._number(node, self.operand(node.value))
        return apply_function(node, operand.type, numbers.negate, operand)

    def _number(self, node: Node, operand: Operand) -> Operand:
        if operand.type in NUMERIC or operand.type is Type.NULL:
            return operand
        try:
            return convert(operand, Type.NUMBER)
        except ConditionError as error:
            if error.word:
                raise
            self._refuse(node, str(error))

    def _arithmetic(self, node: syntax.Arithmetic) -> Operand:
        return self._concatenation(node) if node.operator == "||" else self._sum(node)

    def _concatenation(self, node: syntax.Arithmetic) -> Operand:
        parts = [self._as_concatenated(node, part) for part in (node.left, node.right)]
        kinds = {part.type for part in parts}
        first, second = (part.evaluate for part in parts)

        def evaluate(cells: Cells) -> Value:
            # || alone takes null for nothing.
            return f"{first(cells) or ''}{second(cells) or ''}" or None

        kind = Type.CLOB if Type.CLOB in kinds else Type.TEXT
        return derive(node, Type.CHAR if kinds == {Type.CHAR} else kind, evaluate, *parts)

    def _as_concatenated(self, node: Node, part: Node) -> Operand:
        operand = self.operand(part)
        if operand.type in TEXTUAL or operand.type is Type.NULL:
            return operand
        try:
            return convert(operand, Type.TEXT)
        except ConditionError as error:
            self._refuse(node, f"{error}: use TO_CHAR with a format")

    def _sum(self, node: syntax.Arithmetic) -> Operand:
        left, right = self.operand(node.left), self.operand(node.right)
        if {left.type, right.type} & DATES:
            return self._day_sum(node, left, right)
        left, right = self._number(node, left), self._number(node, right)
        if Type.NULL in {left.type, right.type}:
            return derive(node, Type.NULL, lambda _: None, left, right)
        # Oracle computes with binary numbers in their own precision, which Decimal does not have.
        if {left.type, right.type} != {Type.NUMBER}:
            self._refuse(node, f"it is not understood for {Type.DOUBLE}")
        return apply_function(node, Type.NUMBER, numbers.ARITHMETIC[node.operator], left, right)

    def _day_sum(self, node: syntax.Arithmetic, left: Operand, right: Operand) -> Operand:
        """A date and days, or the days between two dates."""
        kinds, operator = (left.type, right.type), node.operator
        if kinds == (Type.DATE, Type.DATE) and operator == "-":
            return apply_function(node, Type.NUMBER, dates.days_between, left, right)
        if kinds == (Type.DATE, Type.NUMBER) and operator in {"+", "-"}:
            add = dates.add_days if operator == "+" else dates.subtract_days
            return apply_function(node, Type.DATE, add, left, right)
        if kinds == (Type.NUMBER, Type.DATE) and operator == "+":
            return apply_function(node, Type.DATE, dates.add_days, right, left)
        raise ConditionError(
            self._word(node), f"{left.type} {operator} {right.type} is not understood"
        )

    def _case(self, node: syntax.Case) -> Operand:
        tests = [
            self.predicate(when)
            if node.subject is None
            else self._case_comparison(node, node.subject, when)
            for when, _ in node.branches
        ]
        results = [self.operand(then) for _, then in node.branches]
        default = self.operand(node.default) if node.default else constant(node, Type.NULL, None)
        try:
            kind = common_type([*results, default])
        except ConditionError as error:
            raise ConditionError("CASE", str(error)) from None
        results = [convert(result, kind) for result in results]
        default = convert(default, kind)
        branches = [
            (test.test, result.evaluate) for test, result in zip(tests, results, strict=True)
        ]

        def evaluate(cells: Cells) -> Value:
            for test, get in branches:
                if test(cells):
                    return get(cells)
            return default.evaluate(cells)

        columns: frozenset[str] = frozenset()
        columns = columns.union(
            *(test.columns for test in tests), *(part.columns for part in (*results, default))
        )
        return Operand(node=node, type=kind, evaluate=evaluate, columns=columns)

    def _case_comparison(self, node: Node, subject: Node, when: Node) -> Predicate:
        kinds = self.operand(subject).type, self.operand(when).type
        # In CASE Oracle does not convert as in a comparison by itself (ORA-00932).
        if not are_of_one_group(*kinds):
            raise ConditionError("CASE", f"{kinds[0]} is compared with {kinds[1]}")
        return self._comparison(node, "=", subject, when)

    def _trim(self, node: syntax.Trim) -> Operand:
        parts = [node.value, *([node.characters] if node.characters else [])]
        operands = [self._as_text(part, "TRIM") for part in parts]
        side = node.side

        def compute(text: str, characters: str = " ") -> Value:
            if len(characters) != 1:  # ORA-30001
                raise ConditionError("TRIM", "it removes one character: use LTRIM or RTRIM")
            return trim(text, characters, side) or None

        kind = Type.CLOB if operands[0].type is Type.CLOB else Type.TEXT
        return apply_function(node, kind, compute, *operands)

    def _call(self, node: syntax.Call) -> Operand:
        name = self._text[node.start : node.name_end]
        if node.name not in FUNCTIONS and node.name not in CHOICES:
            raise ConditionError(name, _NOT_UNDERSTOOD)
        operands = [self.operand(argument) for argument in node.arguments]
        try:
            if node.name in CHOICES:
                return CHOICES[node.name](node, operands)
            return call(node, node.name, operands, self._now)
        except ConditionError as error:
            raise add_word(name, error) from None

    # -- words -----------------------------------------------------------------------------------

    def _word(self, node: Node) -> str:
        return self._text[node.start : node.end]

    def _refuse(self, node: Node, reason: str) -> NoReturn:
        raise ConditionError(self._word(node), reason)


_NOT_UNDERSTOOD = "it is not understood in files, bundles and the demo"
_BINARY = "BINARY_DOUBLE and BINARY_FLOAT are not understood in files, bundles and the demo"


def _predicate(test: Test, *operands: Operand) -> Predicate:
    """Return a predicate; one about constants is decided at once."""
    columns: frozenset[str] = frozenset().union(*(operand.columns for operand in operands))
    return Predicate(test=test, columns=columns) if columns else _constant_predicate(test({}))


def _constant_predicate(truth: Truth) -> Predicate:
    return Predicate(test=lambda _: truth, columns=frozenset())


def _texts_predicate(
    word: str, compare: Callable[..., bool], operands: Sequence[Operand]
) -> Predicate:
    """Return a predicate about texts that is unknown if one of them is null.

    Its patterns are tried at once if they are constants, so that a wrong one is refused early.
    """
    getters = [operand.evaluate for operand in operands]

    def decide(*values: Value) -> bool:
        try:
            return compare(*values)
        except ConditionError as error:
            raise add_word(word, error) from None

    # The first operand is the text that is searched, the others are the pattern and its options.
    if all(operand.is_constant for operand in operands[1:]):
        examples = [operand.constant for operand in operands[1:]]
        if None not in examples:
            decide("", *examples)

    def test(cells: Cells) -> Truth:
        values = [get(cells) for get in getters]
        return None if None in values else decide(*values)

    return _predicate(test, *operands)


def _negate(inner: Predicate) -> Predicate:
    test = inner.test

    def negate(cells: Cells) -> Truth:
        truth = test(cells)
        return None if truth is None else not truth

    if inner.parts:  # NOT (a AND b) is NOT a OR NOT b, in three-valued logic too
        word = "OR" if inner.word == "AND" else "AND"
        return _join(word, [_negate(part) for part in inner.parts])
    return Predicate(test=negate, columns=inner.columns)


def _join(word: str, parts: Sequence[Predicate]) -> Predicate:
    """Join predicates by AND or OR; the parts are evaluated from left to right."""
    if len(parts) == 1:
        return parts[0]
    tests = [part.test for part in parts]
    decisive = word == "OR"  # one true part decides OR, one false part AND

    def test(cells: Cells) -> Truth:
        result: Truth = not decisive
        for part in tests:
            truth = part(cells)
            if truth is decisive:
                return decisive
            if truth is None:
                result = None
        return result

    columns: frozenset[str] = frozenset().union(*(part.columns for part in parts))
    return Predicate(test=test, columns=columns, word=word, parts=tuple(parts))
