"""Comparisons: what differs is named, once, with both sides; equal sources have no difference."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import extract, manifest_of, run, write_manifest
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.server import OracleServer
from samples import write_lines
from support import Tool

from marketpulse.cli.console import progress
from marketpulse.errors import DataError, NotFoundError
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.extraction.source_comparison import SourceComparison, compare_sources
from marketpulse.sources import open_source


def compare(
    left: object, right: object, *names: str, schema_only: bool = False
) -> SourceComparison:
    """Compare two sources in this process."""
    with open_source(str(left)) as first, open_source(str(right)) as second:
        return compare_sources(
            first, second, names, schema_only=schema_only, progress=progress(quiet=True)
        )


def found(comparison: SourceComparison) -> list[tuple[object, ...]]:
    """Return the differences as rows."""
    return [
        (change.table, change.column, change.what, change.left, change.right)
        for change in comparison.differences
    ]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All rows of two tables."""
    folder = tmp_path_factory.mktemp("all") / "all"
    tables = ("DEALERS", "SECURITIES")
    return extract(folder, *tables, options=SampleOptions(limit=None, formats=("csv",))).folder


def test_equal_sources(everything: Path, tmp_path: Path) -> None:
    """A bundle equals the database that it is of, and itself in another format."""
    options = SampleOptions(limit=None, formats=("parquet",))
    other = extract(tmp_path / "b", "DEALERS", "SECURITIES", source=everything, options=options)
    for right in ("demo", other.folder):
        comparison = compare(everything, right)
        assert comparison.tables == ("DEALERS", "SECURITIES")
        assert found(comparison) == []
        assert comparison.skipped == ()


def test_tables_columns_and_rows(everything: Path, tmp_path: Path) -> None:
    """A missing table, a missing column and other rows are differences; each is shown once."""
    options = SampleOptions(limit=15, columns=("CODE", "CITY", "SINCE"), formats=("csv",))
    few = extract(tmp_path / "few", "DEALERS", options=options).folder
    assert found(compare(everything, few)) == [
        ("DEALERS", "NAME", "column", "VARCHAR", None),
        ("DEALERS", "", "rows", 17, 15),
        ("DEALERS", "CODE", "distinct", 17, 15),
        ("DEALERS", "CODE", "highest", "RVS", "PNC"),
        ("DEALERS", "CITY", "distinct", 11, 10),
        ("DEALERS", "SINCE", "distinct", 16, 14),
        ("DEALERS", "SINCE", "highest", "2019-09-09", "2015-07-20"),
        ("SECURITIES", "", "table", "SECURITIES", None),
    ]


def test_types_and_keys_of_descriptions(tool: Tool) -> None:
    """Without rows, only the descriptions are compared: types, nulls, keys, the order."""
    for name in "ab":
        run(tool, "schema", "COLORS", "DEALERS", "--source", "demo", "--output", name)
    path = tool.folder / "b" / "DEALERS_schema.json"
    schema = json.loads(path.read_text("utf-8"))
    schema["columns"][2] |= {"type": "VARCHAR(40)", "nullable": False}
    schema["columns"].append(schema["columns"].pop(0))
    schema |= {"primary_key": [], "unique": []}
    schema["foreign_keys"] = [{"columns": ["CITY"], "table": "CITIES", "references": ["NAME"]}]
    path.write_text(json.dumps(schema), encoding="utf-8")
    manifest = manifest_of(path.parent)
    (record,) = (file for file in manifest["files"] if file["name"] == path.name)
    content = path.read_bytes()
    record |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_manifest(path.parent, manifest)
    comparison = compare(tool.folder / "a", tool.folder / "b", schema_only=True)
    assert found(comparison) == [
        ("DEALERS", "", "order", ["CODE", "NAME", "CITY", "SINCE"],
         ["NAME", "CITY", "SINCE", "CODE"]),
        ("DEALERS", "CITY", "type", "VARCHAR", "VARCHAR(40)"),
        ("DEALERS", "CITY", "nullable", True, False),
        ("DEALERS", "", "primary key", ["CODE"], []),
        ("DEALERS", "", "unique keys", ["NAME"], []),
        ("DEALERS", "", "foreign keys", [], ["CITY → CITIES (NAME)"]),
    ]  # fmt: skip
    said = tool.run("diff", "a", "demo", "DEALERS")
    assert said.code == 9
    assert "the rows of DEALERS were not compared: a: it holds no rows of DEALERS" in said.err


def test_files_are_one_table(tmp_path: Path, everything: Path) -> None:
    """Files are compared whatever they are called; numbers by their values, not their digits."""
    left = write_lines(tmp_path / "monday.csv", "CUSIP,PX", "a,1", "b,2.50")
    right = write_lines(tmp_path / "friday.csv", "CUSIP,PX", "a,1.0", "b,2.5")
    assert found(compare(left, right)) == []
    write_lines(right, "CUSIP,PX", "a,1.0", "b,")
    assert found(compare(left, right)) == [
        ("monday", "PX", "nulls", 0, 1),
        ("monday", "PX", "distinct", 2, 1),
        ("monday", "PX", "highest", "2.50", "1.0"),
    ]
    write_lines(right, "CUSIP,PX", "a,1.0", "b,2,5")
    with pytest.raises(DataError, match="3 fields instead of 2"):
        compare(left, right)
    dealers = next(everything.glob("DEALERS*.csv"))
    differences = found(compare(dealers, everything, "DEALERS"))
    assert {what for _, _, what, *_ in differences} == {
        "type",
        "nullable",
        "primary key",
        "unique keys",
    }


def test_the_exit_code_says_whether_there_is_a_difference(tool: Tool, everything: Path) -> None:
    """0 without a difference, 7 with one, 6 for a table that neither side has."""
    assert "no difference in 2 tables" in run(tool, "diff", everything, "demo")
    differs = tool.run("diff", everything, "demo", "SECURITIES", "COLORS", "--format", "json")
    assert differs.code == 7
    assert json.loads(differs.out)["differences"] == [
        {"table": "COLORS", "column": "", "what": "table", "left": None, "right": "COLORS"}
    ]
    with pytest.raises(NotFoundError, match="NOWHERE"):
        compare(everything, "demo", "NOWHERE")


def test_a_bundle_and_its_database(tool: Tool) -> None:
    """Of a database only the tables of the bundle are compared; what has changed is found."""
    columns = (Column("ID", "NUMBER(9,0)", nullable=False), Column("PX", "NUMBER"))
    rows: list[tuple[int, int | None]] = [(1, 5), (2, None)]
    tables = [Table(name, columns, rows, primary_key=("ID",)) for name in ("PRICES", "OTHER")]
    for content, code in (([*rows], 0), ([*rows, (3, 7)], 7)):
        changed = replace(tables[0], rows=content)
        engine = DuckEngine(Catalog([changed, tables[1]]))
        with OracleServer(engine, users={"ANALYST": PASSWORD}) as server:
            env = oracle_environment(server)
            if not code:
                words = ("sample", "PRICES", "--all", "--output", "out")
                assert tool.run(*words, env=env).code == 0
            result = tool.run("diff", "out", "oracle", "--format", "json", env=env)
        assert result.code == code, result.err
    assert [
        (change["column"], change["what"], change["left"], change["right"])
        for change in json.loads(result.out)["differences"]
    ] == [
        ("", "rows", 2, 3),
        ("ID", "distinct", 2, 3),
        ("ID", "highest", "2", "3"),
        ("PX", "distinct", 1, 2),
        ("PX", "highest", "5", "7"),
    ]
