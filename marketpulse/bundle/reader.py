"""Reads a bundle: a folder, or a zip that may come from anybody."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from marketpulse.artifacts import MANIFEST, RUN_SUMMARY, is_unfinished
from marketpulse.atomic import LOCK_FILE, TemporaryFolder
from marketpulse.bundle.manifest import Manifest, parse_manifest
from marketpulse.errors import DataError, NotFoundError, address_hint, command_line

# Files that operating systems add to folders and zips, and the lock of a run that died.
_SYSTEM_FILES = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", LOCK_FILE}
# Beside a file that is open, Excel and LibreOffice keep another one.
_OPEN_FILES = ("~$", ".~lock.")
_MAX_MANIFEST_SIZE = 1 << 26  # bytes
_UNREADABLE = (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
# A zip entry is a bomb if it is larger than this, and shrank by more than this factor.
_BOMB_SIZE, _BOMB_RATIO = 100_000_000, 200


class Bundle:
    """A complete bundle, to read from until `close`: a folder, a zip, or in another container.

    Raises `NotFoundError` if the path does not exist, `DataError` if the bundle is not complete,
    names files outside of it, holds links, or would unpack to far more than its size.
    """

    def __init__(self, place: Path | Container) -> None:
        self._verified: dict[str, Path] = {}
        self._container = _open_container(place) if isinstance(place, Path) else place
        self.name = self._container.name
        with ExitStack() as stack:
            stack.callback(self._container.close)
            self.manifest = self._read_manifest()
            workspace = TemporaryFolder()
            self.workspace = Path(stack.enter_context(workspace))
            self._resources = stack.pop_all()

    def close(self) -> None:
        """Close the zip and remove what was unpacked."""
        self._resources.close()

    def label(self, name: str) -> str:
        """Return what messages call a file. Its path may be that of a temporary copy."""
        return f"{self.name}: {name}"

    def file(self, name: str) -> Path:
        """Return the path of a file in the bundle, unpacked if it is in a zip.

        Raises `DataError` if its content is not what the manifest says.
        """
        if name not in self._verified:
            if damage := self.find_damage(name):
                raise DataError(
                    f"{self.label(name)}: {damage}",
                    hint=f"`marketpulse verify {command_line([self.name])}` lists everything "
                    "that changed; ask for the bundle again",
                    check="MP-BND-006",
                )
            self._verified[name] = self._container.local_path(name, self.workspace)
        return self._verified[name]

    def find_damage(self, name: str) -> str:
        """Compare a file with the manifest; return what is wrong with it, or an empty string."""
        (record,) = (file for file in self.manifest.files if file.name == name)
        size = self._container.sizes.get(name)
        if size is None:
            return "it is missing"
        # Before the digest: a file of another size needs no reading.
        if size != record.bytes:
            return f"it has {size} bytes instead of {record.bytes}"
        try:
            with self._container.open(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type] # IO[bytes] has readinto
        except _UNREADABLE as error:
            return f"it cannot be read: {error}"
        return "" if digest == record.sha256 else "its content was changed"

    def find_unlisted(self) -> list[str]:
        """Return files that the manifest does not list and no program or dead run has left."""
        listed = {MANIFEST, *(file.name for file in self.manifest.files)}
        return [
            name
            for name in sorted(self._container.sizes)
            if name not in listed
            and not name.endswith(".part")
            and not is_unfinished(name)
            and not name.rpartition("/")[2].startswith(_OPEN_FILES)
            and _SYSTEM_FILES.isdisjoint(name.split("/"))
        ]

    def _read_manifest(self) -> Manifest:
        if MANIFEST not in self._container.sizes:
            raise _incomplete(self.name, is_run=RUN_SUMMARY in self._container.sizes)
        try:
            with self._container.open(MANIFEST) as file:
                # Before the manifest is read, nothing bounds the size of what an entry unpacks to.
                text = file.read(_MAX_MANIFEST_SIZE)
        except _UNREADABLE as error:
            raise _unsafe(self.name, f"{MANIFEST} cannot be read: {error}") from error
        return parse_manifest(text, self.label(MANIFEST))


def find_bundle(path: Path) -> Path | None:
    """Return the folder of a bundle: this one, or the only one in it, as some programs unzip.

    None if there is no complete bundle.
    """
    if not path.is_dir():
        return None
    if (path / MANIFEST).is_file():
        return path
    entries = [entry for entry in path.iterdir() if entry.name not in _SYSTEM_FILES]
    inside = entries[0] if len(entries) == 1 else None
    return inside if inside and (inside / MANIFEST).is_file() else None


class Container(Protocol):
    """What holds a bundle's files, such as a folder or a zip.

    name    what messages call it
    sizes   the sizes of the files in bytes, by their names relative to the manifest
    """

    name: str
    sizes: dict[str, int]

    def open(self, name: str) -> IO[bytes]:
        """Open a file."""

    def local_path(self, name: str, workspace: Path) -> Path:
        """Return the path of a file, which may be unpacked into the workspace."""

    def close(self) -> None:
        """Close what is open."""


def _open_container(path: Path) -> Container:
    """Open a folder, the only folder in it, or a zip."""
    path = find_bundle(path) or path
    if not path.exists():
        raise NotFoundError(
            f"{path}: no such file or folder",
            hint=address_hint(path) or "name the bundle's folder or zip",
        )
    if path.is_dir() and not (path / MANIFEST).exists():
        raise _incomplete(str(path), is_run=(path / RUN_SUMMARY).is_file())
    return _Zip(path) if path.is_file() else _Folder(path)


class _Folder:
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self.sizes: dict[str, int] = {}
        for entry in path.rglob("*"):
            name = entry.relative_to(path).as_posix()
            # A link could show a file of the reader's own machine as one of the bundle.
            if entry.is_symlink():
                raise _link(path, name)
            if entry.is_file():
                self.sizes[name] = entry.stat().st_size

    def open(self, name: str) -> IO[bytes]:
        return (self._path / name).open("rb")

    def local_path(self, name: str, workspace: Path) -> Path:  # noqa: ARG002 - nothing is unpacked
        return self._path / name

    def close(self) -> None:
        return


class _Zip:
    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._archive = _open_archive(path)
        entries = [entry for entry in self._archive.infolist() if not entry.is_dir()]
        for entry in entries:
            _check_entry(path, entry)
        # Whoever packs by hand may pack the folder itself: the manifest says where it is.
        manifests = [
            entry.filename for entry in entries if PurePosixPath(entry.filename).name == MANIFEST
        ]
        # The nearest to the top: a bundle may hold another one that was packed with it.
        nearest = min(manifests, key=lambda name: name.count("/"), default=MANIFEST)
        self._base = nearest.removesuffix(MANIFEST)
        inside = [entry for entry in entries if entry.filename.startswith(self._base)]
        self.sizes = {entry.filename.removeprefix(self._base): entry.file_size for entry in inside}
        # Programs disagree on which of two such entries counts, so one could be checked and the
        # other one read.
        if len(self.sizes) < len(inside):
            raise _unsafe(path, "two files have the same name")

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._base + name)

    def local_path(self, name: str, workspace: Path) -> Path:
        target = workspace / name
        with self.open(name) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        return target

    def close(self) -> None:
        self._archive.close()


def _open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(
            f"{path}: this is not a zip, or it is damaged: {error}",
            hint="ask for it again" if path.suffix.lower() == ".zip" else "name a bundle's folder",
            check="MP-DAT-006",
        ) from error


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    """Raise `DataError` for an unsafe entry: paths outside the zip, links, passwords, bombs."""
    name, parts = entry.filename, PurePosixPath(entry.filename).parts
    # A backslash or a colon leads out of the folder on Windows alone, and is refused everywhere.
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise _unsafe(path, f"{name!r} is outside the bundle")
    if stat.S_ISLNK(entry.external_attr >> 16):  # the upper half is the mode of Unix
        raise _link(path, name)
    if entry.flag_bits & 1:
        raise _unsafe(path, f"{name} needs a password")
    if entry.file_size > max(_BOMB_SIZE, _BOMB_RATIO * entry.compress_size):
        raise DataError(
            f"{path}: {name} would unpack from {entry.compress_size:,} to {entry.file_size:,} "
            "bytes: this may be a zip bomb",
            hint="if you trust it, unpack it yourself and name the folder",
            check="MP-BND-005",
        )


def _unsafe(place: str | Path, message: str) -> DataError:
    return DataError(
        f"{place}: {message}", hint="pack the bundle's folder again", check="MP-BND-003"
    )


def _incomplete(name: str, *, is_run: bool) -> DataError:
    return DataError(
        f"{name}: the bundle is not complete: it has no {MANIFEST}",
        hint="this is the folder of a run: a bundle is what `marketpulse sample` writes"
        if is_run
        else "extract it again, or ask for the whole folder",
        check="MP-BND-001",
    )


def _link(path: Path, name: str) -> DataError:
    return DataError(
        f"{path}: {name} is a symbolic link",
        hint="a bundle holds only files: replace the link by the file",
        check="MP-BND-004",
    )
