"""A bundle: the folder that a client sends, or a zip of it, made whole by its manifest."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import Any, Self, cast

from pydantic import TypeAdapter, ValidationError

from marketpulse.artifacts import (
    DATABASE_INFO,
    MANIFEST,
    TABLE_LIST,
    format_json,
    is_bundle_file,
)
from marketpulse.atomic import FileRecord, FileSet, Seal, atomic_file, atomic_folder
from marketpulse.errors import DataError, NotFoundError, OutputError
from marketpulse.model import Column, SourceInfo
from marketpulse.version import __version__

_OF_THE_SYSTEM = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"}  # nobody put them there
_NAME = re.compile(r"[A-Za-z0-9_$#~-][A-Za-z0-9_$#~.-]*")  # of a file of ours
_PASSING = {"scn", "version", "driver"}  # details of a source that change while it stays the same
_LARGEST_MANIFEST = 1 << 26  # bytes
_UNREADABLE = (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)
# What is large once it is unpacked, and was next to nothing before, is no table.
_LARGE, _SUSPICIOUS = 100_000_000, 200


@dataclass(frozen=True)
class DataFile:
    """A file with rows of a table: the first `rows` of those that were taken."""

    name: str
    format: str
    rows: int
    profile: str = "lossless"


@dataclass(frozen=True)
class BundleTable:
    """A table of a bundle. Without files it is only described."""

    name: str
    schema_file: str
    taken_at: str = ""
    rows: int | None = None
    statement: str = ""
    columns: tuple[Column, ...] = ()  # as they were written
    notes: tuple[str, ...] = ()  # what was cut, skipped or replaced
    files: tuple[DataFile, ...] = ()


@dataclass(frozen=True)
class Missing:
    """A table that was asked for and is not in the bundle."""

    table: str
    why: str


@dataclass(frozen=True)
class Manifest:
    """What a bundle consists of. It is written last: a folder without it is not whole."""

    taken_at: str
    source: SourceInfo
    tables: tuple[BundleTable, ...]
    files: tuple[FileRecord, ...]
    missing: tuple[Missing, ...] = ()
    complete: bool = True
    bundle: int = 1
    marketpulse: str = __version__

    def as_json(self) -> dict[str, Any]:
        """As `manifest.json` has it."""
        return asdict(self)


def _manifest(text: bytes, where: str) -> Manifest:
    """Raise `DataError` for what is not a bundle's manifest, or leads out of its folder."""
    try:
        found = TypeAdapter(Manifest).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{where}: this is not the manifest of a bundle: {place}: {first['msg']}",
            hint="ask for the bundle again, as `marketpulse sample` made it",
            check="MP-BND-002",
        ) from None
    listed = [file.name for file in found.files]
    named = [name for table in found.tables for name in _files_of(table)]
    for name in (*listed, *named):
        if not _NAME.fullmatch(name):
            raise DataError(
                f"{where}: {name!r} is not the name of a file in a bundle",
                hint="do not trust this bundle: its manifest leads out of it",
                check="MP-BND-003",
            )
    tables = [table.name for table in found.tables]
    if len({*listed}) < len(listed) or len({*tables}) < len(tables) or {*named} - {*listed}:
        raise DataError(
            f"{where}: it names a file or a table twice, or a table's file that it does not list",
            hint="ask for the bundle again, as `marketpulse sample` made it",
            check="MP-BND-002",
        )
    return found


def _files_of(table: BundleTable) -> list[str]:
    return [table.schema_file, *(file.name for file in table.files)]


class SecretFoundError(DataError):
    """A secret that this run knows would have been written."""

    check = "MP-BND-008"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}: a password that this run knows stands in it: nothing was written",
            hint="leave out the column that holds it: --columns",
        )


# -- writing ---------------------------------------------------------------------------------------


