"""Queries over the wire: as samples, as bundles, as colors; what the database says about them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from oracle_server.client import assert_read_only, settings_for
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool

import marketpulse
from marketpulse.errors import MarketPulseError, NotFoundError, UsageError
from marketpulse.sources.oracle import OracleDatabase, QuerySource, SelectQuery

FEED = """-- the feed of the desk; all its kinds
WITH quotes AS (
  SELECT /*+ FULL(c) */ message_id, cusip, "DATE", bid, source, bias FROM market.colors_table c
), ranked AS (
  SELECT q.*, CASE bias WHEN 'TRADE' THEN 1 WHEN 'it''s; a BID' THEN 2 ELSE 6 END AS rank,
         ROW_NUMBER() OVER (PARTITION BY q.cusip ORDER BY message_id DESC NULLS LAST) AS place
    FROM quotes q JOIN market.securities s ON s.cusip = q.cusip
)
SELECT message_id, cusip, "DATE", rank, bid AS px, source, bias FROM ranked WHERE rank <= :most ;
-- the end
"""


@pytest.fixture
def database(server: OracleServer) -> Iterator[OracleDatabase]:
    """A session of the analyst."""
    with OracleDatabase(settings_for(server)) as opened:
        yield opened


def query(database: OracleDatabase, text: str, **binds: str) -> QuerySource:
    """The source of a query."""
    return QuerySource(database, SelectQuery(name="feed", text=text, binds=binds))


def test_values_survive(server: OracleServer, database: OracleDatabase) -> None:
    """A query keeps every value of a table, also those that the driver cannot read itself."""
    source = query(database, 'SELECT n, "A_DATE", t_9, n_38 FROM market.all_types')
    rows = source.scan("feed").read_all()

    assert Decimal("3.14159265358979323846264338327950288419") in map(
        Decimal, rows["N"].to_pylist()
    )
    assert "-0043-03-15 08:30:00" in rows["A_DATE"].cast("string").to_pylist()
    assert "2026-03-13T16:00:00.123456789" in rows["T_9"].to_pylist()
    assert source.count("feed") == len(rows)
    assert_read_only(server)


def test_what_is_sent(server: OracleServer, database: OracleDatabase) -> None:
    """The text is sent as written: alone if no value needs a conversion, else as a subquery."""
    text = "SELECT /*+ FULL(s) */ ticker, face FROM market.securities s"
    source = query(database, text)
    assert source.scan("feed").read_all().num_rows == 6
    assert server.record.statements[-1].sql == text

    rows = source.scan("feed", ["FACE"], 2, where="FACE > 250000", order="face desc").read_all()
    assert rows["FACE"].to_pylist() == [Decimal(1_250_000), Decimal(1_000_000)]
    assert server.record.statements[-1].sql == (
        f'SELECT "FACE" FROM ({text}) WHERE (FACE > 250000) '
        'ORDER BY "FACE" DESC NULLS LAST FETCH FIRST 2 ROWS ONLY'
    )


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("SELECT nope FROM market.securities", NotFoundError, 'ORA-00904: "NOPE": invalid'),
        ("SELECT 1 FROM market.nowhere", NotFoundError, "ORA-00942"),
        ("SELECT cusip, cusip FROM market.securities", UsageError, "2 are CUSIP"),
        ("SELECT ticker FROM market.securities WHERE cusip = :c", UsageError, ":C has no value"),
    ],
)
def test_faults(
    database: OracleDatabase, text: str, error: type[MarketPulseError], message: str
) -> None:
    """The error of a query says what is wrong, before a row is read."""
    with pytest.raises(error, match=message):
        query(database, text).scan("feed")


def test_a_table_of_another_schema_needs_its_owner(database: OracleDatabase) -> None:
    """A query is sent as written, so the schema of the settings does not apply."""
    with pytest.raises(NotFoundError) as error:
        query(database, "SELECT cusip FROM securities").scan("feed")
    assert "in a query, write a table of another schema as OWNER.TABLE" in error.value.hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('\n\n  SELECT ticker AS "é",\r\n  nope FROM market.securities;', "line 4, column 3"),
        ("SELECT nope FROM market.securities", "line 1, column 8"),
        ("\ufeff\n  SELECT nope FROM market.securities", "line 2, column 10"),
    ],
)
def test_the_place_of_a_fault(tool: Tool, text: str, place: str) -> None:
    """An error of the database has its line and its column in the file."""
    (tool.folder / "feed.sql").write_bytes(text.encode())
    done = tool.run("sample", "--query", "feed.sql")
    assert done.code == 6
    assert f'ORA-00904: "NOPE": invalid identifier ({place} of feed.sql)' in done.err


@pytest.mark.parametrize(
    ("faults", "place"),
    [
        (Faults(fail_at_row=(2, 1476)), ""),
        (Faults(fail_at_statement=(4, 1476), fail_at_text="face"), "line 2, column 3 of "),
        (Faults(fail_at_statement=(4, 1476), fail_at_text="FROM (SELECT"), ""),
    ],
    ids=["a row", "the query", "what is around it"],
)
def test_the_file_of_a_fault_in_rows(server: OracleServer, faults: Faults, place: str) -> None:
    """Errors that come with the rows name the file, and the place if the database says it."""
    server.faults = faults
    text = "SELECT n,\n  face FROM market.all_types, market.securities"
    select = SelectQuery(name="feed", text=text, file="feed.sql")
    with OracleDatabase(settings_for(server)) as database:
        source = QuerySource(database, select)
        with pytest.raises(UsageError) as caught:
            source.scan("feed").read_all()
    assert caught.value.message.endswith(f"ORA-01476: divisor is equal to zero ({place}feed.sql)")


def test_names(database: OracleDatabase) -> None:
    """Only the query can be read, and it may not have the name of a table."""
    source = query(database, "SELECT 1 AS n FROM dual")
    assert source.find_table() == source.find_table("FEED") == "feed"
    assert [table.kind for table in source.tables() if table.name == "feed"] == ["query"]
    with pytest.raises(NotFoundError):
        source.find_table("COLORS_TABLE")

    clash = QuerySource(database, SelectQuery(name="COLORS_TABLE", text="SELECT 1 AS n FROM dual"))
    with pytest.raises(UsageError, match="there is a table of that name"):
        clash.tables()


def test_in_python(database: OracleDatabase) -> None:
    """`OracleDatabase.query` takes a semicolon, a comment and binds, and refuses what writes."""
    rows = database.query(
        "SELECT ticker FROM market.securities WHERE cusip = :c; -- one", {"c": "12345E108"}
    )
    assert rows["TICKER"].to_pylist() == ["T1"]
    with pytest.raises(UsageError, match="DELETE: it changes rows"):
        database.query("DELETE FROM market.securities")


def test_a_bundle_of_a_query(tool: Tool) -> None:
    """The sample of a query is a bundle with its text, and gives the query's colors."""
    (tool.folder / "feed.sql").write_text(FEED, encoding="utf-8")
    words = ("--query", "feed.sql", "--bind", "most=6")
    sampled = tool.run("sample", *words, "--all", "--output", "bundle")
    assert sampled.code == 0, sampled.err
    bundle = tool.folder / "bundle"
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    (table,) = manifest["tables"]
    assert (table["name"], table["rows"], table["binds"]) == ("feed", 200, ["MOST"])
    assert table["query"] == FEED.partition(" ;")[0]
    assert len(marketpulse.load(bundle)["feed"]) == 200
    assert tool.run("verify", "bundle").code == 0

    ranked = tool.run("run-colors", "bundle", "--output", "sampled", "--format", "json")
    live = tool.run("run-colors", *words, "--output", "live", "--format", "json")
    assert (ranked.code, live.code) == (0, 0), ranked.err + live.err
    first, second = (json.loads(run.out) for run in (ranked, live))
    assert first["rows"] == second["rows"]
    assert first["run_id"] == second["run_id"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("COLORS_TABLE", "--query", "feed.sql"), "TABLE and --query"),
        (("--query", "feed.sql", "--source", "demo"), "--query needs an Oracle database"),
        (("--bind", "day=1"), "--bind gives values to --query"),
    ],
)
def test_wrong_options(tool: Tool, words: tuple[str, ...], message: str) -> None:
    """A query is read alone, and only from Oracle."""
    Path(tool.folder / "feed.sql").write_text(FEED, encoding="utf-8")
    done = tool.run("sample", *words)
    assert (done.code, message in done.err) == (2, True), done.err


def test_standard_input(tool: Tool) -> None:
    """A query from a pipe becomes the table `query`."""
    process = tool.start("sample", "--query", "-", "--output", "piped", stdin=-1)
    process.communicate(b"SELECT ticker FROM market.securities;", timeout=120)
    assert process.returncode == 0
    assert (tool.folder / "piped" / "query_schema.json").exists()
