"""Parquet: typed in both directions, read and written in batches so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan
from marketpulse.formats.decode import decode_batches
from marketpulse.formats.encode import plain_field, untag
from marketpulse.model import OnMalformedLine

_BATCH_ROWS = 50_000


def prepare_scan(path: Path) -> Scan:
    """Read the file's footer; return the function that reads its rows."""
    schema = _read_schema(path)

    def scan(_: OnMalformedLine) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(schema, _read_batches(path, schema))

    return scan


def read_back(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that `ParquetWriter` wrote, in the types of this schema."""
    return decode_batches(path, _read_batches(path, _read_schema(path)), schema)


def _read_schema(path: Path) -> pa.Schema:
    with _damage_is_bad_data(path, "this is not Parquet, or it is damaged"):
        schema = pq.read_schema(path)
    return pa.schema([plain_field(field) for field in schema])


def _read_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # Arrow buffers all columns of the file in memory unless pre_buffer is off.
    with (
        _damage_is_bad_data(path, "the file is damaged"),
        pq.ParquetFile(path, pre_buffer=False) as file,
    ):
        for batch in file.iter_batches(_BATCH_ROWS):
            columns = [
                column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema)


@contextmanager
def _damage_is_bad_data(path: Path, message: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        # With an errno the system failed. Without one, Arrow describes the file's content.
        if isinstance(error, OSError) and error.errno:
            raise
        raise DataError(f"{path}: {message}: {error}", check="MP-DAT-006") from error


class ParquetWriter:
    """Each batch becomes a row group. Text stays text, so no spelling is lost."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        stored = untag(schema.empty_table()).schema
        self._file = pq.ParquetWriter(path, stored, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(untag(batch))

    def close(self) -> None:
        self._file.close()
