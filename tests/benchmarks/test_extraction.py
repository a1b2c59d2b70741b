"""`sample --all` against the driver alone and against other writers of the same rows.

    pytest tests/benchmarks/test_extraction.py -m benchmark -s

The server is a process of its own that encodes rows once. Prints medians and their ratios to the
bare drain of the driver; asserts no time. ROWS=1000000 unless the environment says otherwise.
"""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle_server.client import PASSWORD
from support import ROOT, TESTS

ROWS = os.environ.get("ROWS", "1000000")
RUNS = int(os.environ.get("RUNS", "3"))

# Writes the statement that `sample` sends, and the types that it asks for: what it costs more than
# its peers is not the conversion.
PLAN = """
import pathlib, sys
import pyarrow as pa
from marketpulse.sources.oracle import OracleDatabase, OracleSource
from marketpulse.sources.oracle.scan import SelectStatement
folder = pathlib.Path(sys.argv[1])
with OracleSource(OracleDatabase()) as source:
    scan = SelectStatement(relation=source._relation("TICKS"))
    items = scan.items()
    schema = pa.schema([(item.field.name, item.fetched) for item in items])
    (folder / "statement").write_text(scan.render(items, {}))
    (folder / "schema").write_bytes(schema.serialize())
"""
# A user's own script: it loads the driver and pyarrow, and nothing of this package.
PEER = """
import csv, os, sys
import oracledb, pyarrow as pa, pyarrow.csv
kind, target = sys.argv[1:]
user, password, dsn = (os.environ["ORACLE_" + name] for name in ("USERNAME", "PASSWORD", "DSN"))
if kind == "adbc":
    from adbc_driver_oracle import dbapi
    uri = f"oracle://{user}:{password}@{dsn}"
    with dbapi.connect(uri) as session, session.cursor() as cursor:
        cursor.execute('SELECT * FROM "MARKET"."TICKS"')
        reader = cursor.fetch_record_batch()
        with pyarrow.csv.CSVWriter(target, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    sys.exit()
with oracledb.connect(user=user, password=password, dsn=dsn) as connection:
    statement = open("statement").read()
    if kind == "csv.writer":
        cursor = connection.cursor()
        cursor.arraysize = cursor.prefetchrows = 20_000
        with open(target, "w", newline="") as file:
            csv.writer(file).writerows(cursor.execute(statement))
        sys.exit()
    schema = pa.ipc.read_schema(pa.memory_map("schema"))
    frames = connection.fetch_df_batches(statement, size=20_000, requested_schema=schema)
    tables = map(pa.table, frames)
    if kind == "drain":
        for table in tables:
            pass
    elif kind == "pyarrow":
        with pyarrow.csv.CSVWriter(target, schema) as writer:
            for table in tables:
                writer.write_table(table)
    else:
        for number, table in enumerate(tables):
            table.to_pandas().to_csv(target, mode="a", header=number == 0, index=False)
"""

# The peak of a process is at least the memory of the one that has started it, so this is small.
MEASURE = """
import os, sys, time
begin = time.perf_counter()
nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[nowhere])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The settings of the server with the long table."""
    path = os.pathsep.join([str(ROOT), str(TESTS)])
    with subprocess.Popen(
        [sys.executable, TESTS / "benchmarks/oracle_ticks.py", ROWS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as server:
        assert server.stdout is not None
        yield {
            **os.environ,
            "PYTHONPATH": path,
            "ORACLE_DSN": f"127.0.0.1:{server.stdout.readline().decode().strip()}/FREEPDB1",
            "ORACLE_USERNAME": "analyst",
            "ORACLE_PASSWORD": PASSWORD,
            "ORACLE_SCHEMA": "MARKET",
            "ORACLE_TABLE_NAME": "TICKS",
            "MARKETPULSE_CREDENTIALS": "env",
        }
        server.communicate()


def cost(command: list[str], environment: dict[str, str], folder: Path) -> tuple[float, ...]:
    """Return the seconds of wall and of processor time, and the peak of memory in MB."""
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, *command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
    )
    return tuple(map(float, measured.stdout.split()))


@pytest.mark.benchmark
def test_sample_against_the_drain(environment: dict[str, str], tmp_path: Path) -> None:
    """Print what each way costs in terms of the bare drain."""
    sample = ["-m", "marketpulse", "-q", "sample", "--all", "--formats"]
    kinds = ("drain", "pyarrow", "adbc", "pandas", "csv.writer")
    commands = {kind: ["-c", PEER, kind, str(tmp_path / kind)] for kind in kinds}
    formats = ("csv", "parquet", "csv,json", "ndjson")
    commands |= {f"sample {name}": [*sample, name] for name in formats}
    cost(["-c", PLAN, str(tmp_path)], environment, tmp_path)
    cost(commands["drain"], environment, tmp_path)  # the server encodes its rows
    costs: dict[str, list[tuple[float, ...]]] = {kind: [] for kind in commands}
    for _ in range(RUNS):
        for kind, command in commands.items():
            (tmp_path / kind).unlink(missing_ok=True)
            shutil.rmtree(tmp_path / "sample_data", ignore_errors=True)  # removing it takes time
            os.sync()  # so does writing to disk what the one before has left in memory
            costs[kind].append(cost(command, environment, tmp_path))
    print(f"\n{int(ROWS):,} rows, {RUNS} runs in turn: wall, processor time, their ratios, memory")
    for kind, runs in costs.items():
        pairs = list(zip(runs, costs["drain"], strict=True))
        wall, processor, memory = (
            statistics.median(run[place] for run in runs) for place in range(3)
        )
        ratios = (
            statistics.median(run[place] / drain[place] for run, drain in pairs) for place in (0, 1)
        )
        print(
            f"{kind:16}{wall:6.2f} s {processor:6.2f} s"
            + "".join(f"{ratio:6.2f}" for ratio in ratios)
            + f"{memory:6.0f} MB"
        )
