"""The examples of a rules file: `rules check` runs them, and a run does not read them."""

import json
from pathlib import Path
from typing import Any

import pytest
from rule_documents import DAY_RULES_AS_TOML, condition, rule

from marketpulse import run_colors
from marketpulse.colors.rules_check import check_rules

LOW = rule(condition("PX", "lt", 5), id=1, name="Low")
TALK = rule(condition("note", "equals", "TALK"), id="x", name="Talk")
OFF = rule(condition("RANK", "gt", 0), id=3, name="Off", is_active=False)


def check(folder: Path, *examples: Any) -> list[tuple[str, str]]:
    """Place and message of each error of a file with these examples."""
    path = folder / "rules.json"
    document = {"rules": [LOW, TALK, OFF], "examples": list(examples)}
    path.write_text(json.dumps(document), encoding="utf-8")
    return [(fault.place, fault.message) for fault in check_rules(path).faults if fault.fatal]


def example(outcome: str, rule: object = None, **row: object) -> dict[str, Any]:
    """An example as a file writes it."""
    return {"row": row, "outcome": outcome} | ({} if rule is None else {"rule": rule})


TRUE = (
    example("excluded", PX=4.99),
    example("excluded", 1, PX="4.99", NOTE="talk"),
    example("excluded", "x", PX=5, Note=" talk "),
    example("kept", PX="5.00"),
    example("kept", RANK=1),
    example("rejected", PX="n/a"),
    example("rejected", PX=1, MESSAGE_ID=None),
)


def test_examples_that_come_true(tmp_path: Path) -> None:
    """A cell that an example leaves out is empty; identifiers are filled in."""
    assert check(tmp_path, *TRUE) == []
    assert check_rules(tmp_path / "rules.json").examples == len(TRUE)


FALSE = {
    "kept": (example("excluded", PX=5), "the row is kept, not excluded"),
    "excluded": (example("kept", PX=4), "the row is excluded by rule 1 ('Low'), not kept"),
    "another rule": (
        example("excluded", "x", PX=4, NOTE="TALK"),
        "the row is excluded by rule 1 ('Low'), not excluded by rule x ('Talk')",
    ),
    "a rule that is switched off": (
        example("excluded", 3, RANK=1),
        "the row is kept, not excluded by rule 3 ('Off')",
    ),
    "an unknown rule": (example("excluded", 9, RANK=1), "the row is kept, not excluded by rule 9"),
    "rejected": (
        example("excluded", PX="n/a"),
        "the row is rejected (PX: 'n/a' is not a number), not excluded",
    ),
    "no object": (5, 'an example is an object with "row" and "outcome"'),
    "no row": ({"outcome": "kept"}, '"row" must be an object of columns and their cells'),
    "an empty row": (
        {"row": {}, "outcome": "kept"},
        '"row" must be an object of columns and their cells',
    ),
    "a list": (
        {"row": ["PX"], "outcome": "kept"},
        '"row" must be an object of columns and their cells',
    ),
    "a column twice": (
        {"row": {"px": 1, "PX ": 2}, "outcome": "kept"},
        "the row has the column 'PX' twice",
    ),
    "no outcome": (
        {"row": {"PX": 1}},
        "\"outcome\" is missing, expected one of 'kept', 'excluded', 'rejected'",
    ),
    "a rule that keeps": (
        example("kept", 1, PX=9),
        '"rule" must be the id of a rule, and "outcome" \'excluded\'',
    ),
}


@pytest.mark.parametrize(("wrong", "message"), FALSE.values(), ids=list(FALSE))
def test_an_example_that_fails_names_what_happens(
    tmp_path: Path, wrong: object, message: str
) -> None:
    """The error has the number of the example; a run with the same file is not affected."""
    assert check(tmp_path, TRUE[0], wrong) == [("example 2", message)]
    row = {"MESSAGE_ID": 1, "CUSIP": "037833100", "RANK": 1, "DATE": None, "PX": 4, "NOTE": ""}
    assert run_colors([row], rules=tmp_path / "rules.json").counts.excluded == 1


def test_examples_of_several_files_and_of_toml(tmp_path: Path) -> None:
    """The rules of all files apply to the examples of each; the place begins with the file."""
    first, second = tmp_path / "a.json", tmp_path / "b.toml"
    examples = [example("kept", SOURCE="MS"), example("excluded", SOURCE="STONEX")]
    first.write_text(
        json.dumps({"rules": [{**LOW, "id": "low"}], "examples": examples}), encoding="utf-8"
    )
    second.write_text(
        DAY_RULES_AS_TOML
        + '[[examples]]\noutcome = "kept"\nrow = {PX = 4.5, DATE = 2026-03-13, SOURCE = "MS"}\n',
        encoding="utf-8",
    )
    faults = [fault for fault in check_rules(first, second).faults if fault.fatal]
    assert [str(fault) for fault in faults] == [
        f"{second}: example 1: the row is excluded by {first}: rule low ('Low'), not kept"
    ]


def test_examples_wait_for_rules_without_errors(tmp_path: Path) -> None:
    """If a rule has an error, only that error is shown."""
    path = tmp_path / "rules.json"
    wrong = rule(condition("PX", "contains", "9"))
    path.write_text(json.dumps({"rules": [wrong], "examples": [example("kept", PX=9)]}), "utf-8")
    (fault,) = check_rules(path).faults
    assert fault.place == "rule 7 ('Seven'), condition 1"


def test_warnings_do_not_stop_examples(tmp_path: Path) -> None:
    """Both are told, and examples may have columns of other types than text."""
    path = tmp_path / "rules.json"
    wide = rule(condition("SPREAD", "gt", 9), id=4, name="Wide")
    document = {"rules": [wide, LOW, OFF], "examples": [example("kept", SPREAD=10)]}
    path.write_text(json.dumps(document), encoding="utf-8")
    checked = check_rules(path, types=["spread=number", "OTHER=date"])
    assert (checked.active, checked.inactive, checked.examples) == (2, 1, 1)
    assert [(fault.place, fault.fatal) for fault in checked.faults] == [
        ("rule 4 ('Wide'), condition 1", False),  # not a column of every input
        ("example 1", True),
    ]


def test_a_list_of_examples_is_expected(tmp_path: Path) -> None:
    """`examples` that are no list are an error of the check."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rules": [LOW], "examples": {}}), encoding="utf-8")
    assert [str(fault) for fault in check_rules(path).faults] == [
        'examples: "examples" must be a list'
    ]
