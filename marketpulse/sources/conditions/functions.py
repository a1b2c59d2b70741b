"""The functions that a condition may use: one entry each, with Oracle's meaning.

A null argument makes the result null. Functions to which nulls mean something else are in
`CHOICES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import cast

from marketpulse.sources.conditions import dates, numbers
from marketpulse.sources.conditions.date_models import date_reader, date_writer
from marketpulse.sources.conditions.dates import Timestamp
from marketpulse.sources.conditions.number_models import number_reader, number_writer
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
    common_type,
    comparator,
    convert,
    derive,
)
from marketpulse.sources.names import capitals


class Parameter(StrEnum):
    """What an argument is. A model is text in quotes that is understood before any row is read."""

    TEXT = "text"
    NUMBER = "a number"
    DATE = "a date"
    MODEL = "a format"


# The types of arguments that need no conversion, and the type that others are converted to.
_TYPES = {
    Parameter.TEXT: (TEXTUAL, Type.TEXT),
    Parameter.NUMBER: (NUMERIC, Type.NUMBER),
    Parameter.DATE: (DATES, Type.DATE),
}


@dataclass(frozen=True)
class Function:
    """A function: its parameters, how many of them are required, and the type of its result.

    If `keeps_char`, text of a fixed length stays so. `model` makes from a format, and the time
    that SYSDATE is, what `evaluate` takes in its place.
    """

    parameters: tuple[Parameter, ...]
    evaluate: Callable[..., Value]
    result: Type
    _: KW_ONLY
    required: int = 1
    keeps_char: bool = False
    model: Callable[[str, Timestamp], object] | None = None

    def accepts(self, kind: Type) -> bool:
        """Return whether the first argument may be of this type without a conversion."""
        return kind in _TYPES[self.parameters[0]][0]


# -- text ------------------------------------------------------------------------------------------


def _lower(text: str) -> str:
    """Change each letter by itself, as `capitals` does."""
    return "".join(mark.lower() if len(mark.lower()) == 1 else mark for mark in text)


def trim(text: str, characters: str, side: str) -> str:
    """Remove these characters at the side LEADING, TRAILING or BOTH."""
    if side != "TRAILING":
        text = text.lstrip(characters)
    return text.rstrip(characters) if side != "LEADING" else text


def _substring(text: str, position: Decimal, length: Decimal | None = None) -> str | None:
    """Positions count from 1, negative ones from the end; 0 is 1."""
    start = int(position)
    # A position before the text gives null. A slice would begin at its first character.
    index = start - 1 if start > 0 else len(text) + start if start < 0 else 0
    count = len(text) if length is None else int(length)
    if index < 0 or count < 1:
        return None
    return text[index : index + count]


def _position(
    text: str, part: str, position: Decimal = Decimal(1), occurrence: Decimal = Decimal(1)
) -> Decimal:
    """Return where the nth occurrence begins, counted from 1; 0 if there is none.

    Occurrences may overlap. From a negative position the search goes backward.
    """
    start, count = int(position), int(occurrence)
    if count < 1:
        raise ConditionError("INSTR", f"there is no occurrence {count}")
    if start > 0:
        places = range(start - 1, len(text) - len(part) + 1)
    else:
        # The match has to begin, not to end, at or before the position.
        last = min(len(text) + start, len(text) - len(part))
        places = range(last, -1, -1) if start else range(0)
    matches = (place for place in places if text.startswith(part, place))
    for number, place in enumerate(matches, 1):
        if number == count:
            return Decimal(place + 1)
    return Decimal(0)


# -- models ----------------------------------------------------------------------------------------


def _conversion(default: Callable[..., Value] = lambda value: value) -> Callable[..., Value]:
    """Return what converts a value by the writer or reader of a model; without one, by another."""
    return lambda value, model=default: model(value)


_T, _N, _M, _F = Parameter.TEXT, Parameter.NUMBER, Parameter.DATE, Parameter.MODEL


# Several entries of a name differ in the type of their first argument, as in Oracle.
FUNCTIONS: dict[str, tuple[Function, ...]] = {
    "UPPER": (Function((_T,), capitals, Type.TEXT, keeps_char=True),),
    "LOWER": (Function((_T,), _lower, Type.TEXT, keeps_char=True),),
    "LTRIM": (Function((_T, _T), lambda text, marks=" ": text.lstrip(marks), Type.TEXT),),
    "RTRIM": (Function((_T, _T), lambda text, marks=" ": text.rstrip(marks), Type.TEXT),),
    "SUBSTR": (Function((_T, _N, _N), _substring, Type.TEXT, required=2),),
    "INSTR": (Function((_T, _T, _N, _N), _position, Type.NUMBER, required=2),),
    "LENGTH": (Function((_T,), lambda text: Decimal(len(text)), Type.NUMBER),),
    "ABS": (Function((_N,), Decimal.copy_abs, Type.NUMBER),),
    "MOD": (Function((_N, _N), numbers.modulo, Type.NUMBER, required=2),),
    "ROUND": (
        Function((_N, _N), numbers.round_half_up, Type.NUMBER),
        Function((_M, _F), dates.round_date, Type.DATE, model=lambda text, _: dates.unit_of(text)),
    ),
    "TRUNC": (
        Function((_N, _N), numbers.truncate, Type.NUMBER),
        Function((_M, _F), dates.truncate, Type.DATE, model=lambda text, _: dates.unit_of(text)),
    ),
    "ADD_MONTHS": (Function((_M, _N), dates.add_months, Type.DATE, required=2),),
    "LAST_DAY": (Function((_M,), dates.last_day, Type.DATE),),
    "NEXT_DAY": (Function((_M, _T), dates.next_day, Type.DATE, required=2),),
    "TO_CHAR": (
        Function((_T,), _conversion(), Type.TEXT),
        Function(
            (_N, _F),
            _conversion(numbers.format_number),
            Type.TEXT,
            model=lambda text, _: number_writer(text),
        ),
        # A date needs its format: without one, NLS_DATE_FORMAT of the session would decide.
        Function(
            (_M, _F), _conversion(), Type.TEXT, required=2, model=lambda text, _: date_writer(text)
        ),
    ),
    "TO_NUMBER": (
        Function(
            (_T, _F),
            _conversion(numbers.parse_number),
            Type.NUMBER,
            model=lambda text, _: number_reader(text),
        ),
        Function((_N,), _conversion(), Type.NUMBER),
    ),
    "TO_DATE": (
        Function(
            (_T, _F),
            _conversion(),
            Type.DATE,
            required=2,
            model=partial(date_reader, fractions=False),
        ),
    ),
    "TO_TIMESTAMP": (
        Function(
            (_T, _F),
            _conversion(),
            Type.DATE,
            required=2,
            model=partial(date_reader, fractions=True),
        ),
    ),
}


def call(node: Node, name: str, operands: Sequence[Operand], now: Timestamp) -> Operand:
    """Return the result of a function of the table. Raises `ConditionError`."""
    function = _choose(FUNCTIONS[name], operands)
    if not function.required <= len(operands) <= len(function.parameters):
        counts = sorted({function.required, len(function.parameters)})
        raise ConditionError("", f"it takes {' to '.join(map(str, counts))} arguments here")
    arguments = [
        _argument(function, parameter, operand, now)
        for parameter, operand in zip(function.parameters, operands, strict=False)
    ]
    result = function.result
    # LIKE and = treat long text and text of a fixed length in ways of their own, so it stays known.
    if result is Type.TEXT and operands[0].type is Type.CLOB:
        result = Type.CLOB
    elif function.keeps_char and operands[0].type is Type.CHAR:
        result = Type.CHAR

    def compute(*values: Value) -> Value:
        try:
            value = function.evaluate(*values)
        except ConditionError as error:
            raise add_word(name, error) from None
        return None if value == "" else value  # Oracle has no empty text

    return apply_function(node, result, compute, *arguments)


def _choose(functions: Sequence[Function], operands: Sequence[Operand]) -> Function:
    """Return the one that takes the type of the first argument."""
    kind = operands[0].type if operands else Type.NULL
    for function in functions:
        if kind is Type.NULL or len(functions) == 1 or function.accepts(kind):
            return function
    raise ConditionError("", f"it is not understood for {kind}")


def _argument(
    function: Function, parameter: Parameter, operand: Operand, now: Timestamp
) -> Operand:
    """Return the argument in the parameter's type. Raises `ConditionError`."""
    if parameter is not Parameter.MODEL:
        # Oracle would convert these by the session's settings, or to binary numbers with their
        # own rounding: no right answer is certain here.
        if operand.type in {Type.ZONED, Type.DOUBLE, Type.FLOAT, Type.OTHER}:
            raise ConditionError("", f"it is not understood for {operand.type}")
        if parameter is Parameter.DATE and operand.type in TEXTUAL:
            raise ConditionError("", "it takes a date: use TO_DATE with a format")
        is_clob = operand.type is Type.CLOB and parameter is Parameter.TEXT
        return operand if is_clob else convert(operand, _TYPES[parameter][1])
    text = operand.constant if operand.is_constant else None
    if operand.type not in TEXTUAL or not isinstance(text, str) or function.model is None:
        raise ConditionError("", "its format has to be text in quotes")
    model = function.model(text, now)
    # A model is no value of a row, but it passes through as one.
    return Operand(node=operand.node, type=Type.OTHER, evaluate=lambda _: cast("Value", model))


