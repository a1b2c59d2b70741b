"""What `--where` and `--order-by` say: for Oracle as text, for other sources as rows of batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pyarrow as pa

from marketpulse.errors import UsageError
from marketpulse.model import MalformedLine, OnMalformedLine, RandomRows
from marketpulse.sources.base import UndecidedRows, unknown_name_error
from marketpulse.sources.conditions import (
    BatchEvaluation,
    ColumnCells,
    Compiler,
    ConditionError,
    Name,
    Node,
    OrderTerm,
    Timestamp,
    encode,
    names_in,
    parse_condition,
    parse_order,
)
from marketpulse.sources.conditions.functions import CHOICES, FUNCTIONS
from marketpulse.sources.conditions.keywords import PSEUDO_COLUMNS, RESERVED_WORDS
from marketpulse.sources.conditions.values import Type, sort_key
from marketpulse.sources.names import fold_name, quoted

if TYPE_CHECKING:
    import numpy.typing as npt

_ROWS = 50_000
_MOST_HASH = 4_294_967_295  # of ORA_HASH, and of its seeds
CellsOf = Callable[[pa.Field], ColumnCells]  # how a condition sees a column
_WHERE, _ORDER = "--where", "--order-by"
_OTHERS = ("REGEXP_LIKE", "TRIM")
_HINTS = {
    _WHERE: "files, bundles and the demo understand =, <>, <, >, IN, BETWEEN, LIKE, IS NULL, AND, "
    "OR, NOT, CASE, ||, + - * /, SYSDATE and "
    + ", ".join(sorted({*FUNCTIONS, *CHOICES, *_OTHERS})),
    _ORDER: 'columns with ASC or DESC and NULLS FIRST or LAST: --order-by "PX DESC, CUSIP"',
}
_ORACLE_HINT = (
    "one condition as after WHERE in Oracle SQL, without a subquery: BIAS = 'BID' AND RANK < 3"
)


def condition_in_oracle(text: str, columns: Sequence[str]) -> str:
    """Return the user's condition for Oracle, as it is written.

    Only a column that Oracle would not find by the name as written is put in quotes: DATE. Raises
    `UsageError` for what is not one condition without a subquery, `NotFoundError` for an unknown
    column.
    """
    with _refusals(_WHERE, text, _ORACLE_HINT):
        node = parse_condition(text)
    statement = text
    # From the end on, so that the places before stay right.
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
    # With the nulls, although they are where Oracle has them: that depends on the direction.
    return ", ".join(
        f"{quoted(_find(key.column, text, columns))} {'DESC' if key.descending else 'ASC'} "
        f"NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        for key in keys
    )


def random_order_in_oracle(choice: RandomRows) -> str:
    """Return the sort keys of an order at random: hashes of values, then the values.

    `SAMPLE ... SEED` gives about so many rows, not of views, and others after a reorganization.
    """
    if not choice.columns:
        raise UsageError("--random: no column of the table has a hash", hint="leave out --random")
    hashes = [
        f"ORA_HASH({quoted(name)}, {_MOST_HASH}, {(choice.seed + place) % (_MOST_HASH + 1)})"
        for place, name in enumerate(choice.columns)
    ]
    # The sum of hashes is as even as each of them only if it is cut to their range.
    order = hashes[0] if len(hashes) == 1 else f"MOD({' + '.join(hashes)}, {_MOST_HASH + 1})"
    return ", ".join([order, *map(quoted, choice.columns)])


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
    similar = [column for column in columns if fold_name(column) == fold_name(word)]
    spellings = [name.value] if name.quoted else [word, name.value]
    matches = [spelling for spelling in spellings if spelling in columns]
    if not matches and not name.quoted and len(similar) == 1:
        matches = similar
    if not matches:
        error = unknown_name_error("column", word, columns)
        if name.quoted and fold_name(name.value) not in map(fold_name, columns):
            error.add_hint(f"text has single quotes: '{name.value}'")
        raise error
    return matches[0]


@contextmanager
def _refusals(option: str, text: str, hint: str = "") -> Iterator[None]:
    """Turn `ConditionError` into `UsageError`."""
    try:
        yield
    except ConditionError as error:
        raise UsageError(
            f"{option}: {text!r}: {error}", hint=hint or _HINTS[option], check="MP-USE-003"
        ) from error


class MalformedLinesAmongMatches:
    """Malformed lines whose places are told among the rows that match, not among all."""

    def __init__(self, on_malformed_line: OnMalformedLine) -> None:
        self._on_malformed_line = on_malformed_line
        self._waiting: deque[MalformedLine] = deque()  # a reader ahead appends in its own thread
        self.add = self._waiting.append
        self._rows = 0
        self._matches = 0

    def pass_on(self, is_match: pa.Array) -> None:
        """Pass on the lines up to the end of a batch, whose rows match or do not."""
        counts = np.cumsum(is_match.to_numpy(zero_copy_only=False), dtype=np.int64)
        matches = np.concatenate([[0], counts]) + self._matches
        while self._waiting and (place := self._waiting[0].after - self._rows) < len(matches):
            line = self._waiting.popleft()
            self._on_malformed_line(replace(line, after=int(matches[place])))
        self._rows += len(matches) - 1
        self._matches = int(matches[-1])


def matching_rows(
    text: str,
    batches: Iterator[pa.RecordBatch],
    fields: pa.Schema,
    cells_of: CellsOf,
    now: Timestamp,
    undecided: UndecidedRows,
    lines: MalformedLinesAmongMatches | None = None,
) -> Iterator[pa.RecordBatch]:
    """Return the rows for which a condition is true, and count those that no value decides.

    Raises `UsageError` for a condition that is not understood, `NotFoundError` for an unknown
    column; the iterator raises `UsageError` for a cell that is no number and is compared with one.
    """
    with _refusals(_WHERE, text):
        node = parse_condition(text)
    names = {
        text[name.start : name.end]: _find(name, text, fields.names)
        for name in _columns_in(node, fields.names)
    }
    cells = {word: cells_of(fields.field(name)) for word, name in names.items()}
    with _refusals(_WHERE, text):
        predicate = Compiler(text, cells, now).predicate(node)

    def matches() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            evaluation = BatchEvaluation(batch, names, cells)
            with _refusals(_WHERE, text):
                is_match = evaluation.matches(predicate)
            if evaluation.undecided.any():
                undecided.count += int(evaluation.undecided.sum())
                first = int(evaluation.undecided.argmax())
                undecided.cell = undecided.cell or evaluation.find_fault(first)
            if lines is not None:
                lines.pass_on(is_match)
            yield batch.filter(is_match)
        if lines is not None:
            lines.pass_on(pa.array([], pa.bool_()))  # those after the last batch

    return matches()


def sorted_rows(
    text: str,
    batches: Iterator[pa.RecordBatch],
    fields: pa.Schema,
    cells_of: CellsOf,
    limit: int | None,
    workspace: Path,
) -> Iterator[pa.RecordBatch]:
    """Return the first rows in this order, or all; equal rows keep their order.

    Raises what `matching_rows` raises. The workspace holds the rows while they are sorted.
    """
    with _refusals(_ORDER, text):
        keys = [(_find(key.column, text, fields.names), key) for key in parse_order(text)]
    path = str(workspace / f"{uuid4().hex}.arrow")

    def in_order() -> Iterator[pa.RecordBatch]:
        with pa.ipc.new_stream(path, fields) as file:
            for batch in batches:
                file.write_batch(batch)
        with pa.memory_map(path) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().unify_dictionaries()
            with _refusals(_ORDER, text):
                ranks = [
                    _ranks(rows.column(name), cells_of(fields.field(name)), name, key)
                    for name, key in keys
                ]
            places = np.lexsort(ranks[::-1])[:limit]
            for start in range(0, len(places), _ROWS):
                taken = rows.take(pa.array(places[start : start + _ROWS]))
                yield from taken.combine_chunks().to_batches()

    return in_order()


def _ranks(
    column: pa.ChunkedArray, cells: ColumnCells, name: str, key: OrderTerm
) -> npt.NDArray[np.int64]:
    """Return a number for each row, by which the rows are sorted."""
    if cells.type is Type.OTHER:
        if pa.types.is_nested(column.type):
            raise ConditionError(name, f"a column of the type {column.type} has no order")
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
    return ranks.take(codes.codes)
