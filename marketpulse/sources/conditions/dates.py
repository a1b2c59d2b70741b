"""Dates with a time, as nanoseconds since 1970 in UTC, and what Oracle computes with them."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from marketpulse.sources.conditions import numbers
from marketpulse.sources.conditions.tokens import ConditionError

Timestamp: TypeAlias = int

SECOND = 10**9
DAY = 86_400 * SECOND
_EPOCH = date(1970, 1, 1).toordinal()
# The first day that is the same in Oracle's calendar and in Arrow's. Before it Oracle's is Julian.
_FIRST_GREGORIAN = (date(1582, 10, 15).toordinal() - _EPOCH) * DAY
# In English, as NLS_DATE_LANGUAGE of our sessions in Oracle.
DAY_NAMES = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?"
    r" *(Z|([+-])([01]\d|2[0-3])(?::?([0-5]\d))?)?)?",
    re.ASCII,
)


def at_midnight(day: date) -> Timestamp:
    """Return the start of a day."""
    return (day.toordinal() - _EPOCH) * DAY


def day_of(timestamp: Timestamp) -> date:
    """Return the day of a timestamp. Raises `ConditionError` before the year 1 and after 9999."""
    try:
        return date.fromordinal(timestamp // DAY + _EPOCH)
    except (ValueError, OverflowError) as error:
        raise ConditionError("a date", "it is not between the years 1 and 9999") from error


def parse_iso(text: str) -> Timestamp:
    """Parse `2026-03-13`, with a time and an offset from UTC. Raises `ConditionError`."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise _not_a_date(text)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        midnight = at_midnight(date(year, month, day))
    except ValueError:
        raise _not_a_date(text) from None
    # More than nine digits are refused, not cut, for a cut time could match another condition.
    fraction = (match[7] or "").rstrip("0")
    if len(fraction) > 9:
        raise ConditionError(repr(text), "it has more than nine digits of a second")
    seconds = hour * 3600 + minute * 60 + second
    if match[9]:
        offset = int(match[10]) * 3600 + int(match[11] or 0) * 60
        seconds -= offset if match[9] == "+" else -offset
    return midnight + seconds * SECOND + int(fraction.ljust(9, "0"))


def _not_a_date(text: str) -> ConditionError:
    return ConditionError(repr(text), "it is not a date such as '2026-03-13 14:05:09'")


def add_days(timestamp: Timestamp, days: Decimal) -> Timestamp:
    """Add days and parts of days; the result has whole seconds."""
    seconds = numbers.round_half_up(numbers.multiply(days, Decimal(86_400)))
    return _computable(_whole(timestamp) + int(seconds) * SECOND)


def subtract_days(timestamp: Timestamp, days: Decimal) -> Timestamp:
    """Subtract days as `add_days` adds them."""
    return add_days(timestamp, days.copy_negate())


def days_between(later: Timestamp, earlier: Timestamp) -> Decimal:
    """Return the days and parts of days from the second timestamp to the first."""
    seconds = (_whole(_computable(later)) - _whole(_computable(earlier))) // SECOND
    return numbers.divide(Decimal(seconds), Decimal(86_400))


def _whole(timestamp: Timestamp) -> Timestamp:
    """Refuse a fraction of a second: releases of Oracle differ in how they round it."""
    if timestamp % SECOND:
        raise ConditionError(
            "a date", "days are added to a time with a fraction of a second: use TRUNC"
        )
    return timestamp


def _computable(timestamp: Timestamp) -> Timestamp:
    if timestamp < _FIRST_GREGORIAN:
        raise ConditionError("a date", "days before 1582-10-15 are not counted")
    day_of(timestamp)
    return timestamp


def add_months(timestamp: Timestamp, months: Decimal) -> Timestamp:
    """Add whole months; the last day of a month gives the last day of a month."""
    timestamp = _whole(_computable(timestamp))
    day = day_of(timestamp)
    year, month = divmod(day.year * 12 + day.month - 1 + int(months), 12)
    if not 1 <= year <= 9999:
        raise ConditionError("ADD_MONTHS", "the year is not between 1 and 9999")
    longest = monthrange(year, month + 1)[1]
    is_last = day.day == monthrange(day.year, day.month)[1]
    number = longest if is_last else min(day.day, longest)
    return _computable(at_midnight(date(year, month + 1, number)) + timestamp % DAY)


