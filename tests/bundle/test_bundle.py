"""Bundles: every cell comes back, every change is found, and what is not whole does not look so."""

import csv
import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import COLORS, ROOT

import marketpulse
from marketpulse.errors import DataError
from marketpulse.formats.encode import to_text
from marketpulse.sources import open_source

MOMENT = ("--taken-at", "2026-03-13T18:00:00Z")
TABLES = ("ALL_TYPES", "COLORS", "Colors", "A/B", "CON", "x y", '"Quoted"', "é" * 60)
ASKED = tuple(f'"{name}"' for name in TABLES)
NOTHING_OUTSIDE = """
import socket, sys
sys.path.insert(0, sys.argv.pop(1))
for name in ("oracledb", "boto3", "botocore"):
    sys.modules[name] = None
class Refused(socket.socket):
    def __init__(self, *_, **__):
        raise AssertionError("a socket")
socket.socket = Refused
from marketpulse.cli import main
main()
"""
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and permissions")


def start(*words: object, folder: Path, **more: str) -> subprocess.Popen[str]:
    """Begin a command in a folder, with none of the machine's settings."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}
    return subprocess.Popen(
        [sys.executable, "-m", "marketpulse", *map(str, words)],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run(*words: object, folder: Path, code: int = 0, **more: str) -> str:
    """Run a command to its end; gives what it printed, the errors where it failed."""
    process = start(*words, folder=folder, **more)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return err if code else out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of all awkward tables with all of their rows, and its zip beside it."""
    folder = tmp_path_factory.mktemp("whole")
    formats = ("--all", "--formats", "csv,json,parquet", "--json-rows", "all", "--zip")
    run("sample", *ASKED, "--source", "demo", *formats, *MOMENT, folder=folder)
    return folder / "sample_data"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A small bundle of a test's own."""
    run("sample", "COLORS", "DEALERS", "--source", "demo", *MOMENT, folder=tmp_path)
    return tmp_path / "sample_data"


def file_of(bundle: Path, table: str, suffix: str) -> Path:
    """A table's file of a format."""
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    (taken,) = (it for it in manifest["tables"] if it["name"] == table)
    (found,) = (it["name"] for it in taken["files"] if it["format"] == suffix)
    return bundle / str(found)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("place", ["folder", "zip"])
def test_every_cell_is_the_sources(whole: Path, place: str, table: str) -> None:
    """What `load` gives is what the source has, to the last digit."""
    path = whole if place == "folder" else whole.with_name("sample_data.zip")
    loaded = marketpulse.load(path)
    with open_source("demo") as market:
        wanted = market.scan(table).read_all()
        numbers = [it.name for it in market.describe(table).columns if it.logical_type == "number"]
    found = loaded.arrow(table)
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        ours, theirs = found[name].to_pylist(), wanted[name]
        if name in numbers:
            assert ours == [it and Decimal(it) for it in theirs.to_pylist()]
        else:
            cells = theirs.cast(pa.string()) if pa.types.is_temporal(theirs.type) else theirs
            ours = found[name].cast(cells.type).to_pylist()
            assert repr(ours) == repr(cells.to_pylist())
    assert loaded[table].shape == found.shape


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_an_independent_reader_finds_every_cell(whole: Path, suffix: str) -> None:
    """With the schema file in hand, each format says the same of every cell, null and all."""
    path = file_of(whole, "ALL_TYPES", suffix)
    with open_source("demo") as market:
        wanted = market.scan("ALL_TYPES").read_all().combine_chunks()
    said = json.loads((whole / "ALL_TYPES_schema.json").read_text("utf-8"))
    assert [it["name"] for it in said["columns"]] == wanted.column_names
    for place, column in enumerate(said["columns"]):
        field = wanted.schema.field(place)
        texts = to_text(wanted.column(place).chunk(0), field).to_pylist()
        if suffix == "parquet":
            found = pq.read_table(path).column(place).combine_chunks()
            assert to_text(found.cast(field.type), field).to_pylist() == texts
        elif suffix == "csv":
            assert csv_cells(path)[place] == texts
        else:
            rows = json.loads(path.read_text("utf-8"), parse_float=Decimal)
            cells = [row[column["name"]] for row in rows]
            assert [it is None for it in cells] == [
                it in {None, "NaN", "inf", "-inf"} and (it is None or field.name != "A_VARCHAR")
                for it in texts
            ]
            exact = column["arrow_type"].startswith(("int", "uint", "decimal"))
            for cell, text in zip(cells, texts, strict=True):
                if (cell is not None and exact) or (column["logical_type"] == "number" and cell):
                    assert cell == Decimal(text)
                elif isinstance(cell, str):
                    assert cell == text


