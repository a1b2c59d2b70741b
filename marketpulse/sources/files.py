"""The source of files: CSV, NDJSON, JSON, Parquet and XLSX files, read as one table.

Compressed files, streams and objects in S3 become plain files first, see `containers`. Folders such
as `DATE=2026-03-13/` give their files a column: Hive, Spark and many warehouses write rows so.
"""

from __future__ import annotations

import errno
import glob
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from marketpulse.artifacts import MANIFEST
from marketpulse.atomic import TemporaryFolder
from marketpulse.errors import DataError, NotFoundError, UsageError, address_hint, shown_as
from marketpulse.formats import BY_SUFFIX, Scan, estimate_rows, prepare_scan
from marketpulse.formats.decode import column_of
from marketpulse.formats.encode import (
    LogicalType,
    logical_field,
    logical_type,
    to_spelling,
    to_tagged,
)
from marketpulse.model import (
    FileNotes,
    MalformedLine,
    OnMalformedLine,
    SourceInfo,
    Table,
    TableSchema,
    format_count,
)
from marketpulse.sources import containers
from marketpulse.sources.base import (
    FileOptions,
    RowRequest,
    Source,
    UndecidedRows,
    refuse_file_options,
    unknown_name_error,
)
from marketpulse.sources.names import fold_name
from marketpulse.sources.selection import now, select_rows

if TYPE_CHECKING:
    from marketpulse.sources.conditions import Timestamp

_TAGGED_WITH_OTHERS = {LogicalType.FLOAT, LogicalType.DATE, LogicalType.MIXED}
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file with rows.

    label        the file as the user knows it
    path         the plain file with its content: the same, or a temporary copy
    partitions   the columns that its folders stand for: name and value
    """

    label: str
    path: Path
    partitions: dict[str, str | None]


@dataclass(frozen=True, kw_only=True)
class FilesPart:
    """Some of the files of an input that several processes read.

    files    their names, or the files; none at all for the columns alone
    schema   the columns of all files of the input; None before they are known
    now      the SYSDATE of the run
    """

    files: tuple[str | InputFile, ...] = ()
    schema: pa.Schema | None = None
    now: Timestamp


class FilesSource(Source):
    """One table of the rows of all files, in the order of the names, globs and folders.

    With `part` it reads only some of the files, with the types of all of them.
    """

    def __init__(
        self,
        names: Sequence[str],
        options: FileOptions | None = None,
        part: FilesPart | None = None,
    ) -> None:
        self._name = " ".join(names)
        self._undecided = UndecidedRows()  # of the last scan
        # A run reads the rows twice, and SYSDATE selects the same ones.
        self._now = part.now if part else now()
        self._workspace = TemporaryFolder()
        with ExitStack() as stack:  # removes the folder if the files cannot be read
            stack.callback(self._workspace.cleanup)
            folder = Path(self._workspace.name)
            options = options or FileOptions()
            found = names if part is None else part.files
            self._files = [file for name in found for file in _find(name, folder, options)]
            if part is None:
                _refuse_repeats(self._files)
                check_options((file.path.name for file in self._files), options)
            self._states = [_state(file) for file in self._files]
            self._scans = [_open(file, folder, options) for file in self._files]
            schema = part.schema if part else None
            self._schema = common_schema(self.file_schemas()) if schema is None else schema
            stack.pop_all()

    def file_schemas(self) -> list[tuple[str, pa.Schema]]:
        """Return each file's label and the columns that it has by itself."""
        pairs = zip(self._files, self._scans, strict=True)
        return [(file.label, scan(_ignore).schema) for file, scan in pairs]

    def info(self) -> SourceInfo:
        files = {f"file {number}": file.label for number, file in enumerate(self._files, 1)}
        return SourceInfo("files", self._name, files)

    def tables(self) -> Sequence[Table]:
        name = self._files[0].path.stem if len(self._files) == 1 else self._name
        return [Table(name, "file" if len(self._files) == 1 else "files")]

    def describe(self, table: str) -> TableSchema:
        self.find_listed_table(table)
        return TableSchema(self.tables()[0], tuple(map(column_of, self._schema)))

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:  # noqa: ARG002 - there is one table
        on_malformed_line, lines = request.on_malformed_line, None
        if request.where is not None and on_malformed_line is not None:
            from marketpulse.sources.clauses import (  # noqa: PLC0415 - 0.05 s
                MalformedLinesAmongMatches,
            )

            lines = MalformedLinesAmongMatches(on_malformed_line)
            on_malformed_line = lines.add
        batches = self._batches(on_malformed_line)
        self._undecided = UndecidedRows()
        return select_rows(
            pa.RecordBatchReader.from_batches(self._schema, batches),
            request,
            workspace=Path(self._workspace.name),
            now=self._now,
            undecided=self._undecided,
            lines=lines,
        )

    def file_notes(self) -> FileNotes:
        return replace(
            join_notes([scan.notes for scan in self._scans]),
            undecided_rows=self._undecided.count,
            undecided_cell=self._undecided.cell,
        )

    def estimate_rows(self, table: str) -> int | None:  # noqa: ARG002 - there is one table
        counts = [estimate_rows(file.path) for file in self._files]
        return None if None in counts else sum(count or 0 for count in counts)

    def remarks(self, table: str, *, quote: bool = True) -> Sequence[str]:
        self.find_listed_table(table)
        return self.file_notes().remarks(quote=quote)

    def _batches(self, on_malformed_line: OnMalformedLine | None) -> Iterator[pa.RecordBatch]:
        rows = 0
        for file, scan, state in zip(self._files, self._scans, self._states, strict=True):
            # Arrow would swallow an exception in the callback: collect the lines, then raise.
            unhandled: list[MalformedLine] = []
            handler = (
                unhandled.append if on_malformed_line is None else _shift(on_malformed_line, rows)
            )
            for batch in _read(file, scan, handler):
                _raise_malformed(file, unhandled)
                rows += len(batch)
                yield _conform(batch, self._schema)
            _raise_malformed(file, unhandled)
            if _state(file) != state:
                raise DataError(
                    f"{file.label}: it has changed while it was read",
                    hint="run the command again when the program that writes it has finished",
                )

    def close(self) -> None:
        self._workspace.cleanup()


