"""Samples in several sessions: the bundle is that of one session, whatever happens to others."""

import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import TAKEN_AT, contents_of, manifest_of
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import (
    PASSWORD,
    READ_ONLY,
    assert_read_only,
    open_source,
    oracle_environment,
)
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool, posix

from marketpulse.cli.console import progress
from marketpulse.cli.render import show_sample
from marketpulse.errors import LoginError, MarketPulseError, UnreachableError
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import parse_mask_options
from marketpulse.extraction.sample import Sample, write_sample
from marketpulse.extraction.sample_options import SampleOptions

KEY = MaskKey("a-secret-of-the-tests-alone")
NAMES = ("LONGEST", "SECOND", "KEYLESS", "LAST")
ALL_ROWS = SampleOptions(limit=None, formats=("csv", "ndjson", "json", "parquet"))
WORDS = ("--all", "--formats", "csv,ndjson,json,parquet", "--taken-at", "2026-03-13T18:00:00Z")

# The driver leaves a cut socket to the garbage collector, which warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def table(name: str, rows: int, **more: object) -> Table:
    """Return a table that takes several answers: its notes are long, by the statistics."""
    columns = (
        Column("ID", "NUMBER(9,0)", nullable=False),
        Column("NOTE", "CLOB", average_bytes=83_000),
    )
    key = () if name == "KEYLESS" else ("ID",)
    content = [(number * 7 % 1009, f"{name} {number}") for number in range(rows)]
    return Table(name, columns, content, primary_key=key, num_rows=rows, **more)  # type: ignore[arg-type]  # any fields


@pytest.fixture(scope="module")
def tables_server() -> Iterator[OracleServer]:
    """Tables of several lengths, one that has no earlier SCN, and one that cannot be read."""
    tables = [
        *map(table, NAMES, (230, 120, 90, 60)),
        table("NO_PAST", 70, flashback_by=(), foreign_keys=[(("ID",), "MARKET.LAST", ("ID",))]),
        table("FORBIDDEN", 5, readable_by=()),
    ]
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as server:
        yield server


@pytest.fixture
def server(tables_server: OracleServer) -> Iterator[OracleServer]:
    """The tables without faults."""
    tables_server.faults = Faults()
    tables_server.reset()
    yield tables_server
    tables_server.faults = Faults()


def sample(
    server: OracleServer,
    folder: Path,
    *tables: str,
    jobs: int = 3,
    faults: Faults | None = None,
    options: SampleOptions = ALL_ROWS,
    deadline: float | None = None,
    secrets: tuple[str, ...] = (),
    mask_key: MaskKey | None = None,
) -> Sample:
    """Take a sample in this process."""
    server.faults = faults or Faults()
    with open_source(server, deadline=deadline) as source:
        return write_sample(
            source,
            tables,
            options,
            output=folder,
            taken_at=TAKEN_AT,
            progress=progress(quiet=True),
            jobs=jobs,
            secrets=secrets,
            mask_key=mask_key,
        )