def csv_cells(path: Path) -> list[list[str | None]]:
    """The columns of a CSV file, read by hand: nothing is null, two quotes are empty text."""
    text = path.read_bytes().decode("utf-8")
    cells: list[list[str | None]] = [[]]
    place = 0
    while place < len(text):
        if text[place] == '"':
            end = place + 1
            while text[end] != '"' or text[end : end + 2] == '""':
                end += 2 if text[end] == '"' else 1
            cells[-1].append(text[place + 1 : end].replace('""', '"'))
            place = end + 1
        else:
            end = min(it for it in (text.find(",", place), text.find("\n", place)) if it >= 0)
            cells[-1].append(text[place:end] or None)
            place = end
        if text[place] == "\n":
            cells.append([])
        place += 1
    return [list(column) for column in zip(*cells[1:-1], strict=True)]


def test_same_rows_same_bytes(whole: Path, tmp_path: Path) -> None:
    """Taken again, every file is the same, the manifest and the zip too."""
    formats = ("--all", "--formats", "csv,json,parquet", "--json-rows", "all", "--zip")
    run("sample", *ASKED, "--source", "demo", *formats, *MOMENT, folder=tmp_path)
    again = {it.name: it.read_bytes() for it in (tmp_path / "sample_data").iterdir()}
    assert again == {it.name: it.read_bytes() for it in whole.iterdir()}
    packed = (tmp_path / "sample_data.zip").read_bytes()
    assert packed == whole.with_name("sample_data.zip").read_bytes()


def test_a_zip_of_an_earlier_sample_is_told(bundle: Path) -> None:
    """What was left out this time may still be in the zip that is sent."""
    words = ("sample", "COLORS", "--source", "demo", "--limit", "1")
    for more, told in (((), False), (("--zip",), False), (("--columns", "CUSIP"), True)):
        process = start(*words, *more, folder=bundle.parent)
        _, err = process.communicate(timeout=120)
        assert ("sample_data.zip holds an earlier sample" in err) == told


def test_names_are_distinct_on_every_platform(whole: Path) -> None:
    """No two files differ in case only, none is a device or a path, and each table is found."""
    names = [it.name for it in whole.iterdir()]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(
        name.isascii() and len(name) < 130 and not set(name) & set('<>:"/\\|?*') for name in names
    )
    assert set(marketpulse.load(whole)) == set(TABLES)


def flip(path: Path) -> None:
    """Change one byte."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    """Cut the last row."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (flip, "COLORS_sample_20260313_180000.csv"),
        (cut, "COLORS_sample_20260313_180000.csv"),
        (Path.unlink, "COLORS_sample_20260313_180000.csv"),
        (lambda it: it.rename(it.with_name("other.csv")), "other.csv"),
        (lambda it: it.with_name("added.txt").touch(), "added.txt"),
    ],
    ids=["flipped", "cut", "removed", "renamed", "added"],
)
def test_verify_names_what_changed(harm: Callable[[Path], Any], named: str, bundle: Path) -> None:
    """A byte, a row, a file: the file is named, exit code 7; untouched the bundle is whole."""
    assert "every file is unchanged" in run("verify", bundle, folder=bundle.parent)
    harm(bundle / "COLORS_sample_20260313_180000.csv")
    process = start("verify", bundle, folder=bundle.parent)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    assert named in out
    if named == "COLORS_sample_20260313_180000.csv":
        with pytest.raises(DataError, match="COLORS_sample") as caught:
            marketpulse.load(bundle).arrow("COLORS")
        assert caught.value.check == "MP-BND-006"


def test_a_cut_row_is_found_even_where_the_digests_were_mended(bundle: Path) -> None:
    """Rows are counted, not only bytes."""
    path = file_of(bundle, "COLORS", "csv")
    cut(path)
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    for file in manifest["files"]:
        if file["name"] == path.name:
            content = path.read_bytes()
            file.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    process = start("verify", bundle, folder=bundle.parent)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, "999 rows instead of 1000" in out) == (7, True)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "..", "a/b", "C:x", "a\\b", ""])
