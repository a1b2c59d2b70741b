"""Values in a condition: their types, and how Oracle turns one type into another."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cmp_to_key
from math import isnan
from typing import Any, TypeAlias, cast

from marketpulse.sources.conditions import dates, numbers
from marketpulse.sources.conditions.syntax import Node
from marketpulse.sources.conditions.tokens import ConditionError

# A date is an int (`dates.Timestamp`), a number a Decimal, a binary float a float. None is null.
Value: TypeAlias = Decimal | float | int | str | None
Cells: TypeAlias = Mapping[str, Value]
Evaluate: TypeAlias = Callable[[Cells], Value]


class Type(StrEnum):
    """The type of a value; its text is what messages call it."""

    NUMBER = "a number"
    DOUBLE = "a binary double"
    FLOAT = "a binary float"
    TEXT = "text"
    CHAR = "text of a fixed length"  # quoted text, too
    CLOB = "long text"
    DATE = "a date"  # a DATE or a TIMESTAMP
    ZONED = "a time with a time zone"
    NULL = "null"
    OTHER = "a value of another type"


NUMERIC = frozenset({Type.NUMBER, Type.DOUBLE, Type.FLOAT})
TEXTUAL = frozenset({Type.TEXT, Type.CHAR, Type.CLOB})
DATES = frozenset({Type.DATE, Type.ZONED})
_GROUPS = (NUMERIC, TEXTUAL, DATES)


@dataclass(frozen=True, kw_only=True)
class Operand:
    """A value in a condition: its type, and how to get it from the cells of a row."""

    node: Node
    type: Type
    evaluate: Evaluate
    columns: frozenset[str] = frozenset()

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same for every row."""
        return not self.columns

    @property
    def constant(self) -> Value:
        """The value of a constant."""
        return self.evaluate({})


def constant(node: Node, kind: Type, value: Value) -> Operand:
    """Return the operand of a constant; an empty text is null."""
    held = None if value == "" else value
    return Operand(node=node, type=kind, evaluate=lambda _: held)


def derive(node: Node, kind: Type, evaluate: Evaluate, *operands: Operand) -> Operand:
    """Return an operand that is computed from others; if they are constants, it is one, too."""
    columns: frozenset[str] = frozenset().union(*(operand.columns for operand in operands))
    if not columns:
        return constant(node, kind, evaluate({}))
    return Operand(node=node, type=kind, evaluate=evaluate, columns=columns)


def apply_function(
    node: Node, kind: Type, function: Callable[..., Value], *operands: Operand
) -> Operand:
    """Return an operand that is a function of others, and null if one of them is."""
    first, *others = [operand.evaluate for operand in operands]

    def evaluate(cells: Cells) -> Value:
        value = first(cells)
        if not others:  # the usual case, quicker without a list
            return None if value is None else function(value)
        values = [value, *(get(cells) for get in others)]
        return None if None in values else function(*values)

    return derive(node, kind, evaluate, *operands)


def are_of_one_group(left: Type, right: Type) -> bool:
    """Return whether both are numbers, texts or dates; null is of every group."""
    if Type.NULL in {left, right}:
        return True
    return any({left, right} <= group for group in _GROUPS)


def convert(operand: Operand, target: Type) -> Operand:
    """Return the operand as another type, as Oracle does unasked. Raises `ConditionError`."""
    if operand.type is target or Type.NULL in {operand.type, target}:
        return operand
    if operand.type in TEXTUAL and target in TEXTUAL:
        return derive(operand.node, target, operand.evaluate, operand)
    function = _conversion(operand, target)
    if function is None:
        raise ConditionError("", f"{operand.type} is used as {target}")
    return apply_function(operand.node, target, function, operand)


def _conversion(operand: Operand, target: Type) -> Callable[..., Value] | None:
    kind = operand.type
    if kind is Type.CLOB:
        return None  # Oracle makes no number and no date of long text
    if target in NUMERIC and kind in TEXTUAL | NUMERIC:
        return {Type.DOUBLE: _to_double, Type.FLOAT: _to_float}.get(target, _to_number)
    if target in DATES and kind in TEXTUAL | DATES:
        return _to_timestamp
    if target in TEXTUAL and kind is Type.NUMBER:
        return numbers.format_number
    return None