# -- functions to which nulls mean something -------------------------------------------------------


def _first_of(node: Node, operands: Sequence[Operand], kind: Type) -> Operand:
    """Return the first value that is not null."""
    converted = [convert(operand, kind) for operand in operands]
    getters = [operand.evaluate for operand in converted]

    def evaluate(cells: Cells) -> Value:
        return next((value for get in getters if (value := get(cells)) is not None), None)

    return derive(node, kind, evaluate, *converted)


def _nvl(node: Node, operands: Sequence[Operand]) -> Operand:
    if len(operands) != 2:
        raise ConditionError("", "it takes 2 arguments")
    first = operands[0]
    kind = first.type
    if kind in NUMERIC and operands[1].type in NUMERIC:
        kind = common_type(operands)
    if kind is Type.CHAR:
        kind = Type.TEXT  # the result is a VARCHAR2: it compares without padding
    return _first_of(node, operands, operands[1].type if kind is Type.NULL else kind)


def _coalesce(node: Node, operands: Sequence[Operand]) -> Operand:
    if len(operands) < 2:
        raise ConditionError("", "it takes 2 or more arguments")
    return _first_of(node, operands, common_type(operands))


def _extreme(sign: int) -> Callable[[Node, Sequence[Operand]], Operand]:
    """Return GREATEST, if the sign is 1, or LEAST; the type of the first value decides."""

    def extreme(node: Node, operands: Sequence[Operand]) -> Operand:
        if not operands:
            raise ConditionError("", "it takes 1 or more arguments")
        kind = operands[0].type
        # Text among numbers becomes a number, and does not decide which kind.
        if kind in NUMERIC:
            kind = common_type([operand for operand in operands if operand.type in NUMERIC])
        elif kind in TEXTUAL:
            kind = Type.TEXT
        compare = comparator(kind, kind)

        def choose(best: Value, *others: Value) -> Value:
            for value in others:
                best = value if compare(value, best) * sign > 0 else best
            return best

        return apply_function(node, kind, choose, *(convert(operand, kind) for operand in operands))

    return extreme


