"""The source oracle: the real driver, over TCP, with a server that speaks Oracle's protocol."""

import csv
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from oracle_server.answers import DayInterval, Moment, MonthInterval, Value
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.market import ALL_TYPES, market
from oracle_server.server import OracleServer
from pydantic import SecretStr
from sqlfluff.core import Linter
from support import ROOT

import marketpulse
from marketpulse.errors import (
    ConnectionLostError,
    MarketPulseError,
    NotFoundError,
    UnreachableError,
    UsageError,
)
from marketpulse.extraction.sample import Wanted, sample
from marketpulse.extraction.verify import verify
from marketpulse.settings import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource

PASSWORD = "Planted-Barley-77"
WIDE = Context(prec=60)


@pytest.fixture(scope="module")
def server() -> Iterator[OracleServer]:
    """The market, for an analyst who owns nothing and for the owner."""
    users = {"ANALYST": PASSWORD, "MARKET": PASSWORD}
    with OracleServer(DuckEngine(market()), users=users, sids=["ORCLCDB"]) as started:
        yield started


@pytest.fixture(autouse=True)
def _well(server: OracleServer) -> Iterator[None]:
    """No fault is left to the next test, and nothing was asked that the server did not know."""
    server.faults = Faults()
    server.reset()
    yield
    assert server.seen.oddities == []


def settings(server: OracleServer, **other: Any) -> OracleSettings:
    """How to get there."""
    known: dict[str, Any] = {"dsn": server.dsn, "schema": "MARKET", **other}
    return OracleSettings(username=SecretStr("analyst"), password=SecretStr(PASSWORD), **known)


@contextmanager
def opened(server: OracleServer, **other: Any) -> Iterator[OracleSource]:
    """The source, connected."""
    with OracleSource(OracleDatabase(settings(server, **other))) as source:
        yield source


def run(
    server: OracleServer, folder: Path, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run marketpulse as an analyst's terminal does."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "AWS_EC2_METADATA_DISABLED": "true",
        "ORACLE_HOST": server.host,
        "ORACLE_PORT": str(server.port),
        "ORACLE_SERVICE_NAME": server.service,
        "ORACLE_USERNAME": "analyst",
        "ORACLE_PASSWORD": PASSWORD,
        "ORACLE_SCHEMA": "market",
        "ORACLE_TABLE_NAME": "colors_table",
    }
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *words],
        cwd=folder,
        env={name: text for name, text in (environment | more).items() if text},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (["list-tables"], 5),
        (["schema", "COLORS_TABLE"], 12),
        (["schema", "COLORS_TABLE", "ALL_TYPES", "SECURITIES", "EMPTY", "BROKEN", "CON"], 12),
        (["sample", "SECURITIES", "--limit", "1000"], 12),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_few_round_trips(server: OracleServer, tmp_path: Path, words: list[str], most: int) -> None:
    """Over a VPN each one costs; the logoff counts, too."""
    done = run(server, tmp_path, *words)

    assert done.returncode == 0, done.stderr
    assert server.seen.round_trips <= most
    assert server.seen.logins == [("ANALYST", 0)]


def test_a_described_table_costs_few_more(server: OracleServer) -> None:
    """One round trip for rows that fit one answer; three where a LOB has to be asked for."""
    with opened(server) as source:
        for table, most in (("SECURITIES", 1), ("COLORS_TABLE", 3)):
            source.describe(table)
            before = server.seen.round_trips
            assert source.scan(table, limit=1000).read_all().num_rows > 0
            assert server.seen.round_trips - before <= most


