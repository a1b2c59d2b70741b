"""Temporary folders: what a killed process leaves goes with the next one, and nothing else does."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support import Tool, names_in, posix

from marketpulse.atomic import LOCK_FILE, TemporaryFolder

LOCK = ".temporary.lock"
# Holds a folder until it gets a line.
HOLDER = """
from marketpulse.atomic import TemporaryFolder
with TemporaryFolder() as folder:
    print(folder, flush=True)
    input()
"""


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    while not happened():
        time.sleep(0.01)


def make_old(tool: Tool) -> None:
    """Let all folders have been made a while ago."""
    for lock in tool.temporary.glob(f"*/{LOCK}"):
        os.utime(lock, (0, 0))


@posix
def test_killed_and_living_processes(tool: Tool) -> None:
    """The folders of a killed run go; those of others stay, and so does what only looks alike."""
    killed = tool.start("run-colors", "-", stdin=subprocess.PIPE)
    wait_for(lambda: any(tool.temporary.rglob("stdin*")))
    left = names_in(tool.temporary)
    killed.kill()
    killed.communicate()
    assert names_in(tool.temporary) == left != []
    command = [sys.executable, "-c", HOLDER]
    holder = subprocess.Popen(
        command, env=tool.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert holder.stdout
    living = Path(holder.stdout.readline().strip()).name
    assert {*left} <= {*names_in(tool.temporary)}, "they may be of a run that just begins"

    names = ["marketpulse-abcdefgh", "marketpulse-nolockfx", "marketpulse-results1"]
    for name, file, text in zip(
        names, [LOCK, "rows.csv", LOCK_FILE], ["another machine", "", ""], strict=True
    ):
        (tool.temporary / name).mkdir()
        (tool.temporary / name / file).write_text(text)
    (tool.temporary / "marketpulse-linklink").symlink_to(tool.temporary / left[0])
    make_old(tool)
    assert tool.run("list-tables", "--source", "demo").code == 0
    assert names_in(tool.temporary) == sorted(["marketpulse-linklink", *names, living])
    holder.communicate("\n")
    assert living not in names_in(tool.temporary)


def test_a_folder() -> None:
    """It is there, and at the end it is not."""
    with TemporaryFolder() as name:
        (Path(name) / "rows").touch()
    assert not Path(name).exists()
