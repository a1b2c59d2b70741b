"""Streams: quiet, pipes that close, consoles of other encodings, escape codes."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import COLORS, ROOT, RULES, Tool, one_message, posix, summary_of

from marketpulse.cli.console import Lines, message_format, say, show_table
from marketpulse.model import progress_stage

if sys.platform != "win32":
    import pty


def test_quiet_prints_errors_only(tool: Tool) -> None:
    """-q hides warnings; results and errors are still printed."""
    result = tool.run_process("-q", "run-colors", COLORS, "--output", "out", "--rules", RULES)
    assert (result.code, result.err) == (0, "")
    assert "2003" in result.out

    missing = tool.run_process("-q", "run-colors", "nowhere.csv")
    assert missing.code == 6
    assert missing.err.startswith("error: nowhere.csv: no such file")


def test_no_escape_codes_off_a_terminal(tool: Tool) -> None:
    """A pipe gets no colour, whatever TERM says."""
    tool.env = {**tool.env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    del tool.env["NO_COLOR"]
    for words in (
        ("--help",),
        ("config",),
        ("run-colors", COLORS, "--rules", RULES, "--output", "out"),
        ("rules", "check", RULES),
        ("run-colors", "nowhere.csv"),
        ("run-colors", "--bogus"),
    ):
        result = tool.run_process(*words)
        assert "\x1b" not in result.out + result.err, words


def test_cells_cannot_command_the_terminal(tool: Tool) -> None:
    """Escape codes in a cell are printed as text."""
    lines = COLORS.read_text(encoding="utf-8").splitlines()[:3]
    lines[1] = lines[1].replace("99.22,SANTANDER", "\x1b]0;owned\x07\x9b31m,SANTANDER\x1b[2J")
    (tool.folder / "colors.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ranked = tool.run("run-colors", "colors.csv", "--output", "out")
    explained = tool.run("run-colors", "colors.csv", "--explain", "1TEKH3IR5")

    assert (ranked.code, explained.code) == (0, 0)
    assert "owned" in ranked.err
    assert "owned" in explained.out
    for mark in "\x1b\x07\x9b":
        assert mark not in ranked.out + ranked.err + explained.out + explained.err


@posix
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("--version",),
        ("config",),
        ("config", "--format", "json"),
        ("rules", "check", RULES),
        ("run-colors", COLORS, "--explain", "00GC0UY95"),
        ("run-colors", COLORS, "--explain", "00GC0UY95", "--format", "json"),
    ],
    ids=lambda words: " ".join(str(word).rpartition("/")[2] for word in words),
)
def test_a_closed_pipe(tool: Tool, words: tuple[object, ...]) -> None:
    """A reader that closes the pipe (`| head -1`) ends the command silently."""
    reader, writer = os.pipe()
    os.close(reader)
    process = tool.start(*words, stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, b"")


@posix
@pytest.mark.parametrize(
    ("code", "words"),
    [(0, ("list-tables", "--source", "demo", "--output", "o")), (6, ("run-colors", "no.csv"))],
)
def test_a_closed_standard_error(tool: Tool, code: int, words: tuple[str, ...]) -> None:
    """A closed standard error changes neither the result nor the exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    process = tool.start(*words, stderr=writer)
    os.close(writer)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == code
    assert (b"COLORS" in out) == (code == 0)


@posix
def test_head_gets_its_line(tool: Tool) -> None:
    """`| head -1` gets the first line of a long explanation, without an error."""
    process = tool.start("run-colors", COLORS, "--explain", "00GC0UY95")
    head = subprocess.run(["head", "-1"], stdin=process.stdout, capture_output=True, check=True)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=60)

    assert head.stdout.startswith(b"00GC0UY95: ")
    assert process.stderr is not None
    with process.stderr as err:
        assert err.read() == b""


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("config",)], ids=" ".join)
def test_a_full_standard_output(tool: Tool, words: tuple[str, ...]) -> None:
    """Standard output on a full disk gives one message and exit code 2."""
    with Path("/dev/full").open("wb") as full:
        result = tool.start(*words, stdout=full)
        _, err = result.communicate(timeout=60)

    assert result.returncode == 2
    assert "No space left on device" in one_message(err.decode())


