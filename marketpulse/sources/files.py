"""The source of files: CSV, NDJSON, JSON, Parquet and XLSX files, read as one table."""

from __future__ import annotations

import errno
import glob
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from marketpulse.errors import DataError, NotFoundError
from marketpulse.formats import BY_SUFFIX, Scan, prepare_scan
from marketpulse.formats.decode import column_of
from marketpulse.formats.encode import LogicalType, logical_field, logical_type, to_tagged, to_text
from marketpulse.model import (
    CellKind,
    FileNotes,
    MalformedLine,
    OnMalformedLine,
    SourceInfo,
    Table,
    TableSchema,
)
from marketpulse.sources.base import Source, unknown_name_error
from marketpulse.sources.conditions import column_cells
from marketpulse.sources.selection import Selection, now, with_columns

_TAGGED_WITH_OTHERS = {LogicalType.FLOAT, LogicalType.DATE, LogicalType.MIXED}
# Spreadsheets that no library here reads with what their cells are.
_OTHER_SPREADSHEETS = {".xls", ".xlsb", ".xlt", ".ods", ".fods", ".numbers"}


class FilesSource(Source):
    """One table of the rows of all files, in the order of the names, globs and folders."""

    def __init__(self, names: Sequence[str]) -> None:
        self._name = " ".join(names)
        self._now = now()  # a run reads the rows twice, and SYSDATE selects the same ones
        self._paths = [path for name in names for path in _expand(name)]
        self._workspace = tempfile.TemporaryDirectory(prefix="marketpulse-")
        try:
            self._scans = [_open(path, Path(self._workspace.name)) for path in self._paths]
            self._schema = _common_schema(self._paths, self._scans)
        except BaseException:
            self._workspace.cleanup()
            raise

    def info(self) -> SourceInfo:
        files = {f"file {number}": str(path) for number, path in enumerate(self._paths, 1)}
        return SourceInfo("files", self._name, files)

    def tables(self) -> Sequence[Table]:
        name = self._paths[0].stem if len(self._paths) == 1 else self._name
        return [Table(name, "file" if len(self._paths) == 1 else "files")]

    def describe(self, table: str) -> TableSchema:
        self.find_listed_table(table)
        return TableSchema(self.tables()[0], tuple(map(column_of, self._schema)))

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,
        where: str | None = None,
        order: str | None = None,
        cell_kinds: Mapping[str, CellKind] | None = None,
    ) -> pa.RecordBatchReader:
        self.find_listed_table(table)
        rows = pa.RecordBatchReader.from_batches(self._schema, self._batches(on_malformed_line))
        kinds = {_fold(name): kind for name, kind in (cell_kinds or {}).items()}
        selection = Selection(
            where=where,
            order=order,
            limit=limit,
            workspace=Path(self._workspace.name),
            cells={
                field.name: column_cells(field, kind=kinds.get(_fold(field.name)))
                for field in self._schema
            },
            now=self._now,
        )
        return with_columns(selection.apply(rows), columns)

    def file_notes(self) -> FileNotes:
        notes = [scan.notes for scan in self._scans]
        return FileNotes(
            hidden_rows=sum(note.hidden_rows for note in notes),
            nameless_columns=sum(note.nameless_columns for note in notes),
            first_rows=notes[0].first_rows,
        )

    def remarks(self, table: str) -> Sequence[str]:
        self.find_listed_table(table)
        return self.file_notes().remarks()

    def _batches(self, on_malformed_line: OnMalformedLine | None) -> Iterator[pa.RecordBatch]:
        rows = 0
        for path, scan in zip(self._paths, self._scans, strict=True):
            # Arrow would swallow an exception in the callback: collect the lines, then raise.
            unhandled: list[MalformedLine] = []
            handler = (
                unhandled.append if on_malformed_line is None else _shift(on_malformed_line, rows)
            )
            for batch in _read(path, scan, handler):
                _raise_malformed(path, unhandled)
                rows += len(batch)
                yield _conform(batch, self._schema)
            _raise_malformed(path, unhandled)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._workspace.cleanup()


