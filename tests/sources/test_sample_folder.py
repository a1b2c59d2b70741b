"""Folders of samples without a manifest, as an older script made them."""

import json
import shutil
from pathlib import Path

import pytest
from support import COLORS, Tool

from marketpulse.bundle import Bundle
from marketpulse.errors import DataError
from marketpulse.sources import open_source
from marketpulse.sources.files import FilesSource

HEADER = COLORS.read_text(encoding="utf-8").splitlines(keepends=True)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two samples of COLORS, the newer also as JSON with fewer rows, and JSON in other forms."""
    path = tmp_path / "desk" / "sample_data"
    path.mkdir(parents=True)
    (path / "COLORS_sample_20250102_000000.csv").write_text(HEADER, encoding="utf-8")
    shutil.copyfile(COLORS, path / "COLORS_sample_20250103_120000.csv")
    (path / "COLORS_sample_20250103_120000.json").write_text("[]")
    (path / "COLORS_schema.json").write_text('{"table_name": "COLORS", "columns": ["CUSIP"]}')
    (path / "accessible_tables.json").write_text('["COLORS", "NEWS"]')
    (path / "database_info.json").write_text("{}")
    return path


def test_the_newest_rows_are_read(folder: Path) -> None:
    """The newest sample has all rows; the columns of a schema file in another form are not used."""
    with open_source(str(folder)) as source, FilesSource([str(COLORS)]) as day:
        (name,) = (table.name for table in day.tables())
        assert [table.name for table in source.tables()] == ["COLORS"]
        rows = source.scan("COLORS", on_malformed_line=lambda _: None).read_all()
        assert rows == day.scan(name, on_malformed_line=lambda _: None).read_all()
        assert source.describe("colors").columns == day.describe(name).columns


def test_samples_alone(folder: Path) -> None:
    """Without any description of tables they are still samples, beside other files they are not."""
    for name in ("COLORS_schema.json", "accessible_tables.json", "database_info.json"):
        (folder / name).unlink()
    (folder / ".DS_Store").touch()
    with open_source(str(folder)) as source:
        assert [table.name for table in source.tables()] == ["COLORS"]
    (folder / "COLORS_sample_20250103_120000.json").unlink()
    shutil.copyfile(COLORS, folder / "day.csv")
    with open_source(str(folder)) as source:
        assert [table.kind for table in source.tables()] == ["files"]


def test_every_command_warns(tool: Tool, folder: Path) -> None:
    """A run has the RUN_ID of a run of the file; what is not known about the folder is said."""
    expected = tool.run("run-colors", COLORS, "--format", "json", "--output", "file").out
    for line in (
        ("list-tables", "--source", folder),
        ("schema", "sample_data", "COLORS"),
        ("sample", "COLORS", "--source", folder, "--output", "copy"),
        ("run-colors", folder, "--format", "json", "--output", "folder"),
    ):
        done = tool.run(*line)
        assert done.code == 0, done.err
        assert "sample_data has no manifest.json, so its files cannot be checked" in done.err
        assert "COLORS_schema.json: not a description of a table by MarketPulse" in done.err
    assert json.loads(done.out)["rows"] == json.loads(expected)["rows"]


@pytest.mark.parametrize("name", ["COLORS_sample_20250103_120000.csv.part", "unfinished-0123"])
def test_an_unfinished_folder_is_refused(folder: Path, name: str) -> None:
    """What a run left when it died is no sample."""
    (folder / name).touch()
    with pytest.raises(DataError, match=r"not complete: it has no manifest\.json"):
        open_source(str(folder))


def test_it_is_no_bundle(folder: Path) -> None:
    """What proves or publishes a bundle takes nothing else."""
    with pytest.raises(DataError, match=r"not complete: it has no manifest\.json"):
        Bundle(folder)


def test_a_bundle_that_lost_its_manifest(tool: Tool) -> None:
    """Its schema files say the types, the comments and the keys of the tables, rows or not."""
    demo = ("--source", "demo", "--output", "b")
    assert tool.run("sample", "COLORS", *demo, "--limit", "2").code == 0
    assert tool.run("schema", "DEALERS", *demo).code == 0
    (tool.folder / "b/manifest.json").unlink()
    with open_source(str(tool.folder / "b")) as source:
        schema = source.describe("COLORS")
        price = next(column for column in schema.columns if column.name == "PX")
        assert (price.type, price.arrow_type) == ("DECIMAL(12,4)", "string")
        assert schema.foreign_keys
        assert source.describe("DEALERS").primary_key == ("CODE",)
    done = tool.run("run-colors", "b", "--table", "DEALERS")
    assert done.code == 6
    assert "b: it holds no rows of DEALERS" in done.err