@posix
def test_no_console_at_all(tool: Tool) -> None:
    """A run works with standard output and error closed, as under some schedulers."""
    closed = "exec {} -m marketpulse run-colors {} --output out >&- 2>&-"
    command = closed.format(sys.executable, COLORS)
    process = subprocess.run(["sh", "-c", command], cwd=tool.folder, env=tool.env, check=False)

    assert process.returncode == 0
    assert summary_of(tool.out)["rows"]["read"] == 2003


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_of_another_encoding(tool: Tool, encoding: str) -> None:
    """A character that the console cannot show is escaped; JSON keeps its value."""
    tool.env |= {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = ("run-colors", COLORS, "--explain", "1TEKH3IR5")
    text = tool.start(*words).communicate(timeout=60)
    as_json = tool.start(*words, "--format", "json").communicate(timeout=60)

    assert (text[1], as_json[1]) == (b"", b"")
    assert b"1TEKH3IR5" in text[0]
    explained = json.loads(as_json[0].decode(encoding))
    assert any(row["cells"]["NOTE"] == "é ü 東京" for row in explained["rows"])


@pytest.mark.parametrize(
    "command", ["schema --ddl duckdb", "schema --models -", "list-tables --format csv"]
)
def test_programs_read_utf_8(tool: Tool, command: str) -> None:
    """A result for a program loses no character, whatever the console's encoding is."""
    (tool.folder / "Ω é.csv").write_text("東京\n1\n", encoding="utf-8")
    tool.env |= {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    out, err = tool.start(*command.split(), "--source", "Ω é.csv").communicate(timeout=60)

    assert err == b""
    assert ("Ω é" if "list-tables" in command else "東京") in out.decode()


def test_progress_of_a_job_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines with stage, count, rate and time left; a short stage has none."""
    lines = Lines("rows", quiet_seconds=0.3)
    with progress_stage(lines, "opening"):
        pass
    with progress_stage(lines, "reading", 4000):
        lines.advance(1000)
        time.sleep(0.6)
    err = capsys.readouterr().err
    assert re.fullmatch(r"reading: 1,000 of 4,000 rows, [0-9,]+/s, [0-9]+ s left\n", err)


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("reading: 5 s so far", "INFO", "reading: 5 s so far"),
        ("warning: a.zip holds a sample", "WARNING", "a.zip holds a sample"),
        ("2026-03-13: error: no rows", "ERROR", "2026-03-13: no rows"),
        ("no more warning: it is over", "INFO", "no more warning: it is over"),
    ],
)
def test_messages_are_json_where_the_log_is(
    text: str, level: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object in a line, with the level that the text begins with."""
    message_format.as_json = True
    try:
        say(text)
    finally:
        message_format.as_json = False
    assert json.loads(capsys.readouterr().err) == {"level": level, "message": message}


@posix
@pytest.mark.parametrize("terminal", [True, False])
def test_progress_of_a_slow_run(tool: Tool, terminal: bool) -> None:
    """After two seconds the stage is shown: as a bar on a terminal, as a line elsewhere."""
    leader, follower = pty.openpty() if terminal else os.pipe()
    tool.env = {**tool.env, "TERM": "xterm"}
    started = time.monotonic()
    with tool.start("run-colors", "-", stdin=subprocess.PIPE, stderr=follower) as process:
        os.close(follower)
        shown = os.read(leader, 1 << 16).decode()
        assert time.monotonic() - started > 2
        process.communicate(COLORS.read_bytes(), timeout=60)
    os.close(leader)
    assert process.returncode == 0
    assert ("opening" in shown) or terminal
    assert ("\x1b[" in shown) is terminal


@posix
def test_no_progress_if_quiet(tool: Tool) -> None:
    """-q hides the progress of a slow run, too."""
    with tool.start("-q", "run-colors", "-", stdin=subprocess.PIPE) as process:
        time.sleep(3)
        _, err = process.communicate(COLORS.read_bytes(), timeout=60)
    assert (process.returncode, err) == (0, b"")


@pytest.mark.parametrize(
    ("variables", "bold"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"CLICOLOR_FORCE": "1"}, True),
        ({"CLICOLOR_FORCE": "0"}, False),
        ({"CLICOLOR_FORCE": ""}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_style_off_a_terminal_can_be_forced(
    variables: dict[str, str],
    bold: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the header is bold: a program that reads the columns finds them where they were."""
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    show_table(("name", "rows"), [("COLORS", 5)])
    header = "name    rows"
    expected = f"\x1b[1m{header}\x1b[0m" if bold else header
    assert capsys.readouterr().out == f"{expected}\nCOLORS  5\n"


@posix
def test_lost_places_are_wrong_usage(tool: Tool) -> None:
    """A closed standard input, and a working folder that somebody has removed."""
    for script, message in (
        ('exec "$@" run-colors - <&-', "standard input is closed"),
        ('mkdir gone; cd gone; rmdir ../gone; exec "$@" run-colors x.csv', "folder is gone"),
    ):
        done = subprocess.run(
            ["sh", "-c", script, "sh", sys.executable, "-m", "marketpulse"],
            cwd=tool.folder, env={**tool.env, "PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 2
        assert message in one_message(done.stderr)
