"""Table names are completed from the last listing, in a real shell."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import Tool

SCRIPT = """
set -e
source <(marketpulse --show-completion bash)
COMP_WORDS=(marketpulse $WORDS)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_marketpulse_completion marketpulse
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("sample SEC", ["SECURITIES", "SECURITY_COLORS"]),
        ("schema DEAL", ["DEALERS"]),
        ("run-colors x.csv --table COL", ["COLORS"]),
    ],
)
def test_bash_completes_tables(tool: Tool, words: str, completed: list[str]) -> None:
    """After list-tables, for every command that takes a table."""
    programs = tool.folder / "programs"
    programs.mkdir()
    program = programs / "marketpulse"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m marketpulse "$@"\n')
    program.chmod(0o700)
    assert tool.run("list-tables", "--source", "demo").code == 0

    done = subprocess.run(
        ["bash", "-c", SCRIPT],
        env=tool.env | {"PATH": f"{programs}:{tool.env['PATH']}", "WORDS": words},
        cwd=tool.folder, capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.split("\n")[:-1] == completed, done.stderr


def test_without_a_listing_nothing_is_completed(tool: Tool) -> None:
    """A home that cannot be written is no reason to fail."""
    (tool.folder / ".local").write_text("a file")

    assert tool.run("list-tables", "--source", "demo").code == 0
    assert Path(tool.folder / ".local").is_file()
