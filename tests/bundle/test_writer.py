"""Writing bundles: complete or not there, the same bytes again, and what an earlier one keeps."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import (
    AWKWARD_TABLES,
    TAKEN_AT,
    contents_of,
    extract,
    file_of,
    flip_byte,
    manifest_of,
    run,
)
from support import COLORS, ROOT, Tool, posix

import marketpulse
from marketpulse.bundle import BundleTable, DataFile, SecretFoundError, bundle_folder
from marketpulse.errors import DataError, OutputError
from marketpulse.extraction.catalog import describe
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.extraction.verify import verify_bundle
from marketpulse.model import SourceInfo
from marketpulse.sources import open_source


def test_the_same_rows_give_the_same_bytes(awkward_bundle: Path, tmp_path: Path) -> None:
    """Taken again, every file is the same, also the manifest and the zip."""
    options = SampleOptions(limit=None, formats=("csv", "json", "parquet"), json_rows=None)
    extract(tmp_path / "sample_data", *AWKWARD_TABLES, options=options, with_zip=True)
    assert contents_of(tmp_path / "sample_data") == contents_of(awkward_bundle)
    again = (tmp_path / "sample_data.zip").read_bytes()
    assert again == awkward_bundle.with_name("sample_data.zip").read_bytes()


def test_names_are_distinct_on_every_platform(awkward_bundle: Path) -> None:
    """No names differ only in case, none is a device or a path, and each table is found."""
    names = [path.name for path in awkward_bundle.iterdir()]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(
        name.isascii() and len(name) < 130 and not set(name) & set('<>:"/\\|?*') for name in names
    )
    assert set(marketpulse.load(awkward_bundle)) == set(AWKWARD_TABLES)


@posix
def test_killed_at_any_moment(tool: Tool) -> None:
    """Whenever it is killed, what looks complete is complete; the next run succeeds."""
    delays = random.Random(7)
    words = ("sample", "COLORS", "--source", "demo", "--all")
    folder = tool.folder / "sample_data"
    for _ in range(12):
        process = tool.start(*words)
        time.sleep(delays.uniform(0.05, 1.2))
        process.kill()
        process.communicate()
        if (folder / "manifest.json").exists():
            assert verify_bundle(folder).faults == ()
    run(tool, *words)
    assert verify_bundle(folder).faults == ()
    assert not list(folder.glob("*.part"))
    assert len(list(folder.glob("*.csv"))) == 1


@posix
def test_interrupted(tool: Tool) -> None:
    """Ctrl-C ends with 130, one word, and no folder."""
    process = tool.start("sample", "COLORS", "--source", "demo", "--all")
    deadline = time.monotonic() + 20
    while not list(tool.folder.glob("sample_data/*.part")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) in {(130, b"interrupted\n"), (0, b"")}
    assert (tool.folder / "sample_data").exists() == (process.returncode == 0)


def test_a_folder_that_cannot_be_written(tool: Tool) -> None:
    """A file in the way is one message and exit code 2."""
    (tool.folder / "sample_data").touch()
    assert "cannot be written" in run(tool, "sample", "DEALERS", "--source", "demo", code=2)


@posix
def test_a_full_disk(tmp_path: Path) -> None:
    """Without space nothing looks complete: exit code 2. With space it succeeds."""
    words = ("sample", "COLORS", "--source", "demo", "--all")
    for limit, code in (("-f 64", 2), ("-f unlimited", 0)):
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"ulimit {limit}; exec {sys.executable} -m marketpulse {' '.join(words)}",
            ],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert ("cannot be written" in done.stderr) == (code == 2)
        assert (tmp_path / "sample_data").exists() == (code == 0)


def test_a_password_is_not_written(tool: Tool) -> None:
    """If rows contain a known password, no bundle is written, and the message does not show it."""
    words = ("sample", "DEALERS", "--source", "demo", "--columns", "NAME", "--format", "json")
    with open_source("demo") as market:
        names = market.scan("DEALERS").read_all()["NAME"].to_pylist()
    tool.env["ORACLE_PASSWORD"] = password = max(names, key=len)
    assert len(password) >= 8
    err = run(tool, *words, code=7)
    assert "MP-BND-008" in err
    assert password not in err
    assert not (tool.folder / "sample_data").exists()
    tool.env["ORACLE_PASSWORD"] = "something else"
    run(tool, *words)


def test_a_password_in_a_document_is_not_written(tmp_path: Path) -> None:
    """Schemas and lists of tables are searched, too, in the spelling of JSON."""

    def publish(secret: str) -> None:
        source = SourceInfo("demo", "demo")
        with bundle_folder(tmp_path / "out", source, keep_rows=True) as bundle:
            documents = {"database_info.json": {"name": f"it is {secret}!"}}
            bundle.publish(documents, (), taken_at="", secrets=[secret])

    for secret in ("pass-word-1", 'pass"word"1', "pass\\word\\1"):
        with pytest.raises(SecretFoundError, match="database_info"):
            publish(secret)
        assert not (tmp_path / "out").exists()


def test_a_folder_holds_one_source(bundle: Path, tmp_path: Path) -> None:
    """Schemas join a bundle of their source; those of another source are refused."""
    with open_source("demo") as market:
        describe(market, ["SECURITIES"]).write(bundle)
    assert verify_bundle(bundle).faults == ()
    assert set(marketpulse.load(bundle)) == {"COLORS", "DEALERS"}
    with open_source(str(COLORS)) as day:
        schemas = describe(day)
    with pytest.raises(OutputError, match="it holds a bundle of another source, demo"):
        schemas.write(bundle)
    extract(bundle, "DEALERS")
    assert (bundle / "SECURITIES_schema.json").exists()
    (tmp_path / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(OutputError, match=r"manifest\.json: it would be overwritten"):
        extract(tmp_path, "DEALERS")


def test_one_source_at_another_time(tmp_path: Path) -> None:
    """Driver, version and SCN may change; rows that stay get a note of their SCN, once."""
    name = "A_sample_20260313_180000.csv"
    source = SourceInfo("oracle", "host/db", {"scn": "1", "driver": "thin", "user": "ME"})
    with bundle_folder(tmp_path, source, keep_rows=True) as bundle:
        bundle.part(name).write_text("N\n")
        file = DataFile(name=name, format="csv", rows=0)
        table = BundleTable(name="A", schema_file="A_schema.json", rows=0, files=(file,))
        bundle.publish({"A_schema.json": {}}, [table], taken_at="")
    for scn in ("2", "3"):
        later = replace(source, details={"scn": scn, "driver": "thick", "user": "ME"})
        with bundle_folder(tmp_path, later, keep_rows=True) as bundle:
            (kept,) = bundle.publish({}, (), taken_at="").tables
        assert kept.notes == ("the rows are of SCN 1, not of the bundle's",)
        assert kept.files == (file,)
    other = replace(source, details={"scn": "3", "driver": "thick", "user": "YOU"})
    with pytest.raises(OutputError), bundle_folder(tmp_path, other, keep_rows=True):
        pass


def test_a_second_sample_keeps_the_first(tool: Tool) -> None:
    """Tables that are not read again stay as they were, and the zip has all of them."""
    bundle = tool.folder / "sample_data"
    extract(bundle, "COLORS")
    before = contents_of(bundle, "COLORS_*")
    (first,) = manifest_of(bundle)["tables"]

    later = ("--taken-at", "2026-03-14T18:00:00Z")
    result = tool.run("sample", "DEALERS", "--source", "demo", *later, "--zip")
    assert result.code == 0, result.err
    assert "COLORS_sample_20260313_180000.csv" in result.out
    assert "still holds COLORS of an earlier sample" in result.err
    assert contents_of(bundle, "COLORS_*") == before
    assert [table["name"] for table in manifest_of(bundle)["tables"]] == ["COLORS", "DEALERS"]
    assert manifest_of(bundle)["tables"][0] == first
    for place in (bundle, tool.folder / "sample_data.zip"):
        assert verify_bundle(place).faults == ()
        assert set(marketpulse.load(place)) == {"COLORS", "DEALERS"}


def test_rows_are_removed_only_on_request(bundle: Path) -> None:
    """A table that is read again is replaced, with `replace` all are; the result says so."""
    sample = extract(bundle, "DEALERS", taken_at=TAKEN_AT + timedelta(days=1))
    assert (sample.kept_tables, sample.replaced_tables) == (("COLORS",), ("DEALERS",))
    assert verify_bundle(bundle).faults == ()
    sample = extract(bundle, "DEALERS", replace=True)
    assert (sample.kept_tables, sample.replaced_tables) == ((), ("COLORS", "DEALERS"))
    assert set(marketpulse.load(bundle)) == {"DEALERS"}

    before = contents_of(bundle)
    with pytest.raises(OutputError) as caught:
        extract(bundle, source=COLORS)
    assert "--replace" in caught.value.hint
    assert contents_of(bundle) == before
    extract(bundle, source=COLORS, replace=True)
    assert verify_bundle(bundle).faults == ()
    assert set(marketpulse.load(bundle)) == {"colors_day"}


def test_a_table_that_fails_keeps_its_earlier_rows(bundle: Path, tmp_path: Path) -> None:
    """A table that cannot be read again is missing, but its earlier rows stay."""
    part = tmp_path / "part"
    extract(part, "COLORS", "DEALERS", source=bundle)
    damaged = file_of(bundle, "COLORS", "csv")
    content = damaged.read_bytes()
    flip_byte(damaged)
    sample = extract(part, "COLORS", "DEALERS", source=bundle)
    assert [gap.table for gap in sample.manifest.missing] == ["COLORS"]
    assert not sample.manifest.complete
    assert set(marketpulse.load(part)) == {"COLORS", "DEALERS"}
    damaged.write_bytes(content)
    assert extract(part, "COLORS", source=bundle).manifest.complete


def test_a_bundle_stays_incomplete(bundle: Path, tmp_path: Path) -> None:
    """What was missing is still missing when a schema joins the bundle."""
    flip_byte(file_of(bundle, "COLORS", "csv"))
    extract(tmp_path / "part", "COLORS", "DEALERS", source=bundle)
    with open_source(str(bundle)) as source:
        describe(source, ["DEALERS"]).write(tmp_path / "part")
    manifest = verify_bundle(tmp_path / "part").manifest
    assert [gap.table for gap in manifest.missing] == ["COLORS"]
    with pytest.raises(DataError):
        extract(tmp_path / "none", "COLORS", source=bundle)
    assert not (tmp_path / "none").exists()
