"""The manifest: what is read, what is refused, and bundles of earlier versions."""

import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from bundles import extract, manifest_of, write_manifest
from support import TESTS

import marketpulse
from marketpulse.artifacts import format_json
from marketpulse.bundle import Bundle, parse_manifest, parse_table_schema
from marketpulse.errors import DataError
from marketpulse.extraction.verify import verify_bundle
from marketpulse.sources import open_source

OLD_BUNDLE = TESTS / "fixtures/bundle_v0.zip"


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    """A bundle whose columns have `travels` and `stands_for`, which an early version wrote."""
    with zipfile.ZipFile(OLD_BUNDLE) as archive:
        assert b'"travels"' in archive.read("manifest.json")
        assert b'"stands_for"' in archive.read("ALL_TYPES_schema.json")
        archive.extractall(tmp_path / "old")
    return tmp_path / "old"


@pytest.fixture(params=["folder", "zip"])
def old_bundle(request: pytest.FixtureRequest, old_folder: Path) -> Path:
    """The bundle of an early version, as a folder and as a zip."""
    return old_folder if request.param == "folder" else OLD_BUNDLE


def test_a_bundle_of_an_early_version_is_read(old_bundle: Path, tmp_path: Path) -> None:
    """It verifies, and its tables have the types and cells of a new bundle of the same rows."""
    verification = verify_bundle(old_bundle)
    assert verification.faults == ()
    assert [table.name for table in verification.manifest.tables] == ["ALL_TYPES", "COLORS"]

    new_bundle = extract(tmp_path / "new", "ALL_TYPES", "COLORS").folder
    old, new = marketpulse.load(old_bundle), marketpulse.load(new_bundle)
    for name in ("ALL_TYPES", "COLORS"):
        old_table, new_table = old.arrow(name), new.arrow(name)
        assert old_table.num_rows == 4
        assert old_table.column_names == new_table.column_names
        for old_column, new_column in zip(old_table.columns, new_table.columns, strict=True):
            # A number's decimal type depends on the rows.
            if "decimal" not in str(old_column.type):
                assert old_column.type == new_column.type
                assert str(old_column.to_pylist()) == str(new_column.to_pylist()[:4])


def test_the_schema_of_an_early_version_is_described(old_bundle: Path) -> None:
    """Columns and the parts of nested columns have their types, from manifest and schema file."""
    with open_source(str(old_bundle)) as bundle, open_source("demo") as demo:
        for table in ("ALL_TYPES", "COLORS"):
            old, new = bundle.describe(table).columns, demo.describe(table).columns
            for old_column, new_column in zip(old, new, strict=True):
                assert old_column.arrow_type == new_column.arrow_type
                assert old_column.logical_type == new_column.logical_type
                assert old_column.parts == new_column.parts
    with closing(Bundle(old_bundle)) as opened:
        path = opened.file("ALL_TYPES_schema.json")
        columns = parse_table_schema(path.read_bytes(), path.name).columns
    assert {column.logical_type for column in columns} == {"", "json", "number"}
    assert any(column.parts and column.parts[0].arrow_type for column in columns)


def test_an_early_bundle_in_the_folder_is_extended(old_folder: Path) -> None:
    """A sample of the same source keeps the tables of an early version's bundle."""
    sample = extract(old_folder, "DEALERS")
    assert sample.kept_tables == ("ALL_TYPES", "COLORS")
    assert "travels" not in (old_folder / "manifest.json").read_text("utf-8")
    assert verify_bundle(old_folder).faults == ()


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "..", "a/b", "C:x", "a\\b", ""])
def test_a_path_outside_the_bundle_is_refused(name: str, bundle: Path) -> None:
    """A path in a manifest is refused before anything is read."""
    content = manifest_of(bundle)
    content["tables"][0]["files"][0]["name"] = name
    write_manifest(bundle, content)
    with pytest.raises(DataError) as caught:
        verify_bundle(bundle)
    assert caught.value.check == "MP-BND-003"


def test_a_manifest_that_contradicts_itself(bundle: Path) -> None:
    """An unlisted file, a table twice, an unknown type: each is one error."""
    content = manifest_of(bundle)
    first = content["tables"][0]
    odd_column = {**first["columns"][0], "arrow_type": "number"}
    for change, message in (
        ({"files": []}, "but it is not listed"),
        ({"tables": [*content["tables"], first]}, "lists a file or a table twice"),
        ({"tables": [{**first, "columns": [odd_column]}]}, "'number' is not an Arrow type"),
    ):
        write_manifest(bundle, {**content, **change})
        with pytest.raises(DataError, match=message) as caught:
            marketpulse.load(bundle).arrow("COLORS")
        assert caught.value.check == "MP-BND-002"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not the manifest"),
        (b"[]", "it is not a JSON object"),
        (b"{}", "not the manifest of a bundle: taken_at: Field required"),
        (b'{"bundle": 2}', "written by a newer version of MarketPulse"),
        (b"\xff", "not the manifest"),
        (b"[" * 100_000, "nested more than 500 levels"),
        (b'{"tables": ' * 100_000, "nested more than 500 levels"),
        (b'{"tables": [' * 240 + b"]}" * 240, "not the manifest"),
    ],
)
def test_text_that_is_no_manifest(text: bytes, message: str) -> None:
    """Broken, deep and foreign documents are bad data with a message, on every Python."""
    with pytest.raises(DataError, match=message) as caught:
        parse_manifest(text, "manifest.json")
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"name": "A"}', b"[" * 100_000])
def test_text_that_is_no_schema(text: bytes) -> None:
    """A schema file that describes no table is bad data."""
    with pytest.raises(DataError, match="not a valid description") as caught:
        parse_table_schema(text, "A_schema.json")
    assert caught.value.check == "MP-BND-002"


def test_what_is_written_is_what_is_read(bundle: Path) -> None:
    """A manifest is the same after reading and writing."""
    text = (bundle / "manifest.json").read_bytes()
    assert format_json(parse_manifest(text, "manifest.json").as_json()).encode() == text
