"""Dates as Oracle computes with them: what is read, added, cut off and rounded."""

from datetime import date
from decimal import Decimal

import pytest

from marketpulse.sources.conditions import dates
from marketpulse.sources.conditions.dates import SECOND, at_midnight, parse_iso
from marketpulse.sources.conditions.tokens import ConditionError

MORNING = at_midnight(date(2026, 3, 13))  # a Friday


@pytest.mark.parametrize(
    ("text", "seconds", "nanoseconds"),
    [
        (" 2026-03-13 ", 0, 0),
        ("2026-03-13T10:30", 37_800, 0),
        ("2026-03-13 23:59:59.5", 86_399, 500_000_000),
        ("2026-03-13 10:30:05.123456789", 37_805, 123_456_789),
        ("2026-03-13 10:30:05.0000000010", 37_805, 1),
        ("2026-03-13T10:30:05Z", 37_805, 0),
        ("2026-03-13T10:30:05.25+02:00", 30_605, 250_000_000),
        ("2026-03-13 10:30 +0045", 35_100, 0),
        ("2026-03-12 23:00-05:30", 16_200, 0),
        ("2026-03-13 02:00+02", 0, 0),
    ],
)
def test_iso_8601(text: str, seconds: int, nanoseconds: int) -> None:
    """An offset is that of the text from UTC."""
    assert parse_iso(text) == MORNING + seconds * SECOND + nanoseconds


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-29", "2026-3-13", "2026-03-13 24:00", "2026-03-13 10:60", "2026-03-13 10:30:60",
     "2026-03-13 10", "2026-03-13Z", "2026-03-13 10:30:05.1234567891", "2026-03-13 10:30+24:00"],
)  # fmt: skip
def test_texts_that_are_no_dates(text: str) -> None:
    """Nothing is guessed and no digit is cut."""
    with pytest.raises(ConditionError):
        parse_iso(text)


def test_days_are_added() -> None:
    """Parts of days are rounded to whole seconds; a fraction of a second is refused."""
    assert dates.add_days(MORNING, Decimal("1.5")) == parse_iso("2026-03-14 12:00")
    assert dates.add_days(MORNING, Decimal("-0.00001")) == MORNING - SECOND
    assert dates.days_between(parse_iso("2026-03-14 06:00"), MORNING) == Decimal("1.25")
    for wrong in (MORNING + 1, parse_iso("1582-10-14"), parse_iso("1582-10-14 23:59:59")):
        with pytest.raises(ConditionError):
            dates.days_between(wrong, MORNING)
    assert dates.add_days(parse_iso("1582-10-15"), Decimal(0)) == parse_iso("1582-10-15")
    with pytest.raises(ConditionError, match="years 1 and 9999"):
        dates.add_days(parse_iso("9999-12-31"), Decimal(1))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-03-13 14:05", 1, "2026-04-13 14:05"),
        ("2026-03-13", -15, "2024-12-13"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2026-01-29", 1, "2026-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-02-28", 1, "2026-03-31"),
        ("2026-03-30", 1, "2026-04-30"),
        ("9999-11-30", 1, "9999-12-31"),
    ],
)
def test_months_are_added(day: str, months: int, expected: str) -> None:
    """The last day of a month gives the last day of a month."""
    assert dates.add_months(parse_iso(day), Decimal(months)) == parse_iso(expected)


def test_months_end_in_the_year_9999() -> None:
    """The year after it is refused."""
    with pytest.raises(ConditionError, match="the year is not between 1 and 9999"):
        dates.add_months(parse_iso("9999-12-01"), Decimal(1))


def test_days_of_months_and_weeks() -> None:
    """The time of day stays; the day itself is never the next one of its name."""
    afternoon = parse_iso("2026-03-13 14:05")
    assert dates.last_day(afternoon) == parse_iso("2026-03-31 14:05")
    expected = {"FRI": 20, "friday": 20, "Sat": 14, "SUNDAY": 15, "mon": 16, "THURSDAY": 19}
    for name, number in expected.items():
        assert dates.next_day(afternoon, name) == parse_iso(f"2026-03-{number} 14:05")
    with pytest.raises(ConditionError, match="it is not a weekday"):
        dates.next_day(afternoon, "FREITAG")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        *(("YYYY", "2026-01-01"), ("IYYY", "2025-12-29"), ("q", "2026-01-01")),
        *(("MM", "2026-03-01"), ("WW", "2026-03-12"), ("IW", "2026-03-09"), ("W", "2026-03-08")),
        *(("DD", "2026-03-13"), ("HH24", "2026-03-13 14:00"), ("MI", "2026-03-13 14:05")),
    ],
)
def test_units_are_cut_off(model: str, expected: str) -> None:
    """Each unit begins where Oracle's does; WW counts from the weekday of January 1."""
    unit = dates.unit_of(model)
    assert dates.truncate(parse_iso("2026-03-13 14:05:09.5"), unit) == parse_iso(expected)
    assert dates.truncate(parse_iso(expected), unit) == parse_iso(expected)


@pytest.mark.parametrize(
    ("model", "text", "expected"),
    [
        *(("DD", "2026-03-13 11:59:59", "2026-03-13"), ("DD", "2026-03-13 12:00", "2026-03-14")),
        ("HH", "2026-03-13 14:29:59", "2026-03-13 14:00"),
        ("HH", "2026-03-13 14:30", "2026-03-13 15:00"),
        ("MI", "2026-03-13 14:05:29", "2026-03-13 14:05"),
        ("MI", "2026-03-13 14:05:30", "2026-03-13 14:06"),
        *(("MM", "2026-03-15 23:59", "2026-03-01"), ("MM", "2026-03-16", "2026-04-01")),
        *(("Q", "2026-01-31", "2026-01-01"), ("Q", "2026-02-15", "2026-01-01")),
        *(("Q", "2026-02-16", "2026-04-01"), ("Q", "2026-03-01", "2026-04-01")),
        *(("YYYY", "2026-06-30", "2026-01-01"), ("YYYY", "2026-07-01", "2027-01-01")),
    ],
)
def test_units_are_rounded(model: str, text: str, expected: str) -> None:
    """Half a unit is rounded up."""
    unit = dates.unit_of(model)
    assert dates.round_date(parse_iso(text), unit) == parse_iso(expected)


def test_units_that_are_refused() -> None:
    """Weeks are not rounded, and an unknown unit is named."""
    with pytest.raises(ConditionError, match="not understood for the ISO week"):
        dates.round_date(MORNING, dates.unit_of("IW"))
    with pytest.raises(ConditionError, match="'CC': it is not a unit"):
        dates.unit_of("CC")
