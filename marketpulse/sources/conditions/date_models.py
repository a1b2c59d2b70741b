"""Oracle's format models of dates: TO_CHAR writes with them, TO_DATE reads with them.

What is not listed here is refused by its name: elements that depend on the territory (D),
spelled-out numbers (DDSP), eras, time zones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from marketpulse.sources.conditions.dates import (
    DAY,
    DAY_NAMES,
    SECOND,
    Timestamp,
    at_midnight,
    day_of,
)
from marketpulse.sources.conditions.tokens import ConditionError

# In English, as NLS_DATE_LANGUAGE of our sessions in Oracle.
_MONTHS = (
    *("JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE", "JULY", "AUGUST", "SEPTEMBER"),
    *("OCTOBER", "NOVEMBER", "DECEMBER"),
)
_LONGEST_NAME = 9  # SEPTEMBER and WEDNESDAY: names are padded to it
_JULIAN = 1_721_425  # the Julian day number of the day before 0001-01-01


@dataclass(frozen=True)
class _Parts:
    """A timestamp, taken apart."""

    day: date
    hour: int
    minute: int
    second: int
    nanosecond: int

    @classmethod
    def of(cls, timestamp: Timestamp) -> _Parts:
        seconds, nanosecond = divmod(timestamp % DAY, SECOND)
        return cls(day_of(timestamp), seconds // 3600, seconds // 60 % 60, seconds % 60, nanosecond)


# An element: how many digits it has, and the number.
_NUMBERS: dict[str, tuple[int, Callable[[_Parts], int]]] = {
    "YYYY": (4, lambda at: at.day.year),
    "YYY": (3, lambda at: at.day.year % 1000),
    "YY": (2, lambda at: at.day.year % 100),
    "Y": (1, lambda at: at.day.year % 10),
    "RRRR": (4, lambda at: at.day.year),
    "RR": (2, lambda at: at.day.year % 100),
    "IYYY": (4, lambda at: at.day.isocalendar().year),
    "IYY": (3, lambda at: at.day.isocalendar().year % 1000),
    "IY": (2, lambda at: at.day.isocalendar().year % 100),
    "I": (1, lambda at: at.day.isocalendar().year % 10),
    "Q": (1, lambda at: (at.day.month - 1) // 3 + 1),
    "MM": (2, lambda at: at.day.month),
    "WW": (2, lambda at: (at.day.timetuple().tm_yday - 1) // 7 + 1),
    "IW": (2, lambda at: at.day.isocalendar().week),
    "W": (1, lambda at: (at.day.day - 1) // 7 + 1),
    "DDD": (3, lambda at: at.day.timetuple().tm_yday),
    "DD": (2, lambda at: at.day.day),
    "J": (7, lambda at: at.day.toordinal() + _JULIAN),
    "HH24": (2, lambda at: at.hour),
    "HH12": (2, lambda at: (at.hour - 1) % 12 + 1),
    "HH": (2, lambda at: (at.hour - 1) % 12 + 1),
    "MI": (2, lambda at: at.minute),
    "SSSSS": (5, lambda at: at.hour * 3600 + at.minute * 60 + at.second),
    "SS": (2, lambda at: at.second),
}
# An element that is a name: the name, and whether it is padded.
_NAMES: dict[str, tuple[Callable[[_Parts], str], bool]] = {
    "MONTH": (lambda at: _MONTHS[at.day.month - 1], True),
    "MON": (lambda at: _MONTHS[at.day.month - 1][:3], False),
    "DAY": (lambda at: DAY_NAMES[at.day.weekday()], True),
    "DY": (lambda at: DAY_NAMES[at.day.weekday()][:3], False),
    "A.M.": (lambda at: "P.M." if at.hour >= 12 else "A.M.", False),
    "P.M.": (lambda at: "P.M." if at.hour >= 12 else "A.M.", False),
    "AM": (lambda at: "PM" if at.hour >= 12 else "AM", False),
    "PM": (lambda at: "PM" if at.hour >= 12 else "AM", False),
}
ELEMENTS = (*_NUMBERS, *_NAMES, "FF", "FM")  # what is understood
_MERIDIANS = {"A.M.", "P.M.", "AM", "PM"}
_FRACTION = re.compile(r"FF[1-9]?")
# Recognized, so that DDD is not read as DD and D; each is refused by its name.
_REFUSED = (
    *("SYYYY", "SYEAR", "YEAR", "Y,YYY", "SCC", "CC", "B.C.", "A.D.", "BC", "AD", "RM", "TS"),
    *("DL", "DS", "EE", "E", "D", "TZD", "TZH", "TZM", "TZR", "X", "FX", "TH", "SP"),
)
_ELEMENT = re.compile(
    "|".join(
        [
            '"[^"]*"',
            "FM",
            _FRACTION.pattern,
            # The longest first: an alternative that matches ends the search.
            *map(re.escape, sorted((*_NUMBERS, *_NAMES, *_REFUSED), key=len, reverse=True)),
            r"[-/,.;: ]",
        ]
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Element:
    """A piece of a format model: an element, or text that stands for itself."""

    name: str
    spelled: str
    is_text: bool
    is_filled: bool  # numbers have leading zeros, and names are padded

    @property
    def is_punctuation(self) -> bool:
        return self.is_text and not self.spelled.startswith('"')

    @property
    def is_fraction(self) -> bool:
        return _FRACTION.fullmatch(self.name) is not None


def _elements(model: str) -> list[_Element]:
    """Split a format model. Raises `ConditionError` for what is not understood."""
    elements: list[_Element] = []
    place, is_filled = 0, True
    while place < len(model):
        match = _ELEMENT.match(model, place)
        if match is None:
            raise ConditionError(repr(model[place:]), f"no element of {model!r} starts like this")
        spelled, place = match[0], match.end()
        name = spelled.upper()
        if name == "FM":  # a switch: the second one turns filling on again
            is_filled = not is_filled
            continue
        if name in _REFUSED:
            raise ConditionError(repr(spelled), f"this element of {model!r} is not understood")
        is_text = spelled[0] in '"-/,.;: '
        elements.append(_Element(name, spelled, is_text, is_filled))
    return elements


# -- TO_CHAR ---------------------------------------------------------------------------------------


def date_writer(model: str) -> Callable[[Timestamp], str]:
    """Return a function that writes timestamps in this format model. Raises `ConditionError`."""
    pieces = [_piece(element) for element in _elements(model)]

    def write(timestamp: Timestamp) -> str:
        parts = _Parts.of(timestamp)
        return "".join(piece(parts) for piece in pieces)

    return write


def _piece(element: _Element) -> Callable[[_Parts], str]:
    if element.is_text:
        text = element.spelled.strip('"')
        return lambda _: text
    if element.is_fraction:
        digits = int(element.name[2:] or 6)
        return lambda at: f"{at.nanosecond:09}"[:digits]
    if element.name in _NUMBERS:
        width, number = _NUMBERS[element.name]
        width = width if element.is_filled else 1
        return lambda at: f"{number(at):0{width}}"
    name, is_padded = _NAMES[element.name]
    width = _LONGEST_NAME if is_padded and element.is_filled else 0
    change_case = _case(element)
    return lambda at: change_case(name(at)).ljust(width)


def _case(element: _Element) -> Callable[[str], str]:
    # The case of the element is that of the name: MON gives MAR, Mon gives Mar, mon gives mar.
    spelled = element.spelled
    if spelled == spelled.upper():
        return str.upper
    if spelled == spelled.lower():
        return str.lower
    if spelled == spelled.capitalize() and element.name not in _MERIDIANS:
        return str.capitalize
    raise ConditionError(repr(spelled), "write it in capitals, in small letters, or as in 'Mon'")


# -- TO_DATE ---------------------------------------------------------------------------------------

_NAMED_MONTH = "|".join(sorted({*_MONTHS, *(name[:3] for name in _MONTHS)}, key=len, reverse=True))
# An element that is read: what it is of a date, and its texts. Alternatives that a following digit
# would make ambiguous are after the first |.
_READABLE = {
    "YYYY": ("year", r"\d{4}"),
    "RRRR": ("year", r"\d{4}|\d{2}"),
    **dict.fromkeys(("YY", "RR"), ("year", r"\d{2}|\d{4}")),
    "MM": ("month", rf"\d{{1,2}}|{_NAMED_MONTH}"),
    **dict.fromkeys(("MON", "MONTH"), ("month", _NAMED_MONTH)),
    "DD": ("day", r"\d{1,2}"),
    **dict.fromkeys(("HH24", "HH12", "HH"), ("hour", r"\d{1,2}")),
    "MI": ("minute", r"\d{1,2}"),
    "SS": ("second", r"\d{1,2}"),
    **dict.fromkeys(("AM", "PM"), ("meridian", "AM|PM")),
    **dict.fromkeys(("A.M.", "P.M."), ("meridian", r"A\.M\.|P\.M\.")),
}
_OF_DAYS = {"year", "month", "day"}


def date_reader(model: str, now: Timestamp, *, fractions: bool) -> Callable[[str], Timestamp]:
    """Return a function that reads texts in this format model.

    `fractions` allows FF, as TO_TIMESTAMP does. The year of two digits follows from `now`. Raises
    `ConditionError`, the function too.
    """
    elements = _elements(model)
    roles = _checked_roles(model, elements, fractions=fractions)
    patterns = [
        re.compile(_reading_pattern(elements, punctuated=punctuated), re.IGNORECASE | re.ASCII)
        for punctuated in (True, False)
    ]
    year = partial(_full_year, model=roles["year"], now=day_of(now).year)

    def read(text: str) -> Timestamp:
        for pattern in patterns:
            if match := pattern.fullmatch(text):
                return _timestamp(text, match.groupdict(), year)
        raise ConditionError(repr(text), f"it is not a date in the format {model!r}")

    return read


def _checked_roles(model: str, elements: Sequence[_Element], *, fractions: bool) -> dict[str, str]:
    """Return the element of each role. Raises `ConditionError` for what TO_DATE cannot read."""
    roles: dict[str, str] = {}
    for element in elements:
        if element.is_text or (element.is_fraction and fractions):
            continue
        role, _ = _READABLE.get(element.name, ("", ""))
        if not role or role in roles:
            raise ConditionError(repr(element.spelled), f"a date is not read by it in {model!r}")
        roles[role] = element.name
    # Oracle takes a missing one from the current date: the same condition would change its meaning.
    for role in ("year", "month"):
        if role not in roles:
            raise ConditionError(repr(model), f"it has no element for the {role}")
    if ("meridian" in roles) != (roles.get("hour") in {"HH", "HH12"}):
        raise ConditionError(repr(model), "HH12 needs AM, and HH24 does not have it")
    return roles


def _reading_pattern(elements: Sequence[_Element], *, punctuated: bool) -> str:
    """Return the regular expression of a text in this format.

    Any mark stands for punctuation. Without any punctuation, all digits are there. Times at the
    end may be left out.
    """
    roles = [_READABLE.get(element.name, ("", ""))[0] for element in elements]
    last_of_date = max(place for place, role in enumerate(roles) if role in _OF_DAYS)
    pattern, closing = "", ""
    for place, element in enumerate(elements):
        following = elements[place + 1] if place + 1 < len(elements) else None
        is_joined = following is not None and not following.is_text
        piece = _element_pattern(element, punctuated=punctuated, is_joined=is_joined)
        # YYYY-MM-DD HH24:MI also reads "2026-03-13 14", and "2026-03-13" with nothing after it:
        #     year [^..] month [^..] day (?: [^..] hour (?: [^..] minute )? )?
        if place > last_of_date and not elements[place - 1].is_text:
            pattern += "(?:"
            closing += ")?"
        pattern += piece
    return pattern + closing


def _element_pattern(element: _Element, *, punctuated: bool, is_joined: bool) -> str:
    if element.is_punctuation:
        return "[^0-9A-Za-z]" if punctuated else ""
    if element.is_text:
        return re.escape(element.spelled.strip('"'))
    if element.is_fraction:
        return rf"(?P<fraction>\d{{1,{element.name[2:] or 9}}})"
    role, pattern = _READABLE[element.name]
    # Where nothing separates two numbers, only a fixed width tells where the first one ends.
    if (is_joined or not punctuated) and pattern.startswith(r"\d"):
        pattern = pattern.partition("|")[0].replace("{1,2}", "{2}")
    return f"(?P<{role}>{pattern})"


def _full_year(digits: str, *, model: str, now: int) -> int:
    """Return the year that two or four digits mean; RR takes the nearest of two centuries."""
    year = int(digits)
    if len(digits) == 4:
        return year
    century = now // 100 * 100
    if model in {"RR", "RRRR"}:
        if year < 50 <= now % 100:
            century += 100
        elif now % 100 < 50 <= year:
            century -= 100
    return century + year


def _timestamp(text: str, parts: dict[str, str | None], year: Callable[[str], int]) -> Timestamp:
    month = parts["month"] or ""
    number = int(month) if month.isdigit() else _month_number(month)
    hour, minute, second = (int(parts.get(role) or 0) for role in ("hour", "minute", "second"))
    meridian = (parts.get("meridian") or "").upper()
    if "meridian" in parts and parts.get("hour"):
        if not meridian or not 1 <= hour <= 12:
            raise ConditionError(repr(text), "it has no hour from 1 to 12 with AM or PM")
        # 12 AM is midnight, 12 PM is noon.
        hour = hour % 12 + (12 if meridian.startswith("P") else 0)
    try:
        day = date(year(parts["year"] or ""), number, int(parts.get("day") or 1))
    except ValueError as error:
        raise ConditionError(repr(text), "there is no such day") from error
    if hour > 23 or minute > 59 or second > 59:
        raise ConditionError(repr(text), "there is no such time")
    fraction = int((parts.get("fraction") or "").ljust(9, "0"))
    return at_midnight(day) + (hour * 3600 + minute * 60 + second) * SECOND + fraction


def _month_number(name: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, 1) if month[:3] == name[:3].upper())
