"""Samples that join: each foreign key has its row, over any depth, and no row comes twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bundles import TAKEN_AT, extract, manifest_of, run
from oracle_server.answers import Timestamp
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD, open_source, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from sqlfluff.core import Linter
from support import Tool

import marketpulse
from marketpulse.errors import UsageError
from marketpulse.extraction.joined_source import describe_sample
from marketpulse.extraction.sample_options import SampleOptions, plan_sample
from marketpulse.extraction.verify import verify_bundle
from marketpulse.sources.bundle import open_bundle

TRADES = 1100
# The driver leaves a cut socket to the garbage collector, which warns.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ID = Column("ID", "NUMBER(9,0)", nullable=False)


def employee(number: int) -> tuple[object, ...]:
    """A chain of forty managers; the last two are each other's."""
    return number, 38 if number == 39 else number + 1, f"E{number}"


@pytest.fixture(scope="module")
def desk_server() -> Iterator[OracleServer]:
    """Trades with a key of two columns, managers in a chain that ends in a circle, an orphan."""
    book = Table(
        "BOOK",
        (Column("DESK", "CHAR(4)"), Column("DAY", "DATE"), Column("OWNER_ID", "NUMBER")),
        [(f"D{day % 2}  ", Timestamp(2026, 1, 1 + day), day) for day in range(20)],
        primary_key=("DESK", "DAY"),
        foreign_keys=[(("OWNER_ID",), "MARKET.PERSON", ("ID",))],
    )
    person = Table(
        "PERSON",
        (ID, Column("BOSS", "NUMBER(9,0)"), Column("NAME", "VARCHAR2(9)")),
        [employee(number) for number in range(40)],  # type: ignore[misc]  # values
        primary_key=("ID",),
        unique=[("NAME",)],
        foreign_keys=[(("BOSS",), "MARKET.PERSON", ("ID",))],
    )
    seat = Table(
        "SEAT",
        (ID, Column("TAKEN_BY", "VARCHAR2(9)"), Column("LEADER", "NUMBER(9,0)")),
        [(1, "E36", 37), (2, None, 38)],
        foreign_keys=[(("TAKEN_BY",), "MARKET.PERSON", ("NAME",)),
                      (("LEADER",), "MARKET.PERSON", ("ID",))],
    )  # fmt: skip
    lot = Table("LOT", (ID, Column("SIZE", "NUMBER(9,2)")), [(n, n) for n in range(TRADES - 1)],
                primary_key=("ID",))  # fmt: skip
    trade = Table(
        "TRADE",
        (ID, Column("DESK", "CHAR(4)"), Column("DAY", "DATE"), Column("LOT_ID", "NUMBER(9,0)")),
        [(n, None if n == 7 else f"D{n % 2}  ", Timestamp(2026, 1, 1 + n % 20), n)
         for n in range(TRADES)],
        primary_key=("ID",),
        foreign_keys=[(("DESK", "DAY"), "MARKET.BOOK", ("DESK", "DAY")),
                      (("LOT_ID",), "MARKET.LOT", ("ID",))],
    )  # fmt: skip
    tables = [book, person, seat, lot, trade]
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as server:
        yield server


@pytest.fixture
def server(desk_server: OracleServer) -> Iterator[OracleServer]:
    """The server without faults."""
    desk_server.faults = Faults()
    desk_server.reset()
    yield desk_server
    assert desk_server.record.oddities == []


def assert_joined(bundle: Path) -> None:
    """Assert that each foreign key in the bundle has its row, and that no row comes twice."""
    loaded = marketpulse.load(bundle)
    with open_bundle(bundle) as source:
        for schema in source.describe_all(list(loaded)):
            rows = loaded.arrow(schema.table.name).to_pylist()
            for unique in filter(None, (schema.primary_key, *schema.unique)):
                keys = [tuple(row[name] for name in unique) for row in rows]
                assert len(keys) == len({*keys})
            for key in schema.foreign_keys:
                if key.table in loaded:
                    targets = loaded.arrow(key.table).select(list(key.references)).to_pylist()
                    found = {tuple(target.values()) for target in targets}
                    wanted = {tuple(row[name] for name in key.columns) for row in rows}
                    assert {value for value in wanted if None not in value} <= found


def assert_in_grammar(server: OracleServer, table: str = '"MARKET"') -> None:
    """Assert that an independent grammar of Oracle has the statements that read rows."""
    statements = {s.sql for s in server.record.statements if f"FROM {table}" in s.sql}
    assert statements
    for sql in statements:
        assert Linter(dialect="oracle").parse_string(sql).violations == [], sql


