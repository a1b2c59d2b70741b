"""verify: a changed byte, row or file is found and named."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import (
    cut_last_line,
    extract,
    file_of,
    flip_byte,
    manifest_of,
    write_manifest,
)
from support import Tool

from marketpulse.errors import DataError, NotFoundError
from marketpulse.extraction.verify import verify_bundle

CSV = "COLORS_sample_20260313_180000.csv"


def rename(path: Path) -> None:
    """Give the file another name."""
    path.rename(path.with_name("other.csv"))


def add(path: Path) -> None:
    """Add a file beside it."""
    path.with_name("added.txt").touch()


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (flip_byte, {CSV: "its content was changed"}),
        (cut_last_line, {CSV: "bytes instead of"}),
        (Path.unlink, {CSV: "it is missing"}),
        (rename, {CSV: "it is missing", "other.csv": "the manifest does not list it"}),
        (add, {"added.txt": "the manifest does not list it"}),
    ],
)
def test_a_change_is_found(
    change: Callable[[Path], None], faults: dict[str, str], bundle: Path
) -> None:
    """Each file that differs from the manifest is named, and what is wrong with it."""
    assert verify_bundle(bundle).faults == ()
    change(bundle / CSV)
    found = {fault.file: fault.what for fault in verify_bundle(bundle).faults}
    assert found.keys() == faults.keys()
    assert all(message in found[name] for name, message in faults.items())


def test_files_of_systems_and_dead_runs_do_not_count(bundle: Path) -> None:
    """A Mac's .DS_Store and the parts of a run that died are no faults."""
    for name in (".DS_Store", "Thumbs.db", "COLORS_schema.json.0a1b2c3d.part"):
        (bundle / name).touch()
    assert verify_bundle(bundle).faults == ()


def test_rows_are_counted(bundle: Path) -> None:
    """A row that was cut is found even if bytes and digests in the manifest were adjusted."""
    path = file_of(bundle, "COLORS", "csv")
    cut_last_line(path)
    content = manifest_of(bundle)
    for file in content["files"]:
        if file["name"] == path.name:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            file.update(bytes=path.stat().st_size, sha256=digest)
    write_manifest(bundle, content)
    (fault,) = verify_bundle(bundle).faults
    assert fault.file == path.name
    assert "999 rows instead of 1000" in fault.what


def test_exit_codes(bundle: Path, tool: Tool, tmp_path: Path) -> None:
    """0 for an unchanged bundle, 7 for a changed one, 9 for one that is not complete."""
    result = tool.run("verify", bundle)
    assert (result.code, "every file is unchanged" in result.out) == (0, True)
    flip_byte(file_of(bundle, "COLORS", "csv"))
    result = tool.run("verify", bundle)
    assert result.code == 7
    assert f"{CSV}: its content was changed" in result.out
    extract(tmp_path / "part", "COLORS", "DEALERS", source=bundle)
    result = tool.run("verify", tmp_path / "part")
    assert (result.code, "missing: COLORS" in result.out) == (9, True)


def test_no_bundle(tmp_path: Path) -> None:
    """A path that does not exist, and a folder without a manifest, are errors."""
    with pytest.raises(NotFoundError):
        verify_bundle(tmp_path / "nowhere")
    with pytest.raises(DataError) as caught:
        verify_bundle(tmp_path)
    assert caught.value.check == "MP-BND-001"
