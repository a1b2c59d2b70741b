"""The commands `list-tables`, `schema`, `sample` and `verify`: options and formats."""

import csv
import io
import json

from support import Tool, names_in, one_message

DEMO = ("--source", "demo")


def test_list_tables_in_three_formats(tool: Tool) -> None:
    """Table, JSON and CSV list the same tables; CSV and JSON have the same columns."""
    table, as_json, as_csv = (
        tool.run("list-tables", *DEMO, "--format", name) for name in ("table", "json", "csv")
    )

    assert (table.code, as_json.code, as_csv.code) == (0, 0, 0)
    tables = json.loads(as_json.out)
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert [row["table"] for row in rows] == [described["name"] for described in tables]
    assert [*rows[0]][1:] == [*tables[0]][1:]
    assert len(table.out.splitlines()) == len(tables) + 1


def test_schema_prints_sql_or_json(tool: Tool) -> None:
    """--ddl prints statements that DuckDB can run; with --format json it is wrong usage."""
    statements = tool.run("schema", "DEALERS", *DEMO, "--ddl", "duckdb")
    refused = tool.run("schema", "DEALERS", *DEMO, "--ddl", "duckdb", "--format", "json")

    assert statements.code == 0
    assert "CREATE TABLE" in statements.out
    assert (refused.code, refused.out) == (2, "")


def test_a_dry_run_writes_nothing(tool: Tool) -> None:
    """Sample --dry-run shows the statement and the files. There is nothing to push."""
    words = ("sample", "DEALERS", *DEMO, "--dry-run")
    planned = tool.run(*words)
    refused = tool.run(*words, "--push", "s3://desk/samples")

    assert planned.code == 0
    assert planned.out.startswith("SELECT * FROM DEALERS")
    assert refused.code == 2
    assert "--push" in one_message(refused.err)
    assert names_in(tool.folder) == ["tmp"]


def test_excel_adds_a_workbook(tool: Tool) -> None:
    """--profile excel writes CSV, JSON and XLSX unless --formats names others."""
    words = ("sample", "DEALERS", *DEMO, "--profile", "excel", "--dry-run", "--format", "json")
    usual, chosen = tool.run(*words), tool.run(*words, "--formats", "csv")

    def endings(text: str) -> list[str]:
        (planned,) = json.loads(text)
        return [name.rpartition(".")[2] for name in planned["files"]]

    assert endings(usual.out) == ["csv", "json", "xlsx"]
    assert endings(chosen.out) == ["csv"]


def test_verify_finds_a_changed_file(tool: Tool) -> None:
    """Verify exits with 0 for an unchanged bundle, with 7 if a file was changed."""
    assert tool.run("sample", "DEALERS", *DEMO, "--output", "bundle").code == 0
    unchanged = tool.run("verify", "bundle")
    (sample,) = (tool.folder / "bundle").glob("*.csv")
    sample.write_text(sample.read_text(encoding="utf-8") + "x", encoding="utf-8")
    changed = tool.run("verify", "bundle")

    assert (unchanged.code, changed.code) == (0, 7)
    assert "bundle: every file is unchanged" in unchanged.out
    assert sample.name in changed.out
