"""Files that appear together or not at all: the order on the disk, and what an error leaves."""

import ctypes
import hashlib
import os
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType

import pytest

from marketpulse.atomic import (
    FileSet,
    Seal,
    atomic_file,
    atomic_folder,
    check_file,
    finish_part,
    write_file,
)
from marketpulse.atomic.lock import LOCK_FILE
from marketpulse.errors import OutputError, UsageError


def list_files(seal: str) -> list[str]:
    """Parse a seal: a word and the names of the files."""
    word, *names = seal.split()
    if not word.isalpha():
        raise ValueError(word)
    return names


NAME = "seal.json"
SEAL = Seal(
    name=NAME,
    is_member=lambda name: name in {"a.txt", "b.txt", "c.txt"},
    list_files=list_files,
)


def write(folder: Path, word: str, **contents: str) -> str:
    """Write a complete set, where a="..." becomes a.txt; return the text of its seal."""
    text = " ".join([word, *(f"{name}.txt" for name in contents)])
    with atomic_folder(folder, SEAL) as files:
        fill(files, **contents)
        files.publish(text)
    return text


def fail(folder: Path, error: BaseException) -> None:
    """Write two parts, name a third, and stop with an error."""
    with atomic_folder(folder, SEAL) as files:
        fill(files, a="2", b="2")
        files.part("c.txt")
        raise error


def fill(files: FileSet, **contents: str) -> None:
    """Write the parts of a set."""
    for name, content in contents.items():
        files.part(f"{name}.txt").write_text(content, encoding="utf-8")


def contents(folder: Path) -> dict[str, str]:
    """Return every file of a folder; `a.txt part` is a part of a.txt."""
    files = {}
    for path in folder.iterdir():
        name = f"{path.name.rsplit('.', 2)[0]} part" if path.suffix == ".part" else path.name
        files[name] = path.read_text(encoding="utf-8") if path.is_file() else "a folder"
    return dict(sorted(files.items()))


def test_a_set_appears_whole(tmp_path: Path) -> None:
    """Before a set is published it has only parts, afterwards files and their seal."""
    folder = tmp_path / "new/folder"
    with atomic_folder(folder, SEAL) as files:
        fill(files, a="1", b="2")
        assert contents(folder) == {LOCK_FILE: "", "a.txt part": "1", "b.txt part": "2"}
        files.publish("sealed a.txt b.txt")

    assert contents(folder) == {"a.txt": "1", "b.txt": "2", NAME: "sealed a.txt b.txt"}


def test_records_describe_what_is_on_the_disk(tmp_path: Path) -> None:
    """Sizes and digests are those of the files, in the order in which the files were named."""
    with atomic_folder(tmp_path, SEAL) as files:
        fill(files, b="été", a="")
        records = files.records()

    assert [(file.name, file.bytes, file.sha256) for file in records] == [
        ("b.txt", 5, hashlib.sha256("été".encode()).hexdigest()),
        ("a.txt", 0, hashlib.sha256(b"").hexdigest()),
    ]


def test_a_new_set_replaces_the_old(tmp_path: Path) -> None:
    """Files of the earlier set and of dead runs are removed; foreign files and folders stay."""
    write(tmp_path, "first", a="1", b="1")
    (tmp_path / "a.txt.0a1b2c3d.part").write_text("killed")
    (tmp_path / f"{NAME}.0a1b2c3d.part").write_text("killed")
    (tmp_path / "c.txt").write_text("foreign")
    (tmp_path / "d.txt").write_text("foreign")
    (tmp_path / "d.txt.0a1b2c3d.part").write_text("foreign")
    text = write(tmp_path, "second", a="2")

    assert contents(tmp_path) == {
        "a.txt": "2",
        NAME: text,
        "c.txt": "foreign",
        "d.txt": "foreign",
        "d.txt part": "foreign",
    }


