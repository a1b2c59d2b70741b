"""Rows that are read again and again: in memory while they are few, on disk beyond."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

_IN_MEMORY = 1 << 29  # bytes


class Kept:
    """Takes record batches as they come, gives them back from the first on, as often as wanted."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: pa.RecordBatchWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep a batch."""
        if self._file is not None:
            self._file.write_batch(batch)
            return
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes > _IN_MEMORY:
            self._file = pa.ipc.new_stream(str(self._path), self._schema)
            for held in self._held:
                self._file.write_batch(held)
            self._held.clear()

    def close(self) -> None:
        """No more come."""
        if self._file is not None:
            self._file.close()

    def reader(self) -> pa.RecordBatchReader:
        """All batches, from the first on."""
        if self._file is None:
            return pa.RecordBatchReader.from_batches(self._schema, self._held)
        return pa.ipc.open_stream(pa.OSFile(str(self._path)))