class BundleWriter:
    """A bundle in the making: its parts are written, then `seal` makes all appear together."""

    def __init__(self, source: SourceInfo, before: Manifest | None, *, keep: bool) -> None:
        self.earlier = {it.name: it for it in before.tables if it.files} if before else {}
        if before and not _same(before.source, source):
            before = replace(before, tables=())
        self._source = source
        self._before = before
        self._keep = keep
        self._files: FileSet | None = None

    def part(self, name: str) -> Path:
        """Where to write a file of the bundle for now."""
        return self._sealed.part(name)

    def forget(self, names: Sequence[str]) -> None:
        """Remove parts again."""
        for name in names:
            self._sealed.remove(name)

    def seal(
        self,
        texts: Mapping[str, Any],
        tables: Sequence[BundleTable],
        *,
        taken_at: str,
        missing: Sequence[Missing] = (),
        secrets: Sequence[str] = (),
    ) -> Manifest:
        """Add these files of JSON, and give all their names, the manifest last.

        Raises `DataError` where one of the secrets stands in them.
        """
        written = {name: format_json(data) for name, data in texts.items()}
        for name, text in written.items():
            self.part(name).write_text(text, encoding="utf-8")
            refuse_secrets(text, secrets, name)
        described = self._with_kept(tables)
        digests = {file.name: file for file in self._sealed.records()}
        current = {
            TABLE_LIST,
            DATABASE_INFO,
            *(it for table in described for it in _files_of(table)),
        }
        for file in self._before.files if self._before else ():
            if file.name in current:
                digests.setdefault(file.name, file)
        files = tuple(sorted(digests.values(), key=lambda file: file.name))
        gaps = (*self._gaps_left(tables, missing), *missing)
        manifest = Manifest(taken_at, self._source, described, files, gaps, complete=not gaps)
        self._sealed.publish(format_json(manifest.as_json()))
        return manifest

    def _gaps_left(
        self, tables: Sequence[BundleTable], missing: Sequence[Missing]
    ) -> list[Missing]:
        """What the bundle that stood here misses still: this run took no rows of it."""
        if self._before is None or not self._keep:
            return []
        asked = {*(it.name for it in tables if it.files), *(it.table for it in missing)}
        return [it for it in self._before.missing if it.table not in asked]

    def _with_kept(self, tables: Sequence[BundleTable]) -> tuple[BundleTable, ...]:
        """These tables and what is kept of the bundle that stood here before."""
        kept = {it.name: self._dated(it) for it in self._before.tables} if self._before else {}
        if not self._keep:  # the rows are this run's alone
            kept = {name: BundleTable(name, it.schema_file) for name, it in kept.items()}
        for table in tables:
            before = kept.get(table.name)
            rows_stay = before and before.files and not table.files
            kept[table.name] = (
                replace(before, schema_file=table.schema_file) if before and rows_stay else table
            )
        return tuple(kept[name] for name in sorted(kept))

    def _dated(self, table: BundleTable) -> BundleTable:
        """A table that stays, with a note of the instant that its rows are of."""
        scn = self._before.source.details.get("scn", "") if self._before else ""
        if not table.files or scn == self._source.details.get("scn", ""):
            return table
        note = f"the rows are of SCN {scn or 'unknown'}, not of the bundle's"
        known = any(it.startswith("the rows are of SCN ") for it in table.notes)
        return table if known else replace(table, notes=(*table.notes, note))

    @property
    def _sealed(self) -> FileSet:
        assert self._files is not None  # noqa: S101 - set as soon as there is a folder
        return self._files


@contextmanager
def bundle_folder(folder: Path, source: SourceInfo, *, keep: bool) -> Iterator[BundleWriter]:
    """Write a bundle into a folder. What it held of the same source is kept, rows with `keep` only.

    Raises `OutputError` where the folder cannot be written, holds another program's manifest,
    or, with `keep`, the bundle of another source.
    """
    before = _before(folder)
    if before and keep and not _same(before.source, source):
        raise OutputError(
            f"{folder}: it holds a bundle of another source, {before.source.name}",
            hint="name another folder with --output, or replace it with `sample --replace`",
        )
    writer = BundleWriter(source, before, keep=keep)
    with atomic_folder(folder, _SEAL) as writer._files:  # noqa: SLF001 - its own module
        yield writer


def _same(one: SourceInfo, other: SourceInfo) -> bool:
    """Whether these are one source, perhaps seen at two moments or by two drivers."""

    def lasting(source: SourceInfo) -> dict[str, str]:
        return {it: value for it, value in source.details.items() if it not in _PASSING}

    return (one.kind, one.name, lasting(one)) == (other.kind, other.name, lasting(other))