def as_csv(value: Value, words: str) -> str:
    """How a CSV file has a value, worked out without the code that it proves."""
    if value is None:
        return ""
    if isinstance(value, Moment):
        clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
        year = value.year if value.year > 0 else value.year + 1
        day = f"{'-' if year < 0 else ''}{abs(year):04}-{value.month:02}-{value.day:02}"
        fraction = f".{value.nanosecond:09}"
        if "ZONE" in words or "(9)" in words:
            offset = value.offset_minutes or 0
            hours, minutes = divmod(abs(offset), 60)
            zone = f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}" if "ZONE" in words else ""
            return f"{day}T{clock}{fraction}{zone}"
        return (
            f"{day} {clock}{fraction}".rstrip("0").rstrip(".")
            if value.nanosecond
            else (f"{day} {clock}")
        )
    if isinstance(value, DayInterval):
        return "+02 03:04:05.000006" if value.days else "-00 01:00:00.000000"
    if isinstance(value, MonthInterval):
        return "+01-02" if value.months == 14 else "-00-01"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def same(shown: str, value: Value, words: str) -> bool:
    """Whether a cell is the value, to the last digit."""
    if isinstance(value, float):
        if math.isnan(value):
            return math.isnan(float(shown))
        form = "f" if words == "BINARY_FLOAT" else "d"
        return struct.pack(form, float(shown)) == struct.pack(form, value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "E" not in shown.upper() and Decimal(shown) == value
    return shown == as_csv(value, words)


def test_every_value_of_every_type_arrives(server: OracleServer, tmp_path: Path) -> None:
    """Each cell of CSV is what the database holds, and Parquet holds the same as CSV."""
    done = run(
        server, tmp_path, "sample", "ALL_TYPES", "--formats", "csv,json,parquet", "--json-rows",
        "all",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run(server, tmp_path, "verify", "sample_data").returncode == 0
    (path,) = (tmp_path / "sample_data").glob("*.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)

    assert header == [name for name, _, _ in ALL_TYPES]
    for place, (name, words, values) in enumerate(ALL_TYPES[1:], 1):
        for row, value in enumerate(values):
            assert same(rows[row][place], value, words), (name, value, rows[row][place])
        assert all(it[place] in {"", "NULL"} for it in rows[len(values) :]), name
    assert marketpulse.load(tmp_path / "sample_data").arrow("ALL_TYPES").num_rows == len(rows)


def test_broken_text_is_replaced_and_counted(server: OracleServer, tmp_path: Path) -> None:
    """Bytes that are no text become U+FFFD, and the user is told."""
    done = run(server, tmp_path, "sample", "BROKEN")

    assert done.returncode == 0
    assert "WORDS: 1 values contain invalid bytes" in done.stderr


def test_long_text_is_cut_where_that_is_wanted(server: OracleServer, tmp_path: Path) -> None:
    """--max-lob leaves so many characters, a mark, and a count."""
    done = run(server, tmp_path, "sample", "ALL_TYPES", "--max-lob", "10", "--formats", "csv")

    assert "A_CLOB: 1 values were cut after 10 characters" in done.stderr
    (path,) = (tmp_path / "sample_data").glob("*.csv")
    assert "a long tex…[cut]" in path.read_text(encoding="utf-8")


def test_order_is_by_value(server: OracleServer) -> None:
    """A NUMBER that travels as text is sorted as a number, by the database."""
    with opened(server) as source:
        found = source.scan("COLORS_TABLE", ["PX"], 20, where="PX IS NOT NULL", order="PX DESC")
        prices = [Decimal(it) for it in found.read_all()["PX"].to_pylist()]

    assert prices == sorted(prices, reverse=True)
    assert len(prices) == 20


# Each fault: what the server does, what the environment says, the check, the exit code.
FAULTS: dict[str, tuple[Faults, dict[str, str], str, int]] = {
    "wrong password": (Faults(), {"ORACLE_PASSWORD": "not-the-one"}, "MP-LOG-001", 5),
    "locked": (Faults(login=28000), {}, "MP-LOG-002", 5),
    "expired": (Faults(login=28001), {}, "MP-LOG-003", 5),
    "no session": (Faults(login=1045), {}, "MP-LOG-004", 5),
    "unknown service": (Faults(), {"ORACLE_SERVICE_NAME": "NOWHERE"}, "MP-TNS-001", 6),
    "a SID": (Faults(), {"ORACLE_SERVICE_NAME": "ORCLCDB"}, "MP-TNS-002", 6),
    "no handler": (Faults(refuse=12516), {}, "MP-TNS-004", 4),
    "no such host": (Faults(), {"ORACLE_HOST": "nowhere.invalid"}, "MP-NET-001", 4),
    "a host and its port": (Faults(), {"ORACLE_HOST": "db.example.com:1521"}, "MP-TNS-006", 3),
    "a host's address": (Faults(), {"ORACLE_HOST": "https://db.example.com"}, "MP-TNS-006", 3),
    "closed port": (Faults(), {"ORACLE_PORT": "1"}, "MP-NET-002", 4),
    "HTTP": (Faults(garbage=b"HTTP/1.1 400 Bad Request\r\n\r\n"), {}, "MP-NET-005", 4),
    "silence": (Faults(silent=True), {}, "MP-NET-004", 4),
    "encryption": (Faults(demand_encryption=True), {}, "MP-ENC-001", 4),
    "no privilege": (Faults(), {"ORACLE_TABLE_NAME": "FORBIDDEN"}, "MP-PRV-001", 5),
    "no such table": (Faults(), {"ORACLE_TABLE_NAME": "COLOR_TABLE"}, "MP-SRC-001", 6),
    "nothing set": (Faults(), {"ORACLE_HOST": "", "ORACLE_PASSWORD": ""}, "MP-SET-002", 3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_check_and_remedy(
    server: OracleServer, tmp_path: Path, fault: str
) -> None:
    """Doctor and sample say the same of a fault, in time, and a login is not tried twice."""
    server.faults, more, check, code = FAULTS[fault]
    begun = time.monotonic()
    told = run(server, tmp_path, "doctor", "--format", "json", **more)
    logins = len(server.seen.logins)
    sampled = run(server, tmp_path, "sample", "--format", "json", **more)

    *_, last = json.loads(told.stdout)["steps"]
    error = json.loads(sampled.stderr.splitlines()[-1])["error"]
    assert (last["state"], last["check"], told.returncode) == ("failed", check, code)
    assert (error["check"], error["exit_code"], sampled.returncode) == (check, code, code)
    assert last["hint"]
    assert error["hint"]
    assert logins <= 1
    assert len(server.seen.logins) <= 2
    assert time.monotonic() - begun < 90
    assert not (tmp_path / "sample_data" / "manifest.json").exists()


def test_all_is_well_with_doctor(server: OracleServer, tmp_path: Path) -> None:
    """Every layer answers; without --format json they are lines."""
    done = run(server, tmp_path, "doctor")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "COLORS_TABLE can be read" in done.stdout
    assert "AL32UTF8" in done.stdout


def test_two_samples_of_one_database(tmp_path: Path) -> None:
    """The second keeps the first, with the instant that its rows are of."""
    column = (Column("ID", "NUMBER(3,0)"),)
    tables = [Table(name, column, [(1,)]) for name in ("FIRST", "SECOND")]
    users = {"ANALYST": PASSWORD}
    engines = [DuckEngine(Catalog(tables, may_see_v=True, scn=scn)) for scn in (71, 72)]
    with OracleServer(engines[0], users=users) as started:
        for started.engine, table in zip(engines, ("FIRST", "SECOND"), strict=True):
            done = run(started, tmp_path, "sample", table)
            assert done.returncode == 0, done.stderr
    whole = verify(tmp_path / "sample_data")
    assert whole.faults == ()
    assert whole.manifest.source.details["scn"] == "72"
    notes = {it.name: it.notes for it in whole.manifest.tables}
    assert notes == {"FIRST": ("the rows are of SCN 71, not of the bundle's",), "SECOND": ()}


def test_the_nearest_names_are_told(server: OracleServer, tmp_path: Path) -> None:
    """A misspelt table ends in the one that was meant."""
    done = run(server, tmp_path, "schema", "COLOR_TABLE")

    assert done.returncode == 6
    assert "did you mean: COLORS_TABLE" in done.stderr


def test_a_table_of_another_schema_is_pointed_to(server: OracleServer) -> None:
    """A name without its schema is no guess: the message says where there is one."""
    with opened(server) as source, pytest.raises(NotFoundError) as missing:
        source.find_table("rates")
    assert "TREASURY.RATES" in missing.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "OTHER.COLORS_TABLE",
        "treasury.colors_table",
        ".COLORS_TABLE",
        "COLORS_TABLE.",
        "market.",
        "market..colors_table",
        "a.market.colors_table",
        '"market".colors_table',
        '"colors_table"',
        "market.quotes",  # a public synonym goes by its name alone
        'market."A.B"',
        '"A.B"',
        "",
    ],
)
def test_no_other_table_than_the_one_named(server: OracleServer, tmp_path: Path, name: str) -> None:
    """A name that means no table gives none, whatever is like it: exit code 6, nothing written."""
    commands = (["sample", name], ["schema", name], ["run-colors", "--table", name])
    for words in commands if name == "OTHER.COLORS_TABLE" else commands[:1]:
        done = run(server, tmp_path, *words)

        assert done.returncode == 6, done.stdout + done.stderr
        assert f"there is no table {name!r}" in done.stderr
        assert "  hint: " in done.stderr
    assert not list(tmp_path.iterdir())


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    """Without quotes a name is in capitals; each table goes by its own name in quotes."""
    column = (Column("ID", "NUMBER(3,0)"),)
    tables = [Table(name, column, [(1,)] * rows) for name, rows in (("colors", 1), ("COLORS", 2))]
    tables.append(Table("STRASSE", column, [(1,)]))
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as started:
        for name, rows in (("colors", 2), ("COLORS", 2), ('"colors"', 1), ('market."colors"', 1)):
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            folder.mkdir()
            done = run(started, folder, "sample", name, "--format", "json")
            assert done.returncode == 0, done.stderr
            assert [it["rows"] for it in json.loads(done.stdout)["tables"]] == [rows]
        assert run(started, tmp_path, "sample", "straße").returncode == 6


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("colors_table", "COLORS_TABLE"),
        ("market.colors_table", "COLORS_TABLE"),
        ('"Colors"', "Colors"),
        ('market."x y"', "x y"),
        ("treasury.rates", "TREASURY.RATES"),
        ("quotes", "QUOTES"),
        ("yields", "YIELDS"),
        ("a/b", "A/B"),
        ("con", "CON"),
        ("é" * 64, "é" * 64),
        ('"a.b"', '"a.b"'),
        ("sys.dual$", "SYS.DUAL$"),
        ("public.quotes", "QUOTES"),
        ('"TREASURY"."RATES"', "TREASURY.RATES"),
    ],
)
def test_names_are_looked_up(server: OracleServer, name: str, found: str) -> None:
    """A table is found by each of its names, and can be read."""
    with opened(server) as source:
        assert source.find_table(name) == found
        assert source.scan(found, limit=1).read_all().num_rows == 1


@pytest.mark.parametrize(
    "name", ['X"; DROP TABLE Y --', "X' OR '1'='1", "a.b.c.d", '"', "", "COLORS_TABLE@OTHERDB"]
)
def test_a_hostile_name_is_not_found(server: OracleServer, name: str) -> None:
    """No part of a name that is none reaches the database as SQL."""
    with opened(server) as source, pytest.raises(NotFoundError):
        source.scan(name)
    assert_harmless(server)


@pytest.mark.parametrize(
    "condition",
    ["1=1; DELETE FROM COLORS_TABLE", "PX > 1 UNION SELECT 1", "(SELECT 1 FROM DUAL) = 1", "PX >"],
)
def test_a_condition_is_one_condition(server: OracleServer, condition: str) -> None:
    """A second statement, or a query in the condition, is refused before it is sent."""
    with opened(server) as source, pytest.raises(UsageError):
        source.scan("COLORS_TABLE", where=condition)
    assert_harmless(server)


def assert_harmless(server: OracleServer) -> None:
    """All that was sent reads, is of the kinds that are expected, and is Oracle's SQL."""
    begins = ("SELECT ", "SET TRANSACTION READ ONLY", "ALTER SESSION SET NLS_")
    statements = {it.sql for it in server.seen.statements}
    assert statements
    linter = Linter(dialect="oracle")
    for sql in statements:
        assert sql.startswith(begins), sql
        assert not any(word in sql for word in ("DROP", "DELETE", "INSERT", ";")), sql
        if sql == begins[1]:
            continue  # the grammar does not have it
        unparsable = linter.parse_string(sql).violations
        assert unparsable == [], (sql, unparsable)


def test_every_statement_reads_and_parses(server: OracleServer, tmp_path: Path) -> None:
    """What the commands send is in an independent grammar of Oracle's SQL."""
    for words in (
        ["list-tables"],
        ["sample", "COLORS_TABLE", "SECURITIES", "--output", "two"],
        ["sample", "COLORS_TABLE", "--where", "RANK <= 3 AND CUSIP LIKE '0%'",
         "--order-by", "PX DESC"],
        ["sample", "ALL_TYPES", "--output", "types"],
        ["list-tables", "--exact", "--schema", "treasury"],
    ):  # fmt: skip
        done = run(server, tmp_path, *words)
        assert done.returncode == 0, done.stderr
    assert_harmless(server)


def test_the_session_says_who_it_is(server: OracleServer, tmp_path: Path) -> None:
    """A DBA sees the program."""
    run(server, tmp_path, "list-tables")

    assert server.seen.tags[0]["program"] == "marketpulse"


def test_the_password_is_nowhere(server: OracleServer, tmp_path: Path) -> None:
    """Not in what is printed, logged or written, also where something goes wrong."""
    for words, more in (
        (["-v", "-v", "sample"], {}),
        (["-v", "-v", "--log-format", "json", "list-tables"], {"ORACLE_SERVICE_NAME": "NOWHERE"}),
        (["-v", "-v", "doctor"], {}),
        (["config"], {}),
        (["schema"], {"ORACLE_DSN": f"analyst/{PASSWORD}@{server.dsn}"}),
        (["config"], {"ORACLE_DSN": f"analyst/{PASSWORD}@{server.dsn}"}),
    ):
        done = run(server, tmp_path, *words, **more)
        assert PASSWORD not in done.stdout + done.stderr, words
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in repr(settings(server)) + str(OracleDatabase(settings(server)))


@pytest.mark.parametrize("form", ["{0}:{1}/{2}", "//{0}:{1}/{2}", "{0}:{1}:ORCLCDB",
    "jdbc:oracle:thin:@{0}:{1}:ORCLCDB", "jdbc:oracle:thin:@//{0}:{1}/{2}",
    "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST={0})(PORT={1}))(CONNECT_DATA=(SERVICE_NAME={2})))",
])  # fmt: skip
def test_any_connect_string_is_understood(server: OracleServer, form: str) -> None:
    """Also those that a colleague pastes."""
    with opened(server, dsn=form.format(server.host, server.port, server.service)) as source:
        assert len(source.tables()) > 10


def test_an_alias_of_tnsnames(server: OracleServer, tmp_path: Path) -> None:
    """TNS_ADMIN is where tnsnames.ora is; an unknown alias says where it was looked for."""
    place = f"(ADDRESS=(PROTOCOL=tcp)(HOST={server.host})(PORT={server.port}))"
    (tmp_path / "tnsnames.ora").write_text(
        f"DESK=(DESCRIPTION={place}(CONNECT_DATA=(SERVICE_NAME={server.service})))\n"
    )
    with opened(server, dsn="DESK", config_dir=str(tmp_path)) as source:
        assert source.tables()
    with pytest.raises(MarketPulseError, match=r"in no tnsnames\.ora") as unknown:
        OracleDatabase(settings(server, dsn="DUSK", config_dir=str(tmp_path)))
    assert unknown.value.check == "MP-TNS-007"


def test_a_slow_network_is_bearable(server: OracleServer, tmp_path: Path) -> None:
    """100 ms for each round trip: list-tables takes a few of them, not more."""
    server.faults = Faults(delay=0.1)
    done = run(server, tmp_path, "list-tables")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("fault", [{"stall_at_statement": 2}, {"stall_after": 1500}], ids=str)
def test_a_deadline_ends_a_server_that_stalls(
    server: OracleServer, tmp_path: Path, fault: dict[str, int]
) -> None:
    """An answer that never comes, or not whole, ends with the deadline, and says so."""
    server.faults = Faults(**fault)  # type: ignore[arg-type]  # numbers of these two
    begun = time.monotonic()
    done = run(server, tmp_path, "--deadline", "2", "list-tables")

    assert done.returncode == 4, done.stderr
    assert time.monotonic() - begun < 30
    assert "deadline" in done.stderr


def taken(source: OracleSource, folder: Path) -> str:
    """Take a sample; what it came to."""
    wanted = Wanted(1000, None, None, None, ("csv",), "lossless", 100)
    try:
        with source:
            sample(
                source, ["COLORS_TABLE"], wanted, output=folder,
                taken_at=datetime(2026, 3, 13, 18, tzinfo=UTC), progress=_Quiet(),
            )  # fmt: skip
    except (UnreachableError, ConnectionLostError):
        assert not (folder / "manifest.json").exists()
        return "refused"
    found = verify(folder)
    assert found.faults == ()
    (table,) = found.manifest.tables
    assert table.rows == 200
    return "again" if table.notes else "whole"


class _Quiet:
    """No progress to be seen."""

    def begin(self, what: str, rows: int | None) -> None: ...
    def advance(self, rows: int) -> None: ...
    def end(self) -> None: ...


# The driver leaves a socket that was cut to the collector, which complains.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("places", "fault", "expected"),
    [
        (range(1, 60_000, 2_000), {"connections": 1}, {"again", "whole"}),
        (range(1, 60_000, 2_000), {}, {"refused", "again", "whole"}),
        (range(1, 2_400, 80), {"connections": 1}, {"whole"}),
    ],
    ids=["once", "always", "while logging in"],
)
def test_the_connection_is_cut_anywhere(
    server: OracleServer,
    tmp_path: Path,
    places: range,
    fault: dict[str, int],
    expected: set[str],
) -> None:
    """Cut after any number of bytes: the bundle is whole, or there is none."""
    outcomes = set()
    for cut in places:
        early = expected == {"whole"}
        where = {"cut_from_start" if early else "cut_after": cut}
        server.faults = Faults(**where, **fault)  # type: ignore[arg-type]  # numbers, all three
        source = OracleSource(OracleDatabase(settings(server)))
        outcomes.add(taken(source, tmp_path / str(cut)))

    assert outcomes == expected


