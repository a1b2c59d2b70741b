"""DuckDB statements: they run, keep names, comments and keys, and hold every value."""

import re
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schemas import DEMO_TABLES, ODD_TEXT, table_of
from support import Tool

from marketpulse.extraction.ddl import format_ddl
from marketpulse.formats.decode import column_of
from marketpulse.model import Column, ForeignKey
from marketpulse.sources import Source

CREATED_TABLES = "SELECT table_name, comment FROM duckdb_tables() ORDER BY table_oid"
CREATED_COLUMNS = """
SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal
ORDER BY table_oid, column_index
"""


def create(statements: str) -> duckdb.DuckDBPyConnection:
    """Return a new database in which the statements were executed."""
    database = duckdb.connect()
    database.execute(statements)
    return database


@pytest.mark.parametrize(
    "tables", [*([table] for table in DEMO_TABLES), DEMO_TABLES], ids=lambda tables: tables[-1]
)
def test_the_tables_hold_every_row(tables: list[str], market: Source) -> None:
    """DuckDB executes the statements, and the tables give back every value."""
    schemas = [market.describe(table) for table in tables]
    statements = format_ddl(schemas)
    assert statements == format_ddl(schemas)
    with create(statements) as database:
        comments = dict(database.execute(CREATED_TABLES).fetchall())
        assert list(comments.values()) == [schema.table.comment or None for schema in schemas]
        for name, schema in zip(comments, schemas, strict=True):
            rows = market.scan(schema.table.name).read_all()
            quoted = '"' + name.replace('"', '""') + '"'
            database.execute(f"INSERT INTO {quoted} SELECT * FROM rows")
            table: Any = database.sql(f"FROM {quoted}").to_arrow_table()
            assert table.column_names == [column.name for column in schema.columns]
            for actual, expected in zip(table.columns, rows.columns, strict=True):
                assert str(actual.cast(expected.type).to_pylist()) == str(expected.to_pylist())


def test_keys_and_checks(market: Source) -> None:
    """Primary and unique keys are constraints; foreign keys and checks are comments."""
    statements = format_ddl([market.describe("SECURITIES")])
    with create(statements) as database:
        keys = database.execute(
            "SELECT constraint_type, constraint_column_names FROM duckdb_constraints() "
            "WHERE constraint_type <> 'NOT NULL'"
        ).fetchall()
    assert sorted(keys) == [("PRIMARY KEY", ["CUSIP"]), ("UNIQUE", ["SECURITY_ID"])]
    assert '-- foreign key "LEAD" references "DEALERS": "CODE"' in statements
    assert "-- check: (MATURES > ISSUED)" in statements


def test_types_that_duckdb_does_not_have_are_text() -> None:
    """A comment names the type; no column has a type that loses digits."""
    kinds = [pa.float16(), pa.decimal256(60, 2), pa.duration("ns")]
    kinds += [pa.struct([("a", pa.int8()), ("A", pa.int8())]), pa.decimal128(5, -2)]
    columns = [column_of(pa.field(f"c{index}", kind)) for index, kind in enumerate(kinds)]
    columns.append(Column("n", "", "string", logical_type="number"))
    statements = format_ddl([table_of(*columns)])
    assert statements.count(" as text: DuckDB has no such type") == len(kinds)
    assert '"n" VARCHAR  -- text, logical type number' in statements
    create(statements).close()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(ODD_TEXT, min_size=1, unique=True),
    st.lists(ODD_TEXT, min_size=1, unique=True),
    ODD_TEXT,
)
def test_statements_keep_names_and_comments(
    tables: list[str], names: list[str], comment: str
) -> None:
    """Names that DuckDB accepts are unchanged; others get a number."""
    columns = [Column(name, "", "int8", comment=comment) for name in names]
    foreign_key = ForeignKey((comment,), comment, (comment,))
    statements = format_ddl(
        [
            table_of(
                *columns,
                table=table,
                comment=comment,
                checks=(comment,),
                primary_key=(names[0],),
                foreign_keys=(foreign_key,),
            )
            for table in tables
        ]
    )
    with create(statements) as database:
        for query, sources in ((CREATED_TABLES, tables), (CREATED_COLUMNS, names * len(tables))):
            rows = database.execute(query).fetchall()
            assert [text or "" for _, text in rows] == [comment] * len(sources)
            for (name, _), source in zip(rows, sources, strict=True):
                assert name == source or re.fullmatch(re.escape(source or "_") + r"(_\d+)?", name)


def test_ddl_is_not_json(tool: Tool) -> None:
    """--ddl with --format json is wrong usage; nothing is written."""
    words = ("--ddl", "duckdb", "--format", "json", "--models", "models.py")
    result = tool.run("schema", "COLORS", "--source", "demo", *words)
    assert (result.code, result.out, (tool.folder / "models.py").exists()) == (2, "", False)