def copied_file(address: str, copy: Path) -> InputFile:
    """Return the file at an address, of which this is a copy; it is unpacked beside the copy."""
    path = containers.unpack(copy, address, copy.parent)
    return InputFile(label=address, path=path, partitions=_partitions(address.split("/")[:-1]))


def join_notes(notes: Sequence[FileNotes]) -> FileNotes:
    """Return the notes on files that are read as one table."""
    return FileNotes(
        hidden_rows=sum(note.hidden_rows for note in notes),
        nameless_columns=sum(note.nameless_columns for note in notes),
        index_columns=max((note.index_columns for note in notes), default=0),
        unused_folders=tuple(
            dict.fromkeys(folder for note in notes for folder in note.unused_folders)
        ),
        first_rows=notes[0].first_rows if notes else (),
        undecided_rows=sum(note.undecided_rows for note in notes),
        undecided_cell=next((note.undecided_cell for note in notes if note.undecided_rows), ""),
    )


def _find(name: str | InputFile, workspace: Path, options: FileOptions) -> Iterator[InputFile]:
    """Yield the files that a name stands for, copied to the workspace if they are not plain."""
    if isinstance(name, InputFile):
        yield name
        return
    folder = Path(tempfile.mkdtemp(dir=workspace))  # files of two names may be called alike
    if name.startswith(containers.S3):
        for address, copy in containers.download(name, folder, options):
            yield copied_file(address, copy)
    elif containers.is_stream(name):
        label = "standard input" if name == containers.STANDARD_INPUT else name
        with _translate_errors(label):
            copy = containers.read_stream(name, folder)
            yield InputFile(label=label, path=containers.unpack(copy, label, folder), partitions={})
    else:
        for number, path in enumerate(find_paths(name)):
            with _translate_errors(str(path)):
                unpacked = containers.unpack(path, str(path), folder / str(number))
            parents = path.absolute().parts[:-1]
            yield InputFile(label=str(path), path=unpacked, partitions=_partitions(parents))