def _decode(node: Node, operands: Sequence[Operand]) -> Operand:
    """DECODE: null is equal to null; the first value searched and the first result decide."""
    if len(operands) < 3:
        raise ConditionError("", "it takes 3 or more arguments")
    subject, *rest = operands
    # After the subject come pairs. One argument more is the default.
    default = rest.pop() if len(rest) % 2 else None
    searches, results = rest[::2], rest[1::2]
    searched = _decoded_type(searches[0], [subject, *searches])
    kind = _decoded_type(results[0], [*results, *([default] if default else [])])
    if results[0].type is Type.NULL:
        kind = Type.TEXT  # Oracle gives VARCHAR2 if the first result is NULL
    if searched is Type.NULL:
        searched = subject.type
    subject = convert(subject, searched)
    pairs = [
        (convert(search, searched), convert(result, kind))
        for search, result in zip(searches, results, strict=True)
    ]
    otherwise = convert(default, kind) if default else None

    def evaluate(cells: Cells) -> Value:
        value = subject.evaluate(cells)
        for search, result in pairs:
            if search.evaluate(cells) == value:
                return result.evaluate(cells)
        return otherwise.evaluate(cells) if otherwise else None

    parts = [subject, *(part for pair in pairs for part in pair)]
    return derive(node, kind, evaluate, *parts, *([otherwise] if otherwise else []))


def _decoded_type(first: Operand, operands: Sequence[Operand]) -> Type:
    if first.type in NUMERIC:
        return common_type([operand for operand in operands if operand.type in NUMERIC])
    return Type.TEXT if first.type is Type.CHAR else first.type


CHOICES: dict[str, Callable[[Node, Sequence[Operand]], Operand]] = {
    "NVL": _nvl,
    "COALESCE": _coalesce,
    "GREATEST": _extreme(1),
    "LEAST": _extreme(-1),
    "DECODE": _decode,
}
