"""The cells of Arrow columns as values of a condition."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.encode import (
    FRACTION_DIGITS,
    LogicalType,
    is_text,
    logical_type,
    to_spelling,
    to_text,
    value_type,
    without_errors,
)
from marketpulse.model import CellKind, CellReading
from marketpulse.sources.conditions import dates
from marketpulse.sources.conditions.tokens import ConditionError
from marketpulse.sources.conditions.values import Type, Value

if TYPE_CHECKING:
    import numpy.typing as npt

Read = Callable[[pa.Array], list[Value]]


@dataclass(frozen=True)
class ColumnCells:
    """How a condition sees a column: the type of its values, and how to read an array of them.

    `find_faults` tells which cells are missing only because they are no values of the column.
    """

    type: Type
    read: Read
    find_faults: Callable[[pa.Array], list[bool]] | None = None


_INTEGER = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,18})?", re.ASCII)
_PLAIN_TEXT = re.compile(
    r"|N?VARCHAR2?\b.*|TEXT|ENUM.*|string(_view)?|large_string|dictionary.*", re.DOTALL
)
_LARGEST_EXPONENT = 125  # of a NUMBER


def column_cells(
    field: pa.Field, source_type: str = "", reading: CellReading | None = None
) -> ColumnCells:
    """Return how a condition sees a column.

    `source_type` is the type as a database calls it; without one, floats are numbers as they are
    written, since a file tells nothing else. `reading` is for text cells, and for numbers that
    stand for dates.
    """
    data_type = field.type
    if pa.types.is_dictionary(data_type) and not is_text(data_type):
        inner = column_cells(pa.field(field.name, data_type.value_type), source_type, reading)
        return ColumnCells(inner.type, lambda column: inner.read(column.cast(data_type.value_type)))
    types = pa.types
    # A spreadsheet stores a day as a number.
    is_number = types.is_integer(data_type) or types.is_floating(data_type)
    is_foreign_date = is_number and reading and reading.kind is CellKind.DATE and reading.translate
    if reading and (logical_type(field) is not None or is_foreign_date):
        return _read_cells(field, reading)
    if logical_type(field) is not None:
        return _text_cells(field, source_type)
    if types.is_null(data_type):
        return ColumnCells(Type.NULL, lambda column: [None] * len(column))
    if types.is_floating(data_type):
        return _float_cells(source_type)
    if types.is_integer(data_type) or types.is_decimal(data_type):
        return ColumnCells(Type.NUMBER, _read_exact_numbers)
    if types.is_date(data_type):
        return ColumnCells(Type.DATE, _read_days)
    if types.is_timestamp(data_type):
        # Parquet marks any time in UTC with a zone; only a database tells that a column has zones.
        is_zoned = "ZONE" in source_type and data_type.tz is not None
        return ColumnCells(Type.ZONED if is_zoned else Type.DATE, _read_timestamps)
    return _OTHER


def _read_presence(column: pa.Array) -> list[Value]:
    """Read whether there is a value: no other question can be answered."""
    return [Decimal(1) if is_valid else None for is_valid in column.is_valid().to_pylist()]


_OTHER = ColumnCells(Type.OTHER, _read_presence)


def _read_exact_numbers(column: pa.Array) -> list[Value]:
    return [None if cell is None else Decimal(cell) for cell in column.to_pylist()]


def _read_days(column: pa.Array) -> list[Value]:
    days = column.cast(pa.date32()).cast(pa.int32()).to_pylist()
    return [None if day is None else day * dates.DAY for day in days]


def _read_timestamps(column: pa.Array) -> list[Value]:
    nanoseconds = dates.SECOND // 10 ** FRACTION_DIGITS[column.type.unit]
    counts = column.cast(pa.int64()).to_pylist()
    return [None if count is None else count * nanoseconds for count in counts]


def _float_cells(source_type: str) -> ColumnCells:
    if source_type in {"BINARY_DOUBLE", "DOUBLE"}:
        return ColumnCells(Type.DOUBLE, lambda column: column.to_pylist())
    if source_type in {"BINARY_FLOAT", "FLOAT"}:
        return ColumnCells(Type.FLOAT, lambda column: column.to_pylist())
    return ColumnCells(Type.NUMBER, _read_floats)


def _read_floats(column: pa.Array) -> list[Value]:
    """Read each float as its shortest digits; NaN is a missing number."""
    cells = column.to_numpy(zero_copy_only=False)
    valid = column.is_valid().to_pylist()
    # Not Decimal(float): 101.7 would be 101.7000000000000028421709430404007434844970703125.
    return [
        Decimal(np.format_float_positional(cell, unique=True, trim="-"))
        if is_valid and not np.isnan(cell)
        else None
        for cell, is_valid in zip(cells, valid, strict=True)
    ]


# -- text ------------------------------------------------------------------------------------------


def _read_cells(field: pa.Field, reading: CellReading) -> ColumnCells:
    type_of, parse = _KINDS[reading.kind]

    def read(column: pa.Array) -> list[Value]:
        texts = to_spelling(without_errors(column, field), field)
        texts = reading.translate(texts) if reading.translate else texts
        return [None if text is None else parse(text) for text in texts.to_pylist()]

    def find_faults(column: pa.Array) -> list[bool]:
        texts, values = to_spelling(column, field).to_pylist(), read(column)
        return [
            value is None and text is not None and not _is_missing(text, reading.kind)
            for text, value in zip(texts, values, strict=True)
        ]

    return ColumnCells(type_of, read, find_faults)


def _is_missing(text: str, kind: CellKind) -> bool:
    return not text.strip() or (kind is CellKind.NUMBER and text.strip().lower() == "nan")


def _text_cells(field: pa.Field, source_type: str) -> ColumnCells:
    logical = value_type(field)
    if logical in {LogicalType.NUMBER, LogicalType.FLOAT}:
        type_of, parse = Type.NUMBER, _parse_number
    elif logical is LogicalType.DATE:
        type_of, parse = Type.DATE, _parse_date
    elif source_type.startswith("TIMESTAMP"):
        type_of = Type.ZONED if "ZONE" in source_type else Type.DATE
        parse = _parse_date
    elif source_type.startswith(("CHAR", "NCHAR")):
        type_of, parse = Type.CHAR, _parse_text
    elif source_type in {"CLOB", "NCLOB", "LONG"}:
        type_of, parse = Type.CLOB, _parse_text
    elif _PLAIN_TEXT.fullmatch(source_type):
        type_of, parse = Type.TEXT, _parse_text
    else:
        return _OTHER

    def read(column: pa.Array) -> list[Value]:
        texts = to_text(without_errors(column, field), field).to_pylist()
        return [None if text is None else parse(text) for text in texts]

    return ColumnCells(type_of, read)


def _parse_text(text: str) -> Value:
    return text or None  # Oracle has no empty text


def _parse_number(text: str) -> Value:
    """Parse the text of a number that travels as text."""
    text = text.strip()
    if not text or text.lower() == "nan":
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ConditionError(repr(text), "it is not a number")
    return _check(Decimal(text))


def _check(number: Decimal) -> Decimal:
    if number and abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise ConditionError(str(number), "Oracle has no number so large or so small")
    return number


def _parse_date(text: str) -> Value:
    return dates.parse_iso(text) if text.strip() else None


def _known_integer(text: str) -> Value:
    text = text.strip()
    return Decimal(text) if _INTEGER.fullmatch(text) else None


def _known_number(text: str) -> Value:
    text = text.strip()
    return _check(Decimal(text)) if _NUMBER.fullmatch(text) else None


def _known_date(text: str) -> Value:
    try:
        return _parse_date(text)
    except ConditionError:
        return None


_KINDS: dict[CellKind, tuple[Type, Callable[[str], Value]]] = {
    CellKind.INTEGER: (Type.NUMBER, _known_integer),
    CellKind.NUMBER: (Type.NUMBER, _known_number),
    CellKind.DATE: (Type.DATE, _known_date),
    CellKind.TEXT: (Type.TEXT, lambda text: text if text.strip() else None),
    CellKind.IDENTIFIER: (Type.TEXT, lambda text: text.strip().upper() or None),
}


# -- distinct values -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Codes:
    """A column as its distinct values, and for each row the place of its value among them."""

    values: Sequence[Value]
    codes: npt.NDArray[np.signedinteger]
    # Whether each value is missing because of a fault; None if none is.
    faults: npt.NDArray[np.bool_] | None = None


def encode(column: pa.Array, cells: ColumnCells) -> Codes:
    """Read a column; each distinct cell is read once. Raises `ConditionError`."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if cells.type is Type.OTHER:
        # Only IS NULL can be asked: two values are enough, and no cell has to be compared.
        column = pc.if_else(column.is_valid(), True, None)
        return _encode_dictionary(column.dictionary_encode(null_encoding="encode"), cells)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        # With "encode", null is a value of the dictionary, and no code is missing.
        encoded = column.dictionary_encode(null_encoding="encode")
    except pa.ArrowNotImplementedError:
        return Codes(cells.read(column), np.arange(len(column)))
    return _encode_dictionary(encoded, cells)


def _encode_dictionary(array: pa.DictionaryArray, cells: ColumnCells) -> Codes:
    values = cells.read(array.dictionary)
    faults = None
    # A fault reads as null, so a column without nulls has none to look for.
    if cells.find_faults and None in values:
        found = np.array(cells.find_faults(array.dictionary), bool)
        faults = found if found.any() else None
    return Codes(values, array.indices.to_numpy(zero_copy_only=False), faults)
