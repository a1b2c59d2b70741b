"""JSON: an array of objects, or one object a line (NDJSON). No digit passes through a float."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from marketpulse.errors import DataError
from marketpulse.formats.decode import as_schema
from marketpulse.formats.encode import LogicalType, as_json
from marketpulse.formats.spool import Spool
from marketpulse.model import OnMalformedLine

_LONGEST_OBJECT = 1 << 26  # bytes
_LONGEST_NUMBER = 1000  # digits written out for an exponent; beyond, it stays as it is spelled
# DuckDB counts the values of a file, whatever it calls them, and is one ahead.
_DUCKDB_VALUE = re.compile("in (?:line|record/value) ([0-9]+)")


class _Number(str):
    """A number of the input as it is spelled there, an exponent written out."""

    __slots__ = ()


def _number(text: str) -> _Number:
    if "e" in text or "E" in text:
        try:
            number = Decimal(text)
        except InvalidOperation:  # an exponent beyond what can be held
            return _Number(text)
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and abs(exponent) <= _LONGEST_NUMBER:
            return _Number(format(number, "f"))
    return _Number(text)


def opener(path: Path, workspace: Path) -> Callable[[OnMalformedLine], Any]:
    """Decode the file once into the workspace; scans read that."""
    if not path.stat().st_size:
        raise DataError(
            f"{path}: the file is empty",
            hint="one array of objects, or one object a line",
            check="MP-DAT-002",
        )
    decoder = json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=_number,
        parse_float=_number,
        parse_constant=_Constant,
    )
    spool = Spool(workspace)
    for record, text in enumerate(_values(path), 1):
        try:
            value = decoder.decode(text)
        except RecursionError:
            raise _bad_value(path, record, "it is nested too deep") from None
        except _TwoOfOneName as error:
            what = f"two columns of the name {error.name!r}"
            raise _bad_value(path, record, what, check="MP-DAT-008") from None
        if not isinstance(value, _Object):
            raise _bad_value(path, record, "it is not an object")
        spool.append({name: _cell(cell) for name, cell in value.pairs.items()})
    spool.finish()
    return spool.scan


def read_back(
    path: Path, schema: pa.Schema, workspace: Path, **_: object
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that `Writer` wrote, in the types that they had."""
    return as_schema(path, opener(path, workspace)(lambda _: None), schema)


def _values(path: Path) -> Iterator[str]:
    """The text of each value of the file, to the letter: DuckDB streams them, and parses none."""
    question = (
        "SELECT json FROM read_json_objects($path, format=$format, maximum_object_size=$longest)"
    )
    answers = {"path": _literal_path(path), "format": _format(path), "longest": _LONGEST_OBJECT}
    try:
        with duckdb.connect() as connection:
            objects = connection.execute(question, answers)
            while found := objects.fetchmany(1000):
                for (text,) in found:
                    yield text
    except duckdb.Error as error:
        place = str(error).partition(f'in file "{path}", ')[2] or str(error)
        place = _DUCKDB_VALUE.sub(lambda found: f"in value {int(found[1]) - 1}", place)
        raise DataError(
            f"{path}: broken JSON {place.strip().rstrip('.')}",
            hint="one array of objects, or one object a line, in UTF-8",
            check="MP-DAT-007",
        ) from error


def _bad_value(path: Path, record: int, what: str, check: str = "MP-DAT-007") -> DataError:
    return DataError(
        f"{path}: value {record}: {what}",
        hint='each color is an object, {"MESSAGE_ID": ..., "CUSIP": ...}',
        check=check,
    )


class _TwoOfOneName(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Constant(str):
    """NaN or an infinity: not JSON, but what many programs write."""

    __slots__ = ()


class _Object:
    """An object with its names in order, each once."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = dict(pairs)
        if len(self.pairs) < len(pairs):
            names = [name for name, _ in pairs]
            raise _TwoOfOneName(next(name for name in names if names.count(name) > 1))


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    return _Object(pairs)


def _cell(value: Any) -> str | None:
    """The letter of the kind and the text of a cell."""
    match value:
        case None:
            return None
        case _Constant() | _Number():
            return LogicalType.NUMBER.tag + value
        case str():
            return LogicalType.TEXT.tag + value
        case bool():
            return LogicalType.BOOLEAN.tag + ("true" if value else "false")
        case _:
            return LogicalType.JSON.tag + _dump(value)


def _dump(value: Any) -> str:
    """An inner value as JSON, its numbers as they were spelled."""
    match value:
        case _Object():
            pairs = value.pairs.items()
            return (
                "{"
                + ", ".join(f"{encode_basestring(name)}: {_dump(it)}" for name, it in pairs)
                + "}"
            )
        case list():
            return "[" + ", ".join(map(_dump, value)) + "]"
        case _Number():
            return str(value)
        case _Constant():
            return "null"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _format(path: Path) -> str:
    # DuckDB's own guess does not see an array behind a byte order mark.
    with path.open("rb") as file:
        return "array" if file.read(4) == codecs.BOM_UTF8 + b"[" else "auto"


def _literal_path(path: Path) -> str:
    """The path with the characters that DuckDB would read as a pattern made harmless."""
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in str(path))


class Writer:
    """One array of objects, or (`lines`) one object a line. Numbers are exact, null is null.

    NaN and the infinities have no place in JSON: they become null. With `pretty`, which is not for
    `lines`, each cell has a line of its own.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        *,
        lines: bool = False,
        pretty: bool = False,
    ) -> None:
        self._schema = schema
        names = [encode_basestring(name).replace("%", "%%") for name in schema.names]
        cells = [f"{name}: %s" for name in names]
        self._row = "{" + ", ".join(cells) + "}"
        if pretty:
            self._row = "  {\n    " + ",\n    ".join(cells) + "\n  }"
        self._between = "\n" if lines else ",\n"
        self._begin, self._end = ("", "\n") if lines else ("[\n", "\n]\n")
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [
            as_json(column, field)
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        for cells in zip(*columns, strict=True):
            self._file.write(self._between if self._rows else self._begin)
            self._file.write(self._row % cells)
            self._rows += 1

    def close(self) -> None:
        self._file.write(self._end if self._rows else self._begin and "[]\n")
        self._file.close()
