"""Oracle's numbers: 20 digits of base 100, which are 39 or 40 decimal digits."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal

from marketpulse.sources.conditions.tokens import ConditionError

# Enough digits for the exact sum of any two numbers: 1E+125 and 1E-130 have 256.
_EXACT = Context(prec=600, rounding=ROUND_HALF_UP, Emax=10_000, Emin=-10_000)
_LOWEST_PAIR = 38  # powers of ten between the first and the last of 20 digits of base 100
_LONGEST_TEXT = 40  # beyond it Oracle changes to an exponent
_NUMBER = re.compile(r" *([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?) *", re.ASCII)


def parse_number(text: str) -> Decimal:
    """Return the number that Oracle makes of a text. Raises `ConditionError` if it is not one."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ConditionError(repr(text), "it is compared as a number, and is not one")
    return Decimal(match[1])


def format_number(value: Decimal) -> str:
    """Spell a number as Oracle does without a format: no zero before the point or at the end."""
    if not value.is_finite():
        raise ConditionError(str(value), "it has no text")
    text = format(value.copy_abs(), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    text = text.lstrip("0") or "0"
    if len(text) > _LONGEST_TEXT:
        raise ConditionError(text, f"its text would have more than {_LONGEST_TEXT} digits")
    return f"-{text}" if value < 0 else text


def _round(value: Decimal) -> Decimal:
    """Round to the digits that Oracle keeps."""
    if not value.is_finite() or len(value.as_tuple().digits) < _LOWEST_PAIR:
        return value
    # Pairs begin at even powers of ten, so the first may have one digit or two:
    #     12 34 ... 78   40 digits          1 23 ... 78   39 digits
    lowest = value.adjusted() // 2 * 2 - _LOWEST_PAIR
    return _EXACT.quantize(value, Decimal(1).scaleb(lowest))


def negate(value: Decimal | float) -> Decimal | float:
    """Return the number with the other sign, and all of its digits: a minus alone would round."""
    return value.copy_negate() if isinstance(value, Decimal) else -value


def add(left: Decimal, right: Decimal) -> Decimal:
    """Add two numbers."""
    return _round(_EXACT.add(left, right))


def subtract(left: Decimal, right: Decimal) -> Decimal:
    """Subtract the second number from the first."""
    return _round(_EXACT.subtract(left, right))


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """Multiply two numbers."""
    return _round(_EXACT.multiply(left, right))


def divide(left: Decimal, right: Decimal) -> Decimal:
    """Divide the first number by the second. Raises `ConditionError` for a division by zero."""
    if not right:
        raise ConditionError("/", "a number is divided by zero")
    return _round(_EXACT.divide(left, right))


def modulo(left: Decimal, right: Decimal) -> Decimal:
    """Return the remainder, which has the sign of the first number; that number itself for 0."""
    return _round(_EXACT.remainder(left, right)) if right else left


def round_half_up(value: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    """Round to so many places, half away from zero; negative places are left of the point."""
    return _to_places(value, places, ROUND_HALF_UP)


def truncate(value: Decimal, places: Decimal = Decimal(0)) -> Decimal:
    """Cut off the digits after so many places."""
    return _to_places(value, places, ROUND_DOWN)


def _to_places(value: Decimal, places: Decimal, rounding: str) -> Decimal:
    # No number of Oracle has a digit beyond these places, and a larger exponent would overflow.
    unit = Decimal(1).scaleb(-max(-200, min(int(places), 200)))
    return value.quantize(unit, rounding, _EXACT) if value.is_finite() else value


ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
}
