"""Exclusion rules: every fault is named with its place, and nothing else ever goes wrong."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import RULES
from typer.testing import CliRunner

from marketpulse.cli.app import app
from marketpulse.colors.cells import Cell
from marketpulse.colors.columns import CONTRACT, Columns, resolve
from marketpulse.colors.ranking import taken_by
from marketpulse.colors.rules import (
    OPERATORS,
    BoundRule,
    Operator,
    RuleBook,
    check_rules,
    read_rules,
    rules_from,
)
from marketpulse.colors.run import run_colors
from marketpulse.errors import RulesError

DAY_RULES = json.loads(RULES.read_text(encoding="utf-8"))
NOTE = "NOTE"  # a column beyond the contract
COLUMNS = resolve(pa.schema([(name, pa.string()) for name in (*CONTRACT, NOTE)]), {})

DAY_RULES_AS_TOML = """
[[rules]]
id = 1
name = "No Stonex"
is_active = true
conditions = [{type = "where", column = "Source", operator = "is equal to", value = "stonex"}]

[[rules]]
id = 2
name = "No valuations"
is_active = true
conditions = [{type = "where", column = "BIAS", operator = "contains", value = "valuation"}]

[[rules]]
id = 3
name = "Distressed talk"
is_active = true

[[rules.conditions]]
type = "where"
column = "PX"
operator = "between"
value = "2"
value2 = "50"

[[rules.conditions]]
type = "and"
column = "BIAS"
operator = "starts with"
value = "BWIC"

[[rules]]
id = 4
name = "Switched off"
is_active = false
conditions = [{type = "where", column = "PX", operator = "gt", value = "0"}]

[[rules]]
id = "5"
name = "Left to right"
is_active = true
conditions = [
    {type = "where", column = "SOURCE", operator = "equals", value = "MS"},
    {type = "and", column = "CONFIDENCE", operator = "less than equal to", value = 5},
    {type = "or", column = "NOTE", operator = "equals", value = "TALK ONLY"},
]
"""


def condition(column: str, operator: str, value: object = None, **others: object) -> dict[str, Any]:
    """A first condition."""
    return {"type": "where", "column": column, "operator": operator, "value": value, **others}


def rule(*conditions: object, **others: object) -> dict[str, Any]:
    """An active rule."""
    return {"id": 7, "name": "Seven", "is_active": True, "conditions": list(conditions), **others}


def book(*rules: object) -> RuleBook:
    """A rules file as it comes out of JSON."""
    return rules_from({"rules": list(rules)}, "rules.json")


def faults_of(rules: RuleBook, columns: Columns | None = COLUMNS) -> list[tuple[str, str, bool]]:
    """Place, message and whether it is fatal, of each fault."""
    return [(it.place, it.message, it.fatal) for it in rules.bind(columns)[1]]


def meaning(rules: tuple[BoundRule, ...]) -> list[object]:
    """What bound rules ask."""
    return [
        (
            bound.rule.id,
            bound.rule.name,
            [
                (one.written.connector, one.column.name, one.written.operator, one.operands)
                for one in bound.conditions
            ],
        )
        for bound in rules
    ]


def operands(column: str, operator: str, value: object, **others: object) -> tuple[object, ...]:
    """What a condition's value is understood as."""
    ((bound,), faults) = book(rule(condition(column, operator, value, **others))).bind(COLUMNS)
    assert faults == ()
    return bound.conditions[0].operands


# -- faults ----------------------------------------------------------------------------------------