def test_a_table_that_fails_in_the_middle_leaves_the_others(
    server: OracleServer, tmp_path: Path
) -> None:
    """A snapshot too old: the whole tables stay, the manifest says what is missing; exit 9."""
    server.faults = Faults(fail_at_row=(150, 1555))  # the dictionary's answers are shorter
    done = run(server, tmp_path, "sample", "SECURITIES", "COLORS_TABLE")

    assert done.returncode == 9, done.stderr
    assert "ORA-01555" in done.stderr
    manifest = json.loads((tmp_path / "sample_data" / "manifest.json").read_text("utf-8"))
    assert manifest["complete"] is False
    assert [(it["name"], it["rows"]) for it in manifest["tables"] if it["files"]] == [
        ("SECURITIES", 6)
    ]
    assert run(server, tmp_path, "verify", "sample_data").returncode == 9


def test_a_session_that_was_killed_is_replaced(server: OracleServer, tmp_path: Path) -> None:
    """What was asked is asked again in a new session; the login was not refused."""
    server.faults = Faults(fail_at_statement=(2, 28), connections=1)
    done = run(server, tmp_path, "list-tables")

    assert done.returncode == 0, done.stderr
    assert server.seen.logins == [("ANALYST", 0)] * 2


def test_colors_are_ranked_from_the_database(server: OracleServer, tmp_path: Path) -> None:
    """run-colors on the database gives what it gives on a sample of it."""
    live = run(server, tmp_path, "run-colors", "--source", "oracle", "--output", "live")
    assert live.returncode == 0, live.stderr
    assert run(server, tmp_path, "sample", "--all", "--formats", "parquet").returncode == 0
    folder = run(server, tmp_path, "run-colors", "sample_data", "--output", "sent")
    assert folder.returncode == 0, folder.stderr
    one, other = (
        json.loads((tmp_path / it / "run_summary.json").read_text("utf-8"))
        for it in ("live", "sent")
    )
    assert one["rows"] == other["rows"]


