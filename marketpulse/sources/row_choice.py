"""Which rows a choice picks, for sources that are no database; and the values of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa

from marketpulse.errors import DataError
from marketpulse.formats.encode import is_number
from marketpulse.model import KeyRows, NewestRows, RandomRows, RowChoice
from marketpulse.sources.base import unknown_name_error
from marketpulse.sources.clauses import CellsOf
from marketpulse.sources.conditions import ColumnCells, encode
from marketpulse.sources.conditions.values import Type

_ROWS = 50_000
Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def choose_rows(
    choice: RowChoice,
    batches: Iterator[pa.RecordBatch],
    fields: pa.Schema,
    cells_of: CellsOf,
    limit: int | None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a choice; of random ones at most `limit`.

    For `NewestRows` the batches are in its order. Raises `NotFoundError` for an unknown column.
    """
    columns = () if isinstance(choice, RandomRows) else choice.key
    for name in columns:
        if name not in fields.names:
            raise unknown_name_error("column", name, fields.names)
    if isinstance(choice, RandomRows):
        return _random_rows(batches, fields, choice.seed, limit)
    if isinstance(choice, NewestRows):
        return _newest_rows(batches, choice, [cells_of(fields.field(name)) for name in columns])
    return _key_rows(batches, choice)


def key_values(batch: pa.RecordBatch, key: Sequence[str]) -> list[tuple[object, ...]]:
    """Return the values of a key in each row, so that equal ones of two tables compare equal.

    Raises `DataError` for a date that Python cannot hold.
    """
    columns = []
    for name in key:
        field = batch.schema.field(name)
        try:
            values = batch.column(name).to_pylist()
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{name}: rows cannot be found by a date outside the years 1 to 9999",
                hint="leave out --follow, and name the tables that foreign keys refer to",
            ) from error
        if is_number(field):  # some numbers travel as text, others with places of their own
            values = [None if value is None else Decimal(value) for value in values]
        columns.append(values)
    return list(zip(*columns, strict=True))


def _random_rows(
    batches: Iterator[pa.RecordBatch], fields: pa.Schema, seed: int, limit: int | None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows whose numbers have the lowest hashes, in the order of these."""
    kept = fields.empty_table()
    hashes = np.empty(0, np.uint64)
    start = 0
    for batch in batches:
        kept = pa.concat_tables([kept, pa.Table.from_batches([batch], fields)])
        hashes = np.concatenate([hashes, _hashes(seed, start, len(batch))])
        start += len(batch)
        # Not after each batch: to sort takes longer than to keep some rows more.
        if limit is not None and len(hashes) > limit + _ROWS:
            kept, hashes = _lowest(kept, hashes, limit)
    kept, _ = _lowest(kept, hashes, limit)
    yield from kept.combine_chunks().to_batches(max_chunksize=_ROWS)


def _lowest(rows: pa.Table, hashes: Hashes, limit: int | None) -> tuple[pa.Table, Hashes]:
    places = np.argsort(hashes)[:limit]
    return rows.unify_dictionaries().take(pa.array(places)), hashes[places]


def _hashes(seed: int, start: int, count: int) -> Hashes:
    """Return a hash of each number from `start` on: splitmix64, of which no two are equal."""
    numbers = np.arange(start, start + count, dtype=np.uint64)
    return _mix(_mix(np.array([seed], np.uint64)) + numbers * np.uint64(_STEP))


def _mix(numbers: Hashes) -> Hashes:
    numbers = numbers + np.uint64(_STEP)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(_FIRST)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(_SECOND)
    return numbers ^ (numbers >> np.uint64(31))


def _newest_rows(
    batches: Iterator[pa.RecordBatch], choice: NewestRows, cells: Sequence[ColumnCells]
) -> Iterator[pa.RecordBatch]:
    counts: Counter[tuple[object, ...]] = Counter()
    for batch in batches:
        columns = []
        for name, column_cells in zip(choice.key, cells, strict=True):
            # The cells of a type that no condition can compare are what they look like.
            known = column_cells if column_cells.type is not Type.OTHER else _AS_TEXT
            codes = encode(batch.column(name), known)
            columns.append([codes.values[code] for code in codes.codes])
        matches = []
        for key in zip(*columns, strict=True):
            counts[key] += 1
            matches.append(counts[key] <= choice.count)
        yield batch.filter(pa.array(matches, pa.bool_()))


_AS_TEXT = ColumnCells(Type.TEXT, lambda column: [repr(value) for value in column.to_pylist()])


def _key_rows(batches: Iterator[pa.RecordBatch], choice: KeyRows) -> Iterator[pa.RecordBatch]:
    wanted = {*choice.values}
    for batch in batches:
        matches = [values in wanted for values in key_values(batch, choice.key)]
        yield batch.filter(pa.array(matches, pa.bool_()))
