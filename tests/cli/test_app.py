"""The commands as a whole: help, version, completion."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from support import Result, Tool, posix

import marketpulse
from marketpulse.cli.app import app


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of every command and of every group of commands."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


@pytest.mark.parametrize("path", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_every_command_has_help(tool: Tool, path: tuple[str, ...]) -> None:
    """--help and -h of every command exit with 0 and print the usage to stdout only."""
    long, short = tool.run(*path, "--help"), tool.run(*path, "-h")

    assert (long.code, long.err) == (0, "")
    assert long.out.startswith(f"Usage: {' '.join(('marketpulse', *path))} ")
    assert short == long


def test_version(tool: Tool) -> None:
    """--version prints the version."""
    assert tool.run_process("--version") == Result(
        0, f"marketpulse {marketpulse.__version__}\n", ""
    )


@posix
def test_completion(tool: Tool) -> None:
    """The shell completes commands; for an unknown shell there is a message of one line."""
    shown = tool.run("--show-completion", "bash")
    completed = tool.run(
        env={
            **tool.env,
            "_MARKETPULSE_COMPLETE": "complete_bash",
            "COMP_WORDS": "marketpulse run",
            "COMP_CWORD": "1",
        }
    )

    if shown.code:
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
    else:
        assert "_MARKETPULSE_COMPLETE" in shown.out
    assert completed.code == 0
    assert completed.out.splitlines() == ["run-colors"]