def test_the_python_api(server: OracleServer) -> None:
    """`with OracleDatabase() as db`: schemas, and queries into Arrow and pandas."""
    with OracleDatabase(settings(server)) as db:
        schema = db.get_table_schema("COLORS_TABLE")
        found = db.query(
            'SELECT "CUSIP", "PX", "MESSAGE_ID" FROM "MARKET"."COLORS_TABLE" WHERE "RANK" = :1',
            [2],
        )

        old = db.query('SELECT "A_DATE" FROM "MARKET"."ALL_TYPES"')

    assert "-0043-03-15 08:30:00" in old["A_DATE"].cast(pa.string()).to_pylist()
    assert [it.name for it in schema.columns][:4] == ["MESSAGE_ID", "TICKER", "SECTOR", "CUSIP"]
    assert isinstance(found, pa.Table)
    assert found.num_rows > 20
    assert found.schema.field("MESSAGE_ID").type == pa.int64()
    assert list(found.to_pandas().columns) == ["CUSIP", "PX", "MESSAGE_ID"]


def drawn(words: str, draw: random.Random) -> Value:
    """A random value of this type, to its limits; None among them."""
    if draw.random() < 0.1:
        return None
    kind, _, figures = words.partition("(")
    numbers = [int(it) for it in re.findall(r"-?\d+", figures)]
    if kind == "NUMBER" and numbers:
        digits = draw.randrange(1, numbers[0] + 1)
        return Decimal(draw.randrange(-(10**digits) + 1, 10**digits)).scaleb(-numbers[1], WIDE)
    if kind == "NUMBER":
        coefficient = Decimal(draw.randrange(-(10**38) + 1, 10**38))
        return coefficient.scaleb(draw.randrange(-150, 85), WIDE)
    if kind.startswith("BINARY"):
        form = "d" if "DOUBLE" in kind else "f"
        return float(struct.unpack(form, draw.randbytes(struct.calcsize(form)))[0])
    if kind in {"DATE", "TIMESTAMP"}:
        at = datetime(2, 1, 1, tzinfo=UTC) + timedelta(seconds=draw.randrange(315_000_000_000))
        digits = numbers[0] if numbers else 0
        nanosecond = draw.randrange(10**digits) * 10 ** (9 - digits)
        offset = draw.randrange(-48, 57) * 15 if "TIME ZONE" in words else None
        clock = (at.hour, at.minute, at.second, nanosecond, offset)
        return Moment(at.year, at.month, at.day, *clock)
    if kind in {"RAW", "BLOB"}:
        return draw.randbytes(draw.randrange(1, 30))
    alphabet = 'aZ09 ,";=+-@\t\n\r\\é東\U0001d54f\u00a0' + "'"
    return "".join(draw.choices(alphabet, k=draw.randrange(1, 40)))


