"""The session: round trips, deadlines, retries, secrets, and the Python API."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import (
    PASSWORD,
    READ_ONLY,
    open_source,
    oracle_environment,
    settings_for,
)
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import ROOT, Tool

from marketpulse.errors import ConnectionLostError, LoginError, UnreachableError
from marketpulse.extraction.sample import write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.extraction.verify import verify_bundle
from marketpulse.sources.oracle import OracleDatabase, OracleSource


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (["list-tables"], 4),
        (["schema", "COLORS_TABLE"], 8),
        (["schema", "COLORS_TABLE", "ALL_TYPES", "SECURITIES", "EMPTY", "BROKEN", "CON"], 8),
        (["sample", "SECURITIES", "--limit", "1000"], 9),
    ],
    ids=["list-tables", "schema of one", "schema of six", "sample"],
)
def test_few_round_trips(server: OracleServer, tool: Tool, words: list[str], most: int) -> None:
    """A command takes few round trips, the logoff included: each is slow over a VPN."""
    done = tool.run(*words)

    assert done.code == 0, done.err
    assert server.record.round_trips <= most
    assert server.record.logins == [("ANALYST", 0)]


def test_a_described_table_costs_few_more(server: OracleServer) -> None:
    """Rows that fit one answer take one round trip; rows with a LOB take four."""
    with open_source(server) as source:
        for table, most in (("SECURITIES", 1), ("COLORS_TABLE", 4)):
            source.describe(table)
            before = server.record.round_trips
            assert source.scan(table, limit=1000).read_all().num_rows > 0
            assert server.record.round_trips - before <= most


def test_fifty_tables_cost_few_more(tmp_path: Path) -> None:
    """Each takes two round trips at most, all questions to the dictionary included."""
    columns = (Column("ID", "NUMBER(3,0)", nullable=False), Column("NOTE", "VARCHAR2(20)"))
    tables = [Table(f"T{number}", columns, [(1, "a")], primary_key=("ID",)) for number in range(50)]
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as fifty:
        done = Tool(tmp_path / "desk", oracle_environment(fifty)).run(
            "sample", "T*", "--formats", "csv"
        )
        assert done.code == 0, done.err
        assert fifty.record.round_trips <= 60


def test_the_password_does_not_leak(server: OracleServer, tool: Tool) -> None:
    """No output, log or file has the password, also if a command fails."""
    for words, more in (
        (["-v", "-v", "sample"], {}),
        (["-v", "-v", "--log-format", "json", "list-tables"], {"ORACLE_SERVICE_NAME": "NOWHERE"}),
        (["-v", "-v", "doctor"], {}),
        (["config"], {}),
        (["schema"], {"ORACLE_DSN": f"analyst/{PASSWORD}@{server.dsn}"}),
        (["config"], {"ORACLE_DSN": f"analyst/{PASSWORD}@{server.dsn}"}),
    ):
        run = tool.run_process if "-v" in words else tool.run  # only a process has a log of its own
        done = run(*words, env=tool.env | more)
        assert PASSWORD not in done.out + done.err, words
    for path in tool.folder.rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in repr(settings_for(server)) + str(OracleDatabase(settings_for(server)))


def test_a_slow_network(server: OracleServer, tool: Tool) -> None:
    """Commands work with 100 ms for each round trip."""
    server.faults = Faults(delay=0.1)
    done = tool.run("list-tables")

    assert done.code == 0, done.err


# Where a server may stop, and the driver of the session that waits.
PLACES = {
    "the login": (Faults(stall_at_function=118), "auto"),
    "the dictionary": (Faults(stall_at_statement=2), "auto"),
    "the rows": (Faults(stall_at_row=50), "auto"),
    "the middle of an answer": (Faults(stall_after=1500), "auto"),
    "a slow line, never silent for long": (Faults(pause=0.5), "auto"),
    "the end": (Faults(stall_at_function=9), "auto"),
    "rows with native encryption": (Faults(stall_at_row=50, demand_encryption=True), "nne"),
}


def sample_until_the_deadline(server: OracleServer, driver: str, folder: Path) -> tuple[float, str]:
    """Return the seconds, and the error."""
    database = OracleDatabase(settings_for(server, deadline=2, driver=driver))
    options = SampleOptions(formats=("csv",))
    started, message = time.monotonic(), ""
    try:
        with OracleSource(database) as source:
            write_sample(source, ["COLORS_TABLE"], options, output=folder, progress=NoProgress())
    except UnreachableError as error:
        message = error.message
    return time.monotonic() - started, message


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_deadline_is_kept_everywhere(server: OracleServer, tmp_path: Path) -> None:
    """The driver waits as long again for a frozen server's answer to its break: we do not."""
    with ExitStack() as stack:
        frozen = {
            place: stack.enter_context(
                OracleServer(server.engine, users=server.users, faults=faults)
            )
            for place, (faults, _) in PLACES.items()
        }
        pool = stack.enter_context(ThreadPoolExecutor(len(PLACES)))
        runs = {
            place: pool.submit(
                sample_until_the_deadline, frozen[place], driver, tmp_path / str(number)
            )
            for number, (place, (_, driver)) in enumerate(PLACES.items())
        }
        for place, run in runs.items():
            seconds, message = run.result()
            assert seconds < 3.6, place
            assert "the deadline of 2 s has passed" in message or place == "the end"