FAULTS = {
    "operator": (
        condition("SOURCE", "eqals", "MS"),
        "'eqals' is not an operator, did you mean 'equals'?",
    ),
    "operator in words": (
        condition("PX", "greater then", 1),
        "'greater then' is not an operator, did you mean 'greater_than'?",
    ),
    "operator like nothing": (
        condition("PX", "xyzzy", 1),
        f"'xyzzy' is not an operator; there is {', '.join(Operator)}",
    ),
    "operator of another language": (
        condition("PX", "<=", 1),
        "'<=' is not an operator, did you mean 'less_or_equal'?",
    ),
    "operator missing": (
        {"type": "where", "column": "PX", "value": 1},
        '"operator" is missing, expected a word such as "equals"',
    ),
    "operator no text": (
        condition("PX", 5, 1),  # type: ignore[arg-type] # wrong on purpose
        '"operator" is \'5\', expected a word such as "equals"',
    ),
    "column": (
        condition("SOURC", "equals", "MS"),
        "the input has no column 'SOURC', did you mean SOURCE?",
    ),
    "column missing": (
        {"type": "where", "operator": "equals", "value": "MS"},
        '"column" is missing, expected the name of a column',
    ),
    "column no text": (
        condition(["PX"], "gt", 1),  # type: ignore[arg-type] # wrong on purpose
        '"column" is "[\'PX\']", expected the name of a column',
    ),
    "type": (
        {**condition("PX", "gt", 1), "type": "and"},
        "\"type\" is 'and', expected 'where'",
    ),
    "type missing": (
        {"column": "PX", "operator": "gt", "value": 1},
        "\"type\" is missing, expected 'where'",
    ),
    "value missing": (
        {"type": "where", "column": "PX", "operator": "gt"},
        "\"value\" is missing: the operator 'greater_than' needs it",
    ),
    "value null": (
        condition("PX", "gt", None),
        "\"value\" is missing: the operator 'greater_than' needs it",
    ),
    "value blank": (
        condition("SOURCE", "equals", "  "),
        "\"value\" is missing: the operator 'equals' needs it",
    ),
    "list empty": (
        condition("SOURCE", "in", []),
        "\"value\" is missing: the operator 'in' needs it",
    ),
    "second value missing": (
        condition("PX", "between", 1),
        "\"value2\" is missing: the operator 'between' needs it",
    ),
    "text for a number": (
        condition("PX", "gt", "two"),
        "'two' is no number, and PX is a number column",
    ),
    "true for a number": (
        condition("PX", "gt", True),
        "'True' is no number, and PX is a number column",
    ),
    "NaN for a number": (
        condition("PX", "gt", "NaN"),
        "'NaN' is no number, and PX is a number column",
    ),
    "text for an integer": (
        condition("RANK", "equals", "best"),
        "'best' is no integer, and RANK is an integer column",
    ),
    "no date": (
        condition("DATE", "equals", "31/12/2026"),
        "'31/12/2026' is no date, and DATE is a date column",
    ),
    "a date that was never": (
        condition("DATE", "equals", "2026-02-30"),
        "'2026-02-30' is no date, and DATE is a date column",
    ),
    "a number for text": (
        condition("SOURCE", "equals", 5),
        "'5' is no text, and SOURCE is a text column",
    ),
    "an element of a list": (
        condition("RANK", "in", [1, "two", 3]),
        "element 2 of the list 'two' is no integer, and RANK is an integer column",
    ),
    "an element of text with commas": (
        condition("RANK", "not in", "1,,3"),
        "element 2 of the list '' is no integer, and RANK is an integer column",
    ),
    "matching a number": (
        condition("PX", "contains", "9"),
        (
            "PX is a number column, and 'contains' is not for a number; there is equals, "
            "not_equals, less_than, greater_than, less_or_equal, greater_or_equal, between, in, "
            "not_in, is_null, is_not_null"
        ),
    ),
    "ordering text": (
        condition("SOURCE", "lt", "MS"),
        (
            "SOURCE is a text column, and 'less_than' is not for a text; there is equals, "
            "not_equals, contains, not_contains, starts_with, ends_with, in, not_in, is_null, "
            "is_not_null"
        ),
    ),
    "no object": (
        "PX > 5",
        'a condition is an object with "type", "column", "operator" and "value"',
    ),
}


