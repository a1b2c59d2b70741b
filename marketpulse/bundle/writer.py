"""Writes a bundle into a folder, and packs the folder as a zip."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from marketpulse.artifacts import DATABASE_INFO, MANIFEST, TABLE_LIST, format_json, is_bundle_file
from marketpulse.atomic import FileRecord, FileSet, Seal, atomic_file, atomic_folder
from marketpulse.bundle.manifest import BundleTable, Manifest, MissingTable, parse_manifest
from marketpulse.errors import DataError, OutputError
from marketpulse.model import SourceInfo

# Details of a source that change while it stays the same source.
_CHANGING_DETAILS = {"scn", "version", "driver"}
_SCN_NOTE = "the rows are of SCN "


class SecretFoundError(DataError):
    """The output would contain a secret that this run knows."""

    check = "MP-BND-008"

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}: it contains a password of this run: nothing was written",
            hint="leave out the column that holds it (--columns), or remove it from its comment",
        )


def refuse_secrets(text: str, secrets: Sequence[str], where: str) -> None:
    """Raise `SecretFoundError` if a secret is in the text, as it is or as JSON spells it."""
    for secret in secrets:
        if secret in text or json.dumps(secret, ensure_ascii=False)[1:-1] in text:
            raise SecretFoundError(where)


class BundleWriter:
    """A bundle in the making; see `bundle_folder`."""

    def __init__(
        self, files: FileSet, source: SourceInfo, previous: Manifest | None, *, keep_rows: bool
    ) -> None:
        self._files = files
        self._source = source
        self._keep_rows = keep_rows
        self.previous_tables = [
            table.name for table in (previous.tables if previous else ()) if table.files
        ]
        # Of another source's bundle nothing stays, but its files are known and may be replaced.
        if previous and not _is_same_source(previous.source, source):
            previous = replace(previous, tables=())
        self._previous = previous

    def part(self, name: str) -> Path:
        """Return the path at which you write this file of the bundle."""
        return self._files.part(name)

    def remove(self, names: Sequence[str]) -> None:
        """Take files out of the bundle again."""
        for name in names:
            self._files.remove(name)

    def publish(
        self,
        documents: Mapping[str, object],
        tables: Sequence[BundleTable],
        *,
        taken_at: str,
        missing: Sequence[MissingTable] = (),
        secrets: Sequence[str] = (),
        source: SourceInfo | None = None,
    ) -> Manifest:
        """Add `documents` as JSON files, then make all files appear, the manifest last.

        `source` is the same source as before, if its details have changed meanwhile.

        Raises `SecretFoundError` if one of the secrets is in a document or in the manifest.
        """
        self._source = source or self._source
        for name, document in documents.items():
            text = format_json(document)
            refuse_secrets(text, secrets, name)
            self.part(name).write_text(text, encoding="utf-8", newline="\n")
        merged_tables = self._merge(tables)
        still_missing = (*self._still_missing(tables, missing), *missing)
        manifest = Manifest(
            taken_at=taken_at,
            source=self._source,
            tables=merged_tables,
            files=self._list_files(merged_tables),
            missing=still_missing,
            complete=not still_missing,
        )
        text = format_json(manifest.as_json())
        refuse_secrets(text, secrets, MANIFEST)  # conditions, queries and comments stand there
        self._files.publish(text)
        return manifest

    def _list_files(self, tables: Sequence[BundleTable]) -> tuple[FileRecord, ...]:
        """Return the new files, and those of the previous bundle that still belong to it."""
        records = {file.name: file for file in self._files.records()}
        current = {TABLE_LIST, DATABASE_INFO}.union(*(table.file_names for table in tables))
        for file in self._previous.files if self._previous else ():
            if file.name in current:
                records.setdefault(file.name, file)
        return tuple(records[name] for name in sorted(records))

    def _still_missing(
        self, tables: Sequence[BundleTable], missing: Sequence[MissingTable]
    ) -> list[MissingTable]:
        """Return what the previous bundle lacks and this run did not try to read."""
        if self._previous is None or not self._keep_rows:
            return []
        tried = {*(table.name for table in tables if table.files), *(gap.table for gap in missing)}
        return [gap for gap in self._previous.missing if gap.table not in tried]

    def _merge(self, tables: Sequence[BundleTable]) -> tuple[BundleTable, ...]:
        """Return these tables, and those of the previous bundle."""
        merged: dict[str, BundleTable] = {}
        for table in self._previous.tables if self._previous else ():
            merged[table.name] = (
                self._with_scn_note(table)
                if self._keep_rows
                else BundleTable(name=table.name, schema_file=table.schema_file)
            )
        for table in tables:
            previous = merged.get(table.name)
            if previous and previous.files and not table.files:
                # Only its description is new.
                table = replace(previous, schema_file=table.schema_file)  # noqa: PLW2901 - merged
            merged[table.name] = table
        return tuple(merged[name] for name in sorted(merged))

    def _with_scn_note(self, table: BundleTable) -> BundleTable:
        """Note the SCN of rows that stay in a bundle of another SCN."""
        previous_scn = self._previous.source.details.get("scn", "") if self._previous else ""
        if not table.files or previous_scn == self._source.details.get("scn", ""):
            return table
        if any(note.startswith(_SCN_NOTE) for note in table.notes):
            return table  # it is older than the previous bundle
        note = f"{_SCN_NOTE}{previous_scn or 'unknown'}, not of the bundle's"
        return replace(table, notes=(*table.notes, note))


@contextmanager
def bundle_folder(folder: Path, source: SourceInfo, *, keep_rows: bool) -> Iterator[BundleWriter]:
    """Write a bundle into a folder; `BundleWriter.publish` completes it.

    Schema files of an earlier bundle of the same source stay. With `keep_rows`, so do the rows of
    tables that this run does not read. Another run that writes into the folder waits.

    Raises `OutputError` if the folder cannot be written, has another program's manifest or, with
    `keep_rows`, the bundle of another source.
    """
    with atomic_folder(folder, _SEAL) as files:
        # Only now no other run can replace what is read here.
        previous = _read_previous(folder)
        if previous and keep_rows and not _is_same_source(previous.source, source):
            raise OutputError(
                f"{folder}: it holds a bundle of another source, {previous.source.name}",
                hint="choose another folder with --output, or replace it with `sample --replace`",
            )
        yield BundleWriter(files, source, previous, keep_rows=keep_rows)


def _is_same_source(source: SourceInfo, other: SourceInfo) -> bool:
    return source_identity(source) == source_identity(other)


def source_identity(info: SourceInfo) -> tuple[str, str, dict[str, str]]:
    """Return what stays the same at different times and through different drivers."""
    details = {name: value for name, value in info.details.items() if name not in _CHANGING_DETAILS}
    return info.kind, info.name, details


def _read_previous(folder: Path) -> Manifest | None:
    """Return the manifest of the bundle in the folder, if there is one."""
    path = folder / MANIFEST
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        return parse_manifest(text, str(path))
    except DataError:
        raise OutputError(
            f"{path}: it would be overwritten, and it is not the manifest of a bundle",
            hint="choose another folder with --output",
        ) from None


def _list_files(text: str) -> list[str]:
    """Return the files of a bundle. Raises `ValueError` if this is not the manifest of one."""
    try:
        names = [file.name for file in parse_manifest(text.encode(), MANIFEST).files]
    except DataError as error:
        raise ValueError(error.message) from error
    if not all(map(is_bundle_file, names)):
        raise ValueError("it lists files that no bundle has")
    return names


_SEAL = Seal(name=MANIFEST, is_member=is_bundle_file, list_files=_list_files)


def zip_path(folder: Path) -> Path:
    """Return where the zip of a bundle's folder is: beside the folder."""
    # `.` and `..` have no name of their own.
    named = folder if folder.name not in {"", ".."} else folder.resolve()
    return named.with_name(f"{named.name}.zip")


def write_zip(folder: Path, manifest: Manifest) -> Path:
    """Pack a bundle's folder; the same files give the same bytes. Returns the path of the zip.

    Raises `OutputError` if the zip cannot be written.
    """
    target = zip_path(folder)
    with (
        atomic_file(target, remove_parts=True) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        # Only what the manifest lists: the folder may hold anything else.
        for name in (*(file.name for file in manifest.files), MANIFEST):
            # ZipInfo's own date, 1980, is the same for all: times would change the bytes.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # The mode, in the upper half: without one, Unix unpacks files that nobody may read.
            entry.external_attr = 0o644 << 16
            with (folder / name).open("rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)
    return target
