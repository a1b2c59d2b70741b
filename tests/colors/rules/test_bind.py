"""Conditions find their columns, and what does not fit is a fault."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from rule_documents import COLUMNS, book, check_fault, condition, faults_of, operands, rule

from marketpulse.colors.rules import (
    join_books,
    read_rules,
    require_rules,
    rules_from,
)
from marketpulse.colors.run import run_colors
from marketpulse.errors import RulesError

BINDING_FAULTS = {
    "column": (
        condition("SOURC", "equals", "MS"),
        "the input has no column 'SOURC', did you mean SOURCE?",
    ),
    "text for a number": (
        condition("PX", "gt", "two"),
        "'two' is not a number, and PX is a number column",
    ),
    "true for a number": (
        condition("PX", "gt", True),
        "'true' is not a number, and PX is a number column",
    ),
    "NaN for a number": (
        condition("PX", "gt", "NaN"),
        "'NaN' is not a number, and PX is a number column",
    ),
    "text for an integer": (
        condition("RANK", "equals", "best"),
        "'best' is not an integer, and RANK is an integer column",
    ),
    "no date": (
        condition("DATE", "equals", "31/12/2026"),
        "'31/12/2026' is not a date, and DATE is a date column",
    ),
    "a date that was never": (
        condition("DATE", "equals", "2026-02-30"),
        "'2026-02-30' is not a date, and DATE is a date column",
    ),
    "a number for text": (
        condition("SOURCE", "equals", 5),
        "'5' is not text, and SOURCE is a text column",
    ),
    "an element of a list": (
        condition("RANK", "in", [1, "two", 3]),
        "element 2 of the list: 'two' is not an integer, and RANK is an integer column",
    ),
    "an element of text with commas": (
        condition("RANK", "not in", "1,,3"),
        "element 2 of the list: '' is not an integer, and RANK is an integer column",
    ),
    "matching a number": (
        condition("PX", "contains", "99"),
        (
            "PX is a number column, which has no operator 'contains'; "
            "write equals '99' for one number, or between for a range"
        ),
    ),
    "matching no number": (
        condition("PX", "starts with", "n"),
        (
            "PX is a number column, which has no operator 'starts_with'; use one of equals, "
            "not_equals, less_than, greater_than, less_or_equal, greater_or_equal, between, in, "
            "not_in, is_null, is_not_null"
        ),
    ),
    "matching a date": (
        condition("DATE", "contains", "2026-03-13"),
        (
            "DATE is a date column, which has no operator 'contains'; "
            "write equals '2026-03-13' for one day, or between for a range"
        ),
    ),
    "not matching a number": (
        condition("RANK", "does not contain", 2),
        (
            "RANK is an integer column, which has no operator 'not_contains'; write not_equals '2' "
            "for one number, or less_than and greater_than, joined by or, for a range"
        ),
    ),
    "ordering text": (
        condition("SOURCE", "lt", "MS"),
        (
            "SOURCE is a text column, which has no operator 'less_than'; use one of equals, "
            "not_equals, contains, not_contains, starts_with, ends_with, in, not_in, is_null, "
            "is_not_null"
        ),
    ),
}


@pytest.mark.parametrize(("wrong", "message"), BINDING_FAULTS.values(), ids=list(BINDING_FAULTS))
def test_a_condition_that_does_not_fit_its_column_names_rule_and_condition(
    wrong: object, message: str
) -> None:
    """The message names rule and condition. If the rule is switched off, it is a warning."""
    check_fault(wrong, message)


def test_all_faults_are_found_at_once() -> None:
    """`bind_rules` gives all faults; `require_rules` raises the first and counts the others.

    In a rule that cannot be read the other conditions are checked, and each column is looked up.
    """
    wrong = book(
        "a rule",
        rule(5, condition("PX", "gt", "x"), {**condition("NOWHERE", "gt", 1), "type": "nand"}),
        rule(condition("NOWHERE", "gt", 1), id=8),
    )

    assert [fault[0] for fault in faults_of(wrong)] == [
        "rule number 1",
        "rule 7 ('Seven'), condition 1",
        "rule 7 ('Seven'), condition 2",
        "rule 7 ('Seven'), condition 3",
        "rule 7 ('Seven'), condition 3",
        "rule 8 ('Seven'), condition 1",
    ]
    with pytest.raises(RulesError, match=r"rule number 1: .* \(and 5 more\)"):
        require_rules(wrong, COLUMNS)


def test_faults_of_a_rule_that_is_switched_off_are_warnings() -> None:
    """Also those of its other conditions, if one of them cannot be read."""
    wrong = {**condition("PX", "gt", 1), "type": "nand"}
    faults = faults_of(book(rule(condition("NOWHERE", "gt", 1), wrong, is_active=False)))

    assert [(place, fatal) for place, _, fatal in faults] == [
        ("rule 7 ('Seven'), condition 2", False),
        ("rule 7 ('Seven'), condition 1", False),
    ]


def test_the_hint_has_the_file(tmp_path: Path) -> None:
    """With several files, or none, there is nothing to copy: the error has the file."""
    path = tmp_path / "day.json"
    path.write_text(json.dumps({"rules": [rule(condition("NOWHERE", "gt", 1))]}), "utf-8")
    other = tmp_path / "other.json"
    other.write_text('{"rules": []}', "utf-8")
    for rules, file in (
        (read_rules(path), str(path)),
        (join_books([read_rules(path), read_rules(other)]), "FILE"),
        (rules_from({"rules": [rule(condition("NOWHERE", "gt", 1))]}), "FILE"),
    ):
        with pytest.raises(RulesError, match="no column 'NOWHERE'") as raised:
            require_rules(rules, COLUMNS)
        assert raised.value.hint.startswith(f"`marketpulse rules check {file}` lists")


def test_a_long_value_does_not_flood_the_message() -> None:
    """A message shows the beginning of a value, not pages of it."""
    ((_, message, _),) = faults_of(book(rule(condition("PX", "gt", "x" * 100_000))))

    assert len(message) < 200


def test_lists_may_stand_as_text() -> None:
    """A list is an array, text with commas, or a single value."""
    assert operands("SOURCE", "in", "MS, GS ,citi") == ("MS", "GS", "citi")
    assert operands("SOURCE", "in", ["MS", "a, b"]) == ("MS", "a, b")
    assert operands("RANK", "not in", 5) == (5,)


def test_a_check_without_an_input_warns_of_other_columns() -> None:
    """The input may have a column beyond the contract, so it is only a warning."""
    ((place, message, fatal),) = faults_of(book(rule(condition("CUSP", "equals", "x"))), None)

    assert place == "rule 7 ('Seven'), condition 1"
    assert message.startswith("'CUSP' is not a column of the contract, did you mean CUSIP?")
    assert not fatal


@pytest.mark.parametrize(
    "text", ["it's", '"; --', "100%", "a_b", "back\\slash", "two\nlines", "tab\t", "\x00", "東京🏦"]
)
def test_text_of_a_rule_is_only_text(text: str) -> None:
    """A value is compared letter by letter; no part of it is run as SQL."""
    rows = {
        "MESSAGE_ID": ["1", "2"],
        "CUSIP": ["037833100", "594918104"],
        "RANK": ["1", "1"],
        "DATE": ["2026-03-13", "2026-03-13"],
        "PX": ["99.5", "99.5"],
        "SOURCE": [f"<{text}>", "a-b 100x"],
    }
    for operator, value in (("contains", text), ("equals", f"<{text}>"), ("starts with", "<")):
        rules = {"rules": [rule(condition("SOURCE", operator, value), id="it's")]}
        run = run_colors(pa.table(rows), rules=rules)
        assert run.excluded is not None
        assert run.excluded["MESSAGE_ID"].to_pylist() == ["1"]
        assert run.excluded_by_rule == {"it's": 1}
