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
from pathlib import Path

import pytest
from benchmarks.colors import Colors

ROOT = Path(__file__).parents[2]
ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = 5


@pytest.fixture(scope="module", params=["csv", "parquet"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colors that tie as those of a real day do."""
    path = tmp_path_factory.mktemp("benchmark") / f"colors.{request.param}"
    Colors(rows=ROWS).write(path)
    return path


def seconds(command: list[str]) -> float:
    """How long a process takes, from its start to its end."""
    path = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": path})
    return time.perf_counter() - begin


@pytest.mark.benchmark
def test_run_colors_against_duckdb(day: Path, tmp_path: Path) -> None:
    """Print what run-colors costs in terms of reading, sorting and writing alone."""
    suffix = day.suffix[1:]
    run = ("run-colors", str(day), "--formats", suffix, "--output", str(tmp_path / "out"))
    ours = [sys.executable, "-m", "marketpulse", *run]
    target = str(tmp_path / f"peer.{suffix}")
    peer = [sys.executable, "-m", "benchmarks.peers", "duckdb", str(day), target]
    pairs = [(seconds(ours), seconds(peer)) for _ in range(RUNS + 1)][1:]
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\n{ROWS:,} rows, {day.stat().st_size / 1e6:.0f} MB, {RUNS} pairs of runs")
    print(f"run-colors {statistics.median(pair[0] for pair in pairs):.2f} s")
    print(f"duckdb     {statistics.median(pair[1] for pair in pairs):.2f} s")
    print(f"ratio      {statistics.median(a / b for a, b in pairs):.2f}")
    print(f"memory     {memory:.0f} MB, the larger of the two")


@pytest.mark.benchmark
def test_help_against_typer() -> None:
    """Print what `marketpulse --help` costs in terms of importing Typer."""
    ours, peer = (
        [sys.executable, "-m", "marketpulse", "--help"],
        [sys.executable, "-c", "import typer"],
    )
    pairs = [(seconds(ours), seconds(peer)) for _ in range(20)]
    print(f"\n--help {1000 * statistics.median(a for a, _ in pairs):.0f} ms")
    print(f"typer  {1000 * statistics.median(b for _, b in pairs):.0f} ms")
    print(f"ratio  {statistics.median(a / b for a, b in pairs):.2f}")
