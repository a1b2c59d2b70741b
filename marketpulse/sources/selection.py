"""Which rows, in which order: `--where` and `--order-by` for every source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from marketpulse.errors import UsageError
from marketpulse.names import quoted
from marketpulse.sources.base import unknown_name_error
from marketpulse.sources.conditions import (
    BatchEvaluation,
    ColumnCells,
    Compiler,
    ConditionError,
    Moment,
    Name,
    Node,
    Predicate,
    column_cells,
    encode,
    names_in,
    parse_condition,
    parse_order,
)
from marketpulse.sources.conditions.functions import CHOICES, FUNCTIONS
from marketpulse.sources.conditions.keywords import PSEUDO_COLUMNS, RESERVED_WORDS
from marketpulse.sources.conditions.values import Type, sort_key

_ROWS = 50_000
_SECOND = 10**9
_WHERE, _ORDER = "--where", "--order-by"
_OTHERS = ("REGEXP_LIKE", "TRIM")
_HINTS = {
    _WHERE: "files, bundles and the demo understand =, <>, <, >, IN, BETWEEN, LIKE, IS NULL, AND, "
    "OR, NOT, CASE, ||, + - * /, SYSDATE and "
    + ", ".join(sorted({*FUNCTIONS, *CHOICES, *_OTHERS})),
    _ORDER: 'columns with ASC or DESC and NULLS FIRST or LAST: --order-by "PX DESC, CUSIP"',
}


def now() -> Moment:
    """Return the moment that SYSDATE is, in UTC."""
    return int(datetime.now(UTC).timestamp()) * _SECOND


def condition_in_oracle(text: str, columns: Sequence[str]) -> str:
    """Return the user's condition for Oracle, as it is written.

    Only a column that Oracle would not find by the name as written is put in quotes: DATE. Raises
    `UsageError` for what is not one condition without a subquery, `NotFoundError` for an unknown
    column.
    """
    with _refusals(_WHERE, text):
        node = parse_condition(text)
    statement = text
    for name in sorted(_columns_in(node, columns), key=lambda name: name.start, reverse=True):
        column = _find(name, text, columns)
        if not name.quoted and (name.value != column or name.value in RESERVED_WORDS):
            statement = statement[: name.start] + quoted(column) + statement[name.end :]
    # The end of a line ends a comment; else it would hide the parenthesis.
    return f"({statement}\n)" if "--" in statement else f"({statement})"


def order_in_oracle(text: str, columns: Sequence[str]) -> str:
    """Return the user's sort keys for Oracle. Raises what `condition_in_oracle` raises."""
    with _refusals(_ORDER, text):
        keys = parse_order(text)
    return ", ".join(
        f"{quoted(_find(key.column, text, columns))} {'DESC' if key.descending else 'ASC'} "
        f"NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        for key in keys
    )


def _columns_in(node: Node, columns: Sequence[str]) -> Iterator[Name]:
    """Yield the names that have to be columns."""
    capitals = {column.upper() for column in columns}
    for name in names_in(node):
        is_pseudo = name.value in PSEUDO_COLUMNS and name.value not in capitals
        if name.quoted or not (is_pseudo or name.value == "SYSDATE"):
            yield name


def _find(name: Name, text: str, columns: Sequence[str]) -> str:
    """Return the column that a name means; without quotes, case does not matter.

    Of columns that differ only in case, the one that is written so is meant, or the one in
    capitals.
    """
    word = text[name.start : name.end]
    folded = word.casefold()
    similar = [column for column in columns if column.strip().casefold() == folded]
    spellings = [name.value] if name.quoted else [word, name.value]
    matches = [spelling for spelling in spellings if spelling in columns]
    if not matches and not name.quoted and len(similar) == 1:
        matches = similar
    if not matches:
        raise unknown_name_error("column", word, columns)
    return matches[0]


