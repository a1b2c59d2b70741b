"""Which rows a source gives, in which order, with which columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from marketpulse.model import CellKind, CellReading, NewestRows, RowChoice
from marketpulse.sources.base import UndecidedRows, unknown_name_error

if TYPE_CHECKING:
    from marketpulse.sources.conditions import ColumnCells, Moment

_SECOND = 10**9


def now() -> Moment:
    """Return the moment that SYSDATE is, in UTC."""
    return int(datetime.now(UTC).timestamp()) * _SECOND


def identifiers(readings: Mapping[str, CellReading] | None) -> dict[str, CellReading]:
    """Return the readings that hold for columns with the types of a database, too."""
    items = (readings or {}).items()
    return {name: reading for name, reading in items if reading.kind is CellKind.IDENTIFIER}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The wanted rows of those that pass. `workspace` is a folder for many of them.

    How a condition sees a column follows from its type, or else from `source_types`, the types as
    a database calls them, and from `cell_readings`, by names in lower case.
    """

    where: str | None
    order: str | None
    limit: int | None
    choice: RowChoice | None = None
    workspace: Path
    now: Moment
    source_types: Mapping[str, str] = field(default_factory=dict)
    cell_readings: Mapping[str, CellReading] = field(default_factory=dict)
    undecided: UndecidedRows = field(default_factory=UndecidedRows)

    def apply(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the same columns with these rows.

        Raises `UsageError` for a condition or an order that is not understood, `NotFoundError`
        for an unknown column; the reader raises `UsageError` for a cell that is no number and is
        compared with one.
        """
        fields = reader.schema
        batches: Iterator[pa.RecordBatch] = iter(reader)
        if self.where is not None:
            from marketpulse.sources.clauses import matching_rows  # noqa: PLC0415 - 0.05 s

            batches = matching_rows(
                self.where, batches, fields, self._cells, self.now, self.undecided
            )
        order, limit = self.order, self.limit
        if isinstance(self.choice, NewestRows):
            order, limit = self.choice.order, None
        if order is not None:
            from marketpulse.sources.clauses import sorted_rows  # noqa: PLC0415 - 0.05 s

            batches = sorted_rows(order, batches, fields, self._cells, limit, self.workspace)
        if self.choice is not None:
            from marketpulse.sources.row_choice import choose_rows  # noqa: PLC0415 - 0.05 s

            batches = choose_rows(self.choice, batches, fields, self._cells, self.limit)
        if self.limit is not None:
            batches = first_rows(batches, self.limit)
        return pa.RecordBatchReader.from_batches(fields, batches)

    def _cells(self, field: pa.Field) -> ColumnCells:
        from marketpulse.sources.conditions import column_cells  # noqa: PLC0415 - 0.05 s

        reading = self.cell_readings.get(field.name.strip().casefold())
        return column_cells(field, self.source_types.get(field.name, ""), reading)


def with_columns(
    reader: pa.RecordBatchReader, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """Return the same rows with these columns, in this order.

    Raises `NotFoundError` for an unknown one.
    """
    if columns is None:
        return reader
    for name in columns:
        if name not in reader.schema.names:
            raise unknown_name_error("column", name, reader.schema.names)
    schema = pa.schema([reader.schema.field(name) for name in columns])
    selected = (batch.select(list(columns)) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, selected)


def first_rows(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    """Yield the first rows of the batches; the rest is not read."""
    for batch in batches:
        yield batch[:limit]
        limit -= len(batch)
        if limit <= 0:
            return
