"""Rows that are hard to read: a column that fails, broken views, what the dictionary marks."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from oracle_server.answers import BadValue, Value
from oracle_server.catalog import Catalog, Column, StoredObject, Synonym, Table
from oracle_server.client import PASSWORD, open_source, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool

from marketpulse.bundle import SecretFoundError
from marketpulse.errors import DataError, UsageError
from marketpulse.extraction.catalog import describe, list_tables
from marketpulse.extraction.pydantic_models import write_models
from marketpulse.sources.oracle import OracleSource

ROWS = (Column("ID", "NUMBER(3,0)"), Column("RATIO", "NUMBER"), Column("NOTE", "VARCHAR2(10)"))
WIDE = (
    Column("ID", "NUMBER(3,0)"),
    *(Column(f"WORDS_{number}", "VARCHAR2(4000)") for number in range(999)),
)
LETTERS = (Column("ID", "NUMBER(3,0)"), Column("BODY", "CLOB"), Column("SCAN", "BLOB"))
LETTER = "sixteen letters\n" * (12 << 16)  # 12 MB


def catalog() -> Catalog:
    """Views with a column that divides by zero, tables of rare kinds, names that are no tables."""
    rows = [(number, Decimal(number), f"note {number}") for number in range(1, 300)]
    broken: list[tuple[Value, ...]] = [*rows[:250], (251, BadValue(1476), None)]
    ids = (Column("ID", "NUMBER(3,0)"),)
    return Catalog(
        [
            Table("RATIOS", ROWS, broken, kind="VIEW"),
            Table("BROKEN_VIEW", ids, [(BadValue(4063),)], kind="VIEW"),
            Table("SCRATCH", ids, kind="TEMPORARY TABLE"),
            Table("FEED_FILE", ids, [(1,)], kind="EXTERNAL TABLE"),
            Table("POINTS", ids, [(1,)], kind="OBJECT TABLE"),
            Table(
                "PARTLY",
                (
                    Column("LATER", "DATE", invisible=True),
                    Column("ID", "NUMBER(3,0)"),
                    Column("SYS_NC00003$", "NUMBER", hidden=True),
                ),
                [(None, 1, Decimal(2))],
            ),
            Table("WIDE", WIDE, [(number, *["x"] * 999) for number in range(20)]),
            Table("LETTERS", LETTERS, [(number, LETTER, None) for number in range(3)]),
            Table(
                "SECRETS",
                (Column("ID", "NUMBER(3,0)", comment=f"use {PASSWORD}"),),
                comment=f"{PASSWORD} opens it",
            ),
        ],
        [
            Synonym("TOOLS", "TOOLS_PACKAGE", "MARKET"),
            Synonym("NEXT_ID", "ID_SEQUENCE", "MARKET"),
            Synonym("OF_RATIOS", "RATIOS", "MARKET"),
        ],
        [StoredObject("TOOLS_PACKAGE", "PACKAGE"), StoredObject("ID_SEQUENCE", "SEQUENCE")],
        may_see_v=True,
    )


@pytest.fixture(scope="module")
def small_server() -> Iterator[OracleServer]:
    """A server with that catalog."""
    with OracleServer(DuckEngine(catalog()), users={"ANALYST": PASSWORD}) as started:
        yield started


@pytest.fixture
def source(small_server: OracleServer) -> Iterator[OracleSource]:
    """The analyst's source."""
    small_server.reset()
    with open_source(small_server) as opened:
        yield opened


def test_the_scn(source: OracleSource) -> None:
    """Who may read the SCN gets it, beside the character sets."""
    details = source.info().details
    assert (details["scn"], details["character_set"]) == ("8765432", "AL32UTF8")


def test_a_column_that_fails(source: OracleSource) -> None:
    """A column with a value that cannot be computed is given up, named, and the others are kept."""
    rows = source.scan("RATIOS").read_all()

    assert rows["ID"].to_pylist() == list(range(1, 252))
    assert rows["NOTE"].null_count == 1
    assert rows["RATIO"].null_count == len(rows)
    assert source.remarks("RATIOS") == ["RATIO is left empty: ORA-01476: divisor is equal to zero"]


def test_a_limit_before_the_fault(source: OracleSource) -> None:
    """Rows that are not wanted do not cost a column."""
    assert source.scan("RATIOS", limit=20).read_all()["RATIO"].null_count == 0
    assert source.remarks("RATIOS") == []


