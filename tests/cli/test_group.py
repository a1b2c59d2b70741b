"""What every command has: shared options, help, examples, whole summaries."""

import json
import re
from pathlib import Path

import pytest
import typer
from support import COLORS, ROOT, Tool

from marketpulse.cli.app import app
from marketpulse.cli.examples import EXAMPLES

PAGES = "".join(
    page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
)


@pytest.mark.parametrize(
    "words",
    [
        ["--env-file", "none.env", "config"],
        ["config", "--env-file", "none.env"],
        ["rules", "check", "rules.json", "--deadline", "0"],
        ["--deadline", "0", "rules", "check", "rules.json"],
    ],
)
def test_options_stand_before_or_after_the_command(tool: Tool, words: list[str]) -> None:
    """They mean the same at both places, and are checked alike."""
    refused = tool.run(*words)

    told = {"none.env": (6, "--env-file: none.env: no such file"), "0": (2, "--deadline")}
    code, message = next(told[word] for word in words if word in told)
    assert refused.code == code
    assert message in refused.err


@pytest.mark.parametrize("words", [("--output", ""), ("--output=",), ("--output", " ")])
def test_an_empty_place_is_not_the_working_folder(tool: Tool, words: tuple[str, ...]) -> None:
    """A script whose variable is not set writes nothing."""
    refused = tool.run("run-colors", COLORS, *words)

    assert (refused.code, list(tool.folder.iterdir())) == (2, [tool.temporary])
    assert "--output: the name is empty\n  hint: is a variable not set?" in refused.err


def test_the_option_after_the_command_wins(tool: Tool) -> None:
    """As --source always did."""
    (tool.folder / "a.env").write_text("MARKETPULSE_SOURCE=first\n")
    (tool.folder / "b.env").write_text("MARKETPULSE_SOURCE=second\n")

    shown = tool.run("--env-file", "a.env", "config", "--env-file", "b.env", "--format", "json")

    settings = {entry["name"]: entry["value"] for entry in json.loads(shown.out)}
    assert settings["MARKETPULSE_SOURCE"] == "second"


def test_quiet_and_the_log_are_options_of_every_command(tool: Tool) -> None:
    """-q says nothing, -v logs, and warnings are JSON where the log is."""
    run = ("run-colors", COLORS, "--output", "out")
    quiet = tool.run_process(*run, "-q")
    as_json = tool.run_process(*run, "--log-format", "json")
    log = tool.run_process("config", "-v")

    assert (quiet.code, quiet.err) == (0, "")
    entries = [json.loads(line) for line in as_json.err.splitlines()]
    assert entries[0] == {"level": "WARNING", "message": "19 rows were rejected:"}
    assert log.code == 0
    assert {entry["level"] for entry in entries} == {"WARNING", "INFO"}


def test_errors_are_json_where_the_log_is(tool: Tool) -> None:
    """Those of the command line and those of the job."""
    for words in (("run-colors", "no.csv"), ("run-colors", "--nosuch"), ("nosuch",)):
        shown = tool.run(*words, "--log-format", "json")
        (entry,) = map(json.loads, shown.err.splitlines())
        assert (entry["level"], entry["exit_code"]) == ("ERROR", shown.code)
    assert tool.run("run-colors", "no.csv").err.startswith("error: no.csv")


def test_help_is_a_command(tool: Tool) -> None:
    """`help COMMAND` is `COMMAND --help`; -V is --version."""
    assert tool.run("help", "rules", "check") == tool.run("rules", "check", "--help")
    assert tool.run("help") == tool.run("--help")
    assert tool.run("-V") == tool.run("--version")


def test_the_list_of_commands_cuts_no_summary(tool: Tool) -> None:
    """Each summary is there to its last word."""
    shown = " ".join(tool.run("--help").out.split())

    assert "..." not in shown.partition("Commands:")[2]
    assert "Write rows of tables, with their schemas and checksums, to a folder that you" in shown


@pytest.mark.parametrize("command", EXAMPLES)
def test_help_has_examples_that_run(tool: Tool, command: str) -> None:
    """Each example is in --help as a line, and on a page, where a test runs it.

    Help names no types of Python.
    """
    shown = tool.run(*command.split(), "--help").out
    lines = [line.strip() for line in shown.splitlines()]

    assert not re.search(r"<(str|Path|list\[)", shown)
    for example in EXAMPLES[command]:
        assert f"marketpulse {example}" in lines
        assert f"marketpulse {example}\n" in PAGES


def test_every_command_has_an_example() -> None:
    """A new command gets one."""
    group = typer.main.get_command(app)
    names = set(group.commands)  # type: ignore[attr-defined] # it is a group

    assert names - {*EXAMPLES} == {"rules", "ssm"}


@pytest.mark.parametrize(
    ("words", "tables"),
    [
        (["schema", "bundle", "COLORS"], ["COLORS"]),
        (["schema", "bundle.zip", "COLORS,DEALERS"], ["COLORS", "DEALERS"]),
        (["schema", "--source", "bundle", "d*"], ["DEALERS"]),
        (["schema", "./bundle", "COLORS", "*ERS"], ["COLORS", "DEALERS"]),
    ],
)
def test_the_first_table_may_be_the_source(tool: Tool, words: list[str], tables: list[str]) -> None:
    """A bundle, a zip or a file; a name may stand for several tables."""
    made = tool.run(
        "sample", "COLORS", "DEALERS", "--source", "demo", "--zip", "--limit", 3,
        "--output", "bundle",
    )  # fmt: skip
    assert made.code == 0, made.err

    shown = tool.run(*words, "--format", "json")

    assert shown.code == 0, shown.err
    assert [table["name"] for table in json.loads(shown.out)] == tables


def test_every_command_takes_the_path_of_a_file(tool: Tool) -> None:
    """list-tables, schema and sample, as run-colors does."""
    path = Path("day.csv")
    (tool.folder / path).write_text("MESSAGE_ID,CUSIP\n1,037833100\n")

    listed = json.loads(tool.run("list-tables", path, "--format", "json").out)
    assert [table["name"] for table in listed] == ["day"]
    assert tool.run("schema", path).code == 0
    assert tool.run("sample", path).code == 0
    assert (tool.folder / "sample_data/manifest.json").is_file()
