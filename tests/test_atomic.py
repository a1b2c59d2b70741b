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

from marketpulse.atomic import SealedFolder, check_file, sealed_folder
from marketpulse.errors import OutputError

SEAL = "seal.json"


def is_owned(name: str) -> bool:
    """Sets are made of a, b and c."""
    return name in {"a.txt", "b.txt", "c.txt"}


def listed(seal: str) -> list[str]:
    """A seal is a word and the names of its files."""
    word, *names = seal.split()
    if not word.isalpha():
        raise ValueError(word)
    return names


def write(folder: Path, seal: str, **files: str) -> str:
    """Write a whole set: a="..." becomes a.txt. Gives the text of its seal."""
    text = " ".join([seal, *(f"{name}.txt" for name in files)])
    with sealed_folder(folder, SEAL, is_owned, listed) as sealed:
        fill(sealed, **files)
        sealed.publish(text)
    return text


def fail(folder: Path, fault: BaseException) -> None:
    """Write parts, name one more that is not begun, and stop with a fault."""
    with sealed_folder(folder, SEAL, is_owned, listed) as sealed:
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
    with sealed_folder(folder, SEAL, is_owned, listed) as sealed:
        fill(sealed, a="1", b="2")
        assert contents(folder) == {"a.txt part": "1", "b.txt part": "2"}
        sealed.publish("sealed a.txt b.txt")

    assert contents(folder) == {"a.txt": "1", "b.txt": "2", SEAL: "sealed a.txt b.txt"}


def test_what_is_written_is_told_from_the_disk(tmp_path: Path) -> None:
    """Sizes and digests are those of the bytes in the files, in the order of their names given."""
    with sealed_folder(tmp_path, SEAL, is_owned, listed) as sealed:
        fill(sealed, b="été", a="")
        written = sealed.written()

    assert [(it.name, it.bytes, it.sha256) for it in written] == [
        ("b.txt", 5, hashlib.sha256("été".encode()).hexdigest()),
        ("a.txt", 0, hashlib.sha256(b"").hexdigest()),
    ]


def test_a_new_set_replaces_the_old(tmp_path: Path) -> None:
    """Files of the earlier set go, and what a dead run left; foreign files and folders stay."""
    write(tmp_path, "first", a="1", b="1")
    (tmp_path / "a.txt.0a1b2c3d.part").write_text("killed")
    (tmp_path / f"{SEAL}.0a1b2c3d.part").write_text("killed")
    (tmp_path / "c.txt").write_text("foreign")
    (tmp_path / "d.txt").write_text("foreign")
    (tmp_path / "d.txt.0a1b2c3d.part").write_text("foreign")
    text = write(tmp_path, "second", a="2")

    assert contents(tmp_path) == {
        "a.txt": "2",
        SEAL: text,
        "c.txt": "foreign",
        "d.txt": "foreign",
        "d.txt part": "foreign",
    }


def test_what_no_seal_lists_is_not_overwritten(tmp_path: Path) -> None:
    """A file of somebody's that has a name of ours, and another program's seal, are refused."""
    text = write(tmp_path, "first", a="1")
    (tmp_path / "b.txt").write_text("foreign")
    with pytest.raises(OutputError, match=f"b.txt: it would be overwritten, and no {SEAL}"):
        write(tmp_path, "second", a="2", b="2")
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "foreign", SEAL: text}
    (tmp_path / "c.txt").mkdir()
    with pytest.raises(OutputError, match="it would be overwritten"):
        write(tmp_path, "second", a="2", c="2")
    (tmp_path / "c.txt").rmdir()
    (tmp_path / SEAL).write_text("{}")
    with pytest.raises(OutputError, match=f"{SEAL}: it is another program's"):
        write(tmp_path, "second", a="2")
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "foreign", SEAL: "{}"}


def dies_after(steps: int, folder: Path) -> bool:
    """Publish a set in a process that dies after so many changes of names; whether it did."""
    child = os.fork()
    if child == 0:
        left = [steps]

        def count(event: str, _: object) -> None:
            if event in {"os.rename", "os.remove"}:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        with sealed_folder(folder, SEAL, is_owned, listed) as sealed:
            fill(sealed, a="2", b="2")
            sys.addaudithook(count)
            sealed.publish("second a.txt b.txt")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="dies in a process of its own")
def test_whenever_a_run_died_the_next_one_replaces_all(tmp_path: Path) -> None:
    """What is left of both sets is known to be theirs, and nothing of it stays."""
    for steps in range(20):
        folder = tmp_path / str(steps)
        first = write(folder, "first", a="1", c="1")
        died = dies_after(steps, folder)
        left = contents(folder)
        if SEAL in left:
            assert left[SEAL] in {first, "second a.txt b.txt"}
            assert all(left[name] in {"1", "2"} for name in listed(left[SEAL]))
            assert len({left[name] for name in listed(left[SEAL])}) == 1
        (folder / "d.txt").write_text("foreign")
        text = write(folder, "third", b="3")
        assert contents(folder) == {"b.txt": "3", "d.txt": "foreign", SEAL: text}
        if not died:
            assert steps > 5
            return
    pytest.fail("it never ended")


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
    """The old seal steps aside, old files go, the new take their names, the seal comes last."""
    write(tmp_path, "first", a="1", c="1")
    with sealed_folder(tmp_path, SEAL, is_owned, listed) as sealed:
        fill(sealed, a="2", b="2")
        with watched(tmp_path) as events:
            sealed.publish("second a.txt b.txt")

    assert events == [
        ("new", f"{SEAL} part"),
        ("from", SEAL),
        ("to", f"{SEAL} part"),
        ("gone", "c.txt"),
        ("from", "a.txt part"),
        ("to", "a.txt"),
        ("from", "b.txt part"),
        ("to", "b.txt"),
        ("from", f"{SEAL} part"),
        ("to", SEAL),
        ("gone", f"{SEAL} part"),
    ]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt, OSError])
