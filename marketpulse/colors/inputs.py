"""Open the input of a run: a path, several paths, a source, a table or rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pyarrow as pa

from marketpulse.colors.options import RunOptions
from marketpulse.colors.rankable import rankable
from marketpulse.colors.tables import as_reader
from marketpulse.errors import UsageError
from marketpulse.formats import Scan, parse_delimiter
from marketpulse.formats.nameless import drop_index, drop_nameless
from marketpulse.model import NO_PROGRESS, CellReading, FileNotes, OnMalformedLine, Progress
from marketpulse.sources import FileOptions, Source, open_files, open_source, refuse_file_options


@dataclass(frozen=True, kw_only=True)
class ColorInput:
    """Colors as they arrive: their columns, and a function that reads them once."""

    name: str
    schema: pa.Schema
    read: Callable[[OnMalformedLine], pa.RecordBatchReader]
    where: str | None = None  # the condition that selected the rows
    files: tuple[Path, ...] = ()  # the files that are read
    read_notes: Callable[[], FileNotes] = FileNotes  # reading the rows may add to them
    estimate_rows: Callable[[], int | None] = lambda: None  # for a progress display

    def with_progress(self, progress: Progress) -> ColorInput:
        """The same input, whose rows are counted as they are read."""

        def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
            reader = self.read(on_malformed_line)
            return pa.RecordBatchReader.from_batches(reader.schema, counted(reader))

        def counted(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
            for batch in reader:
                yield batch
                progress.advance(len(batch))

        return self if progress is NO_PROGRESS else replace(self, read=read)


def open_input(
    data: object,
    stack: ExitStack,
    options: RunOptions,
    readings: Mapping[str, CellReading] = MappingProxyType({}),
) -> ColorInput:
    """Open an input; `stack` closes it. No row is read yet.

    `where` compares the text cells of files as `readings` says.

    Raises `NotFoundError` for a path that does not exist, `UsageError` for a `where` or a
    `delimiter` without a source, and `DataError` if the data is not a table.
    """
    delimiter = None if options.delimiter is None else parse_delimiter(options.delimiter)
    files = FileOptions(delimiter=delimiter, sheet=options.sheet, header_row=options.header_row)
    if isinstance(data, str | Path):
        source = stack.enter_context(open_source(str(data), files=files))
        return source_input(source, options.table, options.where, readings)
    if isinstance(data, list | tuple) and _are_paths(data):
        source = stack.enter_context(open_files(data, files))
        return source_input(source, options.table, options.where, readings)
    refuse_file_options(files, "this input")
    if hasattr(data, "scan") and hasattr(data, "find_table"):
        return source_input(cast("Source", data), options.table, options.where, readings)
    if options.where is not None:
        raise UsageError("--where needs a file or a database", hint="filter the table first")
    if options.table is not None:
        raise UsageError("--table needs a file or a database", hint="this input is one table")
    return table_input(data)


def select_columns(color_input: ColorInput, names: Sequence[str]) -> ColorInput:
    """The same input with these columns only."""
    schema = pa.schema([color_input.schema.field(name) for name in names])

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        batches = color_input.read(on_malformed_line)
        return pa.RecordBatchReader.from_batches(schema, (batch.select(names) for batch in batches))

    return replace(color_input, schema=schema, read=read)


def _are_paths(data: Sequence[object]) -> bool:
    return bool(data) and all(isinstance(path, str | Path) for path in data)


def source_input(
    source: Source,
    table: str | None,
    where: str | None,
    readings: Mapping[str, CellReading],
) -> ColorInput:
    """A table of a source. Raises what `open_input` raises."""
    name = source.find_table(table)
    info = source.info()
    files = info.details.values() if info.kind == "files" else ()

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        rows = source.scan(
            name, on_malformed_line=on_malformed_line, where=where, cell_readings=readings
        )
        return rankable(rows, label)

    label = info.name if files else name
    no_rows = source.scan(name, limit=0, where=where, cell_readings=readings)
    return ColorInput(
        name=label,
        schema=rankable(no_rows, label).schema,
        read=read,
        where=where,
        files=tuple(map(Path, files)),
        read_notes=source.file_notes,
        # A condition leaves an unknown number of rows.
        estimate_rows=lambda: None if where else source.estimate_rows(name),
    )


def table_input(data: object, name: str = "") -> ColorInput:
    """A table or rows of Python, under a name. Raises `DataError` if it is neither."""
    if isinstance(data, list | tuple):
        name = name or "rows"
    else:
        is_reader = isinstance(data, pa.RecordBatchReader)
        name = name or ("reader" if is_reader else type(data).__name__)
    rows = as_reader(data)
    scan = drop_index(drop_nameless(name, Scan(lambda _: rows)))
    reader = rankable(scan(lambda _: None), name)
    return ColorInput(
        name=name,
        schema=reader.schema,
        read=lambda _on_malformed_line: reader,
        read_notes=lambda: scan.notes,
    )
