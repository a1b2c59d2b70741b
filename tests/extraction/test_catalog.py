"""Listing and describing the tables of a source."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import COLORS, Tool

from marketpulse.errors import NotFoundError, OutputError
from marketpulse.extraction.catalog import describe, file_stems, find_tables, list_tables
from marketpulse.sources import open_source

AWKWARD = {'"Quoted"', "A/B", "CON", "x y", "é" * 60}


def test_a_list_is_complete() -> None:
    """Every table of the source is listed, with its number of rows."""
    with open_source("demo", rows=50) as market:
        listing = list_tables(market)
        rows = {table.name: len(market.scan(table.name).read_all()) for table in listing.tables}

    assert {table.name: table.rows for table in listing.tables} == rows
    assert rows.keys() >= {"COLORS", "Colors", "DEALERS", *AWKWARD}


@pytest.mark.parametrize(
    ("like", "names"),
    [
        ("color", ["COLORS", "Colors", "SECURITY_COLORS"]),
        ("color%", ["COLORS", "Colors"]),
        ("*_colors", ["SECURITY_COLORS"]),
        ("a/b", ["A/B"]),
        ("S%C%", ["SECURITIES", "SECURITY_COLORS"]),
    ],
)
def test_a_pattern_selects_tables(like: str, names: list[str]) -> None:
    """A pattern matches the whole name, other text any part of it; case makes no difference."""
    with open_source("demo", rows=1) as market:
        assert [table.name for table in list_tables(market, like).tables] == names


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["COLORS", "DEALERS", "colors"], ["COLORS", "DEALERS"]),
        (["DEALERS,SECURITIES"], ["DEALERS", "SECURITIES"]),
        (['"Colors",\'x\'y"'], None),
        (['"Colors",COLORS'], ["Colors", "COLORS"]),
        (["sec*", "D?ALERS"], ["SECURITIES", "SECURITY_COLORS", "DEALERS"]),
        (["COLORS*"], ["COLORS", "Colors"]),
        (["NOTHING*"], None),
        (['"COLORS*"'], None),
        (["COLORS,,DEALERS"], ["COLORS", "DEALERS"]),
    ],
)
def test_a_name_may_stand_for_several_tables(names: list[str], found: list[str] | None) -> None:
    """Commas and patterns, except in double quotes; what matches nothing is an error."""
    with open_source("demo", rows=1) as market:
        if found is None:
            with pytest.raises(NotFoundError):
                find_tables(market, names)
        else:
            assert find_tables(market, names) == found


@pytest.mark.parametrize("like", ["nothing", "C_LORS", ".*", "color["])
def test_a_pattern_without_match(like: str) -> None:
    """A pattern is not a regular expression; without a match it is an error, not an empty list."""
    with open_source("demo", rows=1) as market, pytest.raises(NotFoundError, match="is like"):
        list_tables(market, like)


def test_the_list_in_every_shape(tool: Tool) -> None:
    """Table, JSON, CSV and the files have the same content."""
    words = ("list-tables", "--source", "demo")
    as_json = tool.run(*words, "--format", "json", "--output", "new/folder")
    as_csv = tool.run(*words, "--format", "csv")
    as_table = tool.run(*words)

    tables = json.loads(as_json.out)
    folder = tool.folder / "new/folder"
    assert json.loads((folder / "accessible_tables.json").read_text("utf-8")) == tables
    database = json.loads((folder / "database_info.json").read_text("utf-8"))
    assert (database["kind"], database["name"]) == ("demo", "demo")
    assert as_json.err == "new/folder: database_info.json, accessible_tables.json\n"
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert rows == [
        {
            "table" if name == "name" else name: "" if value is None else str(value)
            for name, value in table.items()
        }
        for table in tables
    ]
    for row in rows:
        assert f"{row['table']} " in as_table.out


def test_schemas_are_printed_as_they_are_written(tool: Tool) -> None:
    """JSON on standard output is the content of the files, one for each table."""
    names = ["COLORS", "Colors", *sorted(AWKWARD)]
    quoted = [f'"{name}"' for name in names]
    words = ("--source", "demo", "--format", "json", "--output", "out")
    printed = json.loads(tool.run("schema", *quoted, *words).out)

    assert [schema["name"] for schema in printed] == names
    files = sorted((tool.folder / "out").glob("*_schema.json"))
    written = [json.loads(path.read_text("utf-8")) for path in files]
    assert sorted(schema["name"] for schema in written) == sorted(names)
    assert all(schema in printed for schema in written)
    assert {path.name for path in files} >= {"CON_schema.json", "COLORS_schema.json"}


def test_a_schema_is_complete() -> None:
    """Everything that the source knows of a table is in its JSON."""
    with open_source("demo", rows=1) as market:
        schema = market.describe("COLORS")
        (document,) = describe(market, ["COLORS"]).as_json()

    content = json.loads(json.dumps(asdict(schema)))
    assert json.loads(json.dumps(document)) == {**content.pop("table"), **content}


def test_a_table_that_is_named_twice_is_described_once() -> None:
    """A name that is given twice gives one schema."""
    with open_source("demo", rows=1) as market:
        schemas = describe(market, ["CON", "con"]).tables
        assert [schema.table.name for schema in schemas] == ["CON"]


def test_all_tables_are_described_without_names(tool: Tool) -> None:
    """A file has one; to sample one of several, it has to be named."""
    only = tool.run("schema", "--source", COLORS)
    assert (only.code, only.out.splitlines()[0]) == (0, "colors_day: file")
    several = tool.run("schema", "--source", "demo", "--format", "json")
    names = [table["name"] for table in json.loads(several.out)]
    assert {"COLORS", "DEALERS", "Colors", "x y"} <= {*names}
    assert several.out == tool.run("schema", "*", "--source", "demo", "--format", "json").out
    sampled = tool.run("sample", "--source", "demo")
    assert (sampled.code, sampled.out) == (6, "")
    assert "none was named" in sampled.err


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the place of the folder is an error."""
    (tmp_path / "file").touch()
    with open_source("demo", rows=1) as market, pytest.raises(OutputError):
        list_tables(market).write(tmp_path / "file")


@given(st.lists(st.text(min_size=1), unique=True))
def test_file_stems(names: list[str]) -> None:
    """Tables have different file names, also on file systems that ignore case."""
    stems = file_stems(names)

    assert set(stems) == set(names)
    assert len({stem.casefold() for stem in stems.values()}) == len(names)
    assert all(stem.isascii() and len(stem) < 100 for stem in stems.values())
    assert all(stem == file_stems([name])[name] or "~" in stem for name, stem in stems.items())


def test_usual_names_are_file_names() -> None:
    """The files of a table with a usual name begin with it."""
    assert file_stems(["COLORS_TABLE", "SYS$X#1", "lower"]) == {
        name: name for name in ("COLORS_TABLE", "SYS$X#1", "lower")
    }
