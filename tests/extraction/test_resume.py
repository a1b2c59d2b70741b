"""Samples that are interrupted: what was read is not read again, and the bundle is the same."""

import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from bundles import TAKEN_AT, contents_of
from oracle_server.answers import Timestamp
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD, assert_read_only, open_source, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool, one_message, posix

from marketpulse.cli.console import progress
from marketpulse.errors import MarketPulseError, OutputError
from marketpulse.extraction.sample import Sample, write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.extraction.verify import verify_bundle

ROWS = 620
SCN = 8_765_432
LONG = 41_600  # bytes of a text, by the statistics
BATCH = 100  # rows of an answer with such texts
ALL_ROWS = SampleOptions(limit=None, formats=("csv", "ndjson", "json", "parquet"))
REMARK = Column("REMARK", "CLOB", average_bytes=LONG)
TAKEN = "2026-03-13T18:00:00Z"
GONE = Faults(refuse=12505)

# The driver leaves a cut socket to the garbage collector, which warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def table(name: str, key: tuple[str, ...], **more: object) -> Table:
    """Return a table whose rows are not in the order of its key."""
    columns = (
        Column("DESK", "CHAR(4)", nullable=False),
        Column("DAY", "DATE", nullable=False),
        Column("ID", "NUMBER", nullable=False),
        Column("SENT", "TIMESTAMP(6)", nullable=False),
        Column("CODE", "RAW(4)", nullable=False),
        Column("PX", "BINARY_DOUBLE"),
        Column("NOTE", "CLOB", average_bytes=LONG),
    )
    rows = [
        (
            f"D{number % 3}  ",
            Timestamp(2026, 3, 1 + number % 5, 8),
            Decimal(number) / 4,
            Timestamp(2026, 3, 1, 8, 0, 0, number * 1000),
            number.to_bytes(4, "big"),
            float("nan") if number % 7 == 0 else number / 8,
            f"note {number}" if number % 5 else None,
        )
        for number in range(ROWS)
    ]
    random.Random(3).shuffle(rows)
    return Table(name, columns, rows, primary_key=key, num_rows=ROWS, **more)  # type: ignore[arg-type]  # any fields


@pytest.fixture(scope="module")
def ticks_server() -> Iterator[OracleServer]:
    """Tables with keys of all kinds, one without a key, and one that has no earlier SCN."""
    tables = [
        table("BY_DESK", ("DESK", "DAY", "ID")),
        table("BY_ID", ("ID",)),
        table("BY_TIME", ("SENT",)),
        table("BY_CODE", ("CODE",)),
        table("KEYLESS", ()),
        table("NO_PAST", ("ID",), flashback_by=()),
    ]
    small = Table("SMALL", tables[0].columns[:3], [row[:3] for row in tables[0].rows[:5]])
    with OracleServer(DuckEngine(Catalog([*tables, small])), users={"ANALYST": PASSWORD}) as server:
        yield server


@pytest.fixture
def server(ticks_server: OracleServer) -> Iterator[OracleServer]:
    """The tables without faults."""
    ticks_server.faults = Faults()
    ticks_server.reset()
    yield ticks_server
    ticks_server.faults = Faults()


def sample(
    server: OracleServer, folder: Path, *tables: str, faults: Faults | None = None, **more: object
) -> Sample:
    """Take a sample in this process."""
    server.faults = faults or Faults()
    with open_source(server) as source:
        return write_sample(
            source,
            tables,
            more.pop("options", ALL_ROWS),  # type: ignore[arg-type]  # options of a sample
            output=folder,
            taken_at=TAKEN_AT,
            progress=progress(quiet=True),
            **more,  # type: ignore[arg-type]  # arguments of write_sample
        )


def interrupt(server: OracleServer, folder: Path, *tables: str, row: int) -> MarketPulseError:
    """Take a sample whose connection is cut before a row; return the error that ends it."""
    faults = Faults(cut_at_row=row, connections=1, then=GONE)
    with pytest.raises(MarketPulseError) as caught:
        sample(server, folder, *tables, faults=faults)
    return caught.value


def scans(server: OracleServer, name: str) -> list[str]:
    """Return the statements that read a table."""
    return [
        statement.sql
        for statement in server.record.statements
        if f'"MARKET"."{name}"' in statement.sql
    ]