def extract(source: OracleSource, folder: Path) -> str:
    """Extract COLORS_TABLE; return `whole`, `again` if it was read twice, or `refused`."""
    options = SampleOptions(formats=("csv",))
    try:
        with source:
            write_sample(
                source, ["COLORS_TABLE"], options, output=folder,
                taken_at=datetime(2026, 3, 13, 18, tzinfo=UTC), progress=NoProgress(),
            )  # fmt: skip
    except (UnreachableError, ConnectionLostError):
        assert not (folder / "manifest.json").exists()
        return "refused"
    verification = verify_bundle(folder)
    assert verification.faults == ()
    (table,) = verification.manifest.tables
    assert table.rows == 200
    return "again" if table.notes else "whole"


class NoProgress:
    """Shows no progress."""

    def begin(self, name: str, total: int | None) -> None: ...
    def advance(self, more: int) -> None: ...
    def end(self) -> None: ...


# The driver leaves a cut socket to the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("offsets", "fault", "expected"),
    [
        (range(1, 60_000, 4_000), {"connections": 1}, {"again", "whole"}),
        (range(1, 60_000, 4_000), {}, {"refused", "again", "whole"}),
        (range(1, 2_400, 160), {"connections": 1}, {"whole"}),
    ],
    ids=["once", "always", "while logging in"],
)
def test_the_connection_is_cut_anywhere(
    server: OracleServer,
    tmp_path: Path,
    offsets: range,
    fault: dict[str, int],
    expected: set[str],
) -> None:
    """Wherever the connection is cut, the bundle is complete or there is none."""
    outcomes = set()
    for offset in offsets:
        cut = {"cut_from_start" if expected == {"whole"} else "cut_after": offset}
        server.faults = Faults(**cut, **fault)  # type: ignore[arg-type]  # all are numbers
        source = OracleSource(OracleDatabase(settings_for(server)))
        outcomes.add(extract(source, tmp_path / str(offset)))

    assert outcomes == expected


def test_a_killed_session_is_replaced(server: OracleServer, tool: Tool) -> None:
    """A statement runs again in a new session."""
    server.faults = Faults(fail_at_statement=(2, 28), connections=2)  # the probe and the session
    done = tool.run_process("list-tables")  # the driver forgets a socket, which pytest reports

    assert done.code == 0, done.err
    assert server.record.logins == [("ANALYST", 0)] * 2


def test_the_python_api(server: OracleServer) -> None:
    """`OracleDatabase` returns schemas, and query results as Arrow and pandas."""
    with OracleDatabase(settings_for(server)) as db:
        schema = db.get_table_schema("COLORS_TABLE")
        result = db.query(
            'SELECT "CUSIP", "PX", "MESSAGE_ID" FROM "MARKET"."COLORS_TABLE" WHERE "RANK" = :1',
            [2],
        )

        dates = db.query('SELECT "A_DATE" FROM "MARKET"."ALL_TYPES"')

    assert "-0043-03-15 08:30:00" in dates["A_DATE"].cast(pa.string()).to_pylist()
    assert [column.name for column in schema.columns][:4] == [
        "MESSAGE_ID",
        "TICKER",
        "SECTOR",
        "CUSIP",
    ]
    assert isinstance(result, pa.Table)
    assert result.num_rows > 20
    assert result.schema.field("MESSAGE_ID").type == pa.int64()
    assert list(result.to_pandas().columns) == ["CUSIP", "PX", "MESSAGE_ID"]


def test_settings_from_the_environment(server: OracleServer, tool: Tool) -> None:
    """`OracleDatabase()` reads its settings from the environment."""
    code = (
        "import marketpulse\n"
        "with marketpulse.OracleDatabase() as db:\n"
        "    print(db.get_table_schema('COLORS_TABLE').table.comment)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tool.folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "ORACLE_DSN": server.dsn,
            "ORACLE_USERNAME": "market",
            "ORACLE_PASSWORD": PASSWORD,
        },
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stdout == "What dealers said about prices\n", done.stderr


def test_a_session_that_is_not_read_only_is_not_used(server: OracleServer) -> None:
    """If the transaction cannot begin, the session ends, and the next read opens another one."""
    with OracleDatabase(settings_for(server)) as database:  # no probe comes before the next login
        database.close()
        server.faults = Faults(fail_at_statement=(1, 1031), connections=1)
        with pytest.raises(LoginError, match="ORA-01031"):
            database.ping()
        database.ping()

    assert [statement.sql for statement in server.record.statements] == [READ_ONLY] * 3
    assert len(server.record.logins) == 3


def test_a_passed_deadline(server: OracleServer) -> None:
    """After the deadline nothing is sent any more."""
    database = OracleDatabase(settings_for(server, deadline=0.01))
    time.sleep(0.02)
    with pytest.raises(UnreachableError, match=r"the deadline of 0\.01 s has passed") as caught:
        database.ping()
    assert caught.value.check == "MP-NET-007"
    assert server.record.connections == 0


@pytest.mark.parametrize(
    ("schema", "expected"), [(None, "ANALYST"), ("market", "MARKET"), ('"Market"', "Market")]
)
def test_the_schema(server: OracleServer, schema: str | None, expected: str) -> None:
    """The schema is ORACLE_SCHEMA, else the user's; without double quotes it is in capitals."""
    assert OracleDatabase(settings_for(server, schema=schema)).schema == expected


def test_a_closed_session_opens_again(server: OracleServer) -> None:
    """After `close` the next read opens a new session."""
    with OracleDatabase(settings_for(server)) as database:
        database.close()
        database.ping()
    assert len(server.record.logins) == 2
