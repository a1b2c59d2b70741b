"""Tables of other libraries, and rows of Python, as Arrow: every value with all its digits.

    pandas                      per column; a column of several types becomes tagged text
    Polars, DuckDB, any other   the Arrow stream that the library exports
    list of dicts               per column, as pandas

Messages name types and columns, never cells: they may end in a log.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa

from marketpulse.errors import DataError
from marketpulse.formats.encode import (
    LogicalType,
    logical_field,
    logical_type,
    plain_field,
    to_plain,
    to_text,
)

_PLAIN = {None, LogicalType.TEXT}
_NULLS = {"NAType", "NaTType"}  # the types of pandas' own nulls
# Types that an Arrow stream refuses without the name of the column, or spoils without a word.
_UNREADABLE = {"Object", "Int128", "UInt128", "UHUGEINT", "BIGNUM"}


def as_reader(data: object) -> pa.RecordBatchReader:
    """The rows of a table or of a list of dicts. Raises `DataError` if it is neither."""
    if isinstance(data, list | tuple):
        return _rows_as_table(data).to_reader()
    reader = _arrow_reader(data)
    # Dictionaries, views and large strings become plain columns, which the engine compares.
    schema = pa.schema([_plain_field(field) for field in reader.schema])
    if schema == reader.schema:
        return reader
    return pa.RecordBatchReader.from_batches(schema, _cast(reader, schema))


def _cast(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        columns = [
            to_plain(column, field.type)
            for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.record_batch(columns, schema)


def _plain_field(field: pa.Field) -> pa.Field:
    plain = plain_field(field)
    if pa.types.is_null(plain.type):
        return plain.with_type(pa.string())
    return plain if logical_type(field) in _PLAIN else field


def _arrow_reader(data: object) -> pa.RecordBatchReader:
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.Table):
        return data.to_reader()
    if isinstance(data, pa.RecordBatch):
        return pa.RecordBatchReader.from_batches(data.schema, [data])
    if is_a(data, "pandas", "DataFrame"):
        return _pandas_as_table(data).to_reader()
    if is_a(data, "polars", "LazyFrame"):
        data = data.collect()  # type: ignore[attr-defined] # Polars is no dependency
    if hasattr(data, "__arrow_c_stream__"):
        return _exported(data)
    raise _no_table(type(data).__name__)


def is_a(data: object, library: str, name: str) -> bool:
    """Whether this is an instance of a class whose library need not be installed."""
    cls = getattr(sys.modules.get(library), name, None)
    return isinstance(cls, type) and isinstance(data, cls)


def _no_table(what: str) -> DataError:
    return DataError(
        f"{what} is not a table of colors",
        hint="give a path, a data frame of pandas or Polars, a DuckDB relation, an Arrow table, "
        "or a list of dicts, one for each row",
        check="MP-DAT-015",
    )


def _bad_column(name: str, what: str) -> DataError:
    return DataError(
        f"the column {name!r} holds {what}",
        hint="convert the column to text or to numbers first",
        check="MP-DAT-015",
    )


# -- Arrow streams ---------------------------------------------------------------------------------


def _exported(data: object) -> pa.RecordBatchReader:
    for name, data_type in _own_types(data):
        if data_type in _UNREADABLE:
            raise _bad_column(name, f"values of the type {data_type}")
    try:
        reader = pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, duckdb.Error, TypeError) as error:
        raise _broken(data, error) from error

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except (pa.ArrowException, duckdb.Error, OSError) as error:
            raise _broken(data, error) from error

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _broken(data: object, error: Exception) -> DataError:
    # Only the kind of the error: the text may quote cells.
    return DataError(
        f"{type(data).__name__} cannot be read ({type(error).__name__})",
        hint="give a table whose columns have types that Arrow knows; "
        "run a query on its own to see what fails",
        check="MP-DAT-015",
    )


def _own_types(data: object) -> list[tuple[str, str]]:
    """The columns of a Polars frame or a DuckDB relation, with the library's names of the types."""
    types = getattr(data, "types", None) or getattr(data, "dtypes", None)
    names = getattr(data, "columns", None)
    if not isinstance(types, list) or not isinstance(names, list):
        return []
    return [(str(name), str(data_type)) for name, data_type in zip(names, types, strict=False)]


