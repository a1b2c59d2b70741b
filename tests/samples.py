"""Small tables, and the files and texts that tests make of them."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from marketpulse.formats import open_writer

COLORS = pa.table(
    {
        "MESSAGE_ID": pa.array([17700000000000001, 17700000000000000, 17700000000000001]),
        "CUSIP": ["037833100", " 12345e108", None],
        "DATE": pa.array([datetime.date(2026, 3, 13), None, datetime.date(2026, 3, 12)]),
        "PX": pa.array([Decimal("101.7000"), None, Decimal("-0.5000")], pa.decimal128(9, 4)),
        "NOTE": ["é 東京", 'two\nlines, "quoted"', "=1+1"],
    }
)
CELLS: dict[str, list[str | None]] = {
    "MESSAGE_ID": ["17700000000000001", "17700000000000000", "17700000000000001"],
    "CUSIP": ["037833100", " 12345e108", None],
    "DATE": ["2026-03-13", None, "2026-03-12"],
    "PX": ["101.7000", None, "-0.5000"],
    "NOTE": ["é 東京", 'two\nlines, "quoted"', "=1+1"],
}


class Named(Protocol):
    """Something with a name: a table, a column."""

    @property
    def name(self) -> str: ...


def write_table(path: Path, table: pa.Table = COLORS) -> Path:
    """Write a file in the format of its suffix."""
    writer = open_writer(path.suffix[1:], path, table.schema)
    for batch in table.to_batches(max_chunksize=2):
        writer.write(batch)
    writer.close()
    return path


def write_lines(path: Path, *lines: str) -> Path:
    """Write a text file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def row_texts(reader: pa.RecordBatchReader) -> list[str]:
    """Return each row as text, so that NaN equals NaN, and 1.0 differs from 1.00."""
    return [row for batch in reader for row in batch_texts(batch)]


def batch_texts(batch: pa.RecordBatch) -> list[str]:
    """Return each row of a batch as text."""
    return [repr(row) for row in batch.to_pylist()]


def names(items: Iterable[Named]) -> list[str]:
    """Return the names, in order."""
    return [item.name for item in items]
