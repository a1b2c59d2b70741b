"""Rules files are read: JSON and TOML of one shape, each fault with its place."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rule_documents import (
    COLUMNS,
    DAY_RULES_AS_TOML,
    book,
    check_fault,
    condition,
    faults_of,
    meaning,
    rule,
)
from support import RULES

from marketpulse.colors.rules import (
    OPERATORS,
    Operator,
    bind_rules,
    join_books,
    parse_rules,
    read_rules,
    require_rules,
    rules_from,
)
from marketpulse.colors.rules_check import check_rules
from marketpulse.errors import RulesError

SHAPE_FAULTS = {
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
        f"'xyzzy' is not an operator; the operators are {', '.join(Operator)}",
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
    "column missing": (
        {"type": "where", "operator": "equals", "value": "MS"},
        '"column" is missing, expected the name of a column',
    ),
    "column no text": (
        condition(["PX"], "gt", 1),  # type: ignore[arg-type] # wrong on purpose
        '"column" is a list, expected the name of a column',
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
    "no object": (
        "PX > 5",
        'a condition is an object with "type", "column", "operator" and "value"',
    ),
}


@pytest.mark.parametrize(("wrong", "message"), SHAPE_FAULTS.values(), ids=list(SHAPE_FAULTS))
def test_a_fault_of_the_shape_names_rule_condition_and_nearest_word(
    wrong: object, message: str
) -> None:
    """The message names rule and condition. If the rule is switched off, it is a warning."""
    check_fault(wrong, message)


def test_only_the_first_connector_is_where() -> None:
    """A later condition begins with `and` or `or`."""
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
        ({"id": None}, "rule number 1", '"id" must be a whole number or text'),
        ({"name": " "}, "rule 7", '"name" must be text'),
        ({"is_active": "yes"}, "rule 7", '"is_active" must be true or false'),
        ({"conditions": []}, "rule 7", '"conditions" must be a list of at least one'),
        ({"conditions": "PX > 5"}, "rule 7", '"conditions" must be a list'),
    ],
)
def test_a_fault_of_a_rule_names_the_rule(
    changes: dict[str, Any], place: str, message: str
) -> None:
    """A message names a rule by its id, or by its number if it has none."""
    (fault,) = faults_of(book(rule(condition("PX", "gt", 1), **changes)))

    assert fault[0] == place
    assert fault[1].startswith(message)
    assert fault[2]


@pytest.mark.parametrize("document", [None, "rules", {}, {"rules": None}, {"rules": {}}])
def test_a_file_without_rules(document: object) -> None:
    """The message shows the shape of a rules file."""
    with pytest.raises(RulesError, match=r'rules.json: .* looks like \{"rules": \[\.\.\.\]\}'):
        require_rules(rules_from(document, "rules.json"), COLUMNS)


def test_no_rules_are_rules() -> None:
    """A file with an empty list of rules is valid."""
    assert require_rules(book(), COLUMNS) == ((), ())


MATCHING = {Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH}


@pytest.mark.parametrize("spelling", list(OPERATORS))
def test_every_spelling_of_an_operator(spelling: str) -> None:
    """An operator is found by each of its names, in any case, with blanks or underscores."""
    column = "SOURCE" if OPERATORS[spelling] in MATCHING else "PX"
    value2 = {"value2": "2"} if OPERATORS[spelling] is Operator.BETWEEN else {}
    for spelled in (
        spelling,
        spelling.upper(),
        spelling.replace(" ", "_"),
        f"  {spelling.replace(' ', '   ')} ",
        spelling.title().replace(" ", "_"),
    ):
        ((bound,), faults) = bind_rules(
            book(rule(condition(column, spelled, "1", **value2))), COLUMNS
        )
        assert faults == ()
        assert bound.conditions[0].written.operator is OPERATORS[spelling]


def test_json_and_toml_of_the_same_rules_ask_the_same(tmp_path: Path) -> None:
    """JSON and TOML of one shape bind to the same conditions."""
    path = tmp_path / "rules.toml"
    path.write_text(DAY_RULES_AS_TOML, encoding="utf-8")
    from_json, from_toml = (
        bind_rules(read_rules(RULES), COLUMNS),
        bind_rules(read_rules(path), COLUMNS),
    )

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
        assert meaning(bind_rules(read_rules(path), COLUMNS)[0]) == meaning(
            bind_rules(read_rules(RULES), COLUMNS)[0]
        )


def test_ids_are_text_or_whole_numbers(tmp_path: Path) -> None:
    """An id is a whole number or text, and is stored as text."""
    path = tmp_path / "rules.json"
    for literal, identity in (
        ("7", "7"),
        ('"7"', "7"),
        ('" no-stonex "', "no-stonex"),
        ("7.0", "7"),
        ("17700000042372477", "17700000042372477"),
        ("-7", "-7"),
    ):
        text = json.dumps(rule(condition("PX", "gt", 1))).replace('"id": 7', f'"id": {literal}')
        path.write_text(f'{{"rules": [{text}]}}', encoding="utf-8")
        (known,) = read_rules(path).rules
        assert known.id == identity


@pytest.mark.parametrize("literal", ["null", "true", "1.5", '""', '" "', "[]", "{}", "1e99999"])
def test_what_is_not_an_id(tmp_path: Path, literal: str) -> None:
    """Anything else is refused."""
    path = tmp_path / "rules.json"
    text = json.dumps(rule(condition("PX", "gt", 1))).replace('"id": 7', f'"id": {literal}')
    path.write_text(f'{{"rules": [{text}]}}', encoding="utf-8")

    assert [fault.place for fault in check_rules(path).faults] == ["rule number 1"]


@pytest.mark.parametrize("text", [RULES.read_text(encoding="utf-8"), DAY_RULES_AS_TOML])
def test_rules_without_a_name_are_json_or_toml(text: str) -> None:
    """Rules on standard input have no suffix: what parses as TOML is TOML."""
    rules = bind_rules(parse_rules(text.encode(), "standard input"), COLUMNS)[0]
    assert meaning(rules) == meaning(bind_rules(read_rules(RULES), COLUMNS)[0])


@pytest.mark.parametrize("literal", ["nan", "inf", "-inf", "1.5", "2026-03-13", "1e99999"])
def test_what_is_not_an_id_in_toml(tmp_path: Path, literal: str) -> None:
    """The numbers that only TOML has are refused, too."""
    path = tmp_path / "rules.toml"
    path.write_text(DAY_RULES_AS_TOML.replace("id = 1", f"id = {literal}", 1), encoding="utf-8")

    assert [fault.place for fault in check_rules(path).faults if fault.fatal] == ["rule number 1"]


@pytest.mark.parametrize("second", [7, "7", " 7 ", 7.0])
def test_two_rules_of_one_id_are_refused(second: object, tmp_path: Path) -> None:
    """The ids 7 and '7' are the same. If one rule is switched off, it is a warning."""
    path = tmp_path / "rules.json"
    sound, other = rule(condition("PX", "gt", 1)), rule(condition("PX", "lt", 1), id=second)
    for active, fatal in ((True, True), (False, False)):
        document = {"rules": [sound, {**other, "is_active": active}]}
        path.write_text(json.dumps(document), encoding="utf-8")
        (fault,) = check_rules(path).faults
        assert str(fault) == "rule 7 ('Seven'): an earlier rule has the same id"
        assert fault.fatal is fatal


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"rules": \xff}', "byte 10 is not UTF-8"),
        ("a.json", b'{"rules":\n [}', "line 2, column 3: invalid JSON: Expecting value"),
        ("a.json", b'{"rules": [{"id": 1, "id": 2}]}', "the key 'id' appears twice in one object"),
        ("a.json", b'{"rules": [NaN]}', "NaN is not JSON"),
        ("a.json", b'{"rules": [1e9999999999999999999]}', "a number is too large"),
        ("a.toml", b"rules = [", "invalid TOML: "),
    ],
)
def test_what_is_wrong_with_a_file_that_cannot_be_parsed(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """The message names the file and the place."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RulesError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_rules(path)


