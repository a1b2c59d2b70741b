"""The tour: its steps run, in their order, and leave the user's rules alone."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from marketpulse.cli.app import app
from marketpulse.cli.tour import RULES, tour
from marketpulse.errors import OutputError


def test_each_command_of_the_tour_works(tmp_path: Path) -> None:
    """Every step's command exits with 0; the last step has none."""
    commands = []
    for step in tour(tmp_path / "tour", rows=40):
        assert step.text
        commands.append(step.command[:1])
        if step.command:
            result = CliRunner().invoke(app, [*step.command])
            assert result.exit_code == 0, result.stderr
    names = [name for command in commands for name in command]
    assert names == [
        "list-tables", "schema", "sample", "verify", "run-colors", "rules", "rules", "run-colors",
        "run-colors", "push-s3",
    ]  # fmt: skip
    assert commands[-1] == ()


def test_rules_are_written_once(tmp_path: Path) -> None:
    """The first tour writes rules, a later one keeps what is there."""
    next(tour(tmp_path, rows=5))
    rules = tmp_path / "rules.json"
    assert json.loads(rules.read_text(encoding="utf-8")) == RULES
    rules.write_text("{}", encoding="utf-8")
    next(tour(tmp_path, rows=5))
    assert rules.read_text(encoding="utf-8") == "{}"


def test_colors_that_no_tour_wrote_are_kept(tmp_path: Path) -> None:
    """A colors.csv of the user is not overwritten."""
    (tmp_path / "colors.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"colors\.csv: it would be overwritten"):
        next(tour(tmp_path, rows=5))
    assert (tmp_path / "colors.csv").read_text(encoding="utf-8") == "mine"
