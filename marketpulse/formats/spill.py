"""Rows that are read again and again: in memory while they are few, on disk beyond."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa


class Kept:
    """Takes record batches as they come, gives them back from the first on, as often as wanted.

    They are in memory up to so many bytes, beyond that all are in a file of this path.
    """

    def __init__(self, path: Path, schema: pa.Schema, in_memory: int) -> None:
        self._path = path
        self.schema = schema
        self._in_memory = in_memory
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
        if self._bytes > self._in_memory:
            self._file = pa.ipc.new_stream(str(self._path), self.schema)
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
            return pa.RecordBatchReader.from_batches(self.schema, self._held)
        return pa.ipc.open_stream(pa.OSFile(str(self._path)))
