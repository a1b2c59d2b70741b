"""Decodes formats without typed columns into a folder, from which the rows are read as Arrow.

In JSON and in spreadsheets one cell of a column may be a number and the next one text, and a
column may appear in the last row for the first time. So every cell is stored as a tag and its
text, and the column types are decided after the last row:

    {"A": 1}                A: n1               A is a number: 1, 2.50
    {"A": 2.50, "B": "x"}   A: n2.50  B: tx     B is text:     null, x
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.encode import LogicalType, logical_field, logical_type, mixed_field
from marketpulse.model import MalformedLine, OnMalformedLine

_ROWS_PER_FILE = 20_000
# Cells that must stay recognizable, even if the column has nothing else.
_ALWAYS_TAGGED = {
    LogicalType.UNEVALUATED,
    LogicalType.ERROR,
    LogicalType.SCIENTIFIC,
    LogicalType.CLOCK,
}


class Spool:
    """Rows as they are decoded, in files of some thousand rows."""

    def __init__(self, workspace: Path, names: tuple[str, ...] = ()) -> None:
        self._workspace = workspace
        self._tags: dict[str, set[str]] = {name: set() for name in names}
        self._rows: list[Mapping[str, str | None]] = []
        self._files: list[Path] = []
        self._malformed_lines: list[MalformedLine] = []
        self._count = 0

    def append(self, row: Mapping[str, str | None]) -> None:
        """Add a row: for each column a `LogicalType` tag followed by the text, or None."""
        self._rows.append(row)
        self._count += 1
        if len(self._rows) == _ROWS_PER_FILE:
            self._flush()

    def add_malformed_line(self, fields: int, expected: int, text: str) -> None:
        """Add a line that is not a row."""
        self._malformed_lines.append(MalformedLine(self._count, fields, expected, text))

    def scan(self, on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        """Read all rows, after the last one. The type of a column follows from all of its cells."""
        self._flush()
        # All of them first: whoever counts lines knows them before the batches around them.
        for malformed_line in self._malformed_lines:
            on_malformed_line(malformed_line)
        schema = pa.schema([_field(name, tags) for name, tags in self._tags.items()])
        return pa.RecordBatchReader.from_batches(schema, self._read_batches(schema))

    def _read_batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
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
                # The column is new, or rows before this one lack it.
                column.extend([None] * (count - len(column)))
                column.append(cell)
        for name, column in columns.items():
            column.extend([None] * (len(self._rows) - len(column)))
            self._tags.setdefault(name, set()).update(cell[0] for cell in column if cell)
        path = self._workspace / f"{uuid4().hex}.arrow"
        table = pa.table({name: pa.array(column, pa.string()) for name, column in columns.items()})
        with pa.ipc.new_file(path, table.schema) as file:
            file.write(table)
        self._files.append(path)
        self._rows.clear()


def _field(name: str, tags: set[str]) -> pa.Field:
    kinds = set(map(LogicalType.from_tag, tags))
    if kinds == {LogicalType.BOOLEAN}:
        return pa.field(name, pa.bool_())
    if len(kinds) > 1 or kinds & _ALWAYS_TAGGED:
        return mixed_field(name, kinds)
    return logical_field(name, kinds.pop() if kinds else LogicalType.TEXT)


def _column(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    column = table.column(field.name).combine_chunks()
    if logical_type(field) is LogicalType.MIXED:
        return column  # with its tags: they tell its cells apart
    return pc.utf8_slice_codeunits(column, 1).cast(field.type)
