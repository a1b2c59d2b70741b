"""Files that appear together or not at all: parts, then their names, then the seal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from marketpulse.errors import OutputRefused

_PART = ".part"


@dataclass(frozen=True)
class WrittenFile:
    """A file of the set: its name, size and SHA-256."""

    name: str
    bytes: int
    sha256: str


class SealedFolder:
    """A folder's set of files, which the seal makes complete.

    While the files are written they are called `.part`. When all are on the disk, the seal of an
    earlier set goes first, then its files, then the new ones take their names, and the new seal
    comes last: whatever happens in between, a seal never stands beside another set's files.
    `owned` tells which names belong to such sets.
    """

    def __init__(self, folder: Path, seal: str, owned: Callable[[str], bool]) -> None:
        self._folder = folder
        self._seal = seal
        self._owned = owned
        self._names: list[str] = []

    def part(self, name: str) -> Path:
        """Where to write a file of the set for now."""
        self._names.append(name)
        return self._folder / f"{name}{_PART}"

    def written(self) -> list[WrittenFile]:
        """The parts as they are on the disk, by the names that they will have."""
        files = []
        for name in self._names:
            with (self._folder / f"{name}{_PART}").open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                files.append(WrittenFile(name, os.fstat(file.fileno()).st_size, digest))
        return files

    def publish(self, seal: str) -> None:
        """Give all files their names, the seal last."""
        for name in self._names:
            _sync(self._folder / f"{name}{_PART}")
        (self._folder / self._seal).unlink(missing_ok=True)
        _sync(self._folder)
        current = {*self._names, *(f"{name}{_PART}" for name in self._names)}
        for path in self._folder.iterdir():
            if self._owned(path.name) and path.name not in current:
                path.unlink()
        for name in self._names:
            (self._folder / f"{name}{_PART}").replace(self._folder / name)
        _sync(self._folder)
        part = self._folder / f"{self._seal}{_PART}"
        part.write_text(seal, encoding="utf-8")
        _sync(part)
        part.replace(self._folder / self._seal)
        _sync(self._folder)

    def discard(self) -> None:
        """Remove the parts."""
        for name in (*self._names, self._seal):
            (self._folder / f"{name}{_PART}").unlink(missing_ok=True)


@contextmanager
def sealed_folder(folder: Path, seal: str, owned: Callable[[str], bool]) -> Iterator[SealedFolder]:
    """Write a set of files; whatever goes wrong, no part and no new folder is left behind.

    Raises `OutputRefused` where the folder cannot be made or written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = SealedFolder(folder, seal, owned)
        try:
            yield files
        except BaseException:
            files.discard()
            raise
    except OSError as error:
        _remove(made)
        raise OutputRefused(
            f"{folder}: cannot be written: {error.strerror or error}",
            hint="name another folder with --output, or make room; "
            "close the files in other programs",
        ) from error
    except BaseException:
        _remove(made)
        raise


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
