"""Files that appear together or not at all: parts, then their names, then the seal."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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

    While the files are written they are called `.part`, each run's by its own mark. When all are
    on the disk, the seal of an earlier set goes first, then its files and the parts of runs that
    did not end, then the new ones take their names, and the new seal comes last: whatever happens
    in between, a seal never stands beside another set's files. Of two runs at once one fails.
    `owned` tells which names belong to such sets.
    """

    def __init__(self, folder: Path, seal: str, owned: Callable[[str], bool]) -> None:
        self._folder = folder
        self._seal = seal
        self._owned = owned
        self._suffix = f".{secrets.token_hex(4)}{_PART}"
        self._names: list[str] = []

    def part(self, name: str) -> Path:
        """Where to write a file of the set for now."""
        self._names.append(name)
        return self._part(name)

    def written(self) -> list[WrittenFile]:
        """Bring the parts to the disk, and tell what they are, by the names that they will have."""
        files = []
        with ThreadPoolExecutor(1) as disk:
            synced = disk.map(_sync, map(self._part, self._names))
            for name in self._names:
                with self._part(name).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    files.append(WrittenFile(name, os.fstat(file.fileno()).st_size, digest))
            list(synced)  # raises what went wrong
        return files

    def publish(self, seal: str) -> None:
        """Give all files their names, the seal last."""
        for name in self._names:
            _sync(self._part(name))
        (self._folder / self._seal).unlink(missing_ok=True)
        _sync(self._folder)
        current = {*self._names, *(self._part(name).name for name in self._names)}
        for path in self._folder.iterdir():
            if path.name not in current and self._is_ours(path.name) and not path.is_dir():
                path.unlink()
        for name in self._names:
            self._part(name).replace(self._folder / name)
        _sync(self._folder)
        part = self._part(self._seal)
        part.write_text(seal, encoding="utf-8")
        _sync(part)
        part.replace(self._folder / self._seal)
        _sync(self._folder)

    def discard(self) -> None:
        """Remove the parts."""
        for name in (*self._names, self._seal):
            self._part(name).unlink(missing_ok=True)

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}{self._suffix}"

    def _is_ours(self, name: str) -> bool:
        """Whether a file belongs to a set, finished or not."""
        if name.endswith(_PART):
            name = name.rsplit(".", 2)[0]
        return name == self._seal or self._owned(name)


@contextmanager
def sealed_folder(folder: Path, seal: str, owned: Callable[[str], bool]) -> Iterator[SealedFolder]:
    """Write a set of files; whatever goes wrong, no part and no new folder is left behind.

    Raises `OutputRefused` where the folder cannot be made or written.
    """
    made: list[Path] = []
    try:
        made += [path for path in (folder, *folder.parents) if not path.exists()]
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
            f"{error.filename2 or error.filename or folder}: cannot be written: "
            f"{error.strerror or error}",
            hint="name another place, or make room; close the files in other programs",
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
