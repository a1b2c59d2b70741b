"""Columns without a name: left out if they hold nothing, an error if they hold something.

The numbers of rows that pandas writes beside the columns are left out, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.base import Scan
from marketpulse.formats.encode import to_text
from marketpulse.model import OnMalformedLine

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


def drop_index(scan: Scan) -> Scan:
    """Leave out the index of pandas."""
    names = scan(lambda _: None).schema.names
    kept = [place for place, name in enumerate(names) if not _PANDAS_INDEX.fullmatch(name)]
    if len(kept) == len(names):
        return scan
    return Scan(
        lambda on_malformed_line: _select(scan(on_malformed_line), kept),
        replace(scan.notes, index_columns=len(names) - len(kept)),
    )


def drop_nameless(label: str, scan: Scan) -> Scan:
    """Leave out the columns without a name. Reading raises `DataError` if one holds anything."""
    names = scan(lambda _: None).schema.names
    named = [place for place, name in enumerate(names) if name.strip()]
    if len(named) == len(names):
        return scan
    header = likely_header(sum(map(bool, names)), scan.notes.first_rows)

    def read(on_malformed_line: OnMalformedLine) -> pa.RecordBatchReader:
        rows = scan(on_malformed_line)
        checked = _refuse_values(label, rows, header)
        return _select(pa.RecordBatchReader.from_batches(rows.schema, checked), named)

    return Scan(read, replace(scan.notes, nameless_columns=len(names) - len(named)))


def _select(rows: pa.RecordBatchReader, places: Sequence[int]) -> pa.RecordBatchReader:
    """Return the columns at these places: names may repeat."""
    schema = pa.schema([rows.schema.field(place) for place in places])
    batches = (pa.record_batch([batch.column(place) for place in places], schema) for batch in rows)
    return pa.RecordBatchReader.from_batches(schema, batches)


def _refuse_values(
    label: str, rows: pa.RecordBatchReader, header: int | None
) -> Iterator[pa.RecordBatch]:
    """Yield the batches. Raises `DataError` if a column without a name holds anything.

    `header` is the number of the row that looks like the header, if it is not the first.
    """
    names = rows.schema.names
    nameless = [place for place, name in enumerate(names) if not name.strip()]
    # Batch by batch: whether a column is empty shows in the last row only.
    count = 0
    for batch in rows:
        for place in nameless:
            text = to_text(batch.column(place), batch.schema.field(place))
            lengths = pc.utf8_length(pc.utf8_trim_whitespace(text))
            filled = pc.indices_nonzero(pc.fill_null(lengths, 0))
            if len(filled):
                row = filled[0].as_py()
                cell = f"row {count + row + 1} below the header holds {text[row].as_py()!r}"
                what = f"{_describe_place(names, place)} has no name, but {cell}"
                raise nameless_error(label, what, header)
        count += len(batch)
        yield batch


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
