"""Rows that are read several times: in memory while they are few, on disk when they are many."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

# The quickest level: colors take three quarters of the space, in less time than to write all of it.
# Arrow's own threads would take longer to wake up than to compress a column.
COMPRESSED = pa.ipc.IpcWriteOptions(
    compression=pa.Codec("lz4", compression_level=-100), use_threads=False
)


class Spill:
    """Takes record batches and gives them back from the first on, as often as you ask.

    Up to `memory_limit` bytes stay in memory. Beyond that, all batches go to the file `path`,
    compressed.
    """

    def __init__(self, path: Path, schema: pa.Schema, memory_limit: int) -> None:
        self._path = path
        self.schema = schema
        self._memory_limit = memory_limit
        self._in_memory: list[pa.RecordBatch] = []
        self._bytes = 0
        self._file: pa.RecordBatchWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Append a batch."""
        if self._file is not None:
            self._file.write_batch(batch)
            return
        self._in_memory.append(batch)
        self._bytes += batch.nbytes
        if self._bytes > self._memory_limit:
            self._file = pa.ipc.new_stream(str(self._path), self.schema, options=COMPRESSED)
            for earlier in self._in_memory:
                self._file.write_batch(earlier)
            self._in_memory.clear()

    def close(self) -> None:
        """Say that no batch follows. Call it before the first `reader`."""
        if self._file is not None:
            self._file.close()

    def reader(self) -> pa.RecordBatchReader:
        """Return a new reader of all batches, from the first on."""
        if self._file is None:
            return pa.RecordBatchReader.from_batches(self.schema, self._in_memory)
        return pa.ipc.open_stream(pa.OSFile(str(self._path)))
