"""Oracle's format models of dates: each element written and read, at its borders."""

from datetime import date

import pytest

from marketpulse.sources.conditions.date_models import date_reader, date_writer
from marketpulse.sources.conditions.dates import SECOND, at_midnight
from marketpulse.sources.conditions.tokens import ConditionError

DAY = at_midnight(date(2026, 3, 13))
AFTERNOON = DAY + (14 * 3600 + 5 * 60 + 9) * SECOND + 123_456_789  # a Friday
WRITTEN = {
    "YYYY-MM-DD HH24:MI:SS": "2026-03-13 14:05:09",
    "YYY YY Y RRRR RR": "026 26 6 2026 26",
    "IYYY IYY IY I IW": "2026 026 26 6 11",
    "Q WW W DDD J": "1 11 2 072 2461113",
    "HH HH12 PM a.m. SSSSS": "02 02 PM p.m. 50709",
    "FF FF1 FF9": "123456 1 123456789",
    "MONTH|Month|FMmonth".replace("|", "/"): "MARCH    /March    /march",
    "DAY/DY/Dy/FMDay": "FRIDAY   /FRI/Fri/Friday",
    "FMDD.MM.FMMM HH24": "13.3.03 14",
    '"at" HH24"h"': "at 14h",
}


@pytest.mark.parametrize("model", WRITTEN)
def test_elements_are_written(model: str) -> None:
    """Numbers have their zeros and names their blanks, unless FM takes them away."""
    assert date_writer(model)(AFTERNOON) == WRITTEN[model]


def test_hours_of_a_clock_with_twelve() -> None:
    """Midnight and noon are 12 o'clock."""
    write, read = date_writer("HH12 AM"), date_reader("YYYYMM HH12 AM", 0, fractions=False)
    hours = {0: "12 AM", 1: "01 AM", 11: "11 AM", 12: "12 PM", 13: "01 PM", 23: "11 PM"}
    for hour, text in hours.items():
        assert write(DAY + hour * 3600 * SECOND) == text
        assert read(f"202603 {text}") == at_midnight(date(2026, 3, 1)) + hour * 3600 * SECOND


READ = [
    ("YYYY-MM-DD HH24:MI:SS", "2026-03-13 14:05:09", 50_709 * SECOND),
    ("YYYY-MM-DD HH24:MI:SS", "2026/3/13 23:59:59", 86_399 * SECOND),
    ("YYYY-MM-DD HH24:MI:SS", "20260313 140509", None),
    ("YYYY-MM-DD HH24:MI:SS", "20260313140509", 50_709 * SECOND),
    ("YYYYMMDDHH24MISS", "20260313140509", 50_709 * SECOND),
    ("YYYYMMDDHH24MISS", "202603131405", 50_700 * SECOND),
    ("YYYY-MM-DD HH24:MI", "2026-03-13 14", 50_400 * SECOND),
    ("YYYY-MM-DD HH24:MI", "2026-03-13", 0),
    ("YYYY-MM-DD HH24:MI", "2026-03", None),
    ("DD-MON-YYYY", "13-mar-2026", 0),
    ("DD MONTH YYYY", "13.March.2026", 0),
    ("MM/DD/YYYY", "MAR/13/2026", 0),
    ('YYYY"Y"MMDD', "2026Y0313", 0),
    ("YYYY-MM-DD SS.FF", "2026-03-13 09.5", 9 * SECOND + 500_000_000),
    ("YYYY-MM-DD SS.FF", "2026-03-13 09.123456789", 9 * SECOND + 123_456_789),
    ("YYYY-MM-DD SS.FF3", "2026-03-13 09.123", 9 * SECOND + 123_000_000),
]  # fmt: skip
REFUSED = [
    *(("YYYY-MM-DD SS.FF3", "2026-03-13 09.1234"), ("YYYY-MM-DD SS.FF", "2026-03-13 9.1234567891")),
    *(("YYYY-MM-DD HH24:MI", "2026-03-13 24:00"), ("YYYY-MM-DD HH24:MI", "2026-03-13 23:60")),
    *(("YYYY-MM-DD HH24:MI:SS", "2026-03-13 23:59:60"), ("YYYY-MM-DD", "2026-02-29")),
    *(("YYYY-MM-DD HH12 AM", "2026-03-13 13 PM"), ("YYYY-MM-DD HH12 AM", "2026-03-13 0 AM")),
    *(("YYYY-MM-DD HH12 AM", "2026-03-13 11"), ("YYYYMMDD", "2026313")),
]


@pytest.mark.parametrize(("model", "text", "since_midnight"), READ)
def test_texts_are_read(model: str, text: str, since_midnight: int | None) -> None:
    """Any mark is punctuation; without any, all digits are there. Times may be left out."""
    read = date_reader(model, AFTERNOON, fractions=True)
    if since_midnight is None:
        with pytest.raises(ConditionError, match="it is not a date in the format"):
            read(text)
    else:
        assert read(text) == DAY + since_midnight


@pytest.mark.parametrize(("model", "text"), REFUSED)
def test_texts_that_are_no_dates(model: str, text: str) -> None:
    """No such hour, minute, second, day or digit."""
    with pytest.raises(ConditionError):
        date_reader(model, AFTERNOON, fractions=True)(text)


@pytest.mark.parametrize(
    ("now", "model", "years"),
    [
        (2026, "RR", {"00": 2000, "49": 2049, "50": 1950, "99": 1999}),
        (2049, "RRRR", {"49": 2049, "50": 1950, "1926": 1926}),
        (2050, "RR", {"49": 2149, "50": 2050, "99": 2099}),
        (1999, "RR", {"00": 2000, "49": 2049, "50": 1950}),
        (1999, "YY", {"00": 1900, "49": 1949, "50": 1950}),
        (2026, "YY", {"49": 2049, "50": 2050, "1999": 1999}),
    ],
)
def test_years_of_two_digits(now: int, model: str, years: dict[str, int]) -> None:
    """RR is the nearest of two centuries, from 50 to 49; YY is the century of today."""
    read = date_reader(f"{model}-MM", at_midnight(date(now, 6, 1)), fractions=False)
    given = {text: read(f"{text}-03") for text in years}
    assert given == {text: at_midnight(date(year, 3, 1)) for text, year in years.items()}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("YYYY-MM-DD-YY", "'YY': a date is not read by it"),
        ("YYYY-MM-DDD", "'DDD': a date is not read by it"),
        ("YYYY-DD", "it has no element for the month"),
        ("MM-DD", "it has no element for the year"),
        ("YYYY-MM HH12", "HH12 needs AM, and HH24 does not have it"),
        ("YYYY-MM HH24 AM", "HH12 needs AM, and HH24 does not have it"),
        ("YYYY-MM SS.FF", "'FF': a date is not read by it"),
        ("YYYY-MM-D", "'D': this element of 'YYYY-MM-D' is not understood"),
        ("YYYY#MM", "'#MM': no element of 'YYYY#MM' starts like this"),
    ],
)
def test_models_that_are_refused(model: str, words: str) -> None:
    """The error names the element."""
    with pytest.raises(ConditionError) as caught:
        date_reader(model, AFTERNOON, fractions=False)
    assert words in str(caught.value)
