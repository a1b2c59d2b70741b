"""Which rows a source gives, in which order, with which columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from marketpulse.model import CellKind, NewestRows
from marketpulse.sources.base import RowRequest, UndecidedRows, unknown_name_error
from marketpulse.sources.names import fold_name

if TYPE_CHECKING:
    from marketpulse.sources.clauses import MalformedLinesAmongMatches
    from marketpulse.sources.conditions import ColumnCells, Timestamp

_SECOND = 10**9


def now() -> Timestamp:
    """Return the time that SYSDATE is, in UTC."""
    return int(datetime.now(UTC).timestamp()) * _SECOND


def select_rows(
    reader: pa.RecordBatchReader,
    request: RowRequest,
    *,
    workspace: Path,
    now: Timestamp,
    source_types: Mapping[str, str] | None = None,
    undecided: UndecidedRows | None = None,
    lines: MalformedLinesAmongMatches | None = None,
) -> pa.RecordBatchReader:
    """Return the rows and columns of a request. `workspace` is a folder for many rows.

    How a condition sees a column follows from its type, and from `source_types`, the types as a
    database calls them, or without these from the request's `cell_readings`. `undecided` counts the
    rows that no value decides, and `lines` are the malformed ones among the rows.

    Raises `UsageError` for a condition or an order that is not understood, `NotFoundError` for an
    unknown column; the reader raises `UsageError` for a cell that is no number and is compared with
    one.
    """
    types = source_types or {}
    # Columns of a database have types of their own, but an identifier is one everywhere.
    readings = {
        name: reading
        for name, reading in request.cell_readings.items()
        if source_types is None or reading.kind is CellKind.IDENTIFIER
    }

    def cells_of(field: pa.Field) -> ColumnCells:
        from marketpulse.sources.conditions import column_cells  # noqa: PLC0415 - 0.05 s

        reading = readings.get(fold_name(field.name))
        return column_cells(field, types.get(field.name, ""), reading)

    fields, choice = reader.schema, request.choice
    batches: Iterator[pa.RecordBatch] = iter(reader)
    if request.where is not None:
        from marketpulse.sources.clauses import matching_rows  # noqa: PLC0415 - 0.05 s

        counts = undecided or UndecidedRows()
        batches = matching_rows(request.where, batches, fields, cells_of, now, counts, lines)
    order, limit = request.order, request.limit
    if isinstance(choice, NewestRows):
        # The newest of each key are found among all rows; the limit counts what is found.
        order, limit = choice.order, None
    if order is not None:
        from marketpulse.sources.clauses import sorted_rows  # noqa: PLC0415 - 0.05 s

        batches = sorted_rows(order, batches, fields, cells_of, limit, workspace)
    if choice is not None:
        from marketpulse.sources.row_choice import choose_rows  # noqa: PLC0415 - 0.05 s

        batches = choose_rows(choice, batches, fields, cells_of, request.limit)
    if request.limit is not None:
        batches = first_rows(batches, request.limit)
    selected = pa.RecordBatchReader.from_batches(fields, batches)
    return with_columns(selected, request.columns)


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