def _state(file: InputFile) -> tuple[int, int] | None:
    """What changes with a file's content; None if it is gone."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _partitions(folders: Sequence[str]) -> dict[str, str | None]:
    """Return the columns that the innermost of these folders stand for: `NAME=value`."""
    partitions: dict[str, str | None] = {}
    # From the inside out: the first other folder is not of the program that wrote the files.
    for folder in reversed(folders):
        name, equals, value = folder.partition("=")
        if not (name and equals):
            break
        is_null = value in {"", _NULL_PARTITION}
        partitions = {unquote(name): None if is_null else unquote(value), **partitions}
    return partitions


def check_options(names: Iterable[str], options: FileOptions) -> None:
    """Raise `UsageError` for an option about a format that none of the files has."""
    formats = {BY_SUFFIX.get(containers.format_suffix(name), "") for name in names}
    refuse_file_options(options, "the input", formats)


def find_paths(name: str) -> list[Path]:
    """Return the files that a name, a glob or a folder stands for, in the order of their names.

    Raises `NotFoundError` if there are none, and `DataError` for the folder of a bundle.
    """
    path = Path(name)
    if not name.strip():
        raise NotFoundError("the input's name is empty", hint="is a variable not set?")
    if path.is_file():
        paths = [path]
    elif path.is_dir():
        if (path / MANIFEST).is_file():  # its files say the same in several formats
            raise DataError(
                f"{name}: this is a bundle, which cannot be read beside other files or by Spark",
                hint="give it as the only input, or name its file with the rows",
                check="MP-DAT-023",
            )
        paths = sorted(filter(has_rows, _walk(path)))
        if not paths:
            raise NotFoundError(
                f"{name}: the folder holds no {', '.join(BY_SUFFIX)} file",
                hint="name the folder that holds the files, or the files themselves",
                check="MP-SRC-002",
            )
    else:
        matches = map(Path, glob.glob(name, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        paths = sorted(filter(_is_visible_file, matches))
        if not paths:
            hint = _suggest_files(path)
            if name.isidentifier():
                separator = "; " if hint else ""
                hint += f"{separator}to read a table of a database, use --table {name}"
            raise NotFoundError(f"{name}: no such file", hint=hint, check="MP-SRC-001")
    containers.refuse_twins(map(str, paths))
    for file in paths:
        containers.require_known(file.name, str(file))
    return paths


def _refuse_repeats(files: Sequence[InputFile]) -> None:
    """Refuse a file that several names stand for: its rows would count twice."""
    seen: set[Path] = set()
    for file in files:
        # What was unpacked or copied from S3 has another path each time, but the same label.
        path = Path(file.label).resolve()
        if path in seen:
            raise UsageError(
                f"{file.label} is named twice, so its rows would count twice",
                hint="name each file once; a folder or a glob stands for all its files",
            )
        seen.add(path)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder, and those in its folders such as `DATE=2026-03-13/`."""
    for path in folder.iterdir():
        if path.is_dir() and "=" in path.name[1:]:
            yield from _walk(path)
        else:
            yield path


def has_rows(path: Path) -> bool:
    """Return whether a folder as input reads this file."""
    return _is_visible_file(path) and containers.may_hold_rows(path.name)


def _is_visible_file(path: Path) -> bool:
    """Return whether this is a file, and neither hidden nor a lock file of Excel (`~$...`)."""
    return path.is_file() and not path.name.startswith((".", "~$"))


def _suggest_files(path: Path) -> str:
    if hint := address_hint(path):
        return hint
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted(file.name for file in folder.iterdir())
    if not names:
        return f"the folder {folder.resolve()} is empty"
    return unknown_name_error("file", path.name, names).hint


def _open(file: InputFile, workspace: Path, options: FileOptions) -> Scan:
    with _translate_errors(file.label), shown_as(file.path, file.label):
        scan = prepare_scan(
            file.path,
            workspace,
            delimiter=options.delimiter,
            sheet=options.sheet,
            header_row=options.header_row,
        )
    return _with_partitions(scan, file.partitions) if file.partitions else scan


