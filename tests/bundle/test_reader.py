"""Reading bundles that may come from anybody: links, bombs, and zips that were packed by hand."""

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from bundles import file_of, run
from support import ROOT, Tool, posix

from marketpulse.bundle import Bundle, find_bundle
from marketpulse.errors import DataError
from marketpulse.extraction.verify import verify_bundle
from marketpulse.sources import open_source

# Runs a command in a process that can open no socket and import no driver.
ISOLATED = """
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


@posix
def test_links_are_refused(bundle: Path, tmp_path: Path) -> None:
    """A symbolic link is not a file of a bundle, in a folder or in a zip."""
    path = file_of(bundle, "COLORS", "csv")
    path.rename(tmp_path / "elsewhere.csv")
    path.symlink_to(tmp_path / "elsewhere.csv")
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        entry = zipfile.ZipInfo("manifest.json")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    for place in (bundle, tmp_path / "links.zip"):
        with pytest.raises(DataError) as caught:
            Bundle(place)
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
    """A zip bomb, a path outside, a missing or invalid manifest: nothing is unpacked."""
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(DataError) as caught:
        Bundle(tmp_path / "odd.zip")
    assert caught.value.check == check


def test_a_file_that_is_no_zip(tmp_path: Path) -> None:
    """A damaged zip is bad data."""
    (tmp_path / "odd.zip").write_bytes(b"PK")
    with pytest.raises(DataError) as caught:
        Bundle(tmp_path / "odd.zip")
    assert caught.value.check == "MP-DAT-006"


def test_a_zip_that_was_packed_by_hand(bundle: Path, tmp_path: Path) -> None:
    """A zip of the folder itself, with the files that a Mac adds, is the same bundle."""
    with zipfile.ZipFile(tmp_path / "hand.zip", "w") as archive:
        for path in sorted(bundle.iterdir()):
            archive.write(path, f"sample_data/{path.name}")
        archive.writestr("sample_data/.DS_Store", "x")
        archive.writestr("__MACOSX/sample_data/._manifest.json", "x")
    assert verify_bundle(tmp_path / "hand.zip").faults == ()


def test_a_zip_that_was_unpacked_one_folder_deeper(
    bundle: Path, tmp_path: Path, tool: Tool
) -> None:
    """The only folder in a folder is the bundle; beside other files it is not."""
    outer = tmp_path / "unpacked"
    shutil.copytree(bundle, outer / "sample_data")
    (outer / ".DS_Store").touch()

    assert find_bundle(outer) == outer / "sample_data"
    assert tool.run("verify", outer).code == 0
    assert tool.run("list-tables", outer).out == tool.run("list-tables", bundle).out
    (outer / "other.txt").touch()
    assert find_bundle(outer) is None
    assert find_bundle(outer / "other.txt") is None


def test_a_workspace_is_removed(awkward_bundle: Path) -> None:
    """What a zip was unpacked to is gone when the bundle is closed."""
    with closing(Bundle(awkward_bundle.with_name("sample_data.zip"))) as opened:
        path = opened.file("COLORS_schema.json")
        assert path.read_bytes() == (awkward_bundle / "COLORS_schema.json").read_bytes()
        assert opened.file("COLORS_schema.json") == path
    assert not path.exists()


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
def test_a_bundle_needs_nothing_else(
    words: tuple[str, ...], awkward_bundle: Path, tmp_path: Path
) -> None:
    """Every command works on a bundle without a socket, without oracledb and boto3."""
    arguments = [
        str(awkward_bundle.parent / word) if word.startswith("sample_data") else word
        for word in words
    ]
    done = subprocess.run(
        [sys.executable, "-c", ISOLATED, str(ROOT), *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_ranking_a_bundle_is_ranking_its_source(awkward_bundle: Path, tool: Tool) -> None:
    """Colors that are ranked from a bundle are those that are ranked from the source."""
    for name, source in (("a", "demo"), ("b", awkward_bundle)):
        words = ("--processed-at", "2026-03-13", "--output", name, "--table", "COLORS")
        run(tool, "run-colors", source, *words)
    for name in ("processed_colors.csv", "excluded_colors.csv", "rejected_colors.csv"):
        assert (tool.folder / "a" / name).read_bytes() == (tool.folder / "b" / name).read_bytes()


def test_no_bundle(tool: Tool) -> None:
    """A path that does not exist is exit code 6; a folder without a manifest is bad data."""
    run(tool, "verify", "nowhere", code=6)
    run(tool, "list-tables", "--source", "nowhere.zip", code=6)
    (tool.folder / "A_schema.json").touch()
    for words in (("verify", "."), ("list-tables", "--source", ".")):
        assert "the bundle is not complete" in run(tool, *words, code=7)


def test_a_changed_file_is_not_read(bundle: Path) -> None:
    """A file whose digest differs is refused, and named."""
    path = file_of(bundle, "COLORS", "csv")
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
    with open_source(str(bundle)) as source, pytest.raises(DataError, match=path.name) as caught:
        source.scan("COLORS")
    assert caught.value.check == "MP-BND-006"