def test_files_that_no_seal_lists_are_not_overwritten(tmp_path: Path) -> None:
    """A foreign file in the way is an error, and so is another program's file at the seal."""
    text = write(tmp_path, "first", a="1")
    (tmp_path / "b.txt").write_text("foreign")
    with pytest.raises(OutputError, match=f"b.txt: it would be overwritten, and no {NAME}"):
        write(tmp_path, "second", a="2", b="2")
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "foreign", NAME: text}
    (tmp_path / "c.txt").mkdir()
    with pytest.raises(OutputError, match="it would be overwritten"):
        write(tmp_path, "second", a="2", c="2")
    (tmp_path / "c.txt").rmdir()
    (tmp_path / NAME).write_text("{}")
    with pytest.raises(OutputError, match=f"{NAME}: it would be overwritten, and another"):
        write(tmp_path, "second", a="2")
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "foreign", NAME: "{}"}


def test_a_file_in_the_way_is_found_before_the_work(tmp_path: Path) -> None:
    """A folder that has the name of a file of the earlier set is refused at once."""
    text = write(tmp_path, "first", a="1")
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OutputError, match=r"a\.txt: cannot be replaced: this is a folder"):
        write(tmp_path, "second", a="2")
    assert contents(tmp_path) == {"a.txt": "a folder", NAME: text}


def refuse_renames(folder: Path, locked: str) -> None:
    """Make this process fail as Windows does if another program holds a file open."""
    path = str(folder / locked)

    def refuse(event: str, arguments: tuple[object, ...]) -> None:
        touched = {str(name) for name in arguments[:2]} if event == "os.rename" else set()
        if path in touched or (event == "os.remove" and str(arguments[0]) == path):
            raise PermissionError(13, "it is used by another process", path)

    sys.addaudithook(refuse)


def publish_in_process(folder: Path, locked: str) -> str:
    """Publish a second set in a process that cannot rename one file; return its message."""
    read, written = os.pipe()
    child = os.fork()
    if child == 0:
        refuse_renames(folder, locked)
        try:
            write(folder, "second", a="2", b="2")
        except OutputError as error:
            os.write(written, f"{error.message}\n{error.hint}".encode())
        os._exit(0)
    os.close(written)
    os.waitpid(child, 0)
    with os.fdopen(read, encoding="utf-8") as pipe:
        return pipe.read()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="audit hooks need a process of their own")
@pytest.mark.parametrize("locked", ["a.txt", "b.txt", "c.txt", NAME])
def test_a_locked_file_changes_nothing(tmp_path: Path, locked: str) -> None:
    """If one file of the earlier set is open elsewhere, all stay; the message names it."""
    text = write(tmp_path, "first", a="1", b="1", c="1")
    message = publish_in_process(tmp_path, locked)

    assert message.startswith(f"{tmp_path / locked}: cannot be replaced: it is used by another")
    assert "close it in other programs, such as Excel" in message
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "1", "c.txt": "1", NAME: text}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="audit hooks need a process of their own")
@pytest.mark.parametrize("locked", ["b.txt", NAME])
def test_a_new_name_that_cannot_be_taken_changes_nothing(tmp_path: Path, locked: str) -> None:
    """If a new file cannot take its name, those before it give theirs back."""
    text = write(tmp_path, "first", a="1", c="1")
    (tmp_path / NAME).rename(tmp_path / f"{NAME}.0a1b2c3d.part")
    message = publish_in_process(tmp_path, locked)

    assert message.startswith(f"{tmp_path / locked}: cannot be replaced: ")
    assert contents(tmp_path) == {"a.txt": "1", "c.txt": "1", f"{NAME} part": text}


@pytest.mark.skipif(os.name != "nt", reason="only Windows locks the files that are open")
@pytest.mark.parametrize("locked", ["a.txt", "b.txt", NAME])
def test_a_file_that_is_open_on_windows(tmp_path: Path, locked: str) -> None:
    """The real thing: another program has the file open."""
    text = write(tmp_path, "first", a="1", b="1")
    with (tmp_path / locked).open("rb"), pytest.raises(OutputError, match="cannot be replaced"):
        write(tmp_path, "second", a="2", b="2")
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "1", NAME: text}


def dies_after(steps: int, folder: Path) -> bool:
    """Publish a set in a process that dies after some changes of names; return whether it died."""
    child = os.fork()
    if child == 0:
        remaining = [steps]

        def count(event: str, _: object) -> None:
            if event in {"os.rename", "os.remove"}:
                remaining[0] -= 1
                if remaining[0] < 0:
                    os._exit(9)

        with atomic_folder(folder, SEAL) as files:
            fill(files, a="2", b="2")
            sys.addaudithook(count)
            files.publish("second a.txt b.txt")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="dies in a process of its own")