@contextmanager
def _refusals(option: str, text: str) -> Iterator[None]:
    """Turn `ConditionError` into `UsageError`."""
    try:
        yield
    except ConditionError as error:
        raise UsageError(
            f"{option}: {text!r}: {error}", hint=_HINTS[option], check="MP-USE-003"
        ) from error


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The wanted rows of those that pass. `workspace` is a folder for many of them.

    `cells` says how a condition sees some of the columns; others follow from their types.
    """

    where: str | None
    order: str | None
    limit: int | None
    workspace: Path
    cells: Mapping[str, ColumnCells]
    now: Moment

    def apply(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the same columns with these rows.

        Raises `UsageError` for a condition or an order that is not understood, `NotFoundError`
        for an unknown column; the reader raises `UsageError` for a cell that is no number and is
        compared with one.
        """
        fields = reader.schema
        batches: Iterator[pa.RecordBatch] = iter(reader)
        if self.where is not None:
            batches = self._matching(self.where, batches, fields)
        if self.order is not None:
            batches = self._sorted(self.order, batches, fields)
        elif self.limit is not None:
            batches = first_rows(batches, self.limit)
        return pa.RecordBatchReader.from_batches(fields, batches)

    def _cells(self, field: pa.Field) -> ColumnCells:
        return self.cells.get(field.name) or column_cells(field)

    def _matching(
        self, text: str, batches: Iterator[pa.RecordBatch], fields: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        with _refusals(_WHERE, text):
            node = parse_condition(text)
        names = {
            text[name.start : name.end]: _find(name, text, fields.names)
            for name in _columns_in(node, fields.names)
        }
        cells = {word: self._cells(fields.field(name)) for word, name in names.items()}
        with _refusals(_WHERE, text):
            predicate = Compiler(text, cells, self.now).predicate(node)
        return _filtered(text, batches, predicate, names, cells)

    def _sorted(
        self, text: str, batches: Iterator[pa.RecordBatch], fields: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Sort the rows; equal rows keep their order."""
        with _refusals(_ORDER, text):
            keys = [(_find(key.column, text, fields.names), key) for key in parse_order(text)]
        return self._in_order(text, keys, batches, fields)

    def _in_order(
        self, text: str, keys: Sequence[Any], batches: Iterator[pa.RecordBatch], fields: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        path = str(self.workspace / f"{uuid4().hex}.arrow")
        with pa.ipc.new_stream(path, fields) as file:
            for batch in batches:
                file.write_batch(batch)
        with pa.memory_map(path) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().unify_dictionaries()
            with _refusals(_ORDER, text):
                ranks = [
                    self._ranks(rows.column(name), fields.field(name), key) for name, key in keys
                ]
            places = np.lexsort(ranks[::-1])[: self.limit]
            for start in range(0, len(places), _ROWS):
                taken = rows.take(pa.array(places[start : start + _ROWS]))
                yield from taken.combine_chunks().to_batches()

    def _ranks(self, column: pa.ChunkedArray, field: pa.Field, key: Any) -> Any:
        """Return a number for each row, by which the rows are sorted."""
        cells = self._cells(field)
        if cells.type is Type.OTHER:
            if pa.types.is_nested(field.type):
                raise ConditionError(field.name, f"a column of the type {field.type} has no order")
            cells = ColumnCells(Type.TEXT, lambda column: column.to_pylist())
        codes = encode(column, cells)
        sort_by = sort_key(cells.type)
        present = [place for place, value in enumerate(codes.values) if value is not None]
        present.sort(key=lambda place: sort_by(codes.values[place]), reverse=key.descending)
        ranks = np.full(len(codes.values), -1 if key.nulls_first else len(present), np.int64)
        rank, earlier = -1, None
        for place in present:
            value = sort_by(codes.values[place])
            if rank < 0 or value != earlier:
                rank += 1
            ranks[place], earlier = rank, value
        return ranks[codes.codes]


def _filtered(
    text: str,
    batches: Iterator[pa.RecordBatch],
    predicate: Predicate,
    names: Mapping[str, str],
    cells: Mapping[str, ColumnCells],
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        with _refusals(_WHERE, text):
            matches = BatchEvaluation(batch, names, cells).matches(predicate)
        yield batch.filter(matches)


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
