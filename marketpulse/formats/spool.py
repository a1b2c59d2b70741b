"""Values of formats that say each cell's kind, decoded once into a folder, then read as Arrow.

JSON and spreadsheets have no columns with types: a cell is a number here and text there, and a
column may first appear in the last row. Each cell is kept as the letter of its kind and its text;
what the columns are is known when all rows have been seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.encode import BY_TAG, LogicalType, logical_field, logical_type
from marketpulse.model import MalformedLine, OnMalformedLine

_ROWS = 20_000


class Spool:
    """Rows as they are decoded, in files of some thousand rows each."""

    def __init__(self, workspace: Path, names: tuple[str, ...] = ()) -> None:
        self._workspace = workspace
        self._kinds: dict[str, set[str]] = {name: set() for name in names}
        self._rows: list[dict[str, str | None]] = []
        self._files: list[Path] = []
        self._malformed_lines: list[MalformedLine] = []
        self._count = 0

    def append(self, row: dict[str, str | None]) -> None:
        """Add a row of cells: the letter of the kind and the text, or None."""
        self._rows.append(row)
        self._count += 1
        if len(self._rows) == _ROWS:
            self._flush()

    def malformed_line(self, fields: int, expected: int, text: str) -> None:
        """Add a line that is no row."""
        self._malformed_lines.append(MalformedLine(self._count, fields, expected, text))

    def finish(self) -> None:
        """No more rows come."""
        self._flush()

    def scan(self, on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        """Read everything, each column as what all of its cells turned out to be."""
        for malformed_line in self._malformed_lines:
            on_malformed_line(malformed_line)
        schema = pa.schema([_field(name, kinds) for name, kinds in self._kinds.items()])
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for path in self._files:
            with pa.memory_map(str(path)) as file:
                table = pa.ipc.open_file(file).read_all().combine_chunks()
            yield pa.record_batch([_column(table, field) for field in schema], schema)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns: dict[str, list[str | None]] = defaultdict(list)
        for count, row in enumerate(self._rows):
            for name, cell in row.items():
                column = columns[name]
                column.extend([None] * (count - len(column)))
                column.append(cell)
        for name, column in columns.items():
            column.extend([None] * (len(self._rows) - len(column)))
            self._kinds.setdefault(name, set()).update(cell[0] for cell in column if cell)
        path = self._workspace / f"{uuid4().hex}.arrow"
        table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
        with pa.ipc.new_file(path, table.schema) as file:
            file.write(table)
        self._files.append(path)
        self._rows.clear()


def _field(name: str, tags: set[str]) -> pa.Field:
    kinds = {BY_TAG[tag] for tag in tags}
    if kinds == {LogicalType.BOOLEAN}:
        return pa.field(name, pa.bool_())
    if kinds == {LogicalType.UNEVALUATED} or len(kinds) > 1:
        return logical_field(name, LogicalType.MIXED)
    return logical_field(name, kinds.pop() if kinds else LogicalType.TEXT)


def _column(table: Any, field: pa.Field) -> pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(field.name).combine_chunks()
    if logical_type(field) is LogicalType.MIXED:
        return column
    return pc.utf8_slice_codeunits(column, 1).cast(field.type)