def sample(tool: Tool, server: OracleServer, *words: object) -> str:
    """Take a sample of the database; return what is said."""
    result = tool.run("sample", *words, env=oracle_environment(server))
    assert result.code == 0, result.err
    return result.err


def test_a_sample_of_a_database_joins(server: OracleServer, tool: Tool) -> None:
    """More than a thousand keys, keys of two columns, chains and circles are followed."""
    sample(tool, server, "TRADE", "--follow", "--limit", 1050, "--output", "out")
    bundle = tool.folder / "out"
    assert_joined(bundle)
    assert verify_bundle(bundle).faults == ()
    rows = {table["name"]: table["rows"] for table in manifest_of(bundle)["tables"]}
    assert rows == {"TRADE": 1050, "BOOK": 20, "LOT": 1050, "PERSON": 40}
    lists = [s.sql for s in server.record.statements if 'FROM "MARKET"."LOT"' in s.sql]
    assert sorted(sql.count(":v") for sql in lists) == [0, 50, 1000]


def test_named_tables_get_what_is_missing(server: OracleServer, tool: Tool) -> None:
    """A named table keeps its sample, and what foreign keys refer to is added to it."""
    words = ("PERSON", "TRADE", "--follow", "--random", "--seed", 3, "--limit", 2)
    sample(tool, server, *words, "--output", "a")
    sample(tool, server, *words, "--output", "b")
    assert_joined(tool.folder / "a")
    for name in ("PERSON", "TRADE", "BOOK"):
        first, second = (marketpulse.load(tool.folder / out).arrow(name) for out in "ab")
        assert first == second
    statement = manifest_of(tool.folder / "a")["tables"][2]["statement"]
    assert statement == (
        '(SELECT * FROM PERSON ORDER BY ORA_HASH("ID", 4294967295, 3), "ID" '
        "FETCH FIRST 2 ROWS ONLY) UNION SELECT * FROM PERSON WHERE (ID) IN "
        "(SELECT BOSS FROM PERSON) OR (ID) IN (SELECT OWNER_ID FROM BOOK)"
    )
    assert_in_grammar(server)


def test_keys_that_are_not_primary_are_followed(server: OracleServer, tool: Tool) -> None:
    """Two foreign keys refer to one table by different columns; a row that both mean comes once."""
    said = sample(tool, server, "SEAT", "--follow", "--output", "out")
    assert_joined(tool.folder / "out")
    people = marketpulse.load(tool.folder / "out").arrow("PERSON")["NAME"].to_pylist()
    assert sorted(people) == ["E36", "E37", "E38", "E39"]
    assert "warning" not in said


def test_a_reference_without_a_row_is_noted(server: OracleServer, tool: Tool) -> None:
    """A disabled constraint permits it; the manifest says how many there are."""
    where = ("--where", f"ID >= {TRADES - 2}")
    said = sample(tool, server, "TRADE", "--follow", *where, "--output", "out")
    assert "LOT: 1 value has no row with this ID, although foreign keys refer to it" in said


def test_a_cut_connection_changes_nothing(server: OracleServer, tool: Tool) -> None:
    """Rows that were read before the cut do not come twice, and none is missing."""
    sample(tool, server, "TRADE", "--follow", "--limit", 300, "--output", "whole")
    server.faults = Faults(cut_at_row=150, connections=1)
    sample(tool, server, "TRADE", "--follow", "--limit", 300, "--output", "cut")
    for name in ("TRADE", "BOOK", "LOT", "PERSON"):
        whole, cut = (marketpulse.load(tool.folder / out).arrow(name) for out in ("whole", "cut"))
        assert whole == cut


def test_newest_rows_of_each_key(server: OracleServer, tool: Tool) -> None:
    """The server numbers the rows of each key; the only date says what is newest."""
    words = ("TRADE", "--per", "desk", 2, "--columns", "DESK,DAY,ID", "--output", "out")
    assert 'the newest rows are those by "DAY" DESC' in sample(tool, server, *words)
    rows = marketpulse.load(tool.folder / "out").arrow("TRADE").to_pylist()
    assert [(row["DESK"], row["DAY"].day, row["ID"]) for row in rows] == [
        ("D1  ", 20, 1099), ("D1  ", 20, 1079), ("D0  ", 19, 1098), ("D0  ", 19, 1078),
        (None, 8, 7),
    ]  # fmt: skip
    assert_in_grammar(server)


