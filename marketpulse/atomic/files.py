"""Files that appear together or not at all.

A set of files has a seal: the file that lists the others and makes the set complete. This is what
happens in the folder when a set replaces an earlier one. A run may die after any line:

    COLORS.csv.0a1b2c3d.part                        files are written as parts
    manifest.json.0a1b2c3d.part                     so is the new seal
    manifest.json -> manifest.json.4e5f6a7b.part    the old set is no longer complete
    COLORS.csv -> COLORS.csv.4e5f6a7b.part          the old files are set aside
    COLORS.csv.0a1b2c3d.part -> COLORS.csv          the new files take their names
    manifest.json.0a1b2c3d.part -> manifest.json    the new set is complete
    the old parts are removed

A file that another program holds open, such as Excel on Windows, cannot be set aside. Then all
that was renamed gets its old name back, in reverse order, and the old set is complete again.

So a seal never stands beside another set's files, and whatever is left of a set is listed in a
seal or in the part of one. The next run removes that, and nothing else. Each run has its own mark
(`0a1b2c3d`), and of several runs one at a time writes into a folder: see `folder_lock`.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from marketpulse.atomic.lock import PATIENCE, folder_lock
from marketpulse.errors import OutputError, UsageError, address_hint, user_notes

_PART = ".part"


@dataclass(frozen=True)
class FileRecord:
    """A file of a set: its name, its size in bytes and its SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Seal:
    """A kind of set: the name of its seal, and how the names of its files are found.

    `is_member` says whether sets of this kind have files of a name. `list_files` reads the text of
    a seal, and raises `ValueError` if it is not one.
    """

    name: str
    is_member: Callable[[str], bool]
    list_files: Callable[[str], Collection[str]]


@dataclass(frozen=True)
class PartFolder:
    """Where other processes, which may be repeated, write parts of a set."""

    folder: Path
    mark: str

    def part(self, name: str, attempt: int) -> Path:
        """Return the path at which this attempt writes this file: no other has the same."""
        return self.folder / f"{name}.{self.mark}-{attempt}{_PART}"