RANDOM = (
    "NUMBER(1,0)", "NUMBER(18,0)", "NUMBER(19,0)", "NUMBER(38,0)", "NUMBER(12,4)", "NUMBER(38,37)",
    "NUMBER(5,-2)", "NUMBER(3,9)", "NUMBER", "BINARY_FLOAT", "BINARY_DOUBLE", "DATE",
    "TIMESTAMP(0)", "TIMESTAMP(2)", "TIMESTAMP(6)", "TIMESTAMP(9)", "TIMESTAMP(9) WITH TIME ZONE",
    "RAW(30)", "BLOB", "VARCHAR2(400)", "NVARCHAR2(40)", "CLOB", "NCLOB",
)  # fmt: skip


def test_random_rows_of_all_types_arrive(tmp_path: Path) -> None:
    """Every cell of a random table is, in CSV, in JSON and in Parquet, what the database holds."""
    draw = random.Random(20260313)
    rows = [tuple(drawn(words, draw) for words in RANDOM) for _ in range(1000)]
    columns = [Column(f"C{place}", words) for place, words in enumerate(RANDOM)]
    users = {"MARKET": PASSWORD}
    with OracleServer(DuckEngine(Catalog([Table("ANY", columns, rows)])), users=users) as server:
        done = run(
            server, tmp_path, "sample", "ANY", "--all", "--formats", "csv,json,parquet",
            "--json-rows", "all", ORACLE_USERNAME="market",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert server.seen.oddities == []
    (as_text,) = (tmp_path / "sample_data").glob("*.csv")
    (as_json,) = (tmp_path / "sample_data").glob("*_sample_*.json")
    with as_text.open(encoding="utf-8", newline="") as file:
        _, *cells = csv.reader(file)
    objects = json.loads(as_json.read_text("utf-8"), parse_int=str, parse_float=str)
    (parquet,) = (tmp_path / "sample_data").glob("*.parquet")
    stored = pq.read_table(parquet)
    assert len(cells) == len(objects) == stored.num_rows == len(rows)
    for place, words in enumerate(RANDOM):
        typed = as_typed_text(stored.column(place))
        for number, row in enumerate(rows):
            value, cell, other = row[place], cells[number][place], objects[number][f"C{place}"]
            if value is None:
                assert cell in {"", "NULL"}
                assert other is None
                assert typed[number] is None
                continue
            assert same(cell, value, words), (words, value, cell)
            unnamed = isinstance(value, float) and not math.isfinite(value)
            assert other is None if unnamed else same(other, value, words), (words, value, other)
            assert same(str(typed[number]), value, words), (words, value, typed[number])


def as_typed_text(column: pa.ChunkedArray) -> list[str | None]:
    """Each value as CSV would have it, by Arrow and Python alone."""
    if pa.types.is_timestamp(column.type):
        texts = column.cast(pa.string()).to_pylist()
        return [it.rstrip("0").rstrip(".") if it and "." in it else it for it in texts]
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [None if it is None else it.hex() for it in column.to_pylist()]
    if pa.types.is_decimal(column.type):
        return [None if it is None else format(it, "f") for it in column.to_pylist()]
    if pa.types.is_floating(column.type):
        return [None if it is None else repr(it) for it in column.to_pylist()]
    return [None if it is None else str(it) for it in column.to_pylist()]


def test_the_database_of_the_environment(server: OracleServer, tmp_path: Path) -> None:
    """`OracleDatabase()` finds its settings itself."""
    code = (
        "import marketpulse\n"
        "with marketpulse.OracleDatabase() as db:\n"
        "    print(db.get_table_schema('COLORS_TABLE').table.comment)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
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
