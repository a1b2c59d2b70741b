"""Parquet: typed in both directions, read and written in batches so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan, read_ahead
from marketpulse.formats.decode import decode_batches
from marketpulse.formats.encode import (
    plain_field,
    to_plain,
    untag,
    with_pandas_types,
)
from marketpulse.formats.nameless import drop_index
from marketpulse.model import OnMalformedLine

_BATCH_ROWS = 50_000
_REPEATED = 10  # times that the values of a column repeat for a dictionary to pay
_INT64 = pa.int64()
_MAX_COUNT = 2**63 - 1  # of a timestamp's units


def prepare_scan(path: Path) -> Scan:
    """Read the file's footer; return the function that reads its rows."""
    with _damage_is_bad_data(path, "this is not Parquet, or it is damaged"):
        unit = _int96_unit(path)
    schema = _read_schema(path, unit)

    def scan(_: OnMalformedLine) -> pa.RecordBatchReader:
        batches = read_ahead(_read_batches(path, schema, unit))
        return pa.RecordBatchReader.from_batches(schema, batches)

    return drop_index(Scan(scan))


def count_rows(path: Path) -> int:
    """Return the number of rows that the file's footer says."""
    with _damage_is_bad_data(path, "this is not Parquet, or it is damaged"):
        return int(pq.read_metadata(path).num_rows)


def read_back(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that `ParquetWriter` wrote, in the types of this schema."""
    return decode_batches(path, _read_batches(path, _read_schema(path)), schema)


def _read_schema(path: Path, int96_unit: str | None = None) -> pa.Schema:
    with (
        _damage_is_bad_data(path, "this is not Parquet, or it is damaged"),
        _open(path, int96_unit) as file,
    ):
        return pa.schema([plain_field(field) for field in file.schema_arrow])


def _read_batches(
    path: Path, schema: pa.Schema, int96_unit: str | None = None
) -> Iterator[pa.RecordBatch]:
    with _damage_is_bad_data(path, "the file is damaged"), _open(path, int96_unit) as file:
        for batch in file.iter_batches(_BATCH_ROWS):
            batch.validate(full=True)  # text that is not UTF-8 would stop DuckDB, and Python
            columns = [
                to_plain(column, field.type)
                for column, field in zip(batch.columns, schema, strict=True)
            ]
            yield pa.record_batch(columns, schema)


def _open(path: Path, int96_unit: str | None) -> pq.ParquetFile:
    # Arrow buffers all columns of the file in memory unless pre_buffer is off.
    return pq.ParquetFile(path, pre_buffer=False, coerce_int96_timestamp_unit=int96_unit)


def _int96_unit(path: Path) -> str | None:
    """Return the unit that keeps the timestamps of type INT96; None for nanoseconds, the default.

    INT96 is the timestamp of Hive, Impala and older Spark: a day, and nanoseconds in it. Arrow
    counts nanoseconds since 1970 and overflows silently after 2262, so 9999-12-31 becomes 1816.
    Raises `DataError` if a column has such dates and nanoseconds, too.
    """
    with _open(path, None) as file:
        leaves = (file.schema.column(place) for place in range(len(file.schema)))
        columns = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    if not columns or _fit(path, columns, "ns"):
        return None
    if not _fit(path, columns, "us"):
        raise DataError(
            f"{path}: {', '.join(columns)}: a timestamp lies more than 290,000 years away",
            hint="correct it, or leave the column out",
            check="MP-DAT-018",
        )
    in_both_units = (_int96_batches(path, columns, unit) for unit in ("ns", "us"))
    for nanoseconds, microseconds in zip(*in_both_units, strict=True):
        # Both wrap around at 64 bits, so the difference is right after an overflow, too.
        for name, fine, coarse in zip(columns, nanoseconds, microseconds, strict=True):
            if pc.any(pc.not_equal(fine, pc.multiply(coarse, 1000))).as_py():
                raise DataError(
                    f"{path}: {name}: some timestamps have nanoseconds, and the column has dates "
                    "beyond the year 2262: no type keeps both",
                    hint="write the column in microseconds",
                    check="MP-DAT-018",
                )
    return "us"


def _fit(path: Path, columns: list[str], unit: str) -> bool:
    """Return whether 64 bits hold all INT96 timestamps of these columns in this unit."""
    limit = _MAX_COUNT // {"us": 10**6, "ns": 10**9}[unit]
    for batch in _int96_batches(path, columns, "s"):
        for seconds in batch:
            bounds = pc.min_max(seconds).as_py()
            if bounds["min"] is not None and not -limit < bounds["min"] <= bounds["max"] < limit:
                return False
    return True


def _int96_batches(path: Path, columns: list[str], unit: str) -> Iterator[list[pa.Array]]:
    """Yield the counts of these columns, some thousand rows at a time, nested ones flat."""
    with _open(path, unit) as file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=columns):
            yield [
                counts.cast(_INT64) for column in batch.columns for counts in _timestamps(column)
            ]


def _timestamps(column: pa.Array) -> Iterator[pa.Array]:
    """Yield the timestamps in a column, or in the lists and structures that it holds."""
    if pa.types.is_timestamp(column.type):
        yield column
    elif pa.types.is_nested(column.type):
        # `flatten` of a map or a list gives its values, that of a structure its columns.
        parts = column.flatten()
        for part in parts if isinstance(parts, list) else [parts]:
            yield from _timestamps(part)


@contextmanager
def _damage_is_bad_data(path: Path, message: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # With an errno the system failed. Without one, Arrow describes the file's content.
        if isinstance(error, OSError) and error.errno:
            raise
        raise DataError(
            f"{path}: {message}: {error}", hint="fetch or write it again", check="MP-DAT-006"
        ) from error


class ParquetWriter:
    """Each batch becomes a row group. Text stays text, so no spelling is lost."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._empty = untag(schema.empty_table())
        self._sink = pa.OSFile(str(path), "wb")
        self._file: pq.ParquetWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        rows = untag(batch)
        self._file = self._file or self._open(rows)
        self._file.write_batch(rows)

    def close(self) -> None:
        with self._sink:
            (self._file or self._open(self._empty)).close()

    def _open(self, rows: pa.RecordBatch | pa.Table) -> pq.ParquetWriter:
        # Where values hardly repeat, a dictionary takes twice the time and more space: the first
        # rows tell.
        repeated = [
            name
            for name, column in zip(rows.schema.names, rows.columns, strict=True)
            if _repeats(column)
        ]
        stored = with_pandas_types(self._empty.schema)
        return pq.ParquetWriter(self._sink, stored, compression="zstd", use_dictionary=repeated)


def _repeats(column: pa.Array) -> bool:
    """Whether values repeat so often that a dictionary pays, or Arrow cannot tell."""
    try:
        return bool(pc.count_distinct(column).as_py() * _REPEATED < len(column))
    except pa.ArrowNotImplementedError:  # nested values, dictionaries
        return True