class FileSet:
    """A set of files in the making; see `atomic_folder`."""

    def __init__(self, folder: Path, seal: Seal) -> None:
        self._folder = folder
        self._seal = seal
        self._mark = _new_mark()
        self._names: list[str] = []
        self._adopted: dict[str, FileRecord] = {}
        self._publishing = False
        self._listed = self._read_seals()

    def part(self, name: str) -> Path:
        """Return the path at which you write this file of the set.

        Raises `OutputError` if the folder has a file of this name that no seal lists.
        """
        path = self._folder / name
        # `lexists`: a broken link is a file of the user's, too.
        if name not in self._listed and os.path.lexists(path):
            raise OutputError(
                f"{path}: it would be overwritten, and no {self._seal.name} lists it",
                hint="choose another folder with --output, or move that file away",
            )
        _refuse_folder(path)
        self._names.append(name)
        return self._part(name)

    @property
    def part_folder(self) -> PartFolder:
        """Where other processes write; what is not adopted is removed in the end."""
        return PartFolder(self._folder, self._mark.removesuffix(_PART).removeprefix("."))

    def adopt(self, part: Path, record: FileRecord) -> None:
        """Make a part of another process the file of the record. Raises what `part` raises."""
        part.replace(self.part(record.name))
        self._adopted[record.name] = record

    def remove(self, name: str) -> None:
        """Take a file out of the set again."""
        self._part(name).unlink(missing_ok=True)
        if name in self._names:
            self._names.remove(name)

    def records(self) -> list[FileRecord]:
        """Write the parts through to the disk; return names, sizes and digests for the seal."""
        with ThreadPoolExecutor(1) as executor:  # one waits for the disk, the other computes
            synced = executor.map(_sync, map(self._part, self._names))
            records = [
                self._adopted.get(name) or file_record(self._part(name), name)
                for name in self._names
            ]
            list(synced)  # raises what went wrong in the other thread
        return records

    def publish(self, seal_text: str) -> None:
        """Give all files their names, the seal last.

        Raises `OutputError` if a file cannot be replaced, or if another run has written into the
        folder since this one began. Then the old set is as it was.
        """
        if self._read_seals() != self._listed:  # only where the file system has no locks
            raise OutputError(
                f"{self._folder}: another run has written there meanwhile", hint="run it again"
            )
        # First: after a crash no name may stand for a file without its content.
        for name in self._names:
            _sync(self._part(name))
        seal_part = self._part(self._seal.name)
        seal_part.write_text(seal_text, encoding="utf-8", newline="\n")
        _sync(seal_part)
        # To parse a manifest takes longer than to write it.
        kept = self._seal.list_files(seal_text) if self._listed else ()
        removed = self._listed.difference(kept)
        renames = _Renames()
        self._publishing = True
        try:
            renames.set_aside(self._folder / self._seal.name)
            _sync(self._folder)  # keeps the order of the renames, also if the power fails
            for name in sorted(removed.union(self._names)):
                renames.set_aside(self._folder / name)
            for name in self._names:
                renames.rename(self._part(name), self._folder / name)
            _sync(self._folder)
            renames.rename(seal_part, self._folder / self._seal.name)
        except BaseException as error:
            self._publishing = not renames.undo()
            if self._publishing and isinstance(error, OutputError):
                error.message += "; the old files could not be put back: they are .part files now"
            raise
        _sync(self._folder)
        self._remove_parts()

    def discard(self) -> None:
        """Remove the parts, but not a seal that lists what is left of a set."""
        for name in self._names:
            self._part(name).unlink(missing_ok=True)
        place = self.part_folder
        for path in place.folder.glob(f"*.{place.mark}-*{_PART}"):
            path.unlink(missing_ok=True)
        if not self._publishing:
            self._part(self._seal.name).unlink(missing_ok=True)

    def _remove_parts(self) -> None:
        """Remove the parts of the old set and of runs that died, those of seals last."""
        parts = [(path, _name_of_part(path.name)) for path in self._folder.iterdir()]
        for path, name in sorted(parts, key=lambda part: part[1] == self._seal.name):
            if name and (name == self._seal.name or self._seal.is_member(name)):
                # The set is complete. Whatever cannot be removed now is left to the next run.
                with suppress(OSError):
                    path.unlink()

    def _read_seals(self) -> set[str]:
        """Return the files that a seal in the folder lists, complete or not.

        Raises `OutputError` if another program's file has the name of the seal.
        """
        names: set[str] = set()
        for path in self._folder.iterdir():
            if _name_of_part(path.name) != self._seal.name or not path.is_file():
                continue
            with suppress(ValueError):  # the run died while it wrote this, so nothing is lost
                names.update(self._seal.list_files(path.read_text(encoding="utf-8")))
        seal = self._folder / self._seal.name
        if seal.is_file():
            try:
                names.update(self._seal.list_files(seal.read_text(encoding="utf-8")))
            except ValueError as error:
                raise OutputError(
                    f"{seal}: it would be overwritten, and another program wrote it",
                    hint="choose another folder with --output",
                ) from error
        return names

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}{self._mark}"


class _Renames:
    """Renames of files that can be undone."""

    def __init__(self) -> None:
        self._begun: list[tuple[Path, Path]] = []

    def set_aside(self, path: Path) -> None:
        """Make a file a part, if it exists."""
        if os.path.lexists(path):
            _refuse_folder(path)
            self.rename(path, path.with_name(f"{path.name}{_new_mark()}"))

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file. Raises `OutputError` with the name that is not a part's."""
        self._begun.append((old, new))  # first: Ctrl-C may come right after the rename
        try:
            old.replace(new)
        except OSError as error:
            named = new if _name_of_part(new.name) is None else old
            raise OutputError(
                f"{named}: cannot be replaced: {error.strerror or error}",
                hint="close it in other programs, such as Excel, and run it again; or name another "
                "folder with --output",
            ) from error

    def undo(self) -> bool:
        """Rename everything back, the last first. Returns whether all files have their names."""
        for old, new in reversed(self._begun):
            if os.path.lexists(old):
                continue  # it was not renamed
            try:
                new.replace(old)
            except OSError:
                # The seal is the first that was renamed. It must not list files that are gone.
                return False
        return True


