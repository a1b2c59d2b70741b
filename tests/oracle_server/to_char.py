"""TO_CHAR: numbers, dates and intervals as Oracle writes them."""

from __future__ import annotations

import re
from decimal import Context, Decimal

from oracle_server.answers import (
    DayInterval,
    MonthInterval,
    OracleError,
    Timestamp,
    Value,
)

_MOST_CHARACTERS = 64  # a longer number gets an exponent
_WIDE = Context(prec=60)
_ELEMENTS = re.compile(r'"([^"]*)"|(SYYYY|YYYY|MM|DD|HH24|MI|SS|FF[1-9]?|TZH|TZM|BC)|([-/,.;: T])')


def format_number(value: float | Decimal) -> str:
    """Format a number in as few characters as possible: TM9."""
    sign, digits, exponent = Decimal(value).normalize(_WIDE).as_tuple()
    assert isinstance(exponent, int)
    text = format(Decimal((0, digits, exponent)), "f")
    text = text.removeprefix("0") if text.startswith("0.") else text
    if len(text) + sign > _MOST_CHARACTERS:
        first, rest = str(digits[0]), "".join(map(str, digits[1:]))
        power = exponent + len(digits) - 1
        text = f"{first}{'.' if rest else ''}{rest}E{power:+03d}"
    return "-" * sign + text


def format_timestamp(value: Timestamp, pattern: str) -> str:
    """Format a date or timestamp. Raises `OracleError` for an unknown format element."""
    zone = value.offset_minutes or 0
    fraction = f"{value.nanosecond:09}"
    parts = {
        "SYYYY": f"{'-' if value.year < 0 else ' '}{abs(value.year):04}",
        "YYYY": f"{abs(value.year):04}",
        "MM": f"{value.month:02}",
        "DD": f"{value.day:02}",
        "HH24": f"{value.hour:02}",
        "MI": f"{value.minute:02}",
        "SS": f"{value.second:02}",
        "FF": fraction[:6],
        "TZH": f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02}",
        "TZM": f"{abs(zone) % 60:02}",
        "BC": "BC" if value.year < 0 else "AD",
        **{f"FF{digits}": fraction[:digits] for digits in range(1, 10)},
    }
    text = ""
    offset = 0
    while offset < len(pattern):
        match = _ELEMENTS.match(pattern, offset)
        if match is None:
            raise OracleError(1821, "ORA-01821: date format not recognized")
        quoted, element, separator = match.groups()
        text += parts[element] if element else separator if quoted is None else quoted
        offset = match.end()
    return text


def to_char(value: Value) -> str | None:
    """Return what TO_CHAR without a format returns."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | Decimal):
        return format_number(value)
    if isinstance(value, Timestamp):
        return format_timestamp(value, "YYYY-MM-DD HH24:MI:SS")
    if isinstance(value, DayInterval):
        total = (value.days, value.seconds, value.nanoseconds)
        sign = "-" if total < (0, 0, 0) else "+"
        hours, rest = divmod(abs(value.seconds), 3600)
        fraction = abs(value.nanoseconds) // 1000
        clock = f"{hours:02}:{rest // 60:02}:{rest % 60:02}.{fraction:06}"
        return f"{sign}{abs(value.days):02} {clock}"
    if isinstance(value, MonthInterval):
        years, months = divmod(abs(value.months), 12)
        return f"{'-' if value.months < 0 else '+'}{years:02}-{months:02}"
    assert isinstance(value, bytes), value
    return value.hex().upper()
