"""Runs that are killed, interrupted, or out of disk space."""

import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import (
    COLORS,
    PROCESSED_AT,
    RULES,
    Tool,
    names_in,
    one_message,
    posix,
    summary_of,
)

from marketpulse.atomic import LOCK_FILE
from marketpulse.cli.interrupts import interrupt, interrupt_again, interruption


@pytest.fixture(scope="session")
def big_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rows of the day twenty times: about 40,000."""
    header, *rows = COLORS.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path_factory.mktemp("big") / "big_day.csv"
    path.write_text(header + "".join(rows) * 20, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Runs:
    """The results of an earlier run, and commands that replace them, with their results."""

    earlier: Path
    later: tuple[Path, ...]
    day: tuple[object, ...]
    big_day: tuple[object, ...]
    seconds: float  # the duration of the big day

    def check(self, folder: Path) -> str:
        """Assert that every file is complete. Returns whose summary is in the folder."""
        names = [
            name
            for name in names_in(folder)
            if not name.endswith(".part") and name != LOCK_FILE  # a killed run leaves both
        ]
        for name in names:
            content = (folder / name).read_bytes()
            whole = [run / name for run in (self.earlier, *self.later) if (run / name).exists()]
            assert content in [path.read_bytes() for path in whole], f"{name} is not complete"
        if "run_summary.json" not in names:
            return "none"
        summary = summary_of(folder)
        assert sorted([*(file["name"] for file in summary["files"]), "run_summary.json"]) == names
        for file in summary["files"]:
            content = (folder / file["name"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
        return "earlier" if summary == summary_of(self.earlier) else "later"


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a completed run."""
    tool = Tool(tmp_path_factory.mktemp("earlier") / "desk")
    assert tool.run_colors("--formats", "csv,parquet").code == 0
    return tool.out


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, earlier: Path, big_day: Path) -> Runs:
    """The results before and after the run that is killed."""
    tool = Tool(tmp_path_factory.mktemp("runs") / "desk")
    day = ("run-colors", COLORS, *PROCESSED_AT, "--rules", RULES, "--formats", "csv,ndjson")
    assert tool.run(*day, "--output", "day").code == 0
    big = ("run-colors", big_day, *PROCESSED_AT, "--rules", RULES)
    begin = time.monotonic()
    assert tool.run(*big, "--output", "big").code == 0
    seconds = time.monotonic() - begin
    return Runs(earlier, (tool.folder / "day", tool.folder / "big"), day, big, seconds)


def wait_for(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """Wait until a condition is true or the process has ended."""
    while process.poll() is None and not happened():
        time.sleep(0.001)


@posix
def test_a_killed_run_never_looks_finished(tool: Tool, runs: Runs) -> None:
    """A killed run leaves complete results with their summary, or no summary."""
    chance = random.Random(1)
    seal = tool.out / "run_summary.json"
    for number in range(12):
        shutil.rmtree(tool.out, ignore_errors=True)
        shutil.copytree(runs.earlier, tool.out)
        if number % 3 == 0:  # at any moment
            process = tool.start(*runs.big_day, "--output", "out")
            time.sleep(chance.uniform(0, runs.seconds))
        elif number % 3 == 1:  # while it writes
            process = tool.start(*runs.big_day, "--output", "out")
            wait_for(process, lambda: any(tool.out.glob("*.part")))
            time.sleep(chance.uniform(0, runs.seconds / 4))
        else:  # while new files replace the old
            process = tool.start(*runs.day, "--output", "out")
            wait_for(process, lambda: not seal.exists())
            time.sleep(chance.uniform(0, 0.01))
        process.kill()
        process.communicate()
        runs.check(tool.out)
    assert tool.run(*runs.day, "--output", "out").code == 0
    assert runs.check(tool.out) == "later"
    assert not any(tool.out.glob("*.part"))


ENDS = {
    "SIGINT": (130, "interrupted\n"),
    "SIGTERM": (143, "ended by SIGTERM\n"),
    "SIGHUP": (129, "ended by SIGHUP\n"),
}


@posix
@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("SIGINT", "it reads"),
        ("SIGINT", "it writes"),
        ("SIGTERM", "it reads"),
        ("SIGHUP", "it writes"),
    ],
)
def test_signals(tool: Tool, earlier: Path, big_day: Path, name: str, stage: str) -> None:
    """Ctrl-C, `kill` and a closed terminal end a run with a word and no files left behind."""
    shutil.copytree(earlier, tool.out)
    # A slow machine would show its progress.
    process = tool.start("--quiet", "run-colors", big_day, "--output", "out")
    if stage == "it reads":
        wait_for(process, lambda: any(tool.temporary.glob("marketpulse-*")))
        time.sleep(0.02)  # the folder exists a moment before Python registers its removal
    else:
        wait_for(process, lambda: any(tool.out.glob("*.part")))
    process.send_signal(signal.Signals[name])
    if name != "SIGINT":
        process.send_signal(signal.SIGTERM)  # a second one does not interrupt the cleaning up
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err.decode()) == ENDS[name]
    assert out == b""
    assert names_in(tool.out) == names_in(earlier)
    assert summary_of(tool.out) == summary_of(earlier)
    assert names_in(tool.temporary) == []


