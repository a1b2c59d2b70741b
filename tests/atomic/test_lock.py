"""The lock on a folder: one run at a time, ended with its process, with no litter."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import COLORS, PROCESSED_AT, ROOT, TESTS, Tool, names_in, posix, summary_of

from marketpulse.atomic.lock import LOCK_FILE, folder_lock
from marketpulse.errors import OutputError

HOLD = """
import sys
from pathlib import Path
from marketpulse.atomic.lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "locked\n"
    return process


def test_the_lock_leaves_no_file(tmp_path: Path) -> None:
    """The folder is made, the file is there while the lock is held, and gone afterwards."""
    with folder_lock(tmp_path / "new"):
        assert names_in(tmp_path / "new") == [LOCK_FILE]
    assert names_in(tmp_path / "new") == []


def test_another_process_has_the_lock(tmp_path: Path) -> None:
    """A run that waited long enough fails, and says what to do."""
    process = hold(tmp_path)
    with pytest.raises(OutputError) as refused, folder_lock(tmp_path, patience=0.1):
        pytest.fail("both have the lock")
    process.communicate("")

    assert refused.value.message == f"{tmp_path}: another run is writing there; waited 0.1 s"
    assert "run it again when the other run has ended" in refused.value.hint
    assert process.returncode == 0
    with folder_lock(tmp_path, patience=0):
        pass
    assert names_in(tmp_path) == []