def test_options_about_rows_are_for_the_named_tables(server: OracleServer, tool: Tool) -> None:
    """The tables that are reached need not have the columns of --per, --where and --order-by."""
    words = ("TRADE", "--follow", "--per", "LOT_ID", 1, "--where", "LOT_ID IN (5, 6)")
    said = sample(tool, server, *words, "--order-by", "LOT_ID DESC", "--output", "out")
    assert "warning" not in said
    assert_joined(tool.folder / "out")
    rows = {table["name"]: table["rows"] for table in manifest_of(tool.folder / "out")["tables"]}
    assert rows == {"TRADE": 2, "BOOK": 2, "LOT": 2, "PERSON": 35}


def test_rows_of_a_query_are_chosen(server: OracleServer, tool: Tool) -> None:
    """A query has no key: all of its columns are hashed, and decide between equal rows."""
    (tool.folder / "feed.sql").write_text("SELECT id, desk FROM market.trade", encoding="utf-8")
    for words, count in ((("--random", "--limit", 4), 4), (("--per", "DESK", 1), 3)):
        order = ("--order-by", "DESK") if "--per" in words else ()
        sample(tool, server, "--query", "feed.sql", *words, *order, "--output", "out")
        (table,) = manifest_of(tool.folder / "out")["tables"]
        assert table["rows"] == count
        assert 'ORDER BY MOD(ORA_HASH("ID"' in table["statement"] or "ROW_NUMBER" in str(table)
    assert_in_grammar(server, "market.trade")


def test_a_sample_of_a_bundle_joins(tmp_path: Path) -> None:
    """A bundle is a source like others; its sample has no more tables than are needed."""
    everything = extract(tmp_path / "all", "COLORS", "SECURITIES", "DEALERS",
                         options=SampleOptions(limit=None))  # fmt: skip
    options = SampleOptions(limit=7, seed=1, follow=True)
    for source in ("demo", everything.folder):
        written = extract(tmp_path / "few", "COLORS", source=source, options=options, replace=True)
        assert [table.name for table in written.manifest.tables] == [
            "COLORS",
            "DEALERS",
            "SECURITIES",
        ]
        assert_joined(written.folder)
    alone = extract(tmp_path / "alone", "COLORS", options=SampleOptions(limit=2))
    written = extract(tmp_path / "none", "COLORS", source=alone.folder, options=options)
    (table,) = written.manifest.tables
    assert [note for note in table.notes if "SOURCE" in note] == [
        "SOURCE is not followed: DEALERS is not among the tables that can be read"
    ]


def test_the_plan_of_a_sample_that_joins(server: OracleServer) -> None:
    """The plan has the tables that will be reached, and reads no row."""
    with open_source(server) as source:
        options = SampleOptions(follow=True)
        planned = plan_sample(describe_sample(source, ["TRADE"], options), options, TAKEN_AT)
    assert {plan.table: plan.rows for plan in planned} == dict.fromkeys(
        ("TRADE", "BOOK", "LOT", "PERSON")
    )
    assert not any('FROM "MARKET"' in statement.sql for statement in server.record.statements)


def test_the_newest_rows_of_a_file_are_those_of_its_column_date(tool: Tool) -> None:
    """The column of the contract is a date, although every cell of CSV is text; no other is."""
    rows = ("2,A,2026-03-12,2026-03-14", "1,A,2026-03-13,", "3,B,,2026-03-01")
    content = "\n".join(["MESSAGE_ID,CUSIP,DATE,DATE_1", *rows, ""])
    (tool.folder / "day.csv").write_text(content, encoding="utf-8")
    result = tool.run("sample", "--source", "day.csv", "--per", "CUSIP", 1)
    assert 'the newest rows are those by "DATE" DESC' in result.err
    loaded = marketpulse.load(tool.folder / "sample_data").arrow("day")
    assert loaded["MESSAGE_ID"].to_pylist() == ["1", "3"]


def test_what_cannot_be_combined(tool: Tool) -> None:
    """An option that would change nothing is refused, with what to do instead."""
    for words, message in {
        ("--random", "--all"): "--all already takes every row",
        ("--random", "--order-by", "PX"): "--random and --order-by both say which rows",
        ("--random", "--per", "CUSIP", "2"): "--random and --per both say which rows",
        ("--per", "CUSIP", "0"): "1 or more",
        ("--per", "CUSIPS", "1"): "did you mean: CUSIP",
        ("--follow", "--columns", "PX"): "--columns leaves some out",
    }.items():
        code = 6 if "CUSIPS" in words else 2
        assert message in run(tool, "sample", "COLORS", "--source", "demo", *words, code=code)
    with pytest.raises(UsageError, match="there is no foreign key in DEALERS"):
        extract(tool.folder / "out", "DEALERS", options=SampleOptions(follow=True))
