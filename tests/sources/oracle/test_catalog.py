"""Names of tables: which table a name means, and that no other is ever taken for it."""

import json
from pathlib import Path

import pytest
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import (
    PASSWORD,
    assert_read_only,
    open_source,
    oracle_environment,
    settings_for,
)
from oracle_server.engine import DuckEngine
from oracle_server.server import OracleServer
from support import Tool, names_in

from marketpulse.errors import NotFoundError
from marketpulse.sources.oracle import OracleDatabase, OracleSource


def test_similar_names_are_suggested(tool: Tool) -> None:
    """The error for a misspelt table suggests the right one."""
    done = tool.run("schema", "COLOR_TABLE")

    assert done.code == 6
    assert "did you mean: COLORS_TABLE" in done.err


def test_a_table_of_another_schema(server: OracleServer) -> None:
    """A name without an owner is not looked for in other schemas; the hint lists those."""
    with open_source(server) as source, pytest.raises(NotFoundError) as caught:
        source.find_table("rates")
    assert caught.value.hint == (
        "there is: TREASURY.RATES; write OWNER.TABLE, or set ORACLE_SCHEMA=OWNER"
    )


@pytest.mark.parametrize(
    "name",
    [
        "OTHER.COLORS_TABLE",
        "other.colors_table",
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
def test_no_other_table_is_taken(server: OracleServer, name: str) -> None:
    """A name that means no table is an error, however similar the name of another table is."""
    with open_source(server) as source:
        for look_up in (source.find_table, source.describe, source.scan):
            with pytest.raises(NotFoundError, match="there is no table") as caught:
                look_up(name)
            assert f"there is no table {name!r}" in caught.value.message
            assert caught.value.hint


@pytest.mark.parametrize("name", ["OTHER.COLORS_TABLE", ""])
def test_commands_take_no_other_table(tool: Tool, name: str) -> None:
    """The commands that take a table exit with 6, and write nothing."""
    for words in (["sample", name], ["schema", name], ["run-colors", "--table", name]):
        done = tool.run(*words)

        assert done.code == 6, done.out + done.err
        assert f"there is no table {name!r}" in done.err
        assert "  hint: " in done.err
        assert ("GRANT SELECT" in done.err) == ("." in name)
    assert {*names_in(tool.folder)} <= {"tmp", ".local"}  # logins are remembered in the latter


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    """Without quotes a name is in capitals; quotes make it exact."""
    column = (Column("ID", "NUMBER(3,0)"),)
    tables = [Table(name, column, [(1,)] * rows) for name, rows in (("colors", 1), ("COLORS", 2))]
    tables.append(Table("STRASSE", column, [(1,)]))
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as started:
        tool = Tool(tmp_path / "desk", oracle_environment(started))
        names = {"colors": 2, "COLORS": 2, '"colors"': 1, 'market."colors"': 1}
        for number, (name, rows) in enumerate(names.items()):
            done = tool.run("sample", name, "--format", "json", "--output", str(number))
            assert done.code == 0, done.err
            assert [table["rows"] for table in json.loads(done.out)["tables"]] == [rows]
        assert tool.run("sample", "straße").code == 6


def test_a_table_whose_name_differs_in_case_is_another_one() -> None:
    """OTHER.COLORS, which cannot be seen, is not "other".COLORS, and COLORS is not "colors"."""
    column = (Column("ID", "NUMBER(3,0)"),)
    tables = [Table("COLORS", column, [(1,)], schema="other"), Table("colors", column, [(1,)])]
    tables.append(Table("COLORS", column, [(1,)], schema="OTHER", visible_to=()))
    with (
        OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as started,
        open_source(started) as source,
    ):
        for name in ("OTHER.COLORS", "other.colors", "Colors"):
            with pytest.raises(NotFoundError, match="there is"):
                source.find_table(name)
        for name, listed in {'"other".COLORS': "other.COLORS", "colors": "colors"}.items():
            assert source.find_table(name) == listed


@pytest.mark.parametrize(
    ("name", "listed"),
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
def test_names(server: OracleServer, name: str, listed: str) -> None:
    """Each name of a table finds it, and it can be read."""
    with open_source(server) as source:
        assert source.find_table(name) == listed
        assert source.scan(listed, limit=1).read_all().num_rows == 1


@pytest.mark.parametrize(
    "name", ['X"; DROP TABLE Y --', "X' OR '1'='1", "a.b.c.d", '"', "", "COLORS_TABLE@OTHERDB"]
)
def test_a_hostile_name_is_not_found(server: OracleServer, name: str) -> None:
    """No part of an invalid name reaches the database as SQL."""
    with open_source(server) as source, pytest.raises(NotFoundError):
        source.scan(name)
    assert_read_only(server)


@pytest.mark.parametrize(
    ("synonym", "message", "hint"),
    [
        ("FAR", "is a synonym for a table of another database (OTHERDB)", "extract it from there"),
        ("DANGLING", "is a synonym for NOWHERE, which does not exist", "ask the DBA to GRANT"),
    ],
)
def test_a_synonym_without_a_table(
    server: OracleServer, synonym: str, message: str, hint: str
) -> None:
    """A synonym of a table that cannot be read is an error that says why."""
    with open_source(server) as source, pytest.raises(NotFoundError) as caught:
        source.describe(synonym)
    assert f"{synonym} {message}" in caught.value.message
    assert caught.value.hint.startswith(hint)
    assert caught.value.check == "MP-SRC-008"


def test_a_synonym_describes_its_table(server: OracleServer) -> None:
    """A synonym has the columns of its table, and the name of the synonym."""
    with open_source(server) as source:
        synonym, table = source.describe_all(["QUOTES", "COLORS_TABLE"])
    assert synonym.columns == table.columns
    assert (synonym.table.name, synonym.table.kind) == ("QUOTES", "synonym")
    assert synonym.table.target == "COLORS_TABLE"


def test_system_schemas(server: OracleServer) -> None:
    """Oracle's own schemas are listed only if you ask for them."""
    for system in (False, True):
        with OracleSource(OracleDatabase(settings_for(server)), system=system) as source:
            names = [table.name for table in source.tables()]
        assert ("SYS.DUAL$" in names) is system
        assert "HIDDEN" not in names


def test_thousands_of_tables() -> None:
    """Their number changes the rows of an answer, and not the statements."""
    columns = (Column("ID", "NUMBER(3,0)"),)
    tables = [Table(f"T{number}", columns, comment="one of many") for number in range(3000)]
    with OracleServer(DuckEngine(Catalog(tables)), users={"ANALYST": PASSWORD}) as many:
        with open_source(many) as source:
            assert len(source.tables()) == 3000
            source.describe("T2999")
        assert len(many.record.statements) == 6
        assert many.record.round_trips == 7
