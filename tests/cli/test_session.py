"""Which source a command reads: INPUT, --source or the settings."""

import shutil

from support import COLORS, PROCESSED_AT, Tool


def test_source_before_or_after_the_command(tool: Tool) -> None:
    """--source before or after the command and MARKETPULSE_SOURCE all name the input."""
    shutil.copy(COLORS, tool.folder / "colors.csv")
    arguments = ("--format", "json", *PROCESSED_AT, "--output", "out")
    before = tool.run("--source", "colors.csv", "run-colors", *arguments)
    after = tool.run("run-colors", "--source", "colors.csv", *arguments)
    tool.env |= {"MARKETPULSE_SOURCE": "colors.csv"}
    environment = tool.run("run-colors", *arguments)

    assert [result.code for result in (before, after, environment)] == [0, 0, 0]
    assert before.out == after.out == environment.out


def test_the_nearest_source_wins(tool: Tool) -> None:
    """--source after the command overrides the one before it, then the environment, then .env."""
    tool.env |= {"MARKETPULSE_SOURCE": "environment.csv"}
    both = tool.run("--source", "before.csv", "run-colors", "--source", "after.csv")
    before = tool.run("--source", "before.csv", "run-colors")
    environment = tool.run("run-colors")
    (tool.folder / "desk.env").write_text("MARKETPULSE_SOURCE=file.csv", encoding="utf-8")
    del tool.env["MARKETPULSE_SOURCE"]
    file = tool.run("--env-file", "desk.env", "run-colors")

    assert [result.code for result in (both, before, environment, file)] == [6, 6, 6, 6]
    assert both.err.startswith("error: after.csv: ")
    assert before.err.startswith("error: before.csv: ")
    assert environment.err.startswith("error: environment.csv: ")
    assert file.err.startswith("error: file.csv: ")


def test_oracle_as_input_has_the_settings_of_the_command(tool: Tool) -> None:
    """INPUT may name the database, too: what holds for --source oracle holds for it."""
    as_input = tool.run("list-tables", "oracle", "--env-file", "desk.env")
    as_option = tool.run("list-tables", "--source", "oracle", "--env-file", "desk.env")

    assert as_input.code == as_option.code == 6
    assert as_input.err == as_option.err


def test_options_that_change_nothing_are_told(tool: Tool) -> None:
    """An option without an effect is a warning, not silence."""
    sample = ("sample", "DEALERS", "--source", "demo", "--dry-run")
    for words, option in (
        ((*sample, "--max-lob", "5"), "--max-lob"),
        ((*sample, "--json-rows", "5", "--formats", "csv"), "--json-rows"),
        ((*sample, "--all", "--limit", "5"), "--limit"),
        (("list-tables", "--source", "demo", "--include-system"), "--include-system"),
    ):
        done = tool.run(*words)
        assert done.code == 0
        assert done.err.startswith(f"warning: {option} changes nothing")