def _expand(name: str) -> list[Path]:
    """Return the files that a name, a glob or a folder stands for, in the order of their names."""
    path = Path(name)
    if not name.strip():
        raise NotFoundError("the input's name is empty", hint="is a variable not set?")
    if path.is_file():
        paths = [path]
    elif path.is_dir():
        paths = sorted(file for file in path.iterdir() if _has_rows(file) and _is_data(file))
        if not paths:
            raise NotFoundError(
                f"{name}: the folder holds no {', '.join(BY_SUFFIX)} file", check="MP-SRC-002"
            )
    else:
        matches = map(Path, glob.glob(name, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        paths = sorted(file for file in matches if _has_rows(file))
        if not paths:
            hint = _suggest_files(path)
            if name.isidentifier():
                separator = "; " if hint else ""
                hint += f"{separator}to read a table of a database, use --table {name}"
            raise NotFoundError(f"{name}: no such file", hint=hint, check="MP-SRC-001")
    for file in paths:
        if file.suffix.lower() in _OTHER_SPREADSHEETS:
            raise NotFoundError(
                f"{file}: spreadsheets in the format {file.suffix.lower()} cannot be read",
                hint="open it in a spreadsheet program and save it as .xlsx, or as CSV in UTF-8",
                check="MP-SRC-003",
            )
        if not _is_known(file):
            raise NotFoundError(
                f"{file}: the name ends in none of {', '.join(BY_SUFFIX)}",
                hint="rename the file so that its name ends in its format",
                check="MP-SRC-003",
            )
    return paths


def _has_rows(path: Path) -> bool:
    """Return whether this is a file, and neither hidden nor a lock file of Excel (`~$...`)."""
    return path.is_file() and not path.name.startswith((".", "~$"))


def _is_known(path: Path) -> bool:
    return path.suffix.lower() in BY_SUFFIX


def _is_data(path: Path) -> bool:
    """Return whether a folder's file holds rows, also in a format that cannot be read."""
    return _is_known(path) or path.suffix.lower() in _OTHER_SPREADSHEETS


def _suggest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(file.name for file in folder.iterdir())
    return unknown_name_error("file", path.name, names).hint


def _open(path: Path, workspace: Path) -> Scan:
    with _translate_errors(path):
        return prepare_scan(path, workspace)


def _read(path: Path, scan: Scan, on_malformed_line: OnMalformedLine) -> Iterator[pa.RecordBatch]:
    with _translate_errors(path):
        yield from scan(on_malformed_line)


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    """Turn errors of opening and reading this file into `NotFoundError`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # reading needs no space: this is about our temporary files
        raise NotFoundError(
            f"{path}: cannot be read: {error.strerror or error}",
            hint="check the file's permissions, and close other programs that use it",
            check="MP-SRC-004",
        ) from error


def _common_schema(paths: Sequence[Path], scans: Sequence[Scan]) -> pa.Schema:
    """Return the columns of all files, in the order of the first; text if the types differ.

    Raises `DataError` if two columns have one name, or the files have different columns.
    """
    schemas = [scan(_ignore).schema for scan in scans]
    expected = {_fold(name) for name in schemas[0].names}
    for path, schema in zip(paths, schemas, strict=True):
        names: dict[str, str] = {}
        for name in schema.names:
            if _fold(name) in names:
                raise DataError(
                    f"{path}: two columns of one name: {names[_fold(name)]!r} and {name!r}",
                    hint="names are compared without case and outer blanks; rename one",
                    check="MP-DAT-008",
                )
            names[_fold(name)] = name
        if names.keys() != expected:
            different = ", ".join(repr(name) for name in sorted(names.keys() ^ expected))
            raise DataError(
                f"{path}: its columns differ from those of {paths[0]}: {different}",
                hint="process files with different columns one by one",
                check="MP-DAT-011",
            )
    return pa.schema([_common_field(field, schemas) for field in schemas[0]])


def _common_field(field: pa.Field, schemas: Sequence[pa.Schema]) -> pa.Field:
    fields = [schema.field(_column_index(schema, field.name)) for schema in schemas]
    if all(_are_equal(other, field) for other in fields):
        return field
    # As plain text, a float that lost digits would pass for an identifier. A mixed column says for
    # each value where it comes from.
    # So does one of dates or booleans: as a CUSIP, those are not text either.
    is_mixed = any(
        pa.types.is_floating(other.type)
        or pa.types.is_boolean(other.type)
        or logical_type(other) in _TAGGED_WITH_OTHERS
        for other in fields
    )
    return logical_field(field.name, LogicalType.MIXED if is_mixed else LogicalType.TEXT)


def _are_equal(left: pa.Field, right: pa.Field) -> bool:
    """Return whether both fields have the same type and logical type."""
    return bool(left.type == right.type and left.metadata == right.metadata)


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the batch with the columns and types of the schema."""
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns = []
    for field in schema:
        index = _column_index(batch.schema, field.name)
        column, column_field = batch.column(index), batch.schema.field(index)
        if not _are_equal(column_field, field):
            convert = to_tagged if logical_type(field) is LogicalType.MIXED else to_text
            column = convert(column, column_field)
        columns.append(column)
    return pa.record_batch(columns, schema)


def _column_index(schema: pa.Schema, name: str) -> int:
    return [_fold(other) for other in schema.names].index(_fold(name))


def _fold(name: str) -> str:
    return name.strip().casefold()


def _shift(on_malformed_line: OnMalformedLine, rows: int) -> OnMalformedLine:
    """Return a callback that counts the rows of earlier files, too."""

    def shifted(malformed_line: MalformedLine) -> None:
        on_malformed_line(replace(malformed_line, after=malformed_line.after + rows))

    return shifted


def _raise_malformed(path: Path, malformed_lines: Sequence[MalformedLine]) -> None:
    """Raise `DataError` for the first of the lines, if there is one."""
    for line in malformed_lines:
        raise DataError(
            f"{path}: after {line.after} rows: {line.reason}: {line.text[:80]!r}",
            hint="correct the line; or use `run-colors`, which rejects such lines and goes on",
            check="MP-DAT-012",
        )


def _ignore(_malformed_line: MalformedLine) -> None:
    """Ignore a malformed line: only the columns are needed."""
