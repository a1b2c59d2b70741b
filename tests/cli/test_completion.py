"""Table names are completed from the last listing, in a real shell."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from select import select

import pytest
from support import Tool

SCRIPTS = {
    "bash": """
set -e
source <(marketpulse --show-completion)
COMP_WORDS=(marketpulse $WORDS)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_marketpulse_completion marketpulse
printf '%s\\n' "${COMPREPLY[@]}"
""",
    "fish": """
marketpulse --show-completion | source
complete -C "marketpulse $WORDS"
""",
}
ZSH = b"autoload -Uz compinit; compinit -u; source <(marketpulse --show-completion)\n"


@pytest.fixture
def listed(tool: Tool) -> Tool:
    """The command line on PATH, after a listing of the demo's tables."""
    programs = tool.folder / "programs"
    programs.mkdir()
    program = programs / "marketpulse"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m marketpulse "$@"\n')
    program.chmod(0o700)
    assert tool.run("list-tables", "--source", "demo").code == 0
    tool.env["PATH"] = f"{programs}:{tool.env['PATH']}"
    return tool


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("sample SEC", ["SECURITIES", "SECURITY_COLORS"]),
        ("schema DEAL", ["DEALERS"]),
        ("run-colors x.csv --table COL", ["COLORS"]),
    ],
)
def test_tables_are_completed(listed: Tool, shell: str, words: str, completed: list[str]) -> None:
    """After list-tables, for every command that takes a table."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    done = subprocess.run(
        [shell, "-c", SCRIPTS[shell]],
        env=listed.env | {"WORDS": words},
        cwd=listed.folder, capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.split("\n")[:-1] == completed, done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_completes_tables(listed: Tool) -> None:
    """Zsh completes on a terminal alone: the Tab key is pressed, and what it prints is read."""
    import pty  # noqa: PLC0415 - not on Windows

    process, terminal = pty.fork()
    if process == 0:
        os.chdir(listed.folder)
        os.execvpe("zsh", ["zsh", "-f", "-i"], listed.env | {"TERM": "dumb"})
    try:
        os.write(terminal, ZSH + b"echo is rea''dy\n")
        read_until(terminal, b"is ready")
        os.write(terminal, b"marketpulse run-colors x.csv --table COL\t")
        read_until(terminal, b"--table COLORS ")
        os.write(terminal, b"\x15marketpulse schema DEAL\t")
        read_until(terminal, b"schema DEALERS ")
    finally:
        os.close(terminal)  # hangs up: the shell ends
        os.waitpid(process, 0)


def read_until(terminal: int, text: bytes) -> None:
    """Read from a terminal until the text stands in what it printed."""
    printed = b""
    deadline = time.monotonic() + 60
    while text not in printed:
        assert time.monotonic() < deadline, printed
        if select([terminal], [], [], 1)[0]:
            printed += os.read(terminal, 1 << 16)


def test_without_a_listing_nothing_is_completed(tool: Tool) -> None:
    """A home that cannot be written is no reason to fail."""
    (tool.folder / ".local").write_text("a file")

    assert tool.run("list-tables", "--source", "demo").code == 0
    assert Path(tool.folder / ".local").is_file()