def _before(folder: Path) -> Manifest | None:
    """The manifest of the bundle that stands there."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError:
        return None
    try:
        return _manifest(text, str(folder / MANIFEST))
    except DataError:
        raise OutputError(
            f"{folder / MANIFEST}: it is not a bundle's: it would be overwritten",
            hint="name another folder with --output",
        ) from None


def _listed(text: str) -> list[str]:
    """The files of a bundle. Raises `ValueError` where this is no manifest of one."""
    try:
        names = [it.name for it in _manifest(text.encode(), MANIFEST).files]
    except DataError as error:
        raise ValueError(error.message) from error
    if not all(map(is_bundle_file, names)):
        raise ValueError("a manifest of files that no bundle has")
    return names


_SEAL = Seal(name=MANIFEST, is_member=is_bundle_file, list_files=_listed)


def refuse_secrets(text: str, secrets: Sequence[str], where: str) -> None:
    """Raise `DataError` where a secret stands in the text, as it is or as JSON spells it."""
    for secret in secrets:
        if secret in text or json.dumps(secret, ensure_ascii=False)[1:-1] in text:
            raise SecretFoundError(where)


def zip_beside(folder: Path) -> Path:
    """Where the zip of a bundle's folder stands."""
    named = folder if folder.name not in {"", ".."} else folder.resolve()
    return named.with_name(f"{named.name}.zip")