def test_a_wait_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that waits says so once, and goes on as soon as it can."""
    process = hold(tmp_path)
    timer = threading.Timer(0.3, process.communicate, [""])
    timer.start()
    with folder_lock(tmp_path, patience=30):
        pass
    timer.join()

    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: another run is writing there: waiting up to 30 s for it"
    ]


@posix
def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A killed process leaves only the file. The next run takes it over and removes it."""
    process = hold(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert names_in(tmp_path) == [LOCK_FILE]

    with folder_lock(tmp_path, patience=0):
        pass
    assert names_in(tmp_path) == []


@posix
def test_the_file_of_another_user(tmp_path: Path) -> None:
    """A dead run of another user may have left a file that is read-only."""
    (tmp_path / LOCK_FILE).touch(0o444)
    with folder_lock(tmp_path, patience=0):
        pass
    assert names_in(tmp_path) == []


def test_the_folder_vanishes_while_a_run_waits(tmp_path: Path) -> None:
    """A run that fails removes the folder that it made; the run that waits makes it again."""
    folder = tmp_path / "new"
    process = hold(folder)

    def remove() -> None:
        process.communicate("")
        with suppress(OSError):  # the run that waits may have the lock already
            folder.rmdir()

    timer = threading.Timer(0.2, remove)
    timer.start()
    with folder_lock(folder, patience=30):
        timer.join()
        (folder / "a.txt").touch()
    assert names_in(folder) == ["a.txt"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file where the folder should be is an error of the system, which names it."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), folder_lock(tmp_path / "file"):
        pytest.fail("a file has no lock")


def test_three_runs_at_once(tool: Tool) -> None:
    """Three runs into one folder end well, one after the other; the last set is whole."""
    hierarchies = ["rank,date,price", "date,rank,price", "price,rank,date"]
    processes = [
        tool.start(
            "run-colors", COLORS, *PROCESSED_AT, "--output", "out", "--formats", "csv",
            "--hierarchy", hierarchy,
        )
        for hierarchy in hierarchies
    ]  # fmt: skip
    errors = [process.communicate(timeout=120)[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0] * 3, errors
    summary = summary_of(tool.out)
    assert names_in(tool.out) == sorted(
        ["run_summary.json", *(file["name"] for file in summary["files"])]
    )
    assert tool.run("push-s3", "--dry-run", "out", "s3://bucket/x/").code == 0  # checks all sums


def test_three_samples_at_once(tool: Tool) -> None:
    """Three tables into one bundle at once: the manifest lists all of them."""
    names = ["ALL_TYPES", "COLORS", "DEALERS"]
    processes = [
        tool.start("--source", "demo", "sample", name, "--limit", "5", "--output", "out", "--zip")
        for name in names
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0] * len(names), errors
    for bundle in ("out", "out.zip"):
        verified = tool.run("verify", bundle)
        assert verified.code == 0, verified.err
        assert all(name in verified.out for name in names)


@posix
def test_the_file_of_a_dead_run_is_no_stranger(tool: Tool) -> None:
    """`verify` accepts a bundle in whose folder a run was killed, or of which a file is open."""
    assert tool.run("--source", "demo", "sample", "COLORS", "--output", "out").code == 0
    process = hold(tool.out)
    process.kill()
    process.communicate()
    assert LOCK_FILE in names_in(tool.out)
    for name in ("~$COLORS_sample.xlsx", ".~lock.COLORS_sample.csv#"):  # open in a spreadsheet
        (tool.out / name).touch()
    assert tool.run("verify", "out").code == 0


def test_a_run_that_waits_says_so(tool: Tool) -> None:
    """The note is on standard error, and not with --quiet."""
    note = "out: another run is writing there: waiting up to 60 s"
    words = ("run-colors", COLORS, *PROCESSED_AT, "--output", "out")
    process = hold(tool.out)
    command = tool.start(*words)
    assert command.stderr
    assert any(note in line.decode() for line in command.stderr)  # reads up to it
    process.communicate("")
    command.communicate(timeout=120)
    assert command.returncode == 0

    process = hold(tool.out)
    command = tool.start("--quiet", *words)
    timer = threading.Timer(4, process.communicate, [""])
    timer.start()
    err = command.communicate(timeout=120)[1].decode()
    timer.join()
    assert command.returncode == 0
    assert note not in err


LOCKED = """
import json, os, sys
from pathlib import Path
from support import run_here

def refuse(event, arguments):
    names = arguments[:2] if event == "os.rename" else arguments[:1]
    if event in ("os.rename", "os.remove") and locked in map(os.path.abspath, map(str, names)):
        raise PermissionError(13, "The file is used by another process", locked)

locked = ""
sys.addaudithook(refuse)
for line in sys.stdin:
    locked, *words = json.loads(line)
    result = run_here(words, Path.cwd(), os.environ)
    print(json.dumps([result.code, result.err]), flush=True)
"""


class Excel:
    """Commands as on Windows while another program has a file open, in one process for all."""

    def __init__(self, tool: Tool) -> None:
        path = os.pathsep.join([str(ROOT), str(TESTS)])
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOCKED],
            cwd=tool.folder, env={**tool.env, "PYTHONPATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, locked: Path, *words: object) -> tuple[int, str]:
        """The exit code and standard error of a command while a file is open."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([str(locked), *map(str, words)]), file=self.process.stdin, flush=True)
        code, err = json.loads(self.process.stdout.readline())
        return code, err


@pytest.fixture
def excel(tool: Tool) -> Iterator[Excel]:
    """A process whose files another program can have open."""
    started = Excel(tool)
    yield started
    started.process.communicate(timeout=60)
    assert started.process.returncode == 0


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_while_excel_has_a_result_open(tool: Tool, excel: Excel) -> None:
    """Whichever of the files is open, all stay as they are, and one message names it."""
    formats = ("--formats", "csv,xlsx", "--output", "out")
    assert tool.run("run-colors", COLORS, *PROCESSED_AT, *formats).code == 0
    before = snapshot(tool.out)
    names = ("processed_colors.csv", "excluded_colors.xlsx", "rejected_colors.csv")
    for name in (*names, "run_summary.json"):
        code, err = excel.run(
            tool.out / name, "run-colors", COLORS, *formats, "--hierarchy", "date,rank,price"
        )
        assert code == 2
        errors = [line for line in err.splitlines() if line.startswith("error")]
        message = "cannot be replaced: The file is used by another process"
        assert errors == [f"error: {Path('out') / name}: {message}"], err
        assert "hint: close it in other programs, such as Excel" in err
        assert snapshot(tool.out) == before
    code, err = excel.run(tool.out / "other.csv", "run-colors", COLORS, *formats)
    assert code == 0, err


def test_a_sample_while_excel_has_a_file_open(tool: Tool, excel: Excel) -> None:
    """The same for a bundle: it stays as it is, and verifies."""
    words = (
        *("--source", "demo", "sample", "COLORS", "--output", "out"),
        *("--taken-at", "2026-03-13T18:00:00Z"),
    )
    assert tool.run(*words, "--limit", "3").code == 0
    before = snapshot(tool.out)
    assert len(before) == 6
    for name in before:
        code, err = excel.run(tool.out / name, *words, "--limit", "5")
        assert (code, f"{name}: cannot be replaced" in err) == (2, True), err
        assert snapshot(tool.out) == before
    assert tool.run("verify", "out").code == 0
