"""The tally of a run: how many rows went into each output, and the proof that none is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED
from marketpulse.errors import DataError

_MOST_REASONS = 1000  # in the summary
_OTHER_REASONS = "other reasons"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many rows were read, and what they became: `read` is the sum of the others."""

    read: int
    parents: int
    children: int
    excluded: int
    rejected: int

    @property
    def balanced(self) -> bool:
        """Whether every row is accounted for."""
        return self.read == self.parents + self.children + self.excluded + self.rejected


class Tally:
    """The rows of each output, counted as they are written, so the counts cannot drift."""

    def __init__(self, rule_ids: Iterable[str] = ()) -> None:
        self.rows: Counter[str] = Counter()
        self.parents = 0
        self.excluded = dict.fromkeys(rule_ids, 0)  # rows by rule, in the order of the rules
        self.rejected: Counter[str] = Counter()  # rows by reason

    def counted(self, name: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches of the output of this name."""
        for batch in batches:
            self.rows[name] += len(batch)
            if name == PROCESSED:
                self.parents += pc.sum(batch.column("IS_PARENT")).as_py() or 0
            elif name == EXCLUDED:
                for group in batch.column("RULE_ID").value_counts().to_pylist():
                    self.excluded[group["values"]] += group["counts"]
            else:
                for group in batch.column("REASON").value_counts().to_pylist():
                    self._reject(group["values"], group["counts"])
            yield batch

    def merge(self, later: Tally) -> None:
        """Add the rows of a later part of the input."""
        self.rows.update(later.rows)
        self.parents += later.parents
        for rule, rows in later.excluded.items():
            self.excluded[rule] = self.excluded.get(rule, 0) + rows
        for reason, rows in later.rejected.items():
            self._reject(reason, rows)

    def counts(self, read: int) -> Counts:
        """The counts of the run. Raises `DataError` if they do not balance."""
        counts = Counts(
            read=read,
            parents=self.parents,
            children=self.rows[PROCESSED] - self.parents,
            excluded=self.rows[EXCLUDED],
            rejected=self.rows[REJECTED],
        )
        if not counts.balanced:
            raise DataError(
                f"the rows do not balance: {counts}",
                hint="this is a bug in MarketPulse: please report it",
                check="MP-DAT-016",
            )
        return counts

    def _reject(self, reason: str, rows: int) -> None:
        # A reason quotes its cell, so there may be one for each row.
        known = reason in self.rejected or len(self.rejected) < _MOST_REASONS
        self.rejected[reason if known else _OTHER_REASONS] += rows
