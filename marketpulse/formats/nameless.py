"""Columns without a name: left out if they hold nothing, an error if they hold something.

The numbers of rows that pandas writes beside the columns are left out, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan
from marketpulse.formats.encode import to_text
from marketpulse.model import OnMalformedLine

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


def drop_index(scan: Scan) -> Scan:
    """Leave out the index of pandas."""
    count = count_index_columns(scan(lambda _: None).schema)
    if not count:
        return scan

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        return without_index(scan(on_malformed_line))

    return Scan(read, replace(scan.notes, index_columns=count))


def count_index_columns(schema: pa.Schema) -> int:
    """Return how many columns are the index of pandas."""
    return sum(_PANDAS_INDEX.fullmatch(name) is not None for name in schema.names)


def without_index(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows without the index of pandas."""
    names = rows.schema.names
    places = [place for place, name in enumerate(names) if not _PANDAS_INDEX.fullmatch(name)]
    schema = pa.schema([rows.schema.field(place) for place in places])
    batches = (pa.record_batch([batch.column(place) for place in places], schema) for batch in rows)
    return pa.RecordBatchReader.from_batches(schema, batches)


def drop_nameless(path: Path, scan: Scan) -> Scan:
    """Leave out the columns without a name. The scan raises `DataError` if one holds anything."""
    schema = scan(lambda _: None).schema
    named = named_columns(schema)
    if len(named) == len(schema):
        return scan
    first_rows = scan.notes.first_rows
    header = likely_header(sum(map(bool, schema.names)), first_rows)

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        return without_nameless(str(path), scan(on_malformed_line), header)

    nameless = len(schema) - len(named)
    return Scan(read, replace(scan.notes, nameless_columns=nameless))


def named_columns(schema: pa.Schema) -> list[int]:
    """Return the places of the columns with a name."""
    return [place for place, name in enumerate(schema.names) if name.strip()]


def without_nameless(
    label: str, rows: pa.RecordBatchReader, header: int | None = None
) -> pa.RecordBatchReader:
    """Return the rows without the columns that have no name.

    Reading raises `DataError` if one of those holds anything. `header` is the number of the row
    that looks like the header, if it is not the first.
    """
    named = named_columns(rows.schema)
    nameless = [place for place in range(len(rows.schema)) if place not in named]
    schema = pa.schema([rows.schema.field(place) for place in named])

    def batches() -> Iterator[pa.RecordBatch]:
        # Batch by batch: whether a column is empty shows in the last row only.
        count = 0
        for batch in rows:
            for place in nameless:
                text = to_text(batch.column(place), batch.schema.field(place))
                filled = pc.indices_nonzero(
                    pc.fill_null(
                        pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0), False
                    )
                )
                if len(filled):
                    row = filled[0].as_py()
                    where = _describe_place(rows.schema.names, place)
                    cell = f"row {count + row + 1} below the header holds {text[row].as_py()!r}"
                    raise nameless_error(label, f"{where} has no name, but {cell}", header)
            count += len(batch)
            yield pa.record_batch([batch.column(place) for place in named], schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def nameless_error(label: str, what: str, header: int | None) -> DataError:
    """Return the error for a column without a name that holds something."""
    hint = "give the column a name, or clear its cells"
    if header is not None:
        hint = (
            f"row {header} looks like the header: delete the rows above it, or name it, in XLSX, "
            f"with --header-row {header}; otherwise {hint}"
        )
    return DataError(f"{label}: {what}", hint=hint, check="MP-DAT-021")


def likely_header(width: int, rows: Sequence[tuple[int, tuple[str, ...]]]) -> int | None:
    """Return the number of the first row that could be the header of more than `width` columns.

    Its cells are different texts, none of them empty or a number. This is good enough for a hint.
    """
    for number, cells in rows:
        names = {cell.strip().casefold() for cell in cells}
        is_text = all(name and not name[:1].isdigit() for name in names)
        if len(cells) > width and len(names) == len(cells) and is_text:
            return number
    return None


def _describe_place(names: Sequence[str], place: int) -> str:
    if place and names[place - 1].strip():
        return f"column {place + 1}, after {names[place - 1]!r},"
    return f"column {place + 1}"