@pytest.mark.parametrize(("wrong", "message"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_names_rule_condition_and_nearest_word(wrong: Any, message: str) -> None:
    """A fault in a condition says which rule and condition, and what it should have been."""
    sound = condition("PX", "gt", 1)
    place = "rule 7 ('Seven'), condition"
    assert faults_of(book(rule(wrong))) == [(f"{place} 1", message, True)]
    if isinstance(wrong, dict) and wrong.get("type") == "where":
        second = faults_of(book(rule(sound, {**wrong, "type": "and"})))
        assert second == [(f"{place} 2", message, True)]
    with pytest.raises(RulesError) as refused:
        book(rule(wrong)).require(COLUMNS)
    assert refused.value.message == f"rules.json: {place} 1: {message}"
    assert refused.value.exit_code == 7


@pytest.mark.parametrize(("wrong", "message"), FAULTS.values(), ids=list(FAULTS))
def test_a_rule_that_is_switched_off_is_checked_and_only_warned_about(
    wrong: Any, message: str
) -> None:
    """The faults of a rule that is switched off stop nothing."""
    rules = book(rule(wrong, is_active=False))
    (fault,) = faults_of(rules)

    assert fault == ("rule 7 ('Seven'), condition 1", f"{message} (switched off)", False)
    bound, warnings = rules.require(COLUMNS)
    assert bound == ()
    assert [str(it) for it in warnings] == [f"{fault[0]}: {fault[1]}"]


def test_only_the_first_connector_is_where() -> None:
    """A later condition begins with and or or."""
    second = condition("PX", "gt", 1)
    (fault,) = faults_of(book(rule(condition("PX", "lt", 9), second)))

    assert fault == (
        "rule 7 ('Seven'), condition 2",
        "\"type\" is 'where', expected 'and' or 'or'",
        True,
    )


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"id": None}, "rule number 1", '"id" is missing, or neither a whole number nor text'),
        ({"name": " "}, "rule 7", '"name" is missing, or no text'),
        ({"is_active": "yes"}, "rule 7", '"is_active" is missing, or neither true nor false'),
        ({"conditions": []}, "rule 7", '"conditions" is missing, or no list of at least one'),
        ({"conditions": "PX > 5"}, "rule 7", '"conditions" is missing, or no list'),
    ],
)
def test_a_fault_of_a_rule_names_the_rule(
    changes: dict[str, Any], place: str, message: str
) -> None:
    """A rule without an id is named by its number, any other by its id."""
    (fault,) = faults_of(book(rule(condition("PX", "gt", 1), **changes)))

    assert fault[0] == place
    assert fault[1].startswith(message)
    assert fault[2]


def test_all_faults_are_found_at_once() -> None:
    """A run names the first fault and counts the others; a check lists them all."""
    wrong = book(
        rule(condition("PX", "gt", "x"), {**condition("PX", "gt", 1), "type": "nand"}),
        rule(condition("NOWHERE", "gt", 1), id=8),
        "a rule",
    )

    assert [fault[0] for fault in faults_of(wrong)] == [
        "rule 7 ('Seven'), condition 2",
        "rule number 3",
        "rule 8 ('Seven'), condition 1",
    ]
    with pytest.raises(RulesError, match=r"condition 2: .* \(and 2 more\)"):
        wrong.require(COLUMNS)


@pytest.mark.parametrize("document", [None, [], "rules", {}, {"rules": None}, {"rules": {}}])
def test_a_file_without_rules(document: object) -> None:
    """What is no rules file says what one looks like."""
    with pytest.raises(RulesError, match=r'rules.json: a rules file is \{"rules": \[\.\.\.\]\}'):
        rules_from(document, "rules.json").require(COLUMNS)


def test_no_rules_are_rules() -> None:
    """A file with an empty list of rules is sound."""
    assert book().require(COLUMNS) == ((), ())


def test_a_long_value_does_not_flood_the_message() -> None:
    """A message shows the beginning of a value, not pages of it."""
    ((_, message, _),) = faults_of(book(rule(condition("PX", "gt", "x" * 100_000))))

    assert len(message) < 200


# -- what rules may look like ----------------------------------------------------------------------

MATCHING = {Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH}


@pytest.mark.parametrize("spelling", list(OPERATORS))
def test_every_spelling_of_an_operator(spelling: str) -> None:
    """An operator is known by all its names, in any case, with blanks or underscores."""
    column = "SOURCE" if OPERATORS[spelling] in MATCHING else "PX"
    value2 = {"value2": "2"} if OPERATORS[spelling] is Operator.BETWEEN else {}
    for written in (
        spelling,
        spelling.upper(),
        spelling.replace(" ", "_"),
        f"  {spelling.replace(' ', '   ')} ",
        spelling.title().replace(" ", "_"),
    ):
        ((bound,), faults) = book(rule(condition(column, written, "1", **value2))).bind(COLUMNS)
        assert faults == ()
        assert bound.conditions[0].written.operator is OPERATORS[spelling]


