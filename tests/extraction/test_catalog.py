"""Listing and describing what a source holds."""

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import COLORS as DAY
from support import ROOT

from marketpulse.errors import NotFoundError, OutputError
from marketpulse.extraction.catalog import describe, file_stems, list_tables
from marketpulse.sources import open_source

AWKWARD = {'"Quoted"', "A/B", "CON", "x y", "é" * 60}


def run(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run marketpulse in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "marketpulse", *map(str, words)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_a_list_is_complete() -> None:
    """Every table of the source is listed, with the rows that it has."""
    with open_source("demo", rows=50) as market:
        listing = list_tables(market)
        counted = {it.name: len(market.scan(it.name).read_all()) for it in listing.tables}

    assert {it.name: it.rows for it in listing.tables} == counted
    assert counted.keys() >= {"COLORS", "Colors", "DEALERS", *AWKWARD}


@pytest.mark.parametrize(
    ("like", "found"),
    [
        ("color", ["COLORS", "Colors", "SECURITY_COLORS"]),
        ("color%", ["COLORS", "Colors"]),
        ("*_colors", ["SECURITY_COLORS"]),
        ("a/b", ["A/B"]),
        ("S%C%", ["SECURITIES", "SECURITY_COLORS"]),
    ],
)
def test_like(like: str, found: list[str]) -> None:
    """A pattern fits the whole name, a word any part of it; case makes no difference."""
    with open_source("demo", rows=1) as market:
        assert [it.name for it in list_tables(market, like).tables] == found


@pytest.mark.parametrize("like", ["nothing", "C_LORS", ".*", "color["])
def test_nothing_like_it(like: str) -> None:
    """A pattern is no regular expression, and none like it is an error, not an empty list."""
    with open_source("demo", rows=1) as market, pytest.raises(NotFoundError, match="is like"):
        list_tables(market, like)


def test_the_list_on_a_command_line(tmp_path: Path) -> None:
    """Table, JSON, CSV and the file tell the same."""
    words = ("list-tables", "--source", "demo")
    as_json = run(*words, "--format", "json", "--output", "made/here", folder=tmp_path)
    as_csv = run(*words, "--format", "csv", folder=tmp_path)
    as_table = run(*words, folder=tmp_path)

    listed = json.loads(as_json.stdout)
    assert json.loads((tmp_path / "made/here/accessible_tables.json").read_text("utf-8")) == listed
    told = json.loads((tmp_path / "made/here/database_info.json").read_text("utf-8"))
    assert (told["kind"], told["name"]) == ("demo", "demo")
    assert as_json.stderr == "made/here: database_info.json, accessible_tables.json\n"
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert rows == [
        {"table": it["name"], **{name: _as_cell(value) for name, value in [*it.items()][1:]}}
        for it in listed
    ]
    for row in rows:
        assert f"{row['table']} " in as_table.stdout


def _as_cell(value: object) -> str:
    return "" if value is None else str(value)


def test_schemas_on_a_command_line(tmp_path: Path) -> None:
    """What is printed is what is written, a file for each table."""
    names = ["COLORS", "Colors", *sorted(AWKWARD)]
    done = run(
        *(
            "schema",
            *(f'"{it}"' for it in names),
            "--source",
            "demo",
            "--format",
            "json",
            "--output",
            "out",
        ),
        folder=tmp_path,
    )

    printed = json.loads(done.stdout)
    assert [it["name"] for it in printed] == names
    files = sorted((tmp_path / "out").glob("*_schema.json"))
    written = [json.loads(path.read_text("utf-8")) for path in files]
    assert sorted(it["name"] for it in written) == sorted(names)
    assert all(it in printed for it in written)
    assert {path.name for path in files} >= {"CON_schema.json", "COLORS_schema.json"}


def test_a_schema_is_the_sources() -> None:
    """Nothing that the source tells of a table is left out."""
    with open_source("demo", rows=1) as market:
        schema = market.describe("COLORS")
        (shown,) = describe(market, ["COLORS"]).as_json()

    told = json.loads(json.dumps(asdict(schema)))
    assert json.loads(json.dumps(shown)) == {**told.pop("table"), **told}


def test_a_table_that_is_named_twice_is_described_once() -> None:
    """A name given twice gives one schema."""
    with open_source("demo", rows=1) as market:
        assert [it.table.name for it in describe(market, ["CON", "con"]).tables] == ["CON"]


def test_the_only_table_needs_no_name(tmp_path: Path) -> None:
    """A file is described without naming it; of several tables one has to be named."""
    done = run("schema", "--source", DAY, folder=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "colors_day: file")
    several = run("schema", "--source", "demo", folder=tmp_path)
    assert (several.returncode, several.stdout) == (6, "")
    assert "none was named" in several.stderr


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """Where the folder cannot be written, one error says so."""
    (tmp_path / "file").touch()
    with open_source("demo", rows=1) as market, pytest.raises(OutputError):
        list_tables(market).write(tmp_path / "file")


@given(st.lists(st.text(min_size=1), unique=True))
def test_file_stems(names: list[str]) -> None:
    """Each table has file names of its own, on file systems that ignore case too."""
    stems = file_stems(names)

    assert set(stems) == set(names)
    assert len({stem.casefold() for stem in stems.values()}) == len(names)
    assert all(stem.isascii() and len(stem) < 100 for stem in stems.values())
    assert all(stem == file_stems([name])[name] or "~" in stem for name, stem in stems.items())


def test_plain_names_stay() -> None:
    """A table of a usual name is found under it."""
    assert file_stems(["COLORS_TABLE", "SYS$X#1", "lower"]) == {
        name: name for name in ("COLORS_TABLE", "SYS$X#1", "lower")
    }