def write_zip(folder: Path, manifest: Manifest) -> Path:
    """Pack a bundle beside its folder; the same files give the same bytes.

    Raises `OutputError` where that cannot be.
    """
    target = zip_beside(folder)
    with (
        atomic_file(target, remove_parts=True) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in (*(file.name for file in manifest.files), MANIFEST):
            entry = zipfile.ZipInfo(name)  # of the year 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with (folder / name).open("rb") as file, packed.open(entry, "w") as room:
                shutil.copyfileobj(file, room, 1 << 20)
    return target


# -- reading ---------------------------------------------------------------------------------------


class Bundle:
    """A whole bundle to read from, a folder or a zip. A context manager; reading needs it open.

    Raises `NotFoundError` where there is none, `DataError` where it is not whole, leads out
    of itself, holds links, or would unpack to far more than it says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise NotFoundError(
                f"{path}: no such file or folder", hint="name the bundle's folder or zip"
            )
        if path.is_dir() and not (path / MANIFEST).exists():
            raise _not_whole(path)
        self._checked: dict[str, Path] = {}
        self._place: _Folder | _Zip = _Zip(path) if path.is_file() else _Folder(path)
        with ExitStack() as stack:
            stack.callback(self._place.close)
            self.manifest = self._read_manifest()
            unpacked = tempfile.TemporaryDirectory(prefix="marketpulse-")
            self.workspace = Path(stack.enter_context(unpacked))
            self._open = stack.pop_all()

    def close(self) -> None:
        """Remove what was unpacked."""
        self._open.close()

    def file(self, name: str) -> Path:
        """A file of the bundle, proved to be what the manifest says.

        Raises `DataError` where it is not.
        """
        if name not in self._checked:
            if fault := self.fault(name):
                raise DataError(
                    f"{self.path}: {name}: {fault}",
                    hint="`marketpulse verify` tells the whole; ask for the bundle again",
                    check="MP-BND-006",
                )
            self._checked[name] = self._place.local(name, self.workspace)
        return self._checked[name]

    def fault(self, name: str) -> str:
        """What is wrong with a file that the manifest lists; nothing where it is as it says."""
        (listed,) = (file for file in self.manifest.files if file.name == name)
        size = self._place.sizes.get(name)
        if size is None:
            return "it is missing"
        if size != listed.bytes:
            return f"it has {size} bytes instead of {listed.bytes}"
        try:
            with self._place.stream(name) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except _UNREADABLE as error:
            return f"it cannot be read: {error}"
        return "" if digest == listed.sha256 else "its content is not what it was"

    def strangers(self) -> list[str]:
        """Files that the manifest does not list; what systems and broken runs leave aside."""
        listed = {MANIFEST, *(file.name for file in self.manifest.files)}
        return [
            name
            for name in sorted(self._place.sizes)
            if name not in listed
            and not name.endswith(".part")
            and not _OF_THE_SYSTEM & {*name.split("/")}
        ]

    def _read_manifest(self) -> Manifest:
        where = f"{self.path}: {MANIFEST}"
        if MANIFEST not in self._place.sizes:
            raise _not_whole(self.path)
        try:
            with self._place.stream(MANIFEST) as file:
                text = file.read(_LARGEST_MANIFEST)
        except _UNREADABLE as error:
            raise _unsafe(self.path, f"{MANIFEST} cannot be read: {error}") from error
        manifest = _manifest(text, where)
        if manifest.bundle != 1:
            raise DataError(
                f"{where}: it is of a later kind, {manifest.bundle}",
                hint="install the MarketPulse that made it, or a newer one",
                check="MP-BND-002",
            )
        return manifest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Folder:
    """The files of a folder by their names, and of the folders in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        for entry in path.rglob("*"):
            name = entry.relative_to(path).as_posix()
            if entry.is_symlink():
                raise _link(path, name)
            if entry.is_file():
                self.sizes[name] = entry.stat().st_size

    def stream(self, name: str) -> BufferedIOBase:
        """Open a file."""
        return (self._path / name).open("rb")

    def local(self, name: str, _workspace: Path) -> Path:
        """Where the file is."""
        return self._path / name

    def close(self) -> None:
        """There is nothing to close."""


class _Zip:
    """The files of a zip by their names, seen from where its manifest stands."""

    def __init__(self, path: Path) -> None:
        self._file = _opened_zip(path)
        entries = [it for it in self._file.infolist() if not it.is_dir()]
        for entry in entries:
            _refuse_odd(path, entry)
        # Packed by hand a folder is in the zip itself, not its files alone.
        manifests = [it.filename for it in entries if PurePosixPath(it.filename).name == MANIFEST]
        first = min(manifests, key=lambda name: name.count("/"), default=MANIFEST)
        self._base = first.removesuffix(MANIFEST)
        inside = [it for it in entries if it.filename.startswith(self._base)]
        self.sizes = {it.filename.removeprefix(self._base): it.file_size for it in inside}
        if len(self.sizes) < len(inside):
            raise _unsafe(path, "two files of one name")

    def stream(self, name: str) -> BufferedIOBase:
        """Open a file."""
        return cast("BufferedIOBase", self._file.open(self._base + name))

    def local(self, name: str, workspace: Path) -> Path:
        """Where the file has been unpacked to."""
        target = workspace / name
        with self.stream(name) as packed, target.open("xb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        return target

    def close(self) -> None:
        """Close the zip."""
        self._file.close()


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError) as error:
        raise DataError(
            f"{path}: this is not a zip, or it is damaged: {error}",
            hint="ask for it again",
            check="MP-DAT-006",
        ) from error


def _refuse_odd(path: Path, entry: zipfile.ZipInfo) -> None:
    """Raise `DataError` for what nobody packs who means well."""
    name, parts = entry.filename, PurePosixPath(entry.filename).parts
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name:
        raise _unsafe(path, f"{name!r} leads out of it")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise _link(path, name)
    if entry.flag_bits & 1:
        raise _unsafe(path, f"{name} has a password")
    if entry.file_size > max(_LARGE, _SUSPICIOUS * entry.compress_size):
        raise DataError(
            f"{path}: {name} would unpack to {entry.file_size:,} bytes from "
            f"{entry.compress_size:,}: a zip bomb?",
            hint="if you trust it, unpack it yourself and name the folder",
            check="MP-BND-005",
        )


def _unsafe(path: Path, what: str) -> DataError:
    return DataError(f"{path}: {what}", hint="pack the bundle's folder again", check="MP-BND-003")


def _not_whole(path: Path) -> DataError:
    return DataError(
        f"{path}: there is no {MANIFEST}: the bundle is not whole",
        hint="extract it again, or ask for the whole folder",
        check="MP-BND-001",
    )


def _link(path: Path, name: str) -> DataError:
    return DataError(
        f"{path}: {name} is a symbolic link",
        hint="a bundle holds files alone: put the file itself in its place",
        check="MP-BND-004",
    )
