"""Parquet: typed both ways, read and written in batches so that memory stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from marketpulse.errors import DataError
from marketpulse.formats.decode import as_schema
from marketpulse.formats.encode import stored_plain, without_tags
from marketpulse.model import OnMalformedLine

_ROWS = 50_000


def opener(path: Path, _workspace: Path) -> Callable[[OnMalformedLine], Any]:
    """Read the file's footer, then its rows as often as is wanted."""
    schema = _schema(path)

    def scan(_on_misfit: OnMalformedLine) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(schema, _batches(path, schema))

    return scan


def _schema(path: Path) -> pa.Schema:
    with _whole(path, "this is not Parquet, or it is damaged"):
        schema = pq.read_schema(path)
    return pa.schema([stored_plain(field) for field in schema])


def _batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # pre_buffer would hold the whole file's columns in memory.
    with _whole(path, "the file is damaged"), pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS):
            columns = [
                column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema)


@contextmanager
def _whole(path: Path, otherwise: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the system's own, and no word about what the file holds
        raise DataError(f"{path}: {otherwise}: {error}", check="MP-DAT-006") from error


def read_back(
    path: Path, schema: pa.Schema, _workspace: Path, **_: object
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `Writer` wrote, in the types that they had."""
    return as_schema(path, _batches(path, _schema(path)), schema)


class Writer:
    """Row groups as the batches come; text stays text, so no spelling is lost."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        told = without_tags(schema.empty_table()).schema
        self._file = pq.ParquetWriter(path, told, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        self._file.write_batch(without_tags(batch))

    def close(self) -> None:
        self._file.close()
