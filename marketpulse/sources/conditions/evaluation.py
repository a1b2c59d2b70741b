"""The rows of a batch of which a predicate is true.

A condition is about few columns, and these have few distinct values: a rank, a kind of color, a
day. So each predicate is decided once for each distinct combination of its cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from marketpulse.formats.arrays import from_numpy
from marketpulse.formats.encode import to_spelling
from marketpulse.sources.conditions.cells import Codes, ColumnCells, encode
from marketpulse.sources.conditions.meaning import Predicate, Truth
from marketpulse.sources.conditions.values import Value

if TYPE_CHECKING:
    import numpy.typing as npt

Rows: TypeAlias = "npt.NDArray[np.signedinteger]"  # places in the batch
Truths: TypeAlias = "npt.NDArray[np.int8]"
# Of two truths that decide nothing, the greater one is the result of AND, and of OR.
_FALSE, _TRUE, _UNKNOWN = 0, 1, 2


class BatchEvaluation:
    """A batch whose cells are read once, for all parts of a condition."""

    def __init__(
        self, batch: pa.RecordBatch, names: Mapping[str, str], cells: Mapping[str, ColumnCells]
    ) -> None:
        """`names` are the columns' names by the words of the condition, `cells` their cells.

        `undecided` are the rows that the last predicate leaves out because of a cell that is no
        value.
        """
        self.undecided = np.zeros(len(batch), bool)
        self._batch = batch
        self._names = names
        self._cells = cells
        self._codes: dict[str, Codes] = {}
        self._faulty = np.zeros(len(batch), bool)  # rows with a cell that is no value
        self._misled = np.zeros(len(batch), bool)  # of these, where it makes a part false

    def matches(self, predicate: Predicate) -> pa.Array:
        """Return for each row whether the predicate is true. Raises `ConditionError`."""
        rows = np.arange(len(self._batch))
        truths = self._truths(predicate, rows)
        is_unknown = (truths == _UNKNOWN) & self._faulty
        self.undecided = is_unknown | (truths == _FALSE) & self._misled
        return from_numpy(truths == _TRUE)

    def find_fault(self, row: int) -> str:
        """Return the column and the cell of an undecided row that is no value."""
        for word, name in self._names.items():
            codes = self._codes.get(name)
            if codes and codes.faults is not None and codes.faults[codes.codes[row]]:
                column = self._batch.column(name).slice(row, 1)
                text = to_spelling(column, self._batch.schema.field(name))[0]
                return f"{word}: {str(text)[:80]!r}"
        return ""

    def _truths(self, predicate: Predicate, rows: Rows) -> Truths:
        """Return the truth for each of these rows, as small integers."""
        if not len(rows):
            return np.zeros(0, np.int8)
        if len(predicate.columns) < 2 or not predicate.parts:
            return self._decide(predicate, rows)
        decisive = _TRUE if predicate.word == "OR" else _FALSE
        result = np.full(len(rows), _TRUE - decisive, np.int8)
        for part in predicate.parts:
            # A row that is decided asks no further part: its cell may be no number there.
            is_open = result != decisive
            truths = self._truths(part, rows[is_open])
            before = result[is_open]
            result[is_open] = np.where(truths == decisive, decisive, np.maximum(truths, before))
        return result

    def _decide(self, predicate: Predicate, rows: Rows) -> Truths:
        """Decide the predicate for each distinct combination of its cells."""
        words = sorted(predicate.columns)
        if not words:
            return np.full(len(rows), _number(predicate.test({})), np.int8)
        columns = [self._read(word) for word in words]
        combined = columns[0].codes[rows].astype(np.int64)
        for column in columns[1:]:
            _, combined = np.unique(combined, return_inverse=True)
            combined = combined * len(column.values) + column.codes[rows]
        _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
        truths = np.empty(len(first), np.int8)
        row: dict[str, Value] = {}
        for place, example in enumerate(rows[first].tolist()):
            for word, column in zip(words, columns, strict=True):
                row[word] = column.values[column.codes[example]]
            truths[place] = _number(predicate.test(row))
        truths = truths[inverse]
        self._note_faults(rows, columns, truths)
        return truths

    def _note_faults(self, rows: Rows, columns: Sequence[Codes], truths: Truths) -> None:
        for column in columns:
            if column.faults is not None:
                has_fault = column.faults[column.codes[rows]]
                self._faulty[rows[has_fault]] = True
                self._misled[rows[has_fault & (truths == _FALSE)]] = True

    def _read(self, word: str) -> Codes:
        name = self._names[word]
        if name not in self._codes:
            self._codes[name] = encode(self._batch.column(name), self._cells[word])
        return self._codes[name]


def _number(truth: Truth) -> int:
    return _UNKNOWN if truth is None else int(truth)
