"""Scans of an Oracle database: statements, conditions, order, values that need a second attempt."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from oracle_server.client import assert_read_only, open_source
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool

from marketpulse.errors import NotFoundError, UsageError


def test_order_compares_numbers(server: OracleServer) -> None:
    """The database sorts a NUMBER that becomes text as a number."""
    with open_source(server) as source:
        reader = source.scan("COLORS_TABLE", ["PX"], 20, where="PX IS NOT NULL", order="PX DESC")
        prices = [Decimal(price) for price in reader.read_all()["PX"].to_pylist()]

    assert prices == sorted(prices, reverse=True)
    assert len(prices) == 20


@pytest.mark.parametrize(
    "condition",
    ["1=1; DELETE FROM COLORS_TABLE", "PX > 1 UNION SELECT 1", "(SELECT 1 FROM DUAL) = 1", "PX >"],
)
def test_a_condition_is_one_condition(server: OracleServer, condition: str) -> None:
    """A second statement or a query in a condition is refused, and not sent."""
    with open_source(server) as source, pytest.raises(UsageError):
        source.scan("COLORS_TABLE", where=condition)
    assert_read_only(server)


@pytest.mark.parametrize("word", ["MEMBER", "OVERLAPS"])
def test_a_legal_word_is_refused_by_its_name(server: OracleServer, word: str) -> None:
    """A condition that Oracle has and that is not supported is not called a mistake."""
    with (
        open_source(server) as source,
        pytest.raises(UsageError, match=f"{word}: Oracle has it, but it is not supported"),
    ):
        source.scan("COLORS_TABLE", where=f"CUSIP {word} OF x")


def test_an_unknown_column(server: OracleServer) -> None:
    """The error suggests a column, and no statement is sent."""
    with open_source(server) as source:
        source.describe("COLORS_TABLE")
        sent = len(server.record.statements)
        with pytest.raises(NotFoundError, match="there is no column 'CUSIPS'") as caught:
            source.scan("COLORS_TABLE", ["CUSIPS"])
        assert len(server.record.statements) == sent
    assert caught.value.hint == "did you mean: CUSIP"


def test_a_limit_is_part_of_the_statement(server: OracleServer) -> None:
    """The database returns only the rows of the limit, except with a LONG: there Oracle cannot."""
    with open_source(server) as source:
        assert source.scan("COLORS_TABLE", ["CUSIP"], limit=3).read_all().num_rows == 3
        assert source.scan("CHAPTERS", limit=2).read_all().num_rows == 2
    scans = [
        statement.sql for statement in server.record.statements if '"MARKET".' in statement.sql
    ]
    assert [sql.partition(" FETCH")[2] for sql in scans] == [" FIRST 3 ROWS ONLY", ""]


def test_old_dates(server: OracleServer) -> None:
    """Dates before the year 1 arrive, after a second statement; later scans need only one."""
    with open_source(server) as source:
        for scans in (2, 3):
            dates = source.scan("ALL_TYPES", ["A_DATE"]).read_all()["A_DATE"]
            assert "-0043-03-15 08:30:00" in dates.cast(pa.string()).to_pylist()
            statements = [statement.sql for statement in server.record.statements]
            assert sum('FROM "MARKET"."ALL_TYPES"' in sql for sql in statements) == scans


def test_count(server: OracleServer) -> None:
    """`count` counts in the database."""
    with open_source(server) as source:
        assert source.count("COLORS_TABLE") == 200
        assert source.count("QUOTES") == 200
    assert server.record.statements[-1].sql == 'SELECT COUNT(*) FROM "MARKET"."COLORS_TABLE"'


def test_details(server: OracleServer) -> None:
    """The details tell version, schema and character sets; no SCN, which this user may not read."""
    with open_source(server) as source:
        details = source.info().details
    assert details["character_set"] == "AL32UTF8"
    assert details["national_character_set"] == "AL16UTF16"
    assert (details["driver"], details["schema"]) == ("thin", "MARKET")
    assert "scn" not in details


def test_every_statement_is_oracle_sql(server: OracleServer, tool: Tool) -> None:
    """An independent grammar of Oracle's SQL parses the statements of all commands."""
    for words in (
        ["list-tables"],
        ["sample", "COLORS_TABLE", "SECURITIES", "--output", "two"],
        ["sample", "COLORS_TABLE", "--where", "RANK <= 3 AND CUSIP LIKE '0%'",
         "--order-by", "PX DESC"],
        ["sample", "ALL_TYPES", "--output", "types"],
        ["list-tables", "--exact", "--schema", "treasury"],
    ):  # fmt: skip
        result = tool.run(*words)
        assert result.code == 0, result.err
    assert_read_only(server)


def test_a_failing_table_leaves_the_others(server: OracleServer, tool: Tool) -> None:
    """After ORA-01555 in one table the others stay, and the manifest says so; exit code 9."""
    server.faults = Faults(fail_at_row=(150, 1555))  # the dictionary's answers are shorter
    result = tool.run("sample", "SECURITIES", "COLORS_TABLE")

    assert result.code == 9, result.err
    assert "ORA-01555" in result.err
    manifest = json.loads((tool.folder / "sample_data" / "manifest.json").read_text("utf-8"))
    assert manifest["complete"] is False
    complete = [(table["name"], table["rows"]) for table in manifest["tables"] if table["files"]]
    assert complete == [("SECURITIES", 6)]
    assert tool.run("verify", "sample_data").code == 9


def test_colors_from_the_database(tool: Tool) -> None:
    """run-colors gives the same counts on the database and on a sample of it."""
    live = tool.run("run-colors", "--source", "oracle", "--output", "live")
    assert live.code == 0, live.err
    assert tool.run("sample", "--all", "--formats", "parquet").code == 0
    sampled = tool.run("run-colors", "sample_data", "--output", "sampled")
    assert sampled.code == 0, sampled.err
    from_database, from_sample = (
        json.loads((tool.folder / folder / "run_summary.json").read_text("utf-8"))
        for folder in ("live", "sampled")
    )
    assert from_database["rows"] == from_sample["rows"]