@pytest.fixture(scope="module")
def undisturbed(
    ticks_server: OracleServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """The files of each table's bundle without any fault."""
    bundles = {}
    for name in ("BY_DESK", "BY_ID", "BY_TIME", "BY_CODE", "KEYLESS"):
        folder = tmp_path_factory.mktemp("whole") / name
        sample(ticks_server, folder, name)
        bundles[name] = contents_of(folder)
    return bundles


@pytest.mark.parametrize("name", ["BY_DESK", "BY_ID", "BY_TIME", "BY_CODE"])
def test_a_dropped_line_in_a_run(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]], name: str
) -> None:
    """Cut again and again, the run goes on after the last row: no row comes twice."""
    for row in (101, 250):
        server.reset()
        result = sample(server, tmp_path / str(row), name, faults=Faults(cut_at_row=row))
        assert contents_of(result.folder) == undisturbed[name]
        rows_each = (row - 1) // BATCH * BATCH  # before the cut
        assert len(scans(server, name)) == 1 + (ROWS - row + rows_each) // rows_each
    assert_read_only(server)


@pytest.mark.parametrize(
    ("name", "cuts"),
    [("BY_DESK", (101, 199, 450)), ("BY_ID", (301,)), ("BY_TIME", (200,)), ("BY_CODE", (201,))],
)
def test_a_run_that_goes_on(
    server: OracleServer,
    tmp_path: Path,
    undisturbed: dict[str, dict[str, bytes]],
    name: str,
    cuts: tuple[int, ...],
) -> None:
    """The same call goes on where the line was lost for good, twice if need be."""
    for row in cuts:
        folder = tmp_path / str(row)
        error = interrupt(server, folder, name, row=row)
        assert "run the same command again" in error.hint
        assert not (folder / "manifest.json").exists()
        interrupt(server, folder, name, row=101)
        server.reset()
        result = sample(server, folder, name)
        assert f"rows of {name}" in result.continued
        assert contents_of(folder) == undisturbed[name]
        (statement,) = scans(server, name)
        assert f"AS OF SCN {SCN}" in statement
        assert " > " in statement


