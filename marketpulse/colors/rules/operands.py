"""The value of a condition: an exact number, an instant or text, as the column's kind asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from marketpulse.colors import cells
from marketpulse.colors.columns import Kind

_SECONDS_OF_A_DAY = 86_400
# The seconds of the years 1 to 9999: DuckDB and Python hold no others.
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
_LONGEST_PLAIN = 100  # digits; a longer number is shown with an exponent


@dataclass(frozen=True)
class Instant:
    """A date value: seconds since 1970 in UTC, the digits of a fraction, or a whole day.

    The fraction has no zero at its end, so its text compares as the fraction does.
    """

    seconds: int
    fraction: str = ""
    whole_day: bool = False

    @property
    def end(self) -> Instant:
        """The first instant after the day; the instant itself if it is not a whole day."""
        return Instant(self.seconds + _SECONDS_OF_A_DAY) if self.whole_day else self

    @property
    def day(self) -> int:
        """The day, counted from 1970."""
        return self.seconds // _SECONDS_OF_A_DAY


Operand = Decimal | Instant | str


def parse_operand(value: object, kind: Kind) -> Operand | None:
    """A value of a rules file as an operand for a column of this kind; None if it is not one."""
    if kind is Kind.TEXT:
        return value.strip() if isinstance(value, str) and value.strip() else None
    return parse_instant(value) if kind is Kind.DATE else parse_number(value)


def parse_number(value: object) -> Decimal | None:
    """An exact, finite number, written as a number or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        # A document that the caller parsed with Python's own json: 0.1 means 0.1.
        value = Decimal(str(value))
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str) and re.fullmatch(cells.NUMBER, value.strip()):
        try:
            return Decimal(value.strip())
        except InvalidOperation:  # the exponent is beyond what Decimal holds
            return None
    return None


def parse_instant(value: object) -> Instant | None:
    """A date or a time in UTC, written as text or as a date of TOML; None for anything else."""
    if isinstance(value, date):
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
    # Plain integers, because an offset may move the first and the last day out of datetime's range.
    seconds += hours * 3600 + minutes * 60 + second - _offset_seconds(offset)
    in_range = _FIRST_SECOND <= seconds <= _LAST_SECOND
    return Instant(seconds, fraction.rstrip("0")) if in_range else None


def _offset_seconds(offset: str) -> int:
    """The seconds of `Z`, `+02`, `+0200` or `+02:00`; 0 without an offset."""
    if offset in {"", "Z"}:
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if offset[0] == "-" else seconds


def describe_operand(operand: Operand) -> str:
    """An operand as a person reads it."""
    if isinstance(operand, Instant):
        time = datetime(1970, 1, 1) + timedelta(seconds=operand.seconds)  # noqa: DTZ001 - it is UTC, and shown without an offset
        if operand.whole_day:
            return time.date().isoformat()
        return time.isoformat(" ") + (f".{operand.fraction}" if operand.fraction else "")
    short = isinstance(operand, Decimal) and abs(operand.adjusted()) <= _LONGEST_PLAIN
    return format(operand, "f") if short else str(operand)
