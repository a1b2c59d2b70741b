"""Values of conditions are exact numbers and instants, however they are written."""

from decimal import Decimal
from pathlib import Path

import pytest
from rule_documents import COLUMNS, book, condition, faults_of, operands, rule

from marketpulse.colors.rules import Instant, bind_rules, describe_operand, read_rules
from marketpulse.colors.rules.operands import Operand, parse_instant


def test_dates_of_toml_mean_their_text(tmp_path: Path) -> None:
    """A date of TOML means the same as its text."""
    for native, text in (
        ("2026-03-13", "2026-03-13"),
        ("2026-03-13T10:30:00", "2026-03-13T10:30:00"),
        ("2026-03-13T10:30:00.25", "2026-03-13 10:30:00.250"),
        ("2026-03-13T10:30:00+02:00", "2026-03-13T08:30:00Z"),
        ("2026-03-13 10:30:00Z", "2026-03-13T10:30:00"),
    ):
        path = tmp_path / "rules.toml"
        path.write_text(
            '[[rules]]\nid = 7\nname = "Seven"\nis_active = true\nconditions = '
            f'[{{type = "where", column = "DATE", operator = "equals", value = {native}}}]\n',
            encoding="utf-8",
        )
        ((bound,), faults) = bind_rules(read_rules(path), COLUMNS)
        assert faults == ()
        assert bound.conditions[0].operands == operands("DATE", "equals", text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-13", Instant(1_773_360_000, whole_day=True)),
        ("2026-03-13T10:20:05.2500Z", Instant(1_773_397_205, "25")),
        ("0001-01-01T00:00:00", Instant(-62_135_596_800)),
        ("9999-12-31T23:59:59", Instant(253_402_300_799)),
        ("9999-12-31T23:59:59-00:01", None),
    ],
)
def test_instants_are_exact(text: str, instant: Instant | None) -> None:
    """A second is a second, from the first of year 1 to the last of year 9999."""
    assert parse_instant(text) == instant


def test_dates_with_offsets_are_instants() -> None:
    """A time with an offset is converted to UTC; without an offset it is UTC."""
    noon = operands("DATE", "equals", "2026-03-13T12:00:00Z")
    for text in (
        "2026-03-13 12:00",
        "2026-03-13T12:00:00.000",
        "2026-03-13T12:00:00+00:00",
        "2026-03-13T14:00:00+02:00",
        "2026-03-13T14:00+02",
        "2026-03-13T07:00:00-0500",
        "2026-03-14T01:30:00+13:30",
        "  2026-03-13T12:00:00Z  ",
    ):
        assert operands("DATE", "equals", text) == noon
    assert operands("DATE", "equals", "2026-03-13") != operands(
        "DATE", "equals", "2026-03-13T00:00:00"
    )


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-03-13T24:00:00",
        "2026-03-13T10:60",
        "2026-03-13T10",
        "2026-03-13 10:00 +02:00",
        "20260313",
        "today",
    ],
)
def test_what_is_not_a_date(text: str) -> None:
    """A time that does not exist or has another spelling is refused."""
    ((_, message, fatal),) = faults_of(book(rule(condition("DATE", "gte", text))))

    assert message == f"'{text}' is not a date, and DATE is a date column"
    assert fatal


def test_numbers_may_stand_as_text() -> None:
    """A number may be text, with blanks, an exponent or trailing zeros."""
    for value in (2, "2", " 2 ", "2.0", "+2", "2e0", "0.2E1", 2.0):
        assert operands("PX", "equals", value) == (2,)
    assert operands("MESSAGE_ID", "equals", 17700000042372477) == (17700000042372477,)
    assert operands("PX", "in", "1, 2.50,3") == operands("PX", "in", [1, "2.5", 3.0])


@pytest.mark.parametrize(
    ("operand", "text"),
    [
        (Decimal("1E+2"), "100"),
        (Decimal("1E+999"), "1E+999"),
        (Decimal("-0.50"), "-0.50"),
        ("MS", "MS"),
        (Instant(1773396000), "2026-03-13 10:00:00"),
        (Instant(1773396000, "25"), "2026-03-13 10:00:00.25"),
        (Instant(1773360000, whole_day=True), "2026-03-13"),
        (Instant(-62_135_596_800), "0001-01-01 00:00:00"),
    ],
)
def test_operands_are_shown_as_a_person_reads_them(operand: Operand, text: str) -> None:
    """Numbers without an exponent unless they are huge, times in UTC, whole days as dates."""
    assert describe_operand(operand) == text


def test_a_whole_day_ends_where_the_next_begins() -> None:
    """The end of a day is the next midnight; a time is its own end."""
    day, noon = Instant(0, whole_day=True), Instant(43_200)
    assert (day.end, noon.end) == (Instant(86_400), noon)
    assert (day.day, noon.day, Instant(-1).day) == (0, 0, -1)