def _with_partitions(scan: Scan, partitions: dict[str, str | None]) -> Scan:
    """Return the scan with a text column for each partition that is not a column already."""
    schema = scan(_ignore).schema
    present = set(map(fold_name, schema.names))
    added = {name: value for name, value in partitions.items() if fold_name(name) not in present}
    unused = (f"{name}={value}" for name, value in partitions.items() if name not in added)
    notes = replace(scan.notes, unused_folders=tuple(unused))
    schema = pa.schema([*schema, *(pa.field(name, pa.string()) for name in added)])

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        def batches() -> Iterator[pa.RecordBatch]:
            for batch in scan(on_malformed_line):
                values = (
                    pa.repeat(pa.scalar(value, pa.string()), len(batch)) for value in added.values()
                )
                yield pa.record_batch([*batch.columns, *values], schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    return Scan(read, notes)


def _read(
    file: InputFile, scan: Scan, on_malformed_line: OnMalformedLine
) -> Iterator[pa.RecordBatch]:
    with _translate_errors(file.label), shown_as(file.path, file.label):
        yield from scan(on_malformed_line)


@contextmanager
def _translate_errors(label: str) -> Iterator[None]:
    """Turn the system's errors of opening and reading a file into `NotFoundError`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise  # reading needs no space: this is about our temporary files
        raise NotFoundError(
            f"{label}: cannot be read: {error.strerror or error}",
            hint="check the file's permissions, and close other programs that use it",
            check="MP-SRC-004",
        ) from error


def common_schema(files: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the columns of all files, in the order of the first; text if the types differ.

    A file is its label and its columns. Raises `DataError` if two columns have one name, or the
    files have different columns.
    """
    (first, first_schema), *_ = files
    expected = {fold_name(name) for name in first_schema.names}
    for label, schema in files:
        names: dict[str, str] = {}
        for name in schema.names:
            folded = fold_name(name)
            if folded in names:
                raise DataError(
                    f"{label}: two columns with the same name: {names[folded]!r} and {name!r}",
                    hint="names are compared ignoring case and surrounding blanks; rename one",
                    check="MP-DAT-008",
                )
            names[folded] = name
        if names.keys() != expected:
            different = ", ".join(repr(name) for name in sorted(names.keys() ^ expected))
            raise DataError(
                f"{label}: its columns differ from those of {first}: {different}",
                hint="process files with different columns one by one",
                check="MP-DAT-011",
            )
    fields = [{fold_name(field.name): field for field in schema} for _, schema in files]
    return pa.schema(
        [
            _common_field(field, [named[fold_name(field.name)] for named in fields])
            for field in first_schema
        ]
    )


def _common_field(field: pa.Field, fields: Sequence[pa.Field]) -> pa.Field:
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
    places = {fold_name(name): place for place, name in enumerate(batch.schema.names)}
    for field in schema:
        place = places[fold_name(field.name)]
        column, column_field = batch.column(place), batch.schema.field(place)
        if not _are_equal(column_field, field):
            convert = to_tagged if logical_type(field) is LogicalType.MIXED else to_spelling
            column = convert(column, column_field)
        columns.append(column)
    return pa.record_batch(columns, schema)


def _shift(on_malformed_line: OnMalformedLine, rows: int) -> OnMalformedLine:
    """Return a callback that counts the rows of earlier files, too."""

    def shifted(malformed_line: MalformedLine) -> None:
        on_malformed_line(replace(malformed_line, after=malformed_line.after + rows))

    return shifted


def _raise_malformed(file: InputFile, malformed_lines: Sequence[MalformedLine]) -> None:
    """Raise `DataError` for the first of the lines, if there is one."""
    for line in malformed_lines:
        rows = format_count(line.after, "row")
        raise DataError(
            f"{file.label}: after {rows}: {line.reason}: {line.text[:80]!r}",
            hint="correct the line; or use `run-colors`, which rejects such lines and goes on",
            check="MP-DAT-012",
        )


def _ignore(_malformed_line: MalformedLine) -> None:
    """Ignore a malformed line: only the columns are needed."""
