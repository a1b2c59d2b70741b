"""Run Colors against DuckDB alone: read the same file, sort it by the same full order, write it.

    pytest tests/benchmarks -m benchmark -s

Prints medians and their ratio; asserts no time. ROWS=1000000 unless the environment says otherwise.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from operator import truediv
from pathlib import Path

import pytest
from benchmarks.colors import Colors
from support import COLORS

ROOT = Path(__file__).parents[2]
ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = 5


@pytest.fixture(scope="module", params=["csv", "parquet"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colors that tie as those of a real day do."""
    path = tmp_path_factory.mktemp("benchmark") / f"colors.{request.param}"
    Colors(rows=ROWS).write(path)
    return path


def times(command: list[str]) -> tuple[float, float]:
    """The processor time and the time of a process, from its start to its end."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    duration, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, duration


def compare(ours: list[str], peer: list[str], pairs: int) -> None:
    """Run both in turn, and print the medians of their times and of the ratios."""
    runs = [(times(ours), times(peer)) for _ in range(pairs + 1)][1:]
    for number, kind in enumerate(("processor time", "time")):
        mine = [run[number] for run, _ in runs]
        other = [run[number] for _, run in runs]
        ratio = statistics.median(map(truediv, mine, other))
        medians = f"{statistics.median(mine):.2f} s against {statistics.median(other):.2f} s"
        print(f"{kind:15} {medians}, ratio {ratio:.2f}, {pairs} pairs")


@pytest.mark.benchmark
def test_run_colors_against_duckdb(day: Path, tmp_path: Path) -> None:
    """Print what run-colors costs in terms of reading, sorting and writing alone."""
    suffix = day.suffix[1:]
    run = ("run-colors", str(day), "--formats", suffix, "--output", str(tmp_path / "out"))
    target = str(tmp_path / f"peer.{suffix}")
    print(f"\n{ROWS:,} rows, {day.stat().st_size / 1e6:.0f} MB, against DuckDB")
    compare(
        [sys.executable, "-m", "marketpulse", *run],
        [sys.executable, "-m", "benchmarks.peers", "duckdb", str(day), target],
        RUNS,
    )
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"memory {memory:.0f} MB, the larger of the two")


@pytest.mark.benchmark
@pytest.mark.parametrize("what", ["output", "explain"])
def test_a_small_day_against_its_libraries(what: str, tmp_path: Path) -> None:
    """Print what a day of 2,000 rows costs in terms of importing DuckDB and pyarrow."""
    value = str(tmp_path) if what == "output" else "1TEKH3IR5"
    print(f"\nrun-colors --{what}, against its libraries")
    compare(
        [sys.executable, "-m", "marketpulse", "run-colors", str(COLORS), f"--{what}", value],
        [sys.executable, "-c", "import duckdb, pyarrow"],
        15,
    )


@pytest.mark.benchmark
def test_help_against_typer() -> None:
    """Print what `marketpulse --help` costs in terms of importing Typer."""
    print("\n--help, against Typer")
    compare(
        [sys.executable, "-m", "marketpulse", "--help"], [sys.executable, "-c", "import typer"], 20
    )