SPELLED = {
    Operator.EQUALS: ["equals", "equal to", "is equal to", "eq"],
    Operator.NOT_EQUALS: ["not_equals", "not equal to", "is not equal to", "ne"],
    Operator.LESS_THAN: ["less_than", "less than", "is less than", "lt"],
    Operator.GREATER_THAN: ["greater_than", "greater than", "is greater than", "gt"],
    Operator.LESS_OR_EQUAL: ["less_or_equal", "less than equal to", "lte"],
    Operator.GREATER_OR_EQUAL: ["greater_or_equal", "greater than equal to", "gte"],
    Operator.BETWEEN: ["between"],
    Operator.CONTAINS: ["contains"],
    Operator.NOT_CONTAINS: ["not_contains", "does not contain"],
    Operator.STARTS_WITH: ["starts_with", "starts with"],
    Operator.ENDS_WITH: ["ends_with", "ends with"],
    Operator.IN: ["in"],
    Operator.NOT_IN: ["not_in"],
    Operator.IS_NULL: ["is_null"],
    Operator.IS_NOT_NULL: ["is_not_null"],
}


@pytest.mark.parametrize("operator", Operator)
def test_the_spellings_that_are_promised(operator: Operator) -> None:
    """Each operator goes by the names that administrators were told."""
    assert {OPERATORS[word.replace("_", " ")] for word in SPELLED[operator]} == {operator}


def test_json_and_toml_of_the_same_rules_ask_the_same(tmp_path: Path) -> None:
    """JSON and TOML of one shape bind to the same conditions."""
    path = tmp_path / "rules.toml"
    path.write_text(DAY_RULES_AS_TOML, encoding="utf-8")
    from_json, from_toml = read_rules(RULES).bind(COLUMNS), read_rules(path).bind(COLUMNS)

    assert len(from_json[0]) == 4
    assert meaning(from_json[0]) == meaning(from_toml[0])
    assert from_json[1] == from_toml[1] == ()


def test_files_of_a_windows_editor(tmp_path: Path) -> None:
    """A byte-order mark and CRLF line ends change nothing, in JSON and in TOML."""
    for name, text in (
        ("rules.json", RULES.read_text(encoding="utf-8")),
        ("rules.TOML", DAY_RULES_AS_TOML),
    ):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
        assert meaning(read_rules(path).bind(COLUMNS)[0]) == meaning(
            read_rules(RULES).bind(COLUMNS)[0]
        )


def test_toml_has_dates_of_its_own(tmp_path: Path) -> None:
    """A date or time of TOML means what its text would."""
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
        ((bound,), faults) = read_rules(path).bind(COLUMNS)
        assert faults == ()
        assert bound.conditions[0].operands == operands("DATE", "equals", text)


def test_dates_with_offsets_are_instants() -> None:
    """A date value counts in UTC: offsets are taken off, and without one it is UTC already."""
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
def test_what_is_no_date(text: str) -> None:
    """A time that no calendar has, or that is spelled otherwise, is refused."""
    ((_, message, fatal),) = faults_of(book(rule(condition("DATE", "gte", text))))

    assert message == f"'{text}' is no date, and DATE is a date column"
    assert fatal


def test_numbers_may_stand_as_text() -> None:
    """A number is the same as text, with blanks, an exponent or zeros at its end."""
    for value in (2, "2", " 2 ", "2.0", "+2", "2e0", "0.2E1", 2.0):
        assert operands("PX", "equals", value) == (2,)
    assert operands("MESSAGE_ID", "equals", 17700000042372477) == (17700000042372477,)
    assert operands("PX", "in", "1, 2.50,3") == operands("PX", "in", [1, "2.5", 3.0])


def test_lists_may_stand_as_text() -> None:
    """A list is an array, text with commas, or a single value."""
    assert operands("SOURCE", "in", "MS, GS ,citi") == ("MS", "GS", "citi")
    assert operands("SOURCE", "in", ["MS", "a, b"]) == ("MS", "a, b")
    assert operands("RANK", "not in", 5) == (5,)


def test_ids_are_text_or_whole_numbers(tmp_path: Path) -> None:
    """An id is a whole number or text, and is kept as text."""
    path = tmp_path / "rules.json"
    for written, identity in (
        ("7", "7"),
        ('"7"', "7"),
        ('" no-stonex "', "no-stonex"),
        ("7.0", "7"),
        ("17700000042372477", "17700000042372477"),
        ("-7", "-7"),
    ):
        one = json.dumps(rule(condition("PX", "gt", 1))).replace('"id": 7', f'"id": {written}')
        path.write_text(f'{{"rules": [{one}]}}', encoding="utf-8")
        (known,) = read_rules(path).rules
        assert known.id == identity


