"""Which source a command reads."""

import shutil

from support import COLORS, MOMENT, Tool


def test_source_stands_before_or_after_the_command(tool: Tool) -> None:
    """--source before the command, after it, and MARKETPULSE_SOURCE all name the input."""
    shutil.copy(COLORS, tool.folder / "colors.csv")
    asked = ("--format", "json", *MOMENT, "--output", "out")
    before = tool.run("--source", "colors.csv", "run-colors", *asked)
    after = tool.run("run-colors", "--source", "colors.csv", *asked)
    tool.env |= {"MARKETPULSE_SOURCE": "colors.csv"}
    environment = tool.run("run-colors", *asked)

    assert [it.code for it in (before, after, environment)] == [0, 0, 0]
    assert before.out == after.out == environment.out


def test_the_nearest_source_wins(tool: Tool) -> None:
    """--source after the command beats the one before it, both beat the environment and .env."""
    tool.env |= {"MARKETPULSE_SOURCE": "environment.csv"}
    both = tool.run("--source", "before.csv", "run-colors", "--source", "after.csv")
    before = tool.run("--source", "before.csv", "run-colors")
    environment = tool.run("run-colors")
    (tool.folder / "desk.env").write_text("MARKETPULSE_SOURCE=file.csv", encoding="utf-8")
    del tool.env["MARKETPULSE_SOURCE"]
    file = tool.run("--env-file", "desk.env", "run-colors")

    assert [it.code for it in (both, before, environment, file)] == [6, 6, 6, 6]
    assert both.err.startswith("error: after.csv: ")
    assert before.err.startswith("error: before.csv: ")
    assert environment.err.startswith("error: environment.csv: ")
    assert file.err.startswith("error: file.csv: ")