def test_a_manifest_does_not_lead_out(name: str, bundle: Path) -> None:
    """A path in a manifest is refused before anything is read."""
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    manifest["tables"][0]["files"][0]["name"] = name
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        open_source(str(bundle))
    assert caught.value.check == "MP-BND-003"
    assert "MP-BND-003" in run(*("verify", bundle, "--format", "json"), folder=bundle, code=7)


@posix
def test_links_are_refused(bundle: Path, tmp_path: Path) -> None:
    """A symbolic link is no file of a bundle, in a folder or in a zip."""
    path = file_of(bundle, "COLORS", "csv")
    path.rename(tmp_path / "elsewhere.csv")
    path.symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(DataError) as caught:
        open_source(str(bundle))
    assert caught.value.check == "MP-BND-004"
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as packed:
        entry = zipfile.ZipInfo("manifest.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path / "links.zip"))
    assert caught.value.check == "MP-BND-004"


@pytest.mark.parametrize(
    ("entries", "check"),
    [
        ({"bomb.csv": b"0" * 200_000_000}, "MP-BND-005"),
        ({"../out.csv": b""}, "MP-BND-003"),
        ({"a.csv": b""}, "MP-BND-001"),
        ({"manifest.json": b"{}"}, "MP-BND-002"),
    ],
)
def test_zips_that_are_no_bundles(entries: dict[str, bytes], check: str, tmp_path: Path) -> None:
    """A zip bomb, a way out, a missing or broken manifest: refused, and nothing is unpacked."""
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    with pytest.raises(DataError) as caught:
        open_source(str(tmp_path / "odd.zip"))
    assert caught.value.check == check


def test_a_zip_that_was_packed_by_hand(bundle: Path, tmp_path: Path) -> None:
    """A folder packed as such, with what a Mac adds, is the same bundle."""
    with zipfile.ZipFile(tmp_path / "hand.zip", "w") as packed:
        for path in sorted(bundle.iterdir()):
            packed.write(path, f"sample_data/{path.name}")
        packed.writestr("sample_data/.DS_Store", "x")
        packed.writestr("__MACOSX/sample_data/._manifest.json", "x")
    assert "every file is unchanged" in run("verify", tmp_path / "hand.zip", folder=tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        ("list-tables", "--source", "sample_data"),
        ("schema", "COLORS", "--source", "sample_data.zip"),
        ("sample", "COLORS", "--source", "sample_data", "--output", "again", "--where", "PX > 100"),
        ("verify", "sample_data.zip"),
        ("run-colors", "sample_data", "--table", "COLORS", "--output", "out"),
        ("push-s3", "sample_data", "s3://bucket/prefix", "--dry-run"),
    ],
    ids=lambda words: words[0],
)
def test_nothing_outside_is_needed(words: tuple[str, ...], whole: Path, tmp_path: Path) -> None:
    """Every command works on a bundle without a socket, without oracledb and boto3."""
    here = [str(whole.parent / it) if it.startswith("sample_data") else it for it in words]
    done = subprocess.run(
        [sys.executable, "-c", NOTHING_OUTSIDE, str(ROOT), *here],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_bundle_is_as_good_as_its_source(whole: Path, tmp_path: Path) -> None:
    """Colors that are ranked from a bundle come out as from the source."""
    for name, source in (("a", "demo"), ("b", str(whole))):
        words = ("--processed-at", "2026-03-13", "--output", name, "--table", "COLORS")
        run("run-colors", source, *words, folder=tmp_path)
    for name in ("processed_colors.csv", "excluded_colors.csv", "rejected_colors.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_where_there_is_no_bundle(tmp_path: Path) -> None:
    """A name that is nothing is not found; a folder without a manifest is not whole."""
    run("verify", "nowhere", folder=tmp_path, code=6)
    run("list-tables", "--source", "nowhere.zip", folder=tmp_path, code=6)
    (tmp_path / "A_schema.json").touch()
    for words in (("verify", "."), ("list-tables", "--source", ".")):
        assert "not complete" in run(*words, folder=tmp_path, code=7)


# -- what goes wrong -------------------------------------------------------------------------------


@posix
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """Whenever it is killed, what looks complete is complete; the next run succeeds."""
    chance = random.Random(7)
    words = ("sample", "COLORS", "--source", "demo", "--all")
    out = tmp_path / "sample_data"
    for _ in range(20):
        process = start(*words, folder=tmp_path)
        time.sleep(chance.uniform(0.05, 1.2))
        process.kill()
        process.communicate()
        if (out / "manifest.json").exists():
            run("verify", out, folder=tmp_path)
    run(*words, folder=tmp_path)
    run("verify", out, folder=tmp_path)
    assert not list(out.glob("*.part"))
    assert len(list(out.glob("*.csv"))) == 1


@posix
def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C ends with 130, one word, and no folder."""
    process = start("sample", "COLORS", "--source", "demo", "--all", folder=tmp_path)
    deadline = time.monotonic() + 20
    while not list(tmp_path.glob("sample_data/*.part")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) in {(130, "interrupted\n"), (0, "")}
    assert (tmp_path / "sample_data").exists() == (process.returncode == 0)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the way: one message, exit code 2."""
    (tmp_path / "sample_data").touch()
    said = run("sample", "DEALERS", "--source", "demo", folder=tmp_path, code=2)
    assert "cannot be written" in said


@posix
def test_a_full_disk(tmp_path: Path) -> None:
    """No room: one message, exit code 2, and nothing that looks complete; then it succeeds."""
    words = ("sample", "COLORS", "--source", "demo", "--all")
    limited = f"ulimit -f 64; exec {sys.executable} -m marketpulse {' '.join(words)}"
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written" in done.stderr
    assert not (tmp_path / "sample_data").exists()
    run(*words, folder=tmp_path)


def test_part_of_what_was_asked_for(tmp_path: Path, bundle: Path) -> None:
    """A table that cannot be read is missing, and said to be; the others stay: exit code 9."""
    flip(file_of(bundle, "COLORS", "csv"))
    words = ("sample", "COLORS", "DEALERS", "--source", bundle, "--output", "part")
    assert "COLORS is missing" in run(*words, folder=tmp_path, code=9)
    run("verify", "part", folder=tmp_path, code=9)
    manifest = json.loads((tmp_path / "part/manifest.json").read_text("utf-8"))
    assert (manifest["complete"], [it["table"] for it in manifest["missing"]]) == (
        False,
        ["COLORS"],
    )
    assert set(marketpulse.load(tmp_path / "part")) == {"DEALERS"}
    alone = ("sample", "COLORS", "--source", bundle, "--output", "none")
    run(*alone, folder=tmp_path, code=7)
    assert not (tmp_path / "none").exists()


def test_a_password_is_not_written(tmp_path: Path) -> None:
    """Where a known password stands in the rows, there is no bundle."""
    words = ("sample", "DEALERS", "--source", "demo", "--columns", "NAME", "--format", "json")
    with open_source("demo") as market:
        names = market.scan("DEALERS").read_all()["NAME"].to_pylist()
    planted = max(names, key=len)
    assert len(planted) >= 8
    said = run(*words, folder=tmp_path, code=7, ORACLE_PASSWORD=planted)
    assert "MP-BND-008" in said
    assert planted not in said
    assert not (tmp_path / "sample_data").exists()
    run(*words, folder=tmp_path, ORACLE_PASSWORD="something else")


def test_a_folder_holds_one_source(bundle: Path, tmp_path: Path) -> None:
    """Schemas join a bundle of their source; those of another are refused, other files stay."""
    run("schema", "SECURITIES", "--source", "demo", "--output", bundle, folder=tmp_path)
    run("verify", bundle, folder=tmp_path)
    assert set(marketpulse.load(bundle)) == {"COLORS", "DEALERS"}
    day = COLORS
    run("schema", "--source", day, "--output", bundle, folder=tmp_path, code=2)
    run("sample", "DEALERS", "--source", "demo", "--output", bundle, folder=tmp_path)
    run("verify", bundle, folder=tmp_path)
    assert set(marketpulse.load(bundle)) == {"COLORS", "DEALERS"}
    assert (bundle / "SECURITIES_schema.json").exists()
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    run("sample", "DEALERS", "--source", "demo", "--output", ".", folder=tmp_path, code=2)


def test_a_second_sample_keeps_the_first(tmp_path: Path) -> None:
    """Tables that are not taken again stay as they were, the zip has all, and verify proves it."""
    bundle = tmp_path / "sample_data"
    run("sample", "COLORS", "--source", "demo", *MOMENT, folder=tmp_path)
    before = {it.name: it.read_bytes() for it in bundle.glob("COLORS_*")}
    (first,) = json.loads((bundle / "manifest.json").read_text("utf-8"))["tables"]

    later = ("--taken-at", "2026-03-14T18:00:00Z")
    process = start("sample", "DEALERS", "--source", "demo", *later, "--zip", folder=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "COLORS_sample_20260313_180000.csv" in out
    assert "still holds COLORS of an earlier sample" in err
    assert {it.name: it.read_bytes() for it in bundle.glob("COLORS_*")} == before
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    assert [it["name"] for it in manifest["tables"]] == ["COLORS", "DEALERS"]
    assert manifest["tables"][0] == first
    for whole in (bundle, tmp_path / "sample_data.zip"):
        run("verify", whole, folder=tmp_path)
        assert set(marketpulse.load(whole)) == {"COLORS", "DEALERS"}


def test_rows_go_only_where_that_is_asked_for(bundle: Path, tmp_path: Path) -> None:
    """A table that is taken again is replaced, with --replace all are; both are said."""
    for more, gone in (((), "DEALERS"), (("--replace",), "COLORS, DEALERS")):
        process = start("sample", "DEALERS", "--source", "demo", *more, folder=tmp_path)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert f"the earlier rows of {gone} are replaced" in err
        run("verify", bundle, folder=tmp_path)
    assert set(marketpulse.load(bundle)) == {"DEALERS"}

    day = COLORS
    before = {it.name: it.read_bytes() for it in bundle.iterdir()}
    assert "--replace" in run("sample", "--source", day, folder=tmp_path, code=2)
    assert {it.name: it.read_bytes() for it in bundle.iterdir()} == before
    run("sample", "--source", day, "--replace", folder=tmp_path)
    run("verify", bundle, folder=tmp_path)
    assert set(marketpulse.load(bundle)) == {"colors_day"}


def test_a_table_that_fails_keeps_its_earlier_rows(bundle: Path, tmp_path: Path) -> None:
    """What cannot be taken again is missing, and does not take with it what there was."""
    asked = ("COLORS", "DEALERS", "--source", bundle, "--output", "part")
    run("sample", *asked, folder=tmp_path)
    harmed = file_of(bundle, "COLORS", "csv")
    sound = harmed.read_bytes()
    flip(harmed)
    assert "COLORS is missing" in run("sample", *asked, folder=tmp_path, code=9)
    run("verify", "part", folder=tmp_path, code=9)
    assert set(marketpulse.load(tmp_path / "part")) == {"COLORS", "DEALERS"}
    harmed.write_bytes(sound)
    run("sample", "COLORS", *asked[2:], folder=tmp_path)
    run("verify", "part", folder=tmp_path)


def test_a_bundle_is_not_replaced_by_a_sample_of_itself(whole: Path, tmp_path: Path) -> None:
    """The folder that is read, or the zip beside it, is no place to write."""
    for name in ("sample_data", "sample_data.zip"):
        words = ("sample", "COLORS", "--source", whole.parent / name, "--output", whole, "--zip")
        said = run(*words, folder=tmp_path, code=2)
        assert "replace the bundle" in said
    run("verify", whole, folder=tmp_path)


def test_a_bundle_stays_partial(tmp_path: Path, bundle: Path) -> None:
    """What was missing is still missing when a schema joins the bundle."""
    flip(file_of(bundle, "COLORS", "csv"))
    asked = ("COLORS", "DEALERS", "--source", bundle, "--output", "part")
    run("sample", *asked, folder=tmp_path, code=9)
    run("schema", "DEALERS", "--source", bundle, "--output", "part", folder=tmp_path)
    run("verify", "part", folder=tmp_path, code=9)


@pytest.mark.parametrize("odd", ["unlisted", "twice", "type"])
def test_a_manifest_that_contradicts_itself(odd: str, bundle: Path) -> None:
    """A file that is not listed, a table that is there twice, a type that is none: one error."""
    manifest = json.loads((bundle / "manifest.json").read_text("utf-8"))
    if odd == "unlisted":
        manifest["files"] = []
    elif odd == "twice":
        manifest["tables"].append(manifest["tables"][0])
    else:
        manifest["tables"][0]["columns"][0]["arrow_type"] = "number"
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    words = ("run-colors", bundle, "--table", "COLORS", "--format", "json")
    assert "MP-BND-002" in run(*words, folder=bundle.parent, code=7)


def test_ndjson_is_an_object_a_line(tmp_path: Path) -> None:
    """Each row has its line, whatever JSON beside it looks like; what JSON cannot name is told."""
    words = ("sample", "ALL_TYPES", "--source", "demo", "--formats", "ndjson,json", "--json-rows")
    run(*words, "1", *MOMENT, folder=tmp_path)
    bundle = tmp_path / "sample_data"
    (taken,) = json.loads((bundle / "manifest.json").read_text("utf-8"))["tables"]
    lines = file_of(bundle, "ALL_TYPES", "ndjson").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == taken["rows"] > 1
    assert json.loads(file_of(bundle, "ALL_TYPES", "json").read_text("utf-8")) == rows[:1]
    assert any("NaN or infinite" in note for note in taken["notes"])
    run("verify", bundle, folder=tmp_path)


def test_a_profile_that_changes_nothing(tmp_path: Path) -> None:
    """A profile for spreadsheets without a file for them is a mistake, and said to be one."""
    words = ("sample", "DEALERS", "--source", "demo", "--profile", "excel", "--formats")
    assert "changes nothing in ndjson" in run(*words, "ndjson", folder=tmp_path, code=2)
    run(*words, "csv", folder=tmp_path)


# -- spreadsheets ----------------------------------------------------------------------------------


def test_the_excel_profile_in_a_sheet(tmp_path: Path) -> None:
    """Openpyxl finds identifiers whole and as text, negative numbers as numbers, no formula."""
    tables = ("ALL_TYPES", "COLORS")
    run("sample", *tables, "--source", "demo", "--profile", "excel", *MOMENT, folder=tmp_path)
    out = tmp_path / "sample_data"
    run("verify", out, folder=tmp_path)
    with open_source("demo") as market:
        wanted = market.scan("COLORS", limit=1000).read_all().to_pylist()
    sheet = openpyxl.load_workbook(file_of(out, "COLORS", "xlsx")).worksheets[0]
    header, *rows = sheet.iter_rows()
    names = [cell.value for cell in header]
    for row, color in zip(rows, wanted, strict=True):
        cells = dict(zip(names, row, strict=True))
        assert all(cell.data_type != "f" for cell in row)
        assert cells["MESSAGE_ID"].value == str(color["MESSAGE_ID"])
        assert cells["CUSIP"].value == color["CUSIP"]
        assert cells["PX"].value is None or cells["PX"].data_type == "n"
    texts = [it["A_VARCHAR"] for it in marketpulse.load(out).arrow("ALL_TYPES").to_pylist()]
    with open_source("demo") as market:
        assert texts == market.scan("ALL_TYPES").read_all()["A_VARCHAR"].to_pylist()


def test_the_excel_profile_as_csv(tmp_path: Path) -> None:
    """What a spreadsheet would change is marked, negative numbers are not, and all comes back."""
    run("sample", "ALL_TYPES", "--source", "demo", "--profile", "excel", *MOMENT, folder=tmp_path)
    text = file_of(tmp_path / "sample_data", "ALL_TYPES", "csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(text.decode("utf-8-sig").splitlines(keepends=True)))
    assert [row["A_VARCHAR"] for row in rows if "1" in row["A_VARCHAR"]] == [
        "'=1+1",
        "'0012",
        "'1E5",
    ]
    assert [row["A_DATE"] for row in rows][:4] == [
        "'0001-01-01",
        "9999-12-31",
        "2024-02-29",
        "1969-12-31",
    ]
    assert "-128" in [row["A_TINYINT"] for row in rows]
    assert "'17700000000000001" in [row["A_BIGINT"] for row in rows]