@pytest.mark.parametrize("written", ["null", "true", "1.5", '""', '" "', "[]", "{}", "1e99999"])
def test_what_is_no_id(tmp_path: Path, written: str) -> None:
    """Anything else is no id, and is refused in a message."""
    path = tmp_path / "rules.json"
    one = json.dumps(rule(condition("PX", "gt", 1))).replace('"id": 7', f'"id": {written}')
    path.write_text(f'{{"rules": [{one}]}}', encoding="utf-8")

    assert [fault.place for fault in check_rules(path).faults] == ["rule number 1"]


@pytest.mark.parametrize("written", ["nan", "inf", "-inf", "1.5", "2026-03-13", "1e99999"])
def test_what_is_no_id_in_toml(tmp_path: Path, written: str) -> None:
    """TOML has numbers that JSON has not: they are no ids either."""
    path = tmp_path / "rules.toml"
    path.write_text(DAY_RULES_AS_TOML.replace("id = 1", f"id = {written}", 1), encoding="utf-8")

    assert [fault.place for fault in check_rules(path).faults if fault.fatal] == ["rule number 1"]


@pytest.mark.parametrize("second", [7, "7", " 7 ", 7.0])
def test_two_rules_of_one_id_are_refused(second: object, tmp_path: Path) -> None:
    """An id stands once, be it a number or text; a rule that is switched off only warns."""
    path = tmp_path / "rules.json"
    sound, other = rule(condition("PX", "gt", 1)), rule(condition("PX", "lt", 1), id=second)
    for active, fatal in ((True, True), (False, False)):
        document = {"rules": [sound, {**other, "is_active": active}]}
        path.write_text(json.dumps(document), encoding="utf-8")
        (fault,) = check_rules(path).faults
        assert str(fault) == "rule 7 ('Seven'): an earlier rule has the same id"
        assert fault.fatal is fatal


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    """JSON can spell half of a character; no file and no statement could hold it."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [rule(condition("SOURCE", "equals", "a\ud83c"))]}))

    with pytest.raises(RulesError, match=r"rules.json: '\\ud83c' is half a character"):
        read_rules(path)


# -- what is suspicious ----------------------------------------------------------------------------


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
            "never matches: its conditions on SOURCE exclude each other",
        ),
        (
            [condition("PX", "is_null"), condition("PX", "gt", 1, type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX exclude each other",
        ),
        (
            [
                condition("DATE", "equals", "2026-03-13"),
                condition("DATE", "equals", "2026-03-14T10:00", type="and"),
            ],
            "rule 7 ('Seven')",
            "never matches: its conditions on DATE exclude each other",
        ),
        (
            [condition("PX", "gt", 5), condition("PX", "lt", 5, type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX exclude each other",
        ),
        (
            [condition("PX", "between", 1, value2=3), condition("PX", "gte", "3.5", type="and")],
            "rule 7 ('Seven')",
            "never matches: its conditions on PX exclude each other",
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
    """What can never be true is no fault, and not passed over either."""
    assert faults_of(book(rule(*conditions))) == [(place, message, False)]


def test_a_rule_that_may_match_is_not_warned_about() -> None:
    """Bounds that leave room, if for one number only, and lists with one whole number."""
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


def test_a_rule_behind_its_like_is_warned_about() -> None:
    """A rule that asks what an earlier one asks takes no row, and that is said."""
    first = rule(condition("SOURCE", "equals", "MS"))
    second = rule(condition(" source ", "is equal to", " ms "), id=8, name="Eight")

    assert faults_of(book(first, second)) == [
        ("rule 8 ('Eight')", "takes no row: rule 7 ('Seven') asks the same before it", False)
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
    """Values that are the same, a moment in its day, and what or joins: no warning."""
    assert faults_of(book(rule(*conditions))) == []


def test_a_check_without_an_input_warns_of_other_columns() -> None:
    """A column beyond the contract may be in the input: a check can only warn."""
    ((place, message, fatal),) = faults_of(book(rule(condition("CUSP", "equals", "x"))), None)

    assert place == "rule 7 ('Seven'), condition 1"
    assert message.startswith("'CUSP' is not a column of the contract, did you mean CUSIP?")
    assert not fatal


# -- values are only values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["it's", '"; --', "100%", "a_b", "back\\slash", "two\nlines", "tab\t", "\x00", "東京🏦"]
)
def test_text_of_a_rule_is_only_text(text: str) -> None:
    """Whatever stands in a value is compared letter by letter, and is never SQL."""
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


# -- files that are broken in any way --------------------------------------------------------------

JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        10**400,
        "",
        " ",
        "é 東京",
        "\ud800",
        "\x00",
        "NaN",
        "1e999999999999999999999",
        "2026-13-45",
        "9999-12-31T23:59:59-23:59",
        "where",
        "between",
        "PX",
        [],
        [[], None],
        {},
        {"value": 1},
    ]
)
WORDS = st.sampled_from([*OPERATORS, "where", "and", "or", *CONTRACT, "NOTE", "nowhere"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    """The part of a document at the end of a way."""
    for key in path:
        document = document[key]
    return document


@st.composite
def wrong_documents(draw: st.DrawFn) -> Any:
    """The day's rules after a few mishaps."""
    document = copy.deepcopy(DAY_RULES)
    for _ in range(draw(st.integers(1, 3))):
        ways = list(places(document))
        if not ways:
            return document
        *way, key = draw(st.sampled_from(ways))
        holder = at(document, tuple(way))
        match draw(st.sampled_from(["drop", "junk", "word", "nest", "twice", "swap"])):
            case "drop":
                del holder[key]
            case "junk":
                holder[key] = copy.deepcopy(draw(JUNK))
            case "word":
                holder[key] = draw(WORDS)
            case "nest":
                holder[key] = draw(st.sampled_from([[holder[key]], {"rules": holder[key]}]))
            case "twice" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case _:
                other = draw(st.sampled_from(ways))
                if other[: len(way) + 1] != (*way, key) and (*way, key)[: len(other)] != other:
                    there = at(document, other[:-1])
                    holder[key], there[other[-1]] = there[other[-1]], holder[key]
    return document


