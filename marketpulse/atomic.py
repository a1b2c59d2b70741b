"""Files that appear together or not at all: parts, then their names, then the seal."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from marketpulse.errors import OutputError, UsageError

_PART = ".part"


@dataclass(frozen=True)
class FileRecord:
    """A file of a set: its name, its size in bytes and its SHA-256 in hexadecimal."""

    name: str
    bytes: int
    sha256: str


class SealedFolder:
    """A folder's set of files, which the seal lists and makes complete.

    While the files are written they are called `.part`, each run's by its own mark. When all are
    on the disk, and the new seal too as a part, the seal of an earlier set becomes a part, its
    files and the parts of runs that did not end go, the new ones take their names, and the new seal
    comes last: whatever happens in between, a seal never stands beside another set's files, and
    what is there is in some list. Of two runs at once one fails. `listed` tells which files a seal
    lists, and raises `ValueError` for what is none; a file that no seal here lists is somebody's,
    and stays. `begun` tells which names parts have. A set without a seal is one file.
    """

    def __init__(
        self,
        folder: Path,
        seal: str | None,
        begun: Callable[[str], bool],
        listed: Callable[[str], Collection[str]],
    ) -> None:
        self._folder = folder
        self._seal = seal
        self._begun = begun
        self._listed = listed
        self._suffix = _mark()
        self._names: list[str] = []
        self._replacing = False
        self._ours = self._found()

    def part(self, name: str) -> Path:
        """Where to write a file of the set for now.

        Raises `OutputError` where something of this name is there that no set of ours holds.
        """
        ours = self._seal is None or name in self._ours
        if not ours and os.path.lexists(self._folder / name) and name not in self._found():
            raise OutputError(
                f"{self._folder / name}: it would be overwritten, and no {self._seal} lists it",
                hint="name another folder with --output, or move that file away",
            )
        self._names.append(name)
        return self._part(name)

    def forget(self, name: str) -> None:
        """Remove a file from the set again."""
        if name in self._names:
            self._names.remove(name)
        self._part(name).unlink(missing_ok=True)

    def written(self) -> list[FileRecord]:
        """Bring the parts to the disk, and tell what they are, by the names that they will have."""
        files = []
        with ThreadPoolExecutor(1) as disk:
            synced = disk.map(_sync, map(self._part, self._names))
            for name in self._names:
                with self._part(name).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    files.append(FileRecord(name, os.fstat(file.fileno()).st_size, digest))
            list(synced)  # raises what went wrong
        return files

    def publish(self, seal: str = "") -> None:
        """Give all files their names, the seal last.

        Raises `OutputError` where another run has written here since this one began.
        """
        if self._seal and self._found() != self._ours:
            raise OutputError(
                f"{self._folder}: another run has written there meanwhile", hint="run it again"
            )
        for name in self._names:
            _sync(self._part(name))
        left = self._set_aside(seal) if self._seal else []
        self._clear(self._ours.difference(self._listed(seal)))
        for name in self._names:
            self._part(name).replace(self._folder / name)
        _sync(self._folder)
        if self._seal:
            self._part(self._seal).replace(self._folder / self._seal)
            for path in left:
                path.unlink(missing_ok=True)
            _sync(self._folder)

    def discard(self) -> None:
        """Remove the parts, those aside that tell what is left of a set."""
        for name in self._names:
            self._part(name).unlink(missing_ok=True)
        if self._seal and not self._replacing:
            self._part(self._seal).unlink(missing_ok=True)

    def _set_aside(self, text: str) -> list[Path]:
        """Write the new seal as a part, and make the old one a part; all that go in the end."""
        left = self._seals()
        part, seal = self._part(str(self._seal)), self._folder / str(self._seal)
        part.write_text(text, encoding="utf-8", newline="\n")
        _sync(part)
        if seal.exists():
            left.append(seal.replace(seal.with_name(f"{self._seal}{_mark()}")))
        self._replacing = True
        _sync(self._folder)
        return left

    def _clear(self, old: Collection[str]) -> None:
        """Remove these files, and the parts of runs that did not end; their seals stay for now."""
        for path in self._folder.iterdir():
            part_of = _part_of(path.name)
            if part_of is None:
                goes = path.name in old
            else:
                dead = not path.name.endswith(self._suffix)
                goes = dead and part_of != self._seal and self._begun(part_of)
            if goes and not path.is_dir():
                path.unlink()

    def _found(self) -> set[str]:
        """The files that a seal here lists, finished or not."""
        names: set[str] = set()
        if self._seal is None:
            return names
        for path in self._seals():
            with suppress(ValueError):  # one that is not whole lists nothing that is there
                names.update(self._listed(path.read_text(encoding="utf-8")))
        seal = self._folder / self._seal
        if seal.is_file():
            try:
                names.update(self._listed(seal.read_text(encoding="utf-8")))
            except ValueError as error:
                raise OutputError(
                    f"{seal}: it is another program's: it would be overwritten",
                    hint="name another folder with --output",
                ) from error
        return names

    def _seals(self) -> list[Path]:
        """The seals of sets that are not whole."""
        found = self._folder.iterdir() if self._seal else ()
        return [it for it in found if _part_of(it.name) == self._seal and it.is_file()]

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}{self._suffix}"


def _mark() -> str:
    """What parts end with: each run's are others."""
    return f".{secrets.token_hex(4)}{_PART}"


def _part_of(name: str) -> str | None:
    """The name that a part will have; None for what is no part."""
    return name.rsplit(".", 2)[0] if name.endswith(_PART) else None


@contextmanager
def sealed_folder(
    folder: Path,
    seal: str | None,
    begun: Callable[[str], bool],
    listed: Callable[[str], Collection[str]] = lambda _: (),
) -> Iterator[SealedFolder]:
    """Write a set of files; whatever goes wrong, no part and no new folder is left behind.

    Raises `OutputError` where the folder cannot be made or written, `UsageError` for an address.
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]", str(folder)):  # and no drive of Windows
        raise UsageError(
            f"{folder}: this is an address, not a folder",
            hint="write into a folder; --push s3://bucket/prefix/ sends what was written",
        )
    made: list[Path] = []
    try:
        made += [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        files = SealedFolder(folder, seal, begun, listed)
        try:
            yield files
        except BaseException:
            files.discard()
            raise
        _remove(made)  # those in which nothing was written
    except OSError as error:
        _remove(made)
        raise OutputError(
            f"{error.filename2 or error.filename or folder}: cannot be written: "
            f"{error.strerror or error}",
            hint="name another place, or make room; close the files in other programs",
        ) from error
    except BaseException:
        _remove(made)
        raise


def check_file(path: Path) -> None:
    """Raise `OutputError` where `write_file` could not write this, as far as that can be told."""
    if path.is_dir():
        raise OutputError(f"{path}: this is a folder", hint="name a file in it")
    with sealed_folder(path.parent, None, lambda _: False) as files:
        files.part(path.name).touch()
        files.discard()


def write_file(path: Path, text: str) -> None:
    """Write a file, whole or not at all. Raises `OutputError` where that cannot be."""
    with sealed_folder(path.parent, None, lambda _: False) as files:
        files.part(path.name).write_text(text, encoding="utf-8", newline="\n")
        files.publish()


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows has no such thing for folders
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
