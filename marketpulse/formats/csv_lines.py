"""Rows as lines of CSV: Arrow's engine spells, quotes and joins the cells of a batch in one call.

After each call of Arrow a thread waits for Python's lock, which the driver of a database holds for
long while it decodes. Arrow's own writer of CSV quotes all text or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# pyarrow.acero has the same names, and loads pyarrow.dataset, which takes 0.02 s.
from pyarrow._acero import Declaration, ProjectNodeOptions, TableSourceNodeOptions

from marketpulse.formats.encode import FRACTION_DIGITS, text_buffer, to_text
from marketpulse.formats.spreadsheet import protect

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt

_NAME = pa.field("name", pa.string())
_NEAR_DAYS = range(-10_000_000, 10_000_000)  # since 1970; Arrow spells some more
_MARKS = ('"', ",", "\n", "\r")  # a cell with one of them needs quotes
_QUOTE, _COMMA, _LINE_END, _POINT_ZERO, _NOTHING = map(pc.scalar, ('"', ",", "\n", ".0", ""))
_NULL_IS_EMPTY = pc.JoinOptions(null_handling="replace", null_replacement="")


class CsvLines:
    """Spells rows of a schema as lines; with `excel` so that a spreadsheet changes no cell."""

    def __init__(self, schema: pa.Schema, *, excel: bool) -> None:
        self._schema = schema
        self._excel = excel

    def header(self) -> memoryview:
        """Return the line of the names."""
        names = [pa.array([name], pa.string()) for name in self._schema.names]
        return _join([protect(name, _NAME) for name in names] if self._excel else names)

    def encode(self, batch: pa.RecordBatch) -> memoryview:
        """Return the lines of some ten thousand rows.

        Raises `DataError` for dates and times that have no spelling, and for cells that are too
        long for a spreadsheet.
        """
        if not len(batch):
            return memoryview(b"")
        columns = zip(batch.columns, self._schema, strict=True)
        return _join([self._prepare(column, field) for column, field in columns])

    def _prepare(self, column: pa.Array, field: pa.Field) -> pa.Array:
        """Return the cells as text, or as they are if the engine spells them."""
        if self._excel:
            return protect(to_text(column, field), field)
        return column if _is_spelled_by_engine(column) else to_text(column, field)


def _join(columns: Sequence[pa.Array]) -> memoryview:
    """Return the lines of these cells: text, or values that the engine spells."""
    cells = [_cell(place, column) for place, column in enumerate(columns)]
    cells[-1] = pc.binary_join_element_wise(cells[-1], _LINE_END, _NOTHING, options=_NULL_IS_EMPTY)
    lines = pc.binary_join_element_wise(*cells, _COMMA, options=_NULL_IS_EMPTY)
    return text_buffer(_evaluate(lines, columns))


def _evaluate(expression: pc.Expression, columns: Sequence[pa.Array]) -> pa.Array:
    """Return the text that an expression has for each row; it names columns by their place."""
    table = pa.table(list(columns), [str(place) for place in range(len(columns))])
    source = Declaration("table_source", TableSourceNodeOptions(table))
    projection = Declaration("project", ProjectNodeOptions([expression], ["text"]))
    text = Declaration.from_sequence([source, projection]).to_table(use_threads=False)["text"]
    # The engine makes one array of each 32,768 rows; to combine one would copy it.
    return text.chunk(0) if text.num_chunks == 1 else text.combine_chunks()


def _cell(place: int, column: pa.Array) -> pc.Expression:
    """Return the expression for the cells of a column as they stand in the file."""
    cell = pc.field(place)
    is_text = pa.types.is_string(column.type)
    return _quote(cell, column) if is_text else _spell(cell, column.type)


def _is_spelled_by_engine(column: pa.Array) -> bool:
    """Whether `_spell` is all that these values need."""
    types, data_type = pa.types, column.type
    if types.is_date32(data_type):
        return _are_within(column, _NEAR_DAYS, 1)
    if types.is_timestamp(data_type) or types.is_time(data_type):
        days = range(1) if types.is_time(data_type) else _NEAR_DAYS
        return _are_within(column, days, 86_400 * 10 ** FRACTION_DIGITS[data_type.unit])
    if types.is_float32(data_type) or types.is_float64(data_type):
        return _are_short(column)
    if types.is_decimal(data_type):  # Arrow gives an exponent to numbers below 0.000001
        return bool(0 <= data_type.scale <= 6)
    return bool(
        types.is_integer(data_type) or types.is_boolean(data_type) or types.is_null(data_type)
    )


def _are_short(column: pa.Array) -> bool:
    """Whether Arrow spells all these floats, also those below nulls, without an exponent."""
    sizes = np.abs(_stored(column, column.type.to_pandas_dtype()))
    return bool((((sizes >= 1e-5) & (sizes < 1e9)) | (sizes == 0)).all())


def _are_within(column: pa.Array, days: range, day: int) -> bool:
    """Whether all counts, also those below nulls, are in these days of `day` counts each.

    Arrow spells what lies further away as `<value out of range: ...>`.
    """
    counts = _stored(column, np.int32 if column.type.bit_width == 32 else np.int64)
    return bool(days.start * day <= counts.min() and counts.max() < days.stop * day)


def _stored(column: pa.Array, storage: type[np.number]) -> npt.NDArray[Any]:
    """Return the numbers of a column as they are stored, also those below nulls."""
    start = column.offset * column.type.byte_width
    return np.frombuffer(column.buffers()[1], storage, len(column), start)


def _spell(cell: pc.Expression, data_type: pa.DataType) -> pc.Expression:
    """Return the expression for the text of values, as `to_text` spells them."""
    types = pa.types
    if types.is_timestamp(data_type):
        cell = cell.cast(pa.timestamp(data_type.unit))  # in UTC
    text = cell.cast(pa.string())
    if types.is_floating(data_type):
        whole = pc.binary_join_element_wise(text, _POINT_ZERO, _NOTHING)
        return pc.if_else(pc.floor(cell) == cell, whole, text)
    if not types.is_temporal(data_type) or types.is_date(data_type) or data_type.unit == "s":
        return text
    # Without the zeros at the end of the fractions.
    return pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")


def _quote(cell: pc.Expression, text: pa.Array) -> pc.Expression:
    """Return the expression for text in quotes, where it needs them."""
    marks = _marks(text)
    # A search for one character is several times as quick as a pattern of all.
    needed = [pc.match_substring(cell, mark) for mark in marks]
    if _has_empty(text):
        needed.append(cell == "")
    if not needed:
        return cell
    inner = pc.replace_substring(cell, '"', '""') if '"' in marks else cell
    quoted = pc.binary_join_element_wise(_QUOTE, inner, _QUOTE, _NOTHING)
    return pc.if_else(reduce(or_, needed), quoted, cell)


def _marks(text: pa.Array) -> list[str]:
    """Return the characters in these cells that need quotes."""
    raw = bytes(text_buffer(text))
    # Most columns have no such character at all, and searching the buffer is cheap.
    return [mark for mark in _MARKS if mark.encode() in raw]


def _has_empty(text: pa.Array) -> bool:
    """Whether a cell is empty text, which is not null."""
    validity, offsets, _ = text.buffers()
    is_empty = np.diff(np.frombuffer(offsets, np.int32, len(text) + 1, 4 * text.offset)) == 0
    if text.null_count and is_empty.any():
        valid = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
        is_empty &= valid[text.offset :][: len(text)].view(bool)
    return bool(is_empty.any())