@st.composite
def wrong_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A rules file that something happened to: in its meaning, its text or its bytes."""
    toml = draw(st.booleans())
    text = DAY_RULES_AS_TOML.encode() if toml else json.dumps(draw(wrong_documents())).encode()
    kind = draw(
        st.sampled_from(["whole", "cut", "bytes", "deep"] if not toml else ["cut", "bytes"])
    )
    place = draw(st.integers(0, len(text)))
    if kind == "cut":
        text = text[:place]
    elif kind == "bytes":
        text = text[:place] + draw(st.binary(min_size=1, max_size=4)) + text[place + 1 :]
    elif kind == "deep":
        depth = draw(st.sampled_from([50, 900, 1000, 100_000]))
        text = text[:place] + b"[" * depth + b"]" * depth + text[place:]
    return ("rules.toml" if toml else "rules.json"), text


MANY = settings(
    max_examples=max(300, settings().max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@MANY
@given(file=wrong_files())
def test_a_broken_file_is_refused_in_words(tmp_path: Path, file: tuple[str, bytes]) -> None:
    """A rules file is refused with a message, or accepted and can be asked."""
    name, content = file
    path = tmp_path / name
    path.write_bytes(content)
    refusal = None
    try:
        bound, faults = read_rules(path).require(COLUMNS)
    except RulesError as refused:
        refusal = refused
    else:
        statement = taken_by(bound, [Cell(column) for column in COLUMNS.all]).sql("duckdb")
        assert statement.encode()
        assert not any(fault.fatal for fault in faults)
    if refusal:
        assert refusal.message.startswith(f"{path}: ")
        assert refusal.exit_code == 7


@MANY
@given(file=wrong_files(), shape=st.sampled_from(["table", "json"]))
def test_rules_check_of_a_broken_file(tmp_path: Path, file: tuple[str, bytes], shape: str) -> None:
    """Rules check answers any file with exit 0 or 7, in the form that was asked for."""
    name, content = file
    path = tmp_path / name
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["rules", "check", str(path), "--format", shape])

    assert result.exit_code in {0, 7}
    assert isinstance(result.exception, SystemExit | None)
    assert "Traceback" not in result.output
    if result.stderr:
        assert result.stdout == ""
        assert (result.exit_code, len(result.stderr.splitlines())) in {(7, 1), (7, 2)}
    if shape == "json":
        answer = json.loads(result.stderr or result.stdout)
        wrong = answer["error"] if result.stderr else answer["errors"]
        assert bool(wrong) is (result.exit_code == 7)
