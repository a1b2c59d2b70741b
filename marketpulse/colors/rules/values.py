"""Values of a rules file that are no operands: ids, and any value as a message shows it."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from marketpulse.colors.rules.operands import parse_number

_LONGEST_ID = 100  # digits


def parse_id(value: object) -> str | None:
    """The id of a rule as text; None if it is neither text nor a whole number."""
    if isinstance(value, str):
        return value.strip() or None
    number = None if isinstance(value, float) else parse_number(value)
    # 1e999999 is a Decimal, too. Written out, its digits could fill the memory.
    if number is None or number.adjusted() > _LONGEST_ID:
        return None
    return str(int(number)) if number == number.to_integral_value() else None


def show_value(value: object) -> str:
    """A value of a rules file in a message, shortened."""
    if value is None:
        return "missing"
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "an object"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return shorten(repr(text), 80, placeholder="...")
