"""Results as text and as JSON: what goes to standard output, what to standard error."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from marketpulse.cli import render
from marketpulse.colors.explain import ConditionResult, Decision, ExplainedRow, Explanation
from marketpulse.doctor import Step
from marketpulse.publish import PushedObject, Receipt
from marketpulse.settings.load import SettingOrigin, SettingsReport

RECEIPT = Receipt(
    bucket="desk",
    prefix="daily",
    dry_run=False,
    objects=(
        PushedObject(key="daily/a.csv", file="a.csv", bytes=10, sha256="0" * 64, action="sent"),
        PushedObject(key="daily/b.csv", file="b.csv", bytes=5, sha256="1" * 64, action="skipped"),
    ),
    latest=None,
    run_id=None,
    complete=True,
)
STEPS = (
    Step(layer="settings", state="ok", seconds=0.001, detail="db.example:1521/ORCL"),
    Step(
        layer="tcp",
        state="failed",
        seconds=1.5,
        detail="nothing listens there",
        hint="check ORACLE_PORT",
        check="MP-NET-002",
        exit_code=4,
    ),
)


def test_an_explanation_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row has its outcome, its main cells, and the key, rule or reason that decided."""
    tie = Decision(key="MESSAGE_ID (the later message wins)", above="4", here="3")
    condition = ConditionResult(
        connector="where", column="NOTE", operator="equals", asked="talk", cell="TALK", true=True
    )
    empty = replace(condition, connector="or", operator="is_null", asked="", cell=None, true=False)
    rows = (
        ExplainedRow(outcome="parent", position=1, cells={"MESSAGE_ID": "4", "PX": None}),
        ExplainedRow(
            outcome="child", position=2, cells={"MESSAGE_ID": "3", "PX": "9"}, decided=tie
        ),
        ExplainedRow(outcome="child", position=3, cells={"MESSAGE_ID": "3", "PX": "9"}),
        ExplainedRow(
            outcome="excluded",
            cells={"MESSAGE_ID": "5", "PX": "9"},
            rule="rule 1 ('Talk')",
            conditions=(condition, empty),
        ),
        ExplainedRow(outcome="rejected", cells={"MESSAGE_ID": "6", "PX": "n/a"}, reason="PX: bad"),
    )
    explanation = Explanation(
        cusip="A", hierarchy=("rank", "date"), rows=rows, main_columns=("MESSAGE_ID", "PX")
    )
    render.show_explanation(explanation, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "A: 5 rows, ranked by rank, date",
        "",
        "1. parent: MESSAGE_ID '4', PX empty",
        "",
        "2. child: MESSAGE_ID '3', PX '9'",
        "     runner-up: decided by MESSAGE_ID (the later message wins), '3' here, '4' above",
        "",
        "3. child: MESSAGE_ID '3', PX '9'",
        "     equal to the row above in every cell",
        "",
        "excluded: MESSAGE_ID '5', PX '9'",
        "     rule 1 ('Talk')",
        "     where NOTE equals talk: yes, the cell is 'TALK'",
        "     or NOTE is_null: no, the cell is empty",
        "",
        "rejected: MESSAGE_ID '6', PX 'n/a'",
        "     PX: bad",
    ]


def test_a_receipt_counts_what_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """The table lists every object; the sum of the uploads is a note."""
    notes: list[str] = []
    render.show_receipt(RECEIPT, as_json=False, say=notes.append)

    assert capsys.readouterr().out.splitlines() == [
        "         bytes  in s3://desk",
        "sent     10     daily/a.csv",
        "skipped  5      daily/b.csv",
    ]
    assert notes == ["sent 1 object, 10 bytes; skipped 1"]


def test_a_receipt_as_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With as_json the notes still go to `say`, never to standard output."""
    notes: list[str] = []
    incomplete = replace(RECEIPT, complete=False)
    render.show_receipt(incomplete, as_json=True, say=notes.append)

    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == list(incomplete.as_json())
    assert [pushed["action"] for pushed in printed["objects"]] == ["sent", "skipped"]
    assert notes[0].startswith("warning: ")


def test_a_diagnosis_shows_the_check_of_its_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each step; the last line has the check and the hint. Returns the exit code."""
    assert render.show_diagnosis(STEPS, as_json=False) == 4
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "failed", "MP-NET-002:"]
    assert lines[-1] == "MP-NET-002: check ORACLE_PORT"


def test_a_diagnosis_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code stands beside the steps."""
    assert render.show_diagnosis(STEPS, as_json=True) == 4
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"exit_code": 4, "steps": [step.as_json() for step in STEPS]}


def test_settings_name_what_they_override(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting has its value, its origin and the overridden places; a warning is a note."""
    report = SettingsReport(
        (SettingOrigin("ENV", "prod", "environment", (".env",)),), "SSM did not answer"
    )
    notes: list[str] = []
    render.show_settings(report, as_json=False, say=notes.append)
    render.show_settings(report, as_json=True, say=notes.append)

    table, _, document = capsys.readouterr().out.partition("[")
    assert table.splitlines() == [
        "setting  value  from         overridden in",
        "ENV      prod   environment  .env",
    ]
    assert json.loads(f"[{document}") == [
        {"name": "ENV", "value": "prod", "from": "environment", "also": [".env"]}
    ]
    assert notes == ["warning: SSM did not answer"] * 2


def test_unchanged_terraform_files_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """Every file is listed; the note counts new and unchanged files."""
    notes: list[str] = []
    names = ["a.tf", "b.tf"]
    render.show_terraform(Path("infra"), names, names[:1], as_json=False, say=notes.append)

    assert capsys.readouterr().out.split() == [str(Path("infra") / name) for name in names]
    assert notes == ["1 file written, 1 unchanged"]
