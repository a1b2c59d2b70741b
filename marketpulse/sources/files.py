"""Files as a table: CSV, NDJSON, JSON, Parquet and XLSX, one or many, rows one after another."""

from __future__ import annotations

import errno
import glob
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from marketpulse.errors import DataError, NotFoundError
from marketpulse.formats import BY_SUFFIX, opener
from marketpulse.formats.decode import column_of
from marketpulse.formats.encode import LogicalType, as_mixed, as_text, logical_field, logical_type
from marketpulse.model import MalformedLine, OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.sources.base import Source, unknown
from marketpulse.sources.selection import Selection, with_columns


class FilesSource(Source):
    """One table made of all the files that the names, globs and folders stand for."""

    def __init__(self, names: Sequence[str]) -> None:
        self._name = " ".join(names)
        self._paths = [path for name in names for path in _expand(name)]
        self._workspace = tempfile.TemporaryDirectory(prefix="marketpulse-")
        try:
            self._open = [_opened(path, Path(self._workspace.name)) for path in self._paths]
            self._schema = _common_schema(self._paths, self._open)
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
        found = self.listed(table)
        columns = tuple(map(column_of, self._schema))
        return TableSchema(replace(self.tables()[0], name=found), columns)

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        self.listed(table)
        rows = pa.RecordBatchReader.from_batches(self._schema, self._batches(on_malformed_line))
        selection = Selection(where, order, limit, Path(self._workspace.name))
        return with_columns(selection.of(rows), columns)

    def _batches(self, on_malformed_line: OnMalformedLine | None) -> Iterator[pa.RecordBatch]:
        count = 0
        for path, scan in zip(self._paths, self._open, strict=True):
            unheard: list[MalformedLine] = []
            told = _placed(count, on_malformed_line) if on_malformed_line else unheard.append
            for batch in _read(path, scan, told):
                _refuse(path, unheard)
                count += len(batch)
                yield _conform(batch, self._schema)
            _refuse(path, unheard)

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
    """The files that a name stands for, in the order of their names."""
    path = Path(name)
    if not name.strip():
        raise NotFoundError("the input's name is empty", hint="is a variable not set?")
    if path.is_file():
        paths = [path]
    elif path.is_dir():
        paths = sorted(it for it in path.iterdir() if _holds_rows(it) and _is_known(it))
        if not paths:
            raise NotFoundError(
                f"{name}: the folder holds no {', '.join(BY_SUFFIX)} file", check="MP-SRC-002"
            )
    else:
        paths = sorted(
            path
            for it in glob.glob(name, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
            if _holds_rows(path := Path(it))
        )
        if not paths:
            hint = _nearest_files(path)
            if name.isidentifier():
                hint += f"{'; ' if hint else ''}a table of a database is named by --table {name}"
            raise NotFoundError(f"{name}: no such file", hint=hint, check="MP-SRC-001")
    for path in paths:
        if not _is_known(path):
            raise NotFoundError(
                f"{path}: the name ends in none of {', '.join(BY_SUFFIX)}",
                hint="give the file the name ending of its format",
                check="MP-SRC-003",
            )
    return paths


def _holds_rows(path: Path) -> bool:
    """Whether this is a file, and neither hidden nor the lock that Excel leaves, `~$...`."""
    return path.is_file() and not path.name.startswith((".", "~$"))


def _is_known(path: Path) -> bool:
    return path.suffix.lower() in BY_SUFFIX


def _nearest_files(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return unknown("file", path.name, sorted(it.name for it in folder.iterdir())).hint


def _opened(path: Path, workspace: Path) -> Callable[[OnMalformedLine], Any]:
    with _readable(path):
        return opener(path, workspace)


def _read(
    path: Path, scan: Callable[[OnMalformedLine], Any], on_malformed_line: OnMalformedLine
) -> Iterator[pa.RecordBatch]:
    with _readable(path):
        yield from scan(on_malformed_line)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # of our own temporary files
        raise NotFoundError(
            f"{path}: cannot be read: {error.strerror or error}",
            hint="check the file's permissions, and that no other program holds it",
            check="MP-SRC-004",
        ) from error


def _common_schema(
    paths: Sequence[Path], scans: Sequence[Callable[[OnMalformedLine], Any]]
) -> pa.Schema:
    """The columns that all files have, as the first has them; where the types differ it is text.

    Raises `DataError` for two columns of one name, or files with other columns.
    """
    schemas = [scan(_ignore).schema for scan in scans]
    first = {_folded(name): name for name in schemas[0].names}
    for path, schema in zip(paths, schemas, strict=True):
        seen: dict[str, str] = {}
        for name in schema.names:
            if _folded(name) in seen:
                raise DataError(
                    f"{path}: two columns of one name: {seen[_folded(name)]!r} and {name!r}",
                    hint="names are compared without case and outer blanks; rename one",
                    check="MP-DAT-008",
                )
            seen[_folded(name)] = name
        if seen.keys() != first.keys():
            odd = ", ".join(repr(name) for name in sorted(seen.keys() ^ first.keys()))
            raise DataError(
                f"{path}: its columns are not those of {paths[0]}: {odd}",
                hint="rank files of different columns one by one",
                check="MP-DAT-011",
            )
    return pa.schema([_common_field(field, schemas) for field in schemas[0]])


def _common_field(field: pa.Field, schemas: Sequence[pa.Schema]) -> pa.Field:
    fields = [schema.field(_named(schema, field.name)) for schema in schemas]
    if all(_alike(it, field) for it in fields):
        return field
    # Text alone would hide which digits are a float's, and which text is a formula's.
    tells = any(
        pa.types.is_floating(it.type) or logical_type(it) in {LogicalType.FLOAT, LogicalType.MIXED}
        for it in fields
    )
    return logical_field(field.name, LogicalType.MIXED if tells else LogicalType.TEXT)


def _alike(one: pa.Field, other: pa.Field) -> bool:
    """Whether values of the one are values of the other, and mean the same."""
    return bool(one.type == other.type and one.metadata == other.metadata)


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns = []
    for field in schema:
        place = _named(batch.schema, field.name)
        column, own = batch.column(place), batch.schema.field(place)
        if not _alike(own, field):
            column = (as_mixed if logical_type(field) is LogicalType.MIXED else as_text)(
                column, own
            )
        columns.append(column)
    return pa.record_batch(columns, schema)


def _named(schema: pa.Schema, name: str) -> int:
    return [_folded(other) for other in schema.names].index(_folded(name))


def _folded(name: str) -> str:
    return name.strip().casefold()


def _placed(before: int, on_malformed_line: OnMalformedLine) -> OnMalformedLine:
    def place(malformed_line: MalformedLine) -> None:
        on_malformed_line(replace(malformed_line, after=malformed_line.after + before))

    return place


def _refuse(path: Path, malformed_lines: Sequence[MalformedLine]) -> None:
    """Raise `DataError` for the first one: not where it is told, since Arrow would swallow that."""
    for malformed_line in malformed_lines:
        raise DataError(
            f"{path}: after {malformed_line.after} rows: {malformed_line.reason}: "
            f"{malformed_line.text[:80]!r}",
            hint="mend the line, or leave it to `run-colors`, which sets such lines aside",
            check="MP-DAT-012",
        )


def _ignore(_malformed_line: MalformedLine) -> None:
    """Looking at the columns alone."""
