"""Rules that never match or that an earlier rule shadows are warned about."""

from typing import Any

import pytest
from rule_documents import book, condition, faults_of, rule


@pytest.mark.parametrize(
    ("conditions", "place", "message"),
    [
        (
            [condition("PX", "between", 50, value2=2)],
            "rule 7 ('Seven'), condition 1",
            "never matches: the first value is above the second",
        ),
        (
            [condition("DATE", "between", "2026-03-13", value2="2026-03-12")],
            "rule 7 ('Seven'), condition 1",
            "never matches: the first value is above the second",
        ),
        (
            [condition("SOURCE", "equals", "MS"), condition("source", "equals", "GS", type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on SOURCE contradict each other",
        ),
        (
            [condition("PX", "is_null"), condition("PX", "gt", 1, type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX contradict each other",
        ),
        (
            [
                condition("DATE", "equals", "2026-03-13"),
                condition("DATE", "equals", "2026-03-14T10:00", type="and"),
            ],
            "rule 7 ('Seven')",
            "never matches: its conditions on DATE contradict each other",
        ),
        (
            [condition("PX", "gt", 5), condition("PX", "lt", 5, type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX contradict each other",
        ),
        (
            [condition("PX", "between", 1, value2=3), condition("PX", "gte", "3.5", type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX contradict each other",
        ),
        (
            [condition("PX", "gt", 5), condition("PX", "lte", 5, type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX contradict each other",
        ),
        (
            [
                condition("SOURCE", "equals", "MS"),
                condition("PX", "gt", 5, type="and"),
                condition("PX", "lt", 4, type="and"),
            ],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX contradict each other",
        ),
        (
            [condition("RANK", "equals", "2.5")],
            "rule 7 ('Seven'), condition 1",
            "never matches: RANK holds whole numbers",
        ),
    ],
)
def test_a_rule_that_never_matches_is_warned_about(
    conditions: list[dict[str, Any]], place: str, message: str
) -> None:
    """Conditions that can never be true are warnings, not errors."""
    assert faults_of(book(rule(*conditions))) == [(place, message, False)]


def test_a_rule_that_may_match_is_not_warned_about() -> None:
    """No warning if one number is within the limits, or one list element is whole."""
    rules = [
        [condition("PX", "gte", 5), condition("PX", "lte", "5.0", type="and")],
        [condition("PX", "gt", 5), condition("PX", "lt", 4, type="or")],
        [condition("PX", "gt", 5), condition("BID", "lt", 4, type="and")],
        [condition("RANK", "in", "2.5,3")],
        [condition("RANK", "equals", "2.0")],
        [condition("RANK", "greater_than", "2.5")],
    ]
    for number, conditions in enumerate(rules):
        assert faults_of(book(rule(*conditions, id=number))) == []


def test_a_shadowed_rule_is_warned_about() -> None:
    """A rule with the conditions of an earlier active rule takes no row."""
    first = rule(condition("SOURCE", "equals", "MS"))
    second = rule(condition(" source ", "is equal to", " ms "), id=8, name="Eight")

    assert faults_of(book(first, second)) == [
        (
            "rule 8 ('Eight')",
            "takes no row: rule 7 ('Seven') has the same conditions and comes first",
            False,
        )
    ]
    assert faults_of(book({**first, "is_active": False}, second)) == []


@pytest.mark.parametrize(
    "conditions",
    [
        [condition("PX", "between", 2, value2="2.0")],
        [condition("PX", "equals", 2), condition("PX", "equals", "2.00", type="and")],
        [condition("SOURCE", "equals", "MS"), condition("SOURCE", "equals", " ms", type="and")],
        [condition("SOURCE", "equals", "MS"), condition("SOURCE", "equals", "GS", type="or")],
        [condition("PX", "is_null"), condition("PX", "gt", 1, type="or")],
        [
            condition("DATE", "equals", "2026-03-13"),
            condition("DATE", "equals", "2026-03-13T10:00", type="and"),
        ],
    ],
)
def test_a_rule_that_may_match_is_not_suspected(conditions: list[dict[str, Any]]) -> None:
    """Equal values, a time within its day, and conditions joined by `or` do not contradict."""
    assert faults_of(book(rule(*conditions))) == []