def _to_number(value: Value) -> Value:
    return numbers.parse_number(value) if isinstance(value, str) else value


def _to_double(value: Value) -> Value:
    return float(cast("Decimal | float", _to_number(value)))


def _to_float(value: Value) -> Value:
    """Round to a binary float of 32 bits."""
    # Python's float has 64 bits; packing is what rounds.
    (rounded,) = struct.unpack("f", struct.pack("f", _to_double(value)))
    return float(rounded)


def _to_timestamp(value: Value) -> Value:
    return dates.parse_iso(value) if isinstance(value, str) else value


def common_type(operands: Sequence[Operand]) -> Type:
    """Return the type of a value that may be any of these. Raises `ConditionError`.

    Numbers become the kind that Oracle prefers, binary ones before others.
    """
    kinds = [operand.type for operand in operands if operand.type is not Type.NULL]
    if not kinds:
        return Type.NULL
    if not all(are_of_one_group(kinds[0], kind) for kind in kinds):
        raise ConditionError("", "its values are of several types")
    if kinds[0] in NUMERIC:
        return _preferred(kinds)
    if kinds[0] in TEXTUAL:
        # A literal is CHAR as well, but its length is known.
        if any(operand.type is Type.CHAR and operand.columns for operand in operands):
            raise ConditionError("", "the length of its result is not certain for a CHAR column")
        return Type.CLOB if Type.CLOB in kinds else Type.TEXT
    return Type.ZONED if Type.ZONED in kinds else kinds[0]


def _preferred(kinds: Collection[Type]) -> Type:
    """Return the kind of number that Oracle prefers."""
    return next(kind for kind in (Type.DOUBLE, Type.FLOAT, Type.NUMBER) if kind in kinds)


# -- comparison ------------------------------------------------------------------------------------


def make_comparable(left: Operand, right: Operand) -> tuple[Operand, Operand]:
    """Return two values in one type, as Oracle compares them. Raises `ConditionError`.

    Text that meets a number or a date counts as one.
    """
    if Type.NULL in {left.type, right.type}:
        return left, right
    for operand in (left, right):
        if operand.type in {Type.OTHER, Type.CLOB}:
            raise ConditionError("", f"{operand.type} can be compared with NULL alone")
    if left.type in NUMERIC or right.type in NUMERIC:
        if left.type in DATES or right.type in DATES:
            raise ConditionError("", "a date is compared with a number")
        kind = _preferred({left.type, right.type})
        return convert(left, kind), convert(right, kind)
    if left.type in DATES or right.type in DATES:
        return convert(left, Type.DATE), convert(right, Type.DATE)
    return left, right


def comparator(left: Type, right: Type) -> Callable[[Value, Value], int]:
    """Return a function that gives -1, 0 or 1 for two values that are not null."""
    # A CHAR beside a VARCHAR2 compares as it is, its blanks included.
    if left is right is Type.CHAR:
        return _compare_padded
    if left in {Type.DOUBLE, Type.FLOAT}:
        return _compare_floats
    return _compare


# `Any`: `make_comparable` has brought both values to one type, which `Value` cannot say.
def _compare(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _compare_padded(left: Any, right: Any) -> int:
    """Compare texts of fixed lengths: the shorter one is filled with blanks."""
    length = max(len(left), len(right))
    return _compare(left.ljust(length), right.ljust(length))


def _compare_floats(left: Any, right: Any) -> int:
    """NaN is equal to NaN, and greater than anything else."""
    if isnan(left) or isnan(right):
        return isnan(left) - isnan(right)
    return _compare(left, right)


# `Any`: Python has no public name for a type that can be sorted.
def sort_key(kind: Type) -> Callable[[Value], Any]:
    """Return a function that makes of a value something that Python sorts as Oracle does."""
    if kind is Type.CHAR:
        return cmp_to_key(_compare_padded)
    if kind in {Type.DOUBLE, Type.FLOAT}:
        return lambda value: (isnan(value), 0 if isnan(value) else value)  # type: ignore[arg-type]  # a float
    return lambda value: value