def test_a_number_keeps_its_digits(tmp_path: Path) -> None:
    """Numbers of JSON and TOML are exact, above all integers, which may be identifiers."""
    number = "12345678901234567890.123456789"
    in_json, in_toml = tmp_path / "a.json", tmp_path / "a.toml"
    in_json.write_text(
        json.dumps({"rules": [rule(condition("PX", "gt", "N"))]}).replace('"N"', number)
    )
    in_toml.write_text(
        '[[rules]]\nid = 7\nname = "Seven"\nis_active = true\nconditions = '
        f'[{{type = "where", column = "PX", operator = "gt", value = {number}}}]\n'
    )
    for path in (in_json, in_toml):
        ((bound,), _) = bind_rules(read_rules(path), COLUMNS)
        assert bound.conditions[0].operands == (Decimal(number),)


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    """JSON can spell half of a surrogate pair, which cannot be written as UTF-8."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [rule(condition("SOURCE", "equals", "a\ud83c"))]}))

    with pytest.raises(RulesError, match=r"rules.json: '\\ud83c' is half a character"):
        read_rules(path)


def test_a_bare_array_is_a_rules_file(tmp_path: Path) -> None:
    """An array of rules alone means the same as an object with `rules`."""
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(rules), encoding="utf-8")
    assert read_rules(path).rules == read_rules(RULES).rules
    assert rules_from([]).rules == ()
    assert faults_of(rules_from([5])) == [
        ("rule number 1", 'a rule is an object with "id", "name" and "conditions"', True)
    ]


def test_several_files_are_one_book_in_their_order() -> None:
    """The rules of the first file come first; every place begins with its file."""
    low = rule(condition("PX", "lt", 5), id=2, name="Low")
    talk = rule(condition("BIAS", "equals", "TALK"), id="x", name="Talk")
    wrong = rule(condition("PX", "lt", "n/a"), id=3, name="Wrong")
    first = rules_from({"rules": [low]}, "desk.json")
    second = rules_from([talk, wrong, 5], "mine.json")
    joined = join_books([first, second])
    assert joined.name == "desk.json, mine.json"
    assert [rule.id for rule in joined.rules] == ["2", "x", "3"]
    assert [rule.id for rule in join_books([second, first]).rules] == ["x", "3", "2"]
    assert joined.rules[1].place == "mine.json: rule x ('Talk')"
    places = [place for place, _, _ in faults_of(joined)]
    assert places == ["mine.json: rule number 3", "mine.json: rule 3 ('Wrong'), condition 1"]
    with pytest.raises(RulesError, match=r"^mine.json: rule number 3: a rule is an object"):
        require_rules(joined, COLUMNS)


def test_faults_of_all_files_begin_with_their_file() -> None:
    """Faults of shape, of conditions in broken rules, and of examples."""
    broken = rule(condition("PX", "gt", "x"), condition("PX", "xyzzy", 1, type="and"), id=5)
    books = [
        rules_from({"rules": [broken, 5], "examples": [3]}, "desk.json"),
        rules_from({"rules": [{**broken, "id": 6}, 6], "examples": [4]}, "mine.json"),
    ]
    joined = join_books(books)

    faults = [*bind_rules(joined, COLUMNS).faults, *joined.example_faults]
    assert [fault.place for fault in faults] == [
        f"{file}: {place}"
        for places in (
            ["rule {id} ('Seven'), condition 2", "rule number 2"],
            ["rule {id} ('Seven'), condition 1"],
            ["example 1"],
        )
        for file, number in (("desk.json", 5), ("mine.json", 6))
        for place in (text.format(id=number) for text in places)
    ]


def test_an_id_in_two_files_names_both() -> None:
    """A rule id of an earlier file is an error; of a rule that is switched off it is a warning."""
    here, there = (rule(condition("PX", "lt", limit), id=1, name="Low") for limit in (5, 6))
    books = [rules_from([here], "a.json"), rules_from([there], "b.json")]
    message = "an earlier rule in a.json has the same id"
    assert faults_of(join_books(books)) == [("b.json: rule 1 ('Low')", message, True)]
    with pytest.raises(RulesError, match=f"^b.json: rule 1 .'Low'.: {message}"):
        require_rules(join_books(books), COLUMNS)
    switched_off = rules_from([{**there, "is_active": False}], "b.json")
    assert faults_of(join_books([books[0], switched_off])) == [
        ("b.json: rule 1 ('Low')", message, False)
    ]
    broken = rules_from([rule(condition("PX", "nearly", 5), id=1, name="Low")], "a.json")
    for pair in ([broken, books[1]], [books[0], replace(broken, name="b.json")]):
        assert ("b.json: rule 1 ('Low')", message, True) in faults_of(join_books(pair))


def test_a_rule_that_a_rule_of_another_file_shadows() -> None:
    """The same conditions in a later file take no row, and the warning names both files."""
    low = rule(condition("PX", "lt", 5), id=1, name="Low")
    books = [rules_from([{**low, "id": place}], f"{place}.json") for place in ("a", "b")]
    ((place, message, fatal),) = faults_of(join_books(books))
    assert (place, fatal) == ("b.json: rule b ('Low')", False)
    assert message == (
        "takes no row: a.json: rule a ('Low') has the same conditions and comes first"
    )
