"""Files that appear together or not at all: the order on the disk, and what a fault leaves."""

import ctypes
import hashlib
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marketpulse.errors import OutputRefused
from marketpulse.sealed import SealedFolder, sealed_folder

SEAL = "seal.json"


def is_owned(name: str) -> bool:
    """Sets are made of a, b and c."""
    return name in {"a.txt", "b.txt", "c.txt"}


def write(folder: Path, seal: str, **files: str) -> None:
    """Write a whole set: a="..." becomes a.txt."""
    with sealed_folder(folder, SEAL, is_owned) as sealed:
        fill(sealed, **files)
        sealed.publish(seal)


def fail(folder: Path, fault: BaseException) -> None:
    """Write parts, name one more that is not begun, and stop with a fault."""
    with sealed_folder(folder, SEAL, is_owned) as sealed:
        fill(sealed, a="2", b="2")
        sealed.part("c.txt")
        raise fault


def fill(sealed: SealedFolder, **files: str) -> None:
    """Write the parts of a set."""
    for name, content in files.items():
        sealed.part(f"{name}.txt").write_text(content, encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder, parts by the names that they will have and a mark."""
    found = {}
    for path in folder.iterdir():
        name = f"{path.name.rsplit('.', 2)[0]} part" if path.suffix == ".part" else path.name
        found[name] = path.read_text(encoding="utf-8") if path.is_file() else "a folder"
    return dict(sorted(found.items()))


def test_a_set_appears_whole(tmp_path: Path) -> None:
    """Before it is published a set is parts alone, afterwards files and their seal."""
    folder = tmp_path / "new/folder"
    with sealed_folder(folder, SEAL, is_owned) as sealed:
        fill(sealed, a="1", b="2")
        assert contents(folder) == {"a.txt part": "1", "b.txt part": "2"}
        sealed.publish("sealed")

    assert contents(folder) == {"a.txt": "1", "b.txt": "2", SEAL: "sealed"}


def test_what_is_written_is_told_from_the_disk(tmp_path: Path) -> None:
    """Sizes and digests are those of the bytes in the files, in the order of their names given."""
    with sealed_folder(tmp_path, SEAL, is_owned) as sealed:
        fill(sealed, b="été", a="")
        written = sealed.written()

    assert [(it.name, it.bytes, it.sha256) for it in written] == [
        ("b.txt", 5, hashlib.sha256("été".encode()).hexdigest()),
        ("a.txt", 0, hashlib.sha256(b"").hexdigest()),
    ]


def test_a_new_set_replaces_the_old(tmp_path: Path) -> None:
    """Files and parts of earlier sets go, foreign files and folders stay."""
    write(tmp_path, "first", a="1", b="1")
    (tmp_path / "c.txt.0a1b2c3d.part").write_text("killed")
    (tmp_path / f"{SEAL}.0a1b2c3d.part").write_text("killed")
    (tmp_path / "d.txt").write_text("foreign")
    (tmp_path / "d.txt.0a1b2c3d.part").write_text("foreign")
    (tmp_path / "c.txt").mkdir()
    write(tmp_path, "second", a="2")

    assert contents(tmp_path) == {
        "a.txt": "2",
        SEAL: "second",
        "c.txt": "a folder",
        "d.txt": "foreign",
        "d.txt part": "foreign",
    }


@contextmanager
def watched(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """What happens to the names in a folder, as Linux tells it."""
    kinds = {0x40: "from", 0x80: "to", 0x100: "new", 0x200: "gone"}
    libc = ctypes.CDLL(None, use_errno=True)
    events: list[tuple[str, str]] = []
    descriptor = libc.inotify_init()
    try:
        assert libc.inotify_add_watch(descriptor, os.fsencode(folder), sum(kinds)) >= 0
        yield events
        told = os.read(descriptor, 1 << 16)
        while told:
            _, kind, _, length = struct.unpack_from("iIII", told)
            name = told[16 : 16 + length].rstrip(b"\0").decode()
            events.append(
                (kinds[kind], f"{name.rsplit('.', 2)[0]} part" if ".part" in name else name)
            )
            told = told[16 + length :]
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="watches the folder with inotify")
def test_the_order_on_the_disk(tmp_path: Path) -> None:
    """The old seal goes first, then old files, then the new take their names, the seal last."""
    write(tmp_path, "first", a="1", c="1")
    with sealed_folder(tmp_path, SEAL, is_owned) as sealed:
        fill(sealed, a="2", b="2")
        with watched(tmp_path) as events:
            sealed.publish("second")

    assert events == [
        ("gone", SEAL),
        ("gone", "c.txt"),
        ("from", "a.txt part"),
        ("to", "a.txt"),
        ("from", "b.txt part"),
        ("to", "b.txt"),
        ("new", f"{SEAL} part"),
        ("from", f"{SEAL} part"),
        ("to", SEAL),
    ]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, OSError])
def test_a_fault_while_writing_leaves_all_as_it_was(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    """Whatever is raised while parts are written, the earlier set stays, and no part."""
    write(tmp_path, "first", a="1")
    expected = OutputRefused if fault is OSError else fault
    with pytest.raises(expected):
        fail(tmp_path, fault())

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first"}


def test_a_fault_takes_back_new_folders(tmp_path: Path) -> None:
    """Folders that were made for the set go again; one that was there stays."""
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "there/new/newer", KeyboardInterrupt())

    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_set_that_is_not_published_leaves_parts_for_nobody(tmp_path: Path) -> None:
    """Without publishing there is no file of the set, and no seal."""
    write(tmp_path, "first", a="1")
    with sealed_folder(tmp_path, SEAL, is_owned) as sealed:
        fill(sealed, a="2")
        sealed.discard()

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first"}


def test_a_fault_among_the_names_leaves_no_seal(tmp_path: Path) -> None:
    """Where a file cannot take its name, the set has no seal, and no part is left."""
    write(tmp_path, "first", a="1")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(OutputRefused) as refused:
        write(tmp_path, "second", a="2", b="2", c="2")

    assert refused.value.message.startswith(f"{tmp_path / 'b.txt'}: cannot be written: ")
    assert refused.value.exit_code == 2
    assert contents(tmp_path) == {"a.txt": "2", "b.txt": "a folder"}


def test_a_fault_before_the_names_keeps_the_old_set(tmp_path: Path) -> None:
    """Where a part is missing, nothing has been touched yet."""
    write(tmp_path, "first", a="1")
    with sealed_folder(tmp_path, SEAL, is_owned) as sealed:
        fill(sealed, a="2")
        missing = sealed.part("b.txt")
        with pytest.raises(FileNotFoundError, match=missing.name):
            sealed.publish("second")
        sealed.discard()

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first"}


def test_of_two_runs_at_once_one_fails(tmp_path: Path) -> None:
    """Two sets that are written into one folder at once never mix: the later to end is refused."""

    def write_both() -> None:
        with sealed_folder(tmp_path, SEAL, is_owned) as late:
            fill(late, a="late", b="late")
            with sealed_folder(tmp_path, SEAL, is_owned) as early:
                fill(early, a="early")
                fill(late, c="late")
                fill(early, b="early")
                early.publish("early")
            late.written()

    with pytest.raises(OutputRefused, match="No such file"):
        write_both()

    assert contents(tmp_path) == {"a.txt": "early", "b.txt": "early", SEAL: "early"}


@pytest.mark.parametrize("name", ["file", "file/inner", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    """A file in the way, or an impossible name, is refused with the name."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputRefused) as refused:
        write(tmp_path / name, "sealed", a="1")

    assert str(tmp_path) in refused.value.message
    assert "cannot be written" in refused.value.message
    assert contents(tmp_path) == {"file": "mine"}