@contextmanager
def atomic_folder(folder: Path, seal: Seal, patience: float = PATIENCE) -> Iterator[FileSet]:
    """Write a set of files into a folder; `FileSet.publish` completes it.

    Without `publish`, or after an error, no part and no new folder is left. The folder is locked:
    another run waits for this one, `patience` seconds at most. Raises `OutputError` if the folder
    cannot be made or written, or another run still writes; `UsageError` if it is an address.
    """
    with writable_folder(folder), folder_lock(folder, patience):
        files = FileSet(folder, seal)
        try:
            yield files
        finally:
            files.discard()


@contextmanager
def atomic_file(path: Path, *, remove_parts: bool = False) -> Iterator[Path]:
    """Write a file: at the end of the block, the path you write to takes its name.

    After an error, neither the part nor a new folder is left. `remove_parts` also removes parts
    that dead runs left of this file; use it if no other run may be writing the file now. Raises
    what `atomic_folder` raises.
    """
    with writable_folder(path.parent):
        part = path.with_name(f"{path.name}{_new_mark()}")
        try:
            yield part
            _sync(part)
            if remove_parts:
                for other in path.parent.iterdir():
                    if _name_of_part(other.name) == path.name and other != part:
                        other.unlink(missing_ok=True)
            part.replace(path)
            _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)


def file_record(path: Path, name: str) -> FileRecord:
    """Return the record of a file under this name, which it has or will have."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileRecord(name, os.fstat(file.fileno()).st_size, digest)


def finish_part(path: Path, name: str) -> FileRecord:
    """Write a part of another process through to the disk; return its record under this name."""
    _sync(path)
    return file_record(path, name)


def write_file(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text file, whole or not at all. Raises what `atomic_folder` raises.

    A `private` file can be read by its owner alone, where the system has such permissions.
    """
    with atomic_file(path) as part:
        part.touch(mode=0o600 if private else 0o666)
        part.write_text(text, encoding="utf-8", newline="\n")


def check_file(path: Path) -> None:
    """Raise `OutputError` if `write_file` could not write this, as far as that can be known."""
    if path.is_dir():
        raise OutputError(f"{path}: this is a folder", hint="name a file in it")
    with writable_folder(path.parent):
        part = path.with_name(f"{path.name}{_new_mark()}")
        part.touch()
        part.unlink()


def _refuse_folder(path: Path) -> None:
    """Raise `OutputError` if a folder stands where a file is to be written."""
    if path.is_dir() and not path.is_symlink():
        raise OutputError(
            f"{path}: cannot be replaced: this is a folder",
            hint="choose another folder with --output, or move that one away",
        )


def check_folder_name(folder: Path) -> None:
    """Raise `UsageError` for what is no folder: an address, or `-` for standard output."""
    if address_hint(folder):
        raise UsageError(
            f"{folder}: this is an address, not a folder",
            hint="write into a folder; --push s3://bucket/prefix/ sends what was written",
        )
    if folder.parts[:1] == ("-",):
        raise UsageError(
            "-: standard output cannot take several files", hint="name a folder to write into"
        )


@contextmanager
def writable_folder(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; remove those that are still empty at the end.

    Raises what `check_folder_name` raises, and `OutputError` for the system's errors inside.
    """
    check_folder_name(folder)
    created: list[Path] = []
    try:
        created += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        match error:
            case FileExistsError() | NotADirectoryError():
                hint = "this is a file: name a folder"
            case IsADirectoryError():
                hint = "this is a folder: name a file in it"
            case PermissionError():
                hint = "name another place: you may not write there"
            case _:
                hint = "name another place, or free some space; close the files in other programs"
        file = Path(error.filename2 or error.filename or folder)
        raise OutputError(
            f"{file.with_name(_name_of_part(file.name) or file.name)}: cannot be written: "
            f"{error.strerror or error}",
            hint="; ".join([hint, *user_notes(error)]),
        ) from error
    finally:
        with suppress(OSError):  # one is not empty
            for path in created:
                path.rmdir()


def _new_mark() -> str:
    """Return the ending of a part's name: another one for each run."""
    return f".{secrets.token_hex(4)}{_PART}"


def _name_of_part(name: str) -> str | None:
    """Return the name that a part will have in the end; None if it is not a part."""
    return name.rsplit(".", 2)[0] if name.endswith(_PART) else None


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot sync folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
