"""What tests of many parts share: where things are, and the command line as a process."""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from marketpulse.cli.app import app

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DAY = TESTS / "fixtures/colors_day"
COLORS = DAY / "colors_day.csv"
RULES = DAY / "rules.json"
OUTPUTS = ("processed_colors", "excluded_colors", "rejected_colors")
NUMBERS = {"read": 2003, "parents": 300, "children": 1406, "excluded": 278, "rejected": 19}
PROCESSED_AT = ("--processed-at", "2026-03-13T18:00:00Z")
AWS_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals, pipes and devices")


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a process."""

    code: int
    out: str
    err: str


@dataclass
class Tool:
    """The command line in a folder of its own, with none of the machine's settings."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir(parents=True)
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self.env = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "TMPDIR": str(self.temporary),
            "TEMP": str(self.temporary),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            **self.env,
        }

    def start(self, *words: object, **options: Any) -> subprocess.Popen[bytes]:
        """Begin a command."""
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [sys.executable, "-m", "marketpulse", *map(str, words)],
            **{**settings, "cwd": self.folder, "env": self.env, **options},
        )

    def run(
        self, *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Result:
        """Run a command to its end, within this process: that takes a tenth of the time.

        What belongs to the process needs `run_process`: its log, streams, signals and encoding.
        """
        return run_here(words, cwd or self.folder, self.env if env is None else env)

    def run_process(self, *words: object, **options: Any) -> Result:
        """Run a command to its end, in a process of its own."""
        process = self.start(*words, **options)
        out, err = (text.decode("utf-8", "replace") for text in process.communicate(timeout=120))
        return Result(process.returncode, out, err)

    def run_colors(self, *words: object) -> Result:
        """Rank the day into the folder `out`."""
        return self.run("run-colors", COLORS, *PROCESSED_AT, "--output", "out", *words)

    @property
    def out(self) -> Path:
        """Where `run_colors` writes."""
        return self.folder / "out"


def run_here(words: Sequence[object], folder: Path, env: Mapping[str, str]) -> Result:
    """Run a command within this process, in a folder and an environment."""
    assert not {"-v", "-q"} & {*words}, "pytest takes the log of this process"
    with _place(folder, env):
        result = CliRunner().invoke(
            app, [*map(str, words)], prog_name="marketpulse", catch_exceptions=False
        )
    return Result(result.exit_code, result.stdout, without_progress(result.stderr))


def without_progress(err: str) -> str:
    """Standard error without the lines that tell of progress where a machine is slow."""
    lines = err.splitlines(keepends=True)
    progress = re.compile(
        r"[\w ]+: (\d+ s so far|[\d,]+( of [\d,]+)? \w+, [\d,]+/s(, \d+ s left)?)\n"
    )
    return "".join(line for line in lines if not progress.fullmatch(line))


@contextmanager
def _place(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Give this process a folder and an environment; put back what a command has changed."""
    logger = logging.getLogger("marketpulse")
    level, temporary = logger.level, tempfile.tempdir
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in os.environ.keys() - env.keys():
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        tempfile.tempdir = None  # it is read from TMPDIR once
        try:
            yield
        finally:
            tempfile.tempdir = temporary
            logger.setLevel(level)


def summary_of(folder: Path) -> Any:
    """The summary of a completed run."""
    return json.loads((folder / "run_summary.json").read_text(encoding="utf-8"))


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def one_message(err: str) -> str:
    """Assert that standard error is one message, with at most one hint, and return it."""
    lines = without_progress(err).splitlines()
    if lines[0].startswith("Usage: "):  # how Typer reports wrong usage
        assert [line.split(" ")[0] for line in lines] == ["Usage:", "Try", "", "Error:"]
    else:
        assert lines[0].startswith("error: ")
        assert [line[:8] for line in lines[1:]] in ([], ["  hint: "])
    assert "Traceback" not in err
    assert "a bug in MarketPulse" not in err
    return err