def test_a_table_that_cannot_be_continued_is_read_again(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    """Without a key at the same SCN; without FLASHBACK in a new transaction, which is said."""
    result = sample(server, tmp_path / "a", "KEYLESS", faults=Faults(cut_at_row=150, connections=1))
    assert contents_of(result.folder) == undisturbed["KEYLESS"]

    faults = Faults(cut_at_row=150, connections=1)
    result = sample(server, tmp_path / "b", "NO_PAST", faults=faults)
    (written,) = result.manifest.tables
    assert written.rows == ROWS
    assert "the table was read again, later than the others" in written.notes[0]
    assert "not of SCN 8765432 but of this session" in written.notes[1]
    assert len(scans(server, "NO_PAST")) == 3  # refused, cut, read


def test_a_table_that_never_comes_whole(server: OracleServer, tmp_path: Path) -> None:
    """Rows that come again are no progress: without a new one, the third attempt is the last."""
    with pytest.raises(MarketPulseError):
        sample(server, tmp_path / "a", "KEYLESS", faults=Faults(cut_at_row=150))
    assert len(scans(server, "KEYLESS")) == 3


def test_tables_that_are_whole_stay(server: OracleServer, tmp_path: Path) -> None:
    """Of several tables only what is missing is read; then nothing is left beside the bundle."""
    tables = ("BY_CODE", "BY_ID", "KEYLESS")
    sample(server, tmp_path / "whole", *tables)
    folder = tmp_path / "cut"
    faults = Faults(fail_at_statement=(11, 3113), connections=1, then=GONE)
    first = sample(server, folder, *tables, faults=faults)
    assert [gap.table for gap in first.manifest.missing]
    assert first.unfinished is not None
    whole = {table.name for table in first.manifest.tables if table.files}
    server.reset()
    second = sample(server, folder, *tables)
    assert whole
    assert all(not scans(server, name) for name in whole)
    assert contents_of(folder, "[!u]*") == contents_of(tmp_path / "whole")
    assert all(name in second.continued for name in whole)
    assert not list(folder.glob("unfinished-*"))
    assert verify_bundle(folder).faults == ()


def test_runs_never_mix(server: OracleServer, tmp_path: Path) -> None:
    """Other arguments, other columns of the table or --restart begin with the first row."""
    folder = tmp_path / "out"
    whole = contents_of(sample(server, tmp_path / "whole", "BY_ID").folder)
    interrupt(server, folder, "BY_ID", row=301)
    other = sample(server, folder, "BY_ID", options=replace(ALL_ROWS, where="PX > 1"))
    assert other.continued == ""
    assert len(list(folder.glob("unfinished-*"))) == 1

    assert "first 300 rows" in sample(server, folder, "BY_ID").continued
    interrupt(server, folder, "BY_ID", row=301)
    again = sample(server, folder, "BY_ID", restart=True)
    assert again.continued == ""
    assert contents_of(folder) == whole

    interrupt(server, folder, "BY_ID", row=301)
    catalog = server.engine.catalog  # type: ignore[attr-defined]  # a DuckEngine
    changed = replace(catalog.tables[1], columns=(*catalog.tables[1].columns[:-1], REMARK))
    engine, server.engine = server.engine, DuckEngine(replace(catalog, tables=[changed]))
    server.reset()
    assert sample(server, folder, "BY_ID").continued == ""
    server.engine = engine
    (statement,) = scans(server, "BY_ID")
    assert statement.endswith('"REMARK" FROM "MARKET"."BY_ID" AS OF SCN 8765432 ORDER BY "ID"')


def test_a_torn_journal(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    """Whatever byte is the last on disk, the run goes on after the last whole batch."""
    folder = tmp_path / "out"
    for lost in (1, 40, 3000, 10**9):
        interrupt(server, folder, "BY_ID", row=301)
        (journal,) = folder.glob("unfinished-*/*.rows")
        content = journal.read_bytes()
        journal.write_bytes(content[: max(len(content) - lost, 0)])
        result = sample(server, folder, "BY_ID")
        assert "first 300 rows" not in result.continued
        assert contents_of(folder) == undisturbed["BY_ID"]
        shutil.rmtree(folder)


@pytest.mark.parametrize("secret", ["note 301", "03-01 08", "000001ff", "\0\0\1A"])
def test_a_secret_is_not_kept(server: OracleServer, tmp_path: Path, secret: str) -> None:
    """If rows hold a password, as text, a date or bytes, nothing of them stays on the disk."""
    with pytest.raises(MarketPulseError, match="contains a password"):
        sample(server, tmp_path / "out", "BY_ID", secrets=["Planted-Barley-77", secret])
    assert not (tmp_path / "out").exists()


@posix
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended(
    server: OracleServer,
    tmp_path: Path,
    undisturbed: dict[str, dict[str, bytes]],
    end: signal.Signals,
) -> None:
    """After Ctrl-C and after kill -9, the same command goes on, and says what it kept."""
    tool = Tool(tmp_path / "desk", {**oracle_environment(server), "ORACLE_TABLE_NAME": "BY_ID"})
    words = ("sample", "--all", "--formats", "csv,ndjson,json,parquet", "--taken-at", TAKEN)
    server.faults = Faults(stall_at_row=401)
    process = tool.start(*words)
    folder = tool.folder / "sample_data"
    limit = time.monotonic() + 60
    while not sum(path.stat().st_size for path in folder.glob("unfinished-*/*.rows")):
        assert time.monotonic() < limit
        time.sleep(0.01)
    process.send_signal(end)
    _, err = process.communicate(timeout=60)
    assert not (folder / "manifest.json").exists()
    if end is signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again" in err.decode()
    server.faults = Faults()
    server.reset()
    result = tool.run(*words)
    assert result.code == 0, result.err
    assert "resumed an interrupted sample" in result.err
    assert contents_of(folder) == undisturbed["BY_ID"]


@posix
def test_a_full_disk(
    server: OracleServer, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    """What fitted on the disk stays; with more space the same command goes on."""
    import resource  # noqa: PLC0415 - not on Windows

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    tool = Tool(tmp_path / "desk", {**oracle_environment(server), "ORACLE_TABLE_NAME": "BY_ID"})
    words = ("sample", "--all", "--formats", "csv,ndjson,json,parquet", "--taken-at", TAKEN)
    full = tool.run_process(*words, preexec_fn=limit)
    assert full.code == 2, full.err
    assert "File too large" in one_message(full.err)
    assert "run the same command again" in full.err
    server.reset()
    result = tool.run(*words)
    assert "resumed an interrupted sample" in result.err
    assert contents_of(tool.folder / "sample_data") == undisturbed["BY_ID"]


@posix
def test_a_disk_without_any_space(server: OracleServer, tmp_path: Path) -> None:
    """If not even the state can be written, no folder stays that has nothing to resume."""
    import resource  # noqa: PLC0415 - not on Windows

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"unfinished-.*: File too large"):
            sample(server, tmp_path, "BY_ID")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [*tmp_path.glob("unfinished-*")]