# -- values of Python ------------------------------------------------------------------------------


def _pandas_as_table(frame: object) -> pa.Table:
    # An index with a name is a column, as in the Parquet files of pandas.
    levels = frame.index.names  # type: ignore[attr-defined] # as above
    if named := [level for level, name in enumerate(levels) if name is not None]:
        frame = frame.reset_index(named, allow_duplicates=True)  # type: ignore[attr-defined] # as above
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # A column holds several types, or integers that no type of Arrow has.
        names = [str(name) for name in frame.columns]  # type: ignore[attr-defined] # as above
        columns = [
            _column(name, frame.iloc[:, place].tolist())  # type: ignore[attr-defined] # as above
            for place, name in enumerate(names)
        ]
    return _table(columns)


def _rows_as_table(rows: Sequence[object]) -> pa.Table:
    mappings = [row for row in rows if isinstance(row, Mapping)]
    if not rows or len(mappings) < len(rows):
        types = ", ".join(sorted({type(row).__name__ for row in rows})) or "nothing"
        raise _no_table(f"a {type(rows).__name__} of {types}")
    # Rows need not have the same keys, nor in the same order. Arrow alone would take those of the
    # first row, and lose the others without a word.
    names = dict.fromkeys(name for row in mappings for name in row)
    for name in names:
        if not isinstance(name, str):
            raise _no_table(f"a list of dicts with a key of the type {type(name).__name__}")
    return _table([_column(name, [row.get(name) for row in mappings]) for name in names])


def _table(columns: Sequence[tuple[pa.Field, pa.Array]]) -> pa.Table:
    arrays = [array for _, array in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema([field for field, _ in columns]))


def _column(name: str, values: Sequence[object]) -> tuple[pa.Field, pa.Array]:
    """The values as one column: of their type if they have one, else as text with tags."""
    cells = [_plain(value) for value in values]
    kinds = {type(cell) for cell in cells if cell is not None}
    if len(kinds) <= 1 or kinds == {int, float}:
        try:
            array = pa.array(cells, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            pass
        else:
            if pa.types.is_null(array.type):
                array = array.cast(pa.string())
            return pa.field(name, array.type), array
    tagged = [None if cell is None else _tagged(name, cell) for cell in cells]
    tags = {cell[0] for cell in tagged if cell}
    if len(tags) == 1:
        field = logical_field(name, LogicalType.from_tag(tags.pop()))
        tagged = [cell and cell[1:] for cell in tagged]
    else:
        field = logical_field(name, LogicalType.MIXED)
    try:
        return field, pa.array(tagged, pa.string())
    except UnicodeEncodeError:
        raise _bad_column(name, "text with half a character") from None


def _plain(value: object) -> object:
    """A value of Python, None for any null."""
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    is_nan = isinstance(value, float) and value != value  # noqa: PLR0124 - only NaN differs
    return None if is_nan or type(value).__name__ in _NULLS else value


def _tagged(name: str, cell: object) -> str:
    """The tag of a cell's logical type, and its text."""
    match cell:
        case bool():
            return LogicalType.BOOLEAN.tag + str(cell).lower()
        case int():
            return LogicalType.NUMBER.tag + format(Decimal(cell), "f")
        case Decimal() if cell.is_finite():
            return LogicalType.NUMBER.tag + format(cell, "f")
        case float():
            return LogicalType.FLOAT.tag + _spelled(cell)
        case str() | Decimal():
            return LogicalType.TEXT.tag + str(cell)
        case date():
            return LogicalType.DATE.tag + _spelled(cell)
        case Mapping() | list() | tuple():
            return LogicalType.JSON.tag + json.dumps(cell, ensure_ascii=False, default=str)
        case _:
            raise _bad_column(name, f"values of the type {type(cell).__name__} among others")


def _spelled(cell: object) -> str:
    array = pa.array([cell])
    return str(to_text(array, pa.field("", array.type))[0])