def test_the_users_own_mistake(source: OracleSource) -> None:
    """With a condition of the user's nothing is given up: the mistake may be there."""
    with pytest.raises(UsageError, match="ORA-01476"):
        source.scan("RATIOS", where="ID > 250").read_all()


def test_a_broken_view(source: OracleSource) -> None:
    """A view that no program can read is its own fault, and costs no other table its count."""
    with pytest.raises(DataError, match="ORA-04063") as caught:
        source.scan("BROKEN_VIEW").read_all()
    assert caught.value.check == "MP-ORA-004"


def test_exact_counts_survive(small_server: OracleServer, caplog: pytest.LogCaptureFixture) -> None:
    """`list-tables --exact` goes on after a view that cannot be counted, and says so."""
    small_server.faults = Faults(fail_at_statement=(3, 4063))  # the first count
    with open_source(small_server) as source:
        listing = list_tables(source, exact=True)
    small_server.faults = Faults()
    rows = {table.name: table.rows for table in listing.tables}
    assert sorted(name for name, count in rows.items() if count is None) == ["BROKEN_VIEW"]
    assert rows["RATIOS"] == 251
    assert "BROKEN_VIEW: its rows cannot be counted" in caplog.text


def test_kinds(source: OracleSource) -> None:
    """Lists mark what is no ordinary table, and have no synonyms of packages and sequences."""
    assert {table.name: table.kind for table in source.tables()} == {
        "BROKEN_VIEW": "view", "FEED_FILE": "external table", "LETTERS": "table",
        "OF_RATIOS": "synonym",
        "PARTLY": "table", "POINTS": "object table", "RATIOS": "view",
        "SCRATCH": "temporary table", "SECRETS": "table", "WIDE": "table",
    }  # fmt: skip


def test_invisible_columns(source: OracleSource) -> None:
    """A column that the owner made INVISIBLE is read and marked; Oracle's own are not."""
    columns = source.describe("PARTLY").columns
    assert [(column.name, column.type) for column in columns] == [
        ("ID", "NUMBER(3,0)"),
        ("LATER", "DATE INVISIBLE"),
    ]
    rows = source.scan("PARTLY", ["LATER"], where="LATER IS NULL").read_all()
    assert rows["LATER"].to_pylist() == [None]


def test_no_secrets_in_descriptions(source: OracleSource, tmp_path: Path) -> None:
    """A comment with a known password is not written, neither as JSON nor as models."""
    schemas = describe(source, ["SECRETS"])
    with pytest.raises(SecretFoundError):
        schemas.write(tmp_path / "json", [PASSWORD])
    with pytest.raises(SecretFoundError):
        write_models(tmp_path / "m.py", source.info(), schemas.tables, [PASSWORD])
    assert not (tmp_path / "m.py").exists()
    assert not any(path.is_file() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    "words",
    [
        "list-tables",
        "list-tables --format csv",
        "schema SECRETS",
        "schema SECRETS --format json",
        "schema SECRETS --ddl duckdb",
        "schema SECRETS --models -",
    ],
)
def test_no_secrets_on_standard_output(
    words: str, small_server: OracleServer, tmp_path: Path
) -> None:
    """A comment with the password of the run is not shown, either."""
    result = Tool(tmp_path, oracle_environment(small_server)).run(*words.split())
    assert (result.code, result.out) == (7, "")
    assert "password of this run" in result.err
    assert PASSWORD not in result.err


def test_rows_that_may_be_wide(small_server: OracleServer, source: OracleSource) -> None:
    """1,000 columns of 4,000 bytes come in answers that would hold 32 MB if they were full."""
    assert source.scan("WIDE").read_all().num_rows == 20
    assert small_server.record.fetches[-2:] == [8, 8]


@pytest.mark.parametrize(
    ("limit", "fetches"), [(None, [2, 2]), (1, [2])], ids=["all rows", "one row"]
)
def test_long_texts(
    small_server: OracleServer, source: OracleSource, limit: int | None, fetches: list[int]
) -> None:
    """LOBs are measured first, and an answer holds about 4 MB of them."""
    rows = source.scan("LETTERS", limit=limit).read_all()
    assert rows["BODY"][0].as_py() == LETTER
    assert small_server.record.fetches[-len(fetches) :] == fetches


def test_texts_that_are_cut(small_server: OracleServer) -> None:
    """Where --max-lob cuts LOBs, nothing is measured."""
    small_server.reset()
    with open_source(small_server) as opened:
        source = OracleSource(opened.database, max_lob=100)
        assert source.scan("LETTERS").read_all().num_rows == 3
    assert not any("GETLENGTH" in done.sql for done in small_server.record.statements)