@pytest.fixture(scope="module")
def undisturbed(
    tables_server: OracleServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The files of the bundle that one session writes."""
    folder = tmp_path_factory.mktemp("whole")
    sample(tables_server, folder, *NAMES, jobs=1)
    return contents_of(folder)


def scans(server: OracleServer) -> list[tuple[int, str]]:
    """Return the statements that read tables, each with its session."""
    return [
        (statement.session, statement.sql)
        for statement in server.record.statements
        if 'FROM "MARKET"' in statement.sql
    ]


def test_the_bundle_is_that_of_one_session(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Every session reads, read-only, at one SCN, which is asked for once."""
    written = sample(server, tmp_path / "all", *NAMES)
    assert contents_of(tmp_path / "all") == undisturbed
    assert written.sessions == 3
    statements = server.record.statements
    sessions = {statement.session for statement in statements}
    assert {statement.session for statement in statements if statement.sql == READ_ONLY} == sessions
    assert {session for session, _ in scans(server)} == sessions
    assert len(sessions) == 3
    assert all("AS OF SCN 8765432" in sql for _, sql in scans(server))
    assert sum("TIMESTAMP_TO_SCN" in statement.sql for statement in statements) == 1
    assert_read_only(server)


def test_a_few_rows_are_of_one_instant_too(server: OracleServer, tmp_path: Path) -> None:
    """The rows are the first ones, as with one session, which needs no SCN for them."""
    options = SampleOptions(limit=20)
    for jobs in (1, 4):
        sample(server, tmp_path / str(jobs), *NAMES, jobs=jobs, options=options)
    assert all("AS OF SCN" in sql for _, sql in scans(server)[-len(NAMES) :])
    one, four = (contents_of(tmp_path / jobs) for jobs in ("1", "4"))
    changed = {name for name in one if one[name] != four[name]}
    assert changed == {"manifest.json", "database_info.json"}  # they name the SCN
    first, second = (manifest_of(tmp_path / jobs) for jobs in ("1", "4"))
    assert second["source"]["details"].pop("scn") == "8765432"
    changing = {"manifest.json", "database_info.json"}
    for manifest in (first, second):
        manifest["files"] = [file for file in manifest["files"] if file["name"] not in changing]
    assert first == second


def test_tables_without_flashback(server: OracleServer, tmp_path: Path) -> None:
    """A table that is not of the SCN says so, as with one session."""
    for jobs in (1, 2):
        written = sample(server, tmp_path / str(jobs), "NO_PAST", "LAST", jobs=jobs)
    assert contents_of(tmp_path / "2") == contents_of(tmp_path / "1")
    last, no_past = written.manifest.tables
    assert "not of SCN 8765432 but of this session" in no_past.notes[0]
    assert last.notes == ()


def test_a_database_without_an_scn(server: OracleServer, tmp_path: Path) -> None:
    """Sessions without a common instant are said once, for all tables."""
    sample(server, tmp_path / "first", "LAST")
    statements = [statement.sql for statement in server.record.statements]
    place = next(n for n, sql in enumerate(statements, 1) if "TIMESTAMP_TO_SCN" in sql)
    faults = Faults(fail_at_statement=(place, 904), connections=1)
    written = sample(server, tmp_path / "out", "LAST", "SECOND", faults=faults)
    assert not any("AS OF SCN" in sql for _, sql in scans(server)[-2:])
    assert [len(table.notes) for table in written.manifest.tables] == [1, 1]
    said: list[str] = []
    show_sample(written, None, as_json=False, say=said.append)
    (warning,) = said
    assert warning.startswith("warning: LAST, SECOND: several sessions read the tables, each at ")


def test_masks(server: OracleServer, tmp_path: Path) -> None:
    """Two threads use the same key."""
    rules = parse_mask_options(["ID=hmac"])
    options = replace(ALL_ROWS, masks=rules)
    for jobs in (1, 4):
        folder = tmp_path / str(jobs)
        sample(server, folder, *NAMES, jobs=jobs, options=options, mask_key=KEY)
    assert contents_of(tmp_path / "4") == contents_of(tmp_path / "1")


def test_a_table_that_fails(server: OracleServer, tmp_path: Path) -> None:
    """It alone is missing. If all fail, the error is that of the last one."""
    names = ("SECOND", "FORBIDDEN", "LAST")
    written = sample(server, tmp_path / "three", *names)
    sample(server, tmp_path / "one", *names, jobs=1)
    assert [gap.table for gap in written.manifest.missing] == ["FORBIDDEN"]
    assert contents_of(tmp_path / "three") == contents_of(tmp_path / "one")
    with pytest.raises(MarketPulseError, match="ORA-01031"):
        sample(server, tmp_path / "none", "FORBIDDEN")


@pytest.mark.parametrize("code", [1017, 28000, 2391])
def test_a_session_that_is_refused(
    server: OracleServer,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    code: int,
) -> None:
    """The sessions that there are read all tables, and a refused password is not sent again."""
    with open_source(server):  # an address whose last login failed is probed first
        server.reset()
    refusing = Faults(connections=1, then=Faults(login=code))
    with caplog.at_level(logging.WARNING):
        sample(server, tmp_path / "out", *NAMES, jobs=4, faults=refusing)
    assert contents_of(tmp_path / "out") == undisturbed
    codes = [login for _, login in server.record.logins]
    assert codes[:2] == [0, code]
    assert len(codes) == (4 if code == 2391 else 2)
    assert "1 of 4 sessions read: " in caplog.text


def test_sessions_that_never_open(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Nobody waits for the logins of others when all tables are read."""
    with open_source(server):  # an address whose last login failed is probed first
        server.reset()
    started = time.monotonic()
    silent = Faults(connections=1, then=Faults(silent=True))
    sample(server, tmp_path / "out", *NAMES, faults=silent)
    assert time.monotonic() - started < 10
    assert contents_of(tmp_path / "out") == undisturbed


def test_a_refused_login(server: OracleServer, tmp_path: Path) -> None:
    """The first session logs in alone."""
    with pytest.raises(LoginError):
        sample(server, tmp_path / "out", *NAMES, jobs=8, faults=Faults(login=1017))
    assert server.record.logins == [("ANALYST", 1017)]


def test_lines_that_drop(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """Each session goes on after its last row, or begins again: no row comes twice."""
    sample(server, tmp_path / "out", *NAMES, faults=Faults(cut_at_row=52, connections=3))
    assert contents_of(tmp_path / "out") == undisturbed


def test_a_line_that_drops_for_ever(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """What can be continued comes whole, 50 rows at a time; what cannot is tried three times."""
    written = sample(server, tmp_path / "out", *NAMES, faults=Faults(cut_at_row=52))
    assert [gap.table for gap in written.manifest.missing] == ["KEYLESS"]
    assert sum('"KEYLESS"' in sql for _, sql in scans(server)) == 3
    files = contents_of(tmp_path / "out", "LONGEST*")
    assert files == {name: undisturbed[name] for name in files}


def test_a_run_that_goes_on(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """What sessions have read before the line was lost for good is kept, with other --jobs, too."""
    gone = Faults(refuse=12505)
    folder = tmp_path / "out"
    with pytest.raises(MarketPulseError) as caught:
        sample(server, folder, *NAMES, faults=Faults(cut_at_row=52, connections=3, then=gone))
    assert "run the same command again to resume" in caught.value.hint
    server.reset()
    written = sample(server, folder, *NAMES, jobs=2)
    assert "rows of LONGEST" in written.continued
    assert contents_of(folder) == undisturbed


def test_a_deadline(server: OracleServer, tmp_path: Path) -> None:
    """It is that of the command, and not of each session."""
    started = time.monotonic()
    with pytest.raises(UnreachableError):
        sample(server, tmp_path / "out", *NAMES, deadline=2, faults=Faults(stall_at_row=60))
    assert time.monotonic() - started < 8


def test_a_secret_ends_all(server: OracleServer, tmp_path: Path) -> None:
    """A password in the rows of one table leaves nothing of the others."""
    with pytest.raises(MarketPulseError, match="contains a password"):
        sample(server, tmp_path / "out", *NAMES, secrets=("LONGEST 200",))
    assert not (tmp_path / "out").exists()


@posix
def test_an_interrupt(server: OracleServer, tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    """One line shows the progress of all. Ctrl-C ends the sessions; the next run goes on."""
    tool = Tool(tmp_path / "desk", oracle_environment(server))
    server.faults = Faults(stall_at_row=51)
    process = tool.start("sample", *NAMES, *WORDS, "--jobs", "2")
    assert process.stderr is not None
    lines = (line for line in process.stderr if not line.endswith(b" s so far\n"))  # a slow login
    assert next(lines).startswith(b"4 tables: 100 of 500 rows, ")
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < 8
    assert process.returncode == 130, err
    folder = tool.folder / "sample_data"
    assert not (folder / "manifest.json").exists()
    server.faults = Faults()
    server.reset()
    result = tool.run("sample", *NAMES, *WORDS, "--jobs", "3")
    assert result.code == 0, result.err
    assert "resumed an interrupted sample: the first 50 rows of LONGEST" in result.err
    assert len(server.record.logins) == 3
    assert contents_of(folder) == undisturbed


def test_options_without_effect(server: OracleServer, tmp_path: Path) -> None:
    """What has one session says so; no session, too many and words are refused."""
    tool = Tool(tmp_path / "desk", oracle_environment(server))
    for words, reason in (
        (["LAST"], "for a single table"),
        (
            ["LAST", "NO_PAST", "--follow"],
            "with --follow: the rows of one table depend on those of",
        ),
        (["--source", "demo", "COLORS", "DEALERS"], "on a source that is not an Oracle database"),
    ):
        result = tool.run("sample", *words, "--jobs", "2", "--replace")
        assert result.code == 0, result.err
        assert f"warning: --jobs changes nothing {reason}" in result.err
    for number in ("0", "-1", "9", "1000000", "two"):
        refused = tool.run("sample", "LAST", "--jobs", number)
        assert refused.code == 2
        assert "Invalid value for '--jobs'" in refused.err