def test_whenever_a_run_dies_the_next_one_replaces_all(tmp_path: Path) -> None:
    """The next run removes what is left of both sets, and only that."""
    for steps in range(20):
        folder = tmp_path / str(steps)
        first = write(folder, "first", a="1", c="1")
        died = dies_after(steps, folder)
        left = contents(folder)
        if NAME in left:
            assert left[NAME] in {first, "second a.txt b.txt"}
            assert all(left[name] in {"1", "2"} for name in list_files(left[NAME]))
            assert len({left[name] for name in list_files(left[NAME])}) == 1
        (folder / "d.txt").write_text("foreign")
        text = write(folder, "third", b="3")
        assert contents(folder) == {"b.txt": "3", "d.txt": "foreign", NAME: text}
        if not died:
            assert steps > 5
            return
    pytest.fail("it never ended")


@contextmanager
def watched(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Record the changes of names in a folder, as Linux reports them."""
    kinds = {0x40: "from", 0x80: "to", 0x100: "new", 0x200: "gone"}
    libc = ctypes.CDLL(None, use_errno=True)
    events: list[tuple[str, str]] = []
    descriptor = libc.inotify_init()
    try:
        assert libc.inotify_add_watch(descriptor, os.fsencode(folder), sum(kinds)) >= 0
        yield events
        buffer = os.read(descriptor, 1 << 16)
        while buffer:
            _, kind, _, length = struct.unpack_from("iIII", buffer)
            name = buffer[16 : 16 + length].rstrip(b"\0").decode()
            events.append(
                (kinds[kind], f"{name.rsplit('.', 2)[0]} part" if ".part" in name else name)
            )
            buffer = buffer[16 + length :]
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="watches the folder with inotify")
def test_the_order_on_the_disk(tmp_path: Path) -> None:
    """The old seal becomes a part, then the old files; new ones appear, the seal comes last."""
    write(tmp_path, "first", a="1", c="1")
    with atomic_folder(tmp_path, SEAL) as files:
        fill(files, a="2", b="2")
        with watched(tmp_path) as events:
            files.publish("second a.txt b.txt")

    assert events[:13] == [
        ("new", f"{NAME} part"),
        ("from", NAME),
        ("to", f"{NAME} part"),
        ("from", "a.txt"),
        ("to", "a.txt part"),
        ("from", "c.txt"),
        ("to", "c.txt part"),
        ("from", "a.txt part"),
        ("to", "a.txt"),
        ("from", "b.txt part"),
        ("to", "b.txt"),
        ("from", f"{NAME} part"),
        ("to", NAME),
    ]
    assert sorted(events[13:]) == [
        ("gone", "a.txt part"),
        ("gone", "c.txt part"),
        ("gone", f"{NAME} part"),
    ]
    assert events[-1] == ("gone", f"{NAME} part")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_while_writing_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    """Whatever is raised while parts are written, the earlier set stays and no part is left."""
    write(tmp_path, "first", a="1")
    expected = OutputError if error is OSError else error
    with pytest.raises(expected):
        fail(tmp_path, error())

    assert contents(tmp_path) == {"a.txt": "1", NAME: "first a.txt"}


class RenameInterrupt:
    """A trace function that raises `KeyboardInterrupt` at the n-th line of renames, from 0 on."""

    def __init__(self, number: int) -> None:
        self._lines_left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> "RenameInterrupt | None":
        if frame.f_code.co_name not in {"set_aside", "rename"}:
            return None
        if event in {"line", "return"}:
            self._lines_left -= 1
            if self._lines_left < 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return self


def test_an_interrupt_between_renames_keeps_the_old_set(tmp_path: Path) -> None:
    """Ctrl-C at any line, also right after a rename."""
    write(tmp_path, "old", a="1", b="1")
    previous = sys.gettrace()
    for number in count():
        try:
            with atomic_folder(tmp_path, SEAL) as files:
                fill(files, a="2", c="2")
                sys.settrace(RenameInterrupt(number))
                files.publish("new a.txt c.txt")
        except KeyboardInterrupt:
            assert contents(tmp_path) == {"a.txt": "1", "b.txt": "1", NAME: "old a.txt b.txt"}
        else:
            break
        finally:
            sys.settrace(previous)
    assert number > 20


def test_an_error_removes_new_folders(tmp_path: Path) -> None:
    """Folders that were made for the set are removed; existing ones stay."""
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "there/new/newer", KeyboardInterrupt())

    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_set_that_is_not_published_leaves_nothing(tmp_path: Path) -> None:
    """Without `publish` the folder has neither files nor parts of the set."""
    write(tmp_path, "first", a="1")
    with atomic_folder(tmp_path, SEAL) as files:
        fill(files, a="2")
        files.discard()

    assert contents(tmp_path) == {"a.txt": "1", NAME: "first a.txt"}


def test_without_publish_nothing_is_left(tmp_path: Path) -> None:
    """A set that is not completed leaves neither a part nor a new folder."""
    with atomic_folder(tmp_path / "new" / "set", SEAL) as files:
        fill(files, a="1")

    assert not [*tmp_path.iterdir()]


def test_a_folder_that_appears_in_the_way_changes_nothing(tmp_path: Path) -> None:
    """If a file cannot take its name, the earlier set stays complete."""
    text = write(tmp_path, "first", a="1")

    def write_meanwhile() -> None:
        with atomic_folder(tmp_path, SEAL) as files:
            fill(files, a="2", b="2", c="2")
            (tmp_path / "b.txt").mkdir()
            files.publish("second a.txt b.txt c.txt")

    with pytest.raises(OutputError) as refused:
        write_meanwhile()

    assert refused.value.message.startswith(f"{tmp_path / 'b.txt'}: cannot be replaced: ")
    assert refused.value.exit_code == 2
    assert contents(tmp_path) == {"a.txt": "1", "b.txt": "a folder", NAME: text}


def test_an_error_before_publishing_keeps_the_old_set(tmp_path: Path) -> None:
    """If a part is missing, nothing is changed."""
    write(tmp_path, "first", a="1")
    with atomic_folder(tmp_path, SEAL) as files:
        fill(files, a="2")
        missing = files.part("b.txt")
        with pytest.raises(FileNotFoundError, match=missing.name):
            files.publish("second a.txt b.txt")
        files.discard()

    assert contents(tmp_path) == {"a.txt": "1", NAME: "first a.txt"}


def test_a_second_run_waits_for_the_first(tmp_path: Path) -> None:
    """Of two runs at once, the second begins when the first has ended, and replaces its set."""
    with ThreadPoolExecutor(1) as thread:
        with atomic_folder(tmp_path, SEAL) as files:
            fill(files, a="1")
            second = thread.submit(write, tmp_path, "second", b="2")
            time.sleep(0.2)
            assert not second.done()
            fill(files, b="1")
            files.publish("first a.txt b.txt")
        text = second.result()

    assert contents(tmp_path) == {"b.txt": "2", NAME: text}


def test_a_second_run_gives_up(tmp_path: Path) -> None:
    """A run that waited long enough fails, and neither set is harmed."""
    with atomic_folder(tmp_path, SEAL) as files:
        fill(files, a="1")
        refused = pytest.raises(OutputError, match=r"another run is writing there; waited 0\.1 s")
        with refused, atomic_folder(tmp_path, SEAL, patience=0.1):
            pytest.fail("it did not wait")
        files.publish("first a.txt")
    assert contents(tmp_path) == {"a.txt": "1", NAME: "first a.txt"}


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
def test_a_set_that_another_has_overtaken(tmp_path: Path) -> None:
    """Without locks, as on some network drives: a set that was published meanwhile stays."""

    def write_late() -> None:
        with atomic_folder(tmp_path, SEAL) as late:
            (tmp_path / LOCK_FILE).unlink()
            text.append(write(tmp_path, "early", a="early"))
            fill(late, b="late")
            late.publish("late b.txt")

    text: list[str] = []
    with pytest.raises(OutputError, match="another run has written there meanwhile"):
        write_late()
    assert contents(tmp_path) == {"a.txt": "early", NAME: text[0]}


def test_checking_a_file_leaves_nothing(tmp_path: Path) -> None:
    """`check_file` leaves neither a file nor a folder."""
    check_file(tmp_path / "new/folder/file.json")
    (tmp_path / "file").write_text("mine")
    for name in ("", "file/inner.json"):
        with pytest.raises(OutputError):
            check_file(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["file", "file/inner", "x" * 300])
def test_a_folder_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    """A file in the way, or an impossible name, is an error that names the folder."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError) as refused:
        write(tmp_path / name, "first", a="1")

    assert str(tmp_path) in refused.value.message
    assert "cannot be written" in refused.value.message
    assert contents(tmp_path) == {"file": "mine"}


def test_a_file_appears_whole(tmp_path: Path) -> None:
    """A file takes its name at the end of the block, and only if nothing is raised."""
    path = tmp_path / "new/file.txt"
    with atomic_file(path) as part:
        part.write_text("1")
        assert contents(path.parent) == {"file.txt part": "1"}
    assert contents(path.parent) == {"file.txt": "1"}

    def stop() -> None:
        with atomic_file(path) as part:
            part.write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert contents(path.parent) == {"file.txt": "1"}
    write_file(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    if sys.platform != "win32":  # there it is a refused permission
        with pytest.raises(OutputError) as refused:
            write_file(path.parent, "2")
        assert refused.value.hint == "this is a folder: name a file in it"


def test_parts_of_dead_runs_are_removed_on_request(tmp_path: Path) -> None:
    """`remove_parts` removes old parts of this file, and of no other."""
    for name in ("file.zip", "other.zip"):
        (tmp_path / f"{name}.0a1b2c3d.part").write_text("killed")
    with atomic_file(tmp_path / "file.zip") as part:
        part.write_text("1")
    assert contents(tmp_path) == {
        "file.zip": "1",
        "file.zip part": "killed",
        "other.zip part": "killed",
    }
    with atomic_file(tmp_path / "file.zip", remove_parts=True) as part:
        part.write_text("2")
    assert contents(tmp_path) == {"file.zip": "2", "other.zip part": "killed"}


@pytest.mark.parametrize("folder", ["s3://bucket/prefix", "https://host/x", "file:/x"])
def test_an_address_is_not_a_folder(folder: str) -> None:
    """An address where a folder is expected is wrong usage."""
    with pytest.raises(UsageError, match="this is an address"):
        write_file(Path(folder) / "a.txt", "1")


def test_standard_output_is_not_a_folder() -> None:
    """`-`, which prints a single file elsewhere, makes no folder of that name."""
    with pytest.raises(UsageError, match="standard output"):
        write_file(Path("-") / "a.txt", "1")


def test_of_several_attempts_only_what_is_adopted_remains(tmp_path: Path) -> None:
    """Other processes write parts, some twice; the set has those that it adopts, as recorded."""
    with atomic_folder(tmp_path, SEAL) as files:
        place = files.part_folder
        parts = [place.part("a.txt", attempt) for attempt in (1, 2)]
        for attempt, part in enumerate(parts):
            part.write_text(f"attempt {attempt}", encoding="utf-8")
        files.adopt(parts[0], finish_part(parts[0], "a.txt"))
        (record,) = files.records()
        files.publish("set a.txt")
    assert (record.name, record.bytes) == ("a.txt", 9)
    assert record.sha256 == hashlib.sha256(b"attempt 0").hexdigest()
    assert contents(tmp_path) == {"a.txt": "attempt 0", NAME: "set a.txt"}


def test_an_error_removes_the_attempts_of_other_processes(tmp_path: Path) -> None:
    """Adopted or not, no part is left."""

    def run() -> None:
        with atomic_folder(tmp_path, SEAL) as files:
            parts = [files.part_folder.part("a.txt", attempt) for attempt in (1, 2)]
            for part in parts:
                part.write_text("a", encoding="utf-8")
            files.adopt(parts[0], finish_part(parts[0], "a.txt"))
            raise KeyError

    with pytest.raises(KeyError):
        run()
    assert contents(tmp_path) == {}
