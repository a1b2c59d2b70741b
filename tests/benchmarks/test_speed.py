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

import duckdb
import pytest

from marketpulse.formats import open_writer
from marketpulse.sources import open_source

ROOT = Path(__file__).parents[2]
ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = 5

PEER = """
import sys, duckdb
source, target = sys.argv[1:]
columns = open(source, encoding="utf-8").readline().strip().split(",")
numbers = "PRICE_LEVEL BID ASK PX COV_PRICE PERCENT_DIFF PRICE_DIFF".split()
def value(name):
    if name in numbers:
        return f'TRY_CAST("{name}" AS DECIMAL(18, 6))'
    if name in ("MESSAGE_ID", "RANK", "CONFIDENCE"):
        return f'TRY_CAST("{name}" AS BIGINT)'
    if name in ("DATE", "DATE_1"):
        return f'TRY_CAST("{name}" AS TIMESTAMP)'
    return f'upper(trim("{name}"))' if name == "CUSIP" else f'"{name}"'
first = ["CUSIP", "RANK", "DATE", "PX", "MESSAGE_ID"]
order = [value(name) + (" DESC" if name in ("DATE", "PX") else "") for name in first]
order += [value(name) for name in columns if name not in first]
order += [f'"{name}"' for name in columns]
duckdb.execute(
    f"COPY (SELECT * FROM read_csv($source, all_varchar=true, header=true) "
    f"ORDER BY {', '.join(order)}) TO '{target}' (HEADER)", {"source": source})
"""


PLAIN = """
COPY (
    SELECT 17700000000000000 + i // 40 * 1009 AS MESSAGE_ID, 'OAKC ' || i % 977 AS TICKER,
        ['2.0_AAA', '2.0_Mezz', 'MM-CLO'][i % 3 + 1] AS SECTOR,
        printf('%08d', hash(i // 7) % 90000) || '5' AS CUSIP,
        DATE '2026-03-01' + (i % 14)::INT AS DATE,
        98 + i % 400 / 128 AS PRICE_LEVEL, 97 + i % 300 / 128 AS BID, 98 + i % 200 / 128 AS ASK,
        97.5 + hash(i) % 640 / 128 AS PX, ['TD', 'BNP', 'HSBC', 'STONEX'][i % 4 + 1] AS SOURCE,
        ['BID', 'OFFER', 'BWIC TALK'][i % 3 + 1] AS BIAS, i % 6 + 1 AS RANK,
        97 + i % 1000 / 500 AS COV_PRICE, i % 90 / 100 AS PERCENT_DIFF,
        i % 2000 / 1000 - 1 AS PRICE_DIFF, i % 11 AS CONFIDENCE,
        DATE '2026-03-01' + (i % 13)::INT AS DATE_1,
        'Small Difference' AS DIFF_STATUS, 'as of this morning' AS NOTE, i AS SECURITY_ID
    FROM range($rows) numbers(i) ORDER BY hash(i)
) TO '{path}' (HEADER)
"""


@pytest.fixture(scope="module", params=["plain cells", "the embedded market"])
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colors as CSV: without any odd cell, or with all that the embedded market has."""
    path = tmp_path_factory.mktemp("benchmark") / "colors.csv"
    if request.param == "plain cells":
        duckdb.execute(PLAIN.format(path=path), {"rows": ROWS})
        return path
    with open_source("demo", rows=ROWS) as market:
        reader = market.scan("COLORS")
        writer = open_writer("csv", path, reader.schema)
        for batch in reader:
            writer.write(batch)
        writer.close()
    return path


def seconds(command: list[str]) -> float:
    """How long a process takes, from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return time.perf_counter() - begin


@pytest.mark.benchmark
def test_run_colors_against_duckdb(day: Path, tmp_path: Path) -> None:
    """Print what run-colors costs, CSV to CSV, in terms of reading, sorting and writing alone."""
    ours = [sys.executable, "-m", "marketpulse", "run-colors", str(day), "--output"]
    peer = [sys.executable, "-c", PEER, str(day), str(tmp_path / "peer.csv")]
    pairs = [(seconds([*ours, str(tmp_path / "out")]), seconds(peer)) for _ in range(RUNS + 1)][1:]
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
