"""Malformed lines of the input: stored as they come, and read back as rejected rows."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa

from marketpulse.formats.spill import Spill
from marketpulse.model import MalformedLine

_SCHEMA = pa.schema(
    [
        ("n", pa.float64()),  # the place among the rows: 2.5 is between the rows 2 and 3
        ("line", pa.int64()),  # the number among the malformed lines
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
_BATCH_ROWS = 50_000


class MalformedLines:
    """The malformed lines of one input, in memory while they are few, else in a file."""

    def __init__(self, path: Path, in_memory: int) -> None:
        self._spill = Spill(path, _SCHEMA, in_memory)
        self._pending: list[MalformedLine] = []
        self._hash_sum = 0
        self.count = 0

    def add(self, malformed_line: MalformedLine) -> None:
        """Store a line."""
        self._pending.append(malformed_line)
        # A sum does not depend on the order, as the digest of the rows does not.
        self._hash_sum += int.from_bytes(hashlib.sha256(malformed_line.text.encode()).digest()[:16])
        self.count += 1
        if len(self._pending) == _BATCH_ROWS:
            self._flush()

    def close(self) -> None:
        """Finish writing. Call it once, before `reader`."""
        self._flush()
        self._spill.close()

    @property
    def hashes(self) -> int:
        """The sum of the hashes of these lines, the same in any order."""
        return self._hash_sum

    def reader(self) -> pa.RecordBatchReader:
        """All lines: n, line, reason, raw."""
        return self._spill.reader()

    def _flush(self) -> None:
        lines = range(self.count - len(self._pending), self.count)
        columns = (
            [pending.after - 0.5 for pending in self._pending],
            lines,
            [pending.reason for pending in self._pending],
            [pending.text for pending in self._pending],
        )
        arrays = [
            pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)
        ]
        self._spill.add(pa.record_batch(arrays, _SCHEMA))
        self._pending.clear()