def last_day(timestamp: Timestamp) -> Timestamp:
    """Return the last day of the month, at the same time of day."""
    day = day_of(_whole(_computable(timestamp)))
    last = day.replace(day=monthrange(day.year, day.month)[1])
    return at_midnight(last) + timestamp % DAY


def next_day(timestamp: Timestamp, name: str) -> Timestamp:
    """Return the first such weekday after the day, at the same time of day."""
    spelled = name.upper()
    weekdays = [place for place, day in enumerate(DAY_NAMES) if spelled in {day, day[:3]}]
    if not weekdays:
        raise ConditionError(repr(name), "it is not a weekday such as 'MONDAY' or 'MON'")
    day = day_of(_whole(_computable(timestamp)))
    ahead = (weekdays[0] - day.weekday() - 1) % 7 + 1  # 1 to 7: the day itself is never the next
    return _computable(timestamp + ahead * DAY)


# -- TRUNC and ROUND -------------------------------------------------------------------------------

_Start = Callable[[date], date]
_UNITS: dict[str, tuple[str, ...]] = {
    "year": ("SYYYY", "YYYY", "YEAR", "SYEAR", "YYY", "YY", "Y"),
    "ISO year": ("IYYY", "IYY", "IY", "I"),
    "quarter": ("Q",),
    "month": ("MONTH", "MON", "MM", "RM"),
    "week of the year": ("WW",),
    "ISO week": ("IW",),
    "week of the month": ("W",),
    "day": ("DDD", "DD", "J"),
    "hour": ("HH", "HH12", "HH24"),
    "minute": ("MI",),
}
_UNIT_OF = {model: unit for unit, models in _UNITS.items() for model in models}
_TIMES = {"day": DAY, "hour": 3600 * SECOND, "minute": 60 * SECOND}


def _week(day: date, first: date) -> date:
    """Return the last day not after this one that has the weekday of `first`."""
    return date.fromordinal(day.toordinal() - (day.toordinal() - first.toordinal()) % 7)


_STARTS: dict[str, _Start] = {
    "year": lambda day: date(day.year, 1, 1),
    "ISO year": lambda day: date.fromisocalendar(day.isocalendar().year, 1, 1),
    "quarter": lambda day: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
    "month": lambda day: day.replace(day=1),
    "week of the year": lambda day: _week(day, date(day.year, 1, 1)),
    "ISO week": lambda day: date.fromordinal(day.toordinal() - day.weekday()),
    "week of the month": lambda day: _week(day, day.replace(day=1)),
}
# From when on ROUND goes up. Halves of weeks are not here: they are not in Oracle's manual.
_IS_LATE: dict[str, Callable[[date], bool]] = {
    "year": lambda day: day.month >= 7,
    "quarter": lambda day: (day.month - 1) % 3 == 2 or ((day.month - 1) % 3 == 1 and day.day >= 16),
    "month": lambda day: day.day >= 16,
}
_NEXT: dict[str, int] = {"year": 12, "quarter": 3, "month": 1}


def unit_of(model: str) -> str:
    """Return the unit of a format model of TRUNC and ROUND. Raises `ConditionError`."""
    unit = _UNIT_OF.get(model.upper())
    if unit is None:
        raise ConditionError(repr(model), "it is not a unit such as 'MM', 'Q', 'YYYY' or 'HH24'")
    return unit


def truncate(timestamp: Timestamp, unit: str = "day") -> Timestamp:
    """Return the start of the day, or of another unit."""
    _computable(timestamp)
    if unit in _TIMES:
        return timestamp - timestamp % _TIMES[unit]
    return _computable(at_midnight(_STARTS[unit](day_of(timestamp))))


def round_date(timestamp: Timestamp, unit: str = "day") -> Timestamp:
    """Return the nearest start of a unit; half is rounded up."""
    _computable(timestamp)
    if unit in _TIMES:
        length = _TIMES[unit]
        # Half a unit later truncates to the nearest one.
        return _computable(truncate(_whole(timestamp) + length // 2, unit))
    if unit not in _IS_LATE:
        raise ConditionError("ROUND", f"it is not understood for the {unit}")
    start = truncate(timestamp, unit)
    return add_months(start, Decimal(_NEXT[unit])) if _IS_LATE[unit](day_of(timestamp)) else start