@posix
def test_ctrl_c_on_a_new_folder(tool: Tool, big_day: Path) -> None:
    """An interrupted run removes the folders that it created."""
    process = tool.start("run-colors", big_day, "--output", "out/of/runs")
    wait_for(process, lambda: any(tool.out.rglob("*.part")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130
    assert not tool.out.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB. Skips the test if this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk],
            capture_output=True,
            check=False,
        ).returncode
    )
    if not mounted:
        pytest.skip("this user may not mount a disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@posix
@pytest.mark.parametrize("formats", ["csv", "parquet,json"])
def test_a_full_disk(tool: Tool, small_disk: Path, formats: str) -> None:
    """A full disk gives one message, and leaves nothing that looks complete."""
    (small_disk / "mine.txt").write_text("mine", encoding="utf-8")
    output = small_disk if formats == "csv" else small_disk / "new"
    result = tool.run_process("run-colors", COLORS, "--formats", formats, "--output", output)

    assert (result.code, result.out) == (2, "")
    assert "No space left on device" in one_message(result.err)
    assert names_in(small_disk) == ["mine.txt"]


@posix
def test_a_full_disk_for_temporary_files(tool: Tool, small_disk: Path) -> None:
    """If temporary files fill the disk, one message says so, and nothing is written."""
    assert tool.run_colors("--formats", "ndjson").code == 0
    ndjson = tool.out.rename(tool.folder / "input") / "rejected_colors.ndjson"
    ndjson.write_bytes(ndjson.read_bytes() * 200)
    tool.env |= {"TMPDIR": str(small_disk)}
    result = tool.run_process("run-colors", ndjson, "--map", "price=PX", "--output", "out")

    assert result.code in {2, 6}
    assert result.out == ""
    assert "No space left on device" in one_message(result.err)
    assert not tool.out.exists()
    assert names_in(small_disk) == []


@posix
def test_files_that_may_not_grow(tool: Tool) -> None:
    """A limit on file sizes gives one message, and nothing is written."""
    import resource  # noqa: PLC0415 - not on Windows

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    words = ("run-colors", COLORS, "--output", "out")
    result = tool.run_process(*words, preexec_fn=limit)

    assert (result.code, result.out) == (2, "")
    assert "File too large" in one_message(result.err)
    assert not tool.out.exists()


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of a command, in this process."""
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = interrupt_again
    yield
    signal.signal(signal.SIGINT, handler)
    sys.unraisablehook = hook
    interruption.signal = None


@posix
@pytest.mark.usefixtures("handlers")
def test_an_interrupt_in_a_finalizer_is_not_lost() -> None:
    """Python drops an exception in a `__del__`: the command is interrupted again."""

    class Late:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it comes at some moment of the wait
        Late()
        time.sleep(10)


@posix
@pytest.mark.usefixtures("handlers")
def test_an_interrupt_in_the_hook_is_not_lost() -> None:
    """Python drops what the hook for dropped exceptions raises: the interrupt comes after that."""

    class Output(io.StringIO):
        def write(self, text: str) -> int:
            if not self.getvalue():
                signal.raise_signal(signal.SIGINT)
            return super().write(text)

    class Broken:
        def __del__(self) -> None:
            raise ValueError

    with redirect_stderr(Output()), pytest.raises(KeyboardInterrupt):  # noqa: PT012 - as above
        Broken()
        time.sleep(10)


_START = """
import os, signal, sys, time
from importlib.machinery import ExtensionFileLoader
from marketpulse.cli.interrupts import handle_signals, interruption

def end(frame, *_):
    in_enum = frame.f_code.co_filename.endswith("enum.py")  # which C++ calls
    while in_enum and (frame := frame.f_back):
        if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
            sys.setprofile(None)
            os.kill(os.getpid(), signal.SIGTERM)
            return

handle_signals()
sys.setprofile(end)
try:
    import duckdb
    time.sleep(10)
except KeyboardInterrupt:
    print(interruption.text, flush=True)
"""


@posix
def test_an_interrupt_while_a_library_starts() -> None:
    """It comes when the library has started: its C++ would end the process with a trace."""
    words = [sys.executable, "-c", _START]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "ended by SIGTERM\n", "")


@posix
def test_an_interrupt_while_modules_load(tool: Tool) -> None:
    """Ends the process at once, and prints nothing."""
    (tool.folder / "typer.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    )
    tool.env["PYTHONPATH"] = os.pathsep.join([str(tool.folder), tool.env["PYTHONPATH"]])
    result = tool.run_process("--version")

    assert (result.code, result.out, result.err) == (-signal.SIGINT, "", "")