def test_a_fault_while_writing_leaves_all_as_it_was(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    """Whatever is raised while parts are written, the earlier set stays, and no part."""
    write(tmp_path, "first", a="1")
    expected = OutputError if fault is OSError else fault
    with pytest.raises(expected):
        fail(tmp_path, fault())

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first a.txt"}


def test_a_fault_takes_back_new_folders(tmp_path: Path) -> None:
    """Folders that were made for the set go again; one that was there stays."""
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "there/new/newer", KeyboardInterrupt())

    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_set_that_is_not_published_leaves_parts_for_nobody(tmp_path: Path) -> None:
    """Without publishing there is no file of the set, and no seal."""
    write(tmp_path, "first", a="1")
    with sealed_folder(tmp_path, SEAL, is_owned, listed) as sealed:
        fill(sealed, a="2")
        sealed.discard()

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first a.txt"}


def test_a_fault_among_the_names_leaves_no_seal(tmp_path: Path) -> None:
    """Where a file cannot take its name there is no seal; the next set replaces what is left."""
    write(tmp_path, "first", a="1")

    def write_meanwhile() -> None:
        with sealed_folder(tmp_path, SEAL, is_owned, listed) as sealed:
            fill(sealed, a="2", b="2", c="2")
            (tmp_path / "b.txt").mkdir()
            sealed.publish("second a.txt b.txt c.txt")

    with pytest.raises(OutputError) as refused:
        write_meanwhile()

    assert refused.value.message.startswith(f"{tmp_path / 'b.txt'}: cannot be written: ")
    assert refused.value.exit_code == 2
    left = contents(tmp_path)
    assert left.pop(f"{SEAL} part").startswith(("first", "second"))
    assert left == {"a.txt": "2", "b.txt": "a folder"}
    (tmp_path / "b.txt").rmdir()
    text = write(tmp_path, "third", b="3")
    assert contents(tmp_path) == {"b.txt": "3", SEAL: text}


def test_a_fault_before_the_names_keeps_the_old_set(tmp_path: Path) -> None:
    """Where a part is missing, nothing has been touched yet."""
    write(tmp_path, "first", a="1")
    with sealed_folder(tmp_path, SEAL, is_owned, listed) as sealed:
        fill(sealed, a="2")
        missing = sealed.part("b.txt")
        with pytest.raises(FileNotFoundError, match=missing.name):
            sealed.publish("second a.txt b.txt")
        sealed.discard()

    assert contents(tmp_path) == {"a.txt": "1", SEAL: "first a.txt"}


def test_of_two_runs_at_once_one_fails(tmp_path: Path) -> None:
    """Two sets that are written into one folder at once never mix: the later to end is refused."""

    def write_both() -> None:
        with sealed_folder(tmp_path, SEAL, is_owned, listed) as late:
            fill(late, a="late", b="late")
            with sealed_folder(tmp_path, SEAL, is_owned, listed) as early:
                fill(early, a="early")
                fill(late, c="late")
                fill(early, b="early")
                early.publish("early a.txt b.txt")
            late.written()

    with pytest.raises(OutputError, match="No such file"):
        write_both()

    assert contents(tmp_path) == {"a.txt": "early", "b.txt": "early", SEAL: "early a.txt b.txt"}


def test_a_run_that_another_has_overtaken(tmp_path: Path) -> None:
    """Files of a set that came meanwhile, and has none of its parts, are not orphaned."""

    def write_late() -> None:
        with sealed_folder(tmp_path, SEAL, is_owned, listed) as late:
            text.append(write(tmp_path, "early", a="early"))
            fill(late, b="late")
            late.publish("late b.txt")

    text: list[str] = []
    with pytest.raises(OutputError, match="another run has written there meanwhile"):
        write_late()
    assert contents(tmp_path) == {"a.txt": "early", SEAL: text[0]}


def test_nothing_is_left_of_a_look(tmp_path: Path) -> None:
    """Whether a file can be written is found out without a trace."""
    check_file(tmp_path / "new/folder/file.json")
    (tmp_path / "file").write_text("mine")
    for name in ("", "file/inner.json"):
        with pytest.raises(OutputError):
            check_file(tmp_path / name)
    assert [it.name for it in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["file", "file/inner", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    """A file in the way, or an impossible name, is refused with the name."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError) as refused:
        write(tmp_path / name, "sealed", a="1")

    assert str(tmp_path) in refused.value.message
    assert "cannot be written" in refused.value.message
    assert contents(tmp_path) == {"file": "mine"}
