"""Oracle's dictionary as the source shows it: kinds, estimates, columns, keys and indexes."""

from collections import Counter
from collections.abc import Iterator

import pytest
from oracle_server.client import open_source
from oracle_server.server import OracleServer

from marketpulse.model import ForeignKey, Index, Table
from marketpulse.sources.oracle import OracleSource


@pytest.fixture
def source(server: OracleServer) -> Iterator[OracleSource]:
    """The market, as an analyst sees it."""
    with open_source(server) as opened:
        yield opened


def test_relations(source: OracleSource) -> None:
    """A relation has its kind, comment, owner, estimates and their age."""
    tables = {table.name: table for table in source.tables()}
    assert tables["COLORS_TABLE"] == Table(
        name="COLORS_TABLE",
        kind="table",
        rows=200,
        comment="What dealers said about prices",
        schema="MARKET",
        rows_as_of="2026-03-01",
        bytes=20_000,
        changed="2020-01-02",
    )
    assert tables["SECURITY_COLORS"].kind == "view"
    assert (tables["DAILY"].kind, tables["DAILY"].rows) == ("materialized view", 1)
    assert (tables["YIELDS"].kind, tables["YIELDS"].target) == ("synonym", "TREASURY.RATES")
    assert tables["FAR"].target == "COLORS@OTHERDB"
    assert tables["TREASURY.RATES"].comment == "Another schema's"


def test_one_statement_lists_all(server: OracleServer, source: OracleSource) -> None:
    """However many tables there are, one statement lists them."""
    before = len(server.record.statements)
    source.tables()
    assert len(server.record.statements) == before + 1


def test_columns(source: OracleSource) -> None:
    """A column has its type, whether it may be null, its comment and its default."""
    columns = {column.name: column for column in source.describe("COLORS_TABLE").columns}
    message_id, bid, note = columns["MESSAGE_ID"], columns["BID"], columns["NOTE"]
    assert (message_id.type, message_id.arrow_type) == ("NUMBER(17,0)", "int64")
    assert not message_id.nullable
    assert message_id.comment == "One message brings many colors"
    assert (bid.type, bid.default) == ("NUMBER(12,4)", "0")
    assert (note.type, note.nullable) == ("CLOB", True)


def test_keys(source: OracleSource) -> None:
    """Primary, unique and foreign keys, checks and indexes, also on expressions."""
    colors, securities = source.describe_all(["COLORS_TABLE", "SECURITIES"])
    assert securities.primary_key == ("CUSIP",)
    assert securities.unique == (("TICKER",),)
    assert colors.foreign_keys == (ForeignKey(("CUSIP",), "SECURITIES", ("CUSIP",)),)
    assert '"RANK" BETWEEN 1 AND 6' in colors.checks
    assert Index("COLORS_CUSIP", ("CUSIP", "DATE")) in colors.indexes
    assert Index("COLORS_UPPER", ("UPPER(TICKER)",)) in colors.indexes


def test_statements_do_not_depend_on_the_tables(server: OracleServer, source: OracleSource) -> None:
    """Describing six tables takes as many statements as describing one."""
    counts = Counter[int]()
    source.tables()
    for names in (["CON"], ["COLORS_TABLE", "SECURITIES", "ALL_TYPES", "EMPTY", "BROKEN", "A/B"]):
        before = len(server.record.statements)
        source.describe_all(names)
        counts[len(names)] = len(server.record.statements) - before
    assert counts[6] <= counts[1]
