"""The rows of a table that are on disk already, for a run that goes on where another one stopped.

A journal is a sequence of frames, one for each batch. A frame has its length, the CRC-32 of its
content, and the content: JSON, the position, then the batch as an IPC stream of Arrow's. A run may
die after any byte: the frames before the first one that is not whole are the journal.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from marketpulse.formats.spill import COMPRESSED

_HEADER = struct.Struct(">QI")  # the length of the content, its CRC-32
_LENGTHS = struct.Struct(">II")  # of the changes and the position before a batch


@dataclass(frozen=True)
class ReadBatch:
    """A batch of rows, and how often values were changed up to its end, see `Source.changes`.

    `position` is the last key in encrypted form, if the rows have it with a mask.
    """

    rows: pa.RecordBatch
    changes: Mapping[str, int]
    position: bytes = b""


class RowJournal:
    """A file of batches with `rows` rows. Opening it removes a frame that is not whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows = 0
        self._end = 0
        for batch in self.batches():
            self.rows += len(batch.rows)
        self._file = path.open("ab")
        self._file.truncate(self._end)

    def append(self, batch: ReadBatch) -> None:
        """Add a batch. It is written, but not synced, when this returns."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, batch.rows.schema, options=COMPRESSED) as writer:
            writer.write_batch(batch.rows)
        changes = json.dumps(dict(batch.changes)).encode()
        lengths = _LENGTHS.pack(len(changes), len(batch.position))
        self._write(lengths, changes, batch.position, stream.getvalue())
        self.rows += len(batch.rows)

    def batches(self) -> Iterator[ReadBatch]:
        """Read the batches from the first on, one at a time."""
        for content, end in _read_frames(self._path):
            self._end = end
            changes, position = _LENGTHS.unpack_from(content)
            middle = _LENGTHS.size + changes
            start = middle + position
            rows = pa.ipc.open_stream(pa.py_buffer(content)[start:]).read_next_batch()
            yield ReadBatch(
                rows, json.loads(content[_LENGTHS.size : middle]), content[middle:start]
            )

    def clear(self) -> None:
        """Remove all rows."""
        self._file.truncate(0)
        self.rows = 0

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def _write(self, *parts: bytes | pa.Buffer) -> None:
        checksum = 0
        for part in parts:
            checksum = zlib.crc32(part, checksum)
        self._file.write(_HEADER.pack(sum(map(len, parts)), checksum))
        for part in parts:
            self._file.write(part)
        self._file.flush()


def _read_frames(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the content of each whole frame, and the position of its end in the file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            # A length that was written in part may be anything.
            left = path.stat().st_size - file.tell()
            content = file.read(length) if length <= left else b""
            if len(content) < length or zlib.crc32(content) != checksum:
                return
            yield content, file.tell()
