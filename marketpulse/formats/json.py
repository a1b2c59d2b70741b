"""JSON: an array of objects, or one object a line (NDJSON). No digit passes through a float."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, repeat
from json.encoder import encode_basestring
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.errors import DataError
from marketpulse.formats.base import JsonOptions, Scan
from marketpulse.formats.decode import decode_batches
from marketpulse.formats.encode import LogicalType, plain_number, text_buffer, to_json
from marketpulse.formats.nesting import MAX_NESTING, check_nesting
from marketpulse.formats.spool import Spool

_LONGEST_OBJECT = 1 << 26  # bytes
# DuckDB says "line" for the number of a value, which it counts from 2.
_DUCKDB_POSITION = re.compile("in (?:line|record/value) ([0-9]+)")


class _Number(str):
    """A number as the document spells it; NaN and infinities, too.

    The constants are not JSON, but many programs write them.
    """

    __slots__ = ()


class _DuplicateNameError(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Object:
    """An object: its names in their order, each once."""

    __slots__ = ("members",)

    def __init__(self, pairs: list[tuple[str, _Value]]) -> None:
        self.members = dict(pairs)
        if len(self.members) < len(pairs):
            names = [name for name, _ in pairs]
            raise _DuplicateNameError(next(name for name in names if names.count(name) > 1))


_Value: TypeAlias = "_Object | Sequence[_Value] | str | bool | None"


def prepare_scan(path: Path, workspace: Path) -> Scan:
    """Decode the file into the workspace; return the function that reads the rows there."""
    if not path.stat().st_size:
        raise DataError(
            f"{path}: the file is empty",
            hint="write one array of objects, or one object a line",
            check="MP-DAT-002",
        )
    decoder = json.JSONDecoder(
        object_pairs_hook=_Object,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_Number,
    )
    spool = Spool(workspace)
    for position, text in enumerate(_read_values(path), 1):
        try:
            check_nesting(text)
            value: _Value = decoder.decode(text)
        except _DuplicateNameError as error:
            message = f"two columns named {error.name!r}"
            raise _bad_value(path, position, message, check="MP-DAT-008") from None
        except json.JSONDecodeError as error:
            raise _bad_value(path, position, str(error)) from None
        except (RecursionError, ValueError):
            message = f"it is nested too deeply, more than {MAX_NESTING} levels"
            raise _bad_value(path, position, message) from None
        if not isinstance(value, _Object):
            raise _bad_value(path, position, "it is not an object")
        spool.append({name: _tagged(cell) for name, cell in value.members.items()})
    return Scan(spool.scan)


def read_back(path: Path, schema: pa.Schema, workspace: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that a writer of this module made, in the types of this schema."""
    return decode_batches(path, prepare_scan(path, workspace)(lambda _: None), schema)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for the process: to start it takes longer than to read a small file."""
    return duckdb.connect()


def _read_values(path: Path) -> Iterator[str]:
    """Yield the text of each value, exactly as the file has it.

    DuckDB finds where values begin and end, in a stream and faster than Python could.
    """
    query = (
        "SELECT json FROM read_json_objects($path, format=$format, maximum_object_size=$longest)"
    )
    parameters = {"path": _escape_glob(path), "format": _format(path), "longest": _LONGEST_OBJECT}
    try:
        with _database().cursor() as connection:
            result = connection.execute(query, parameters)
            while rows := result.fetchmany(1000):
                for (text,) in rows:
                    yield text
    except duckdb.Error as error:
        place = str(error).partition(f'in file "{path}", ')[2] or str(error)
        place = _DUCKDB_POSITION.sub(lambda match: f"in value {int(match[1]) - 1}", place)
        raise DataError(
            f"{path}: broken JSON {place.strip().rstrip('.')}",
            hint="write one array of objects, or one object a line, in UTF-8",
            check="MP-DAT-007",
        ) from error


def _bad_value(path: Path, position: int, message: str, check: str = "MP-DAT-007") -> DataError:
    return DataError(
        f"{path}: value {position}: {message}",
        hint='each color is an object, {"MESSAGE_ID": ..., "CUSIP": ...}',
        check=check,
    )


def _tagged(value: _Value) -> str | None:
    """Return a cell as `Spool` takes it: the tag of its logical type and its text."""
    match value:
        case None:
            return None
        case _Number():
            return LogicalType.NUMBER.tag + value
        case str():
            return LogicalType.TEXT.tag + value
        case bool():
            return LogicalType.BOOLEAN.tag + ("true" if value else "false")
        case _:
            return LogicalType.JSON.tag + _dump(value)


def _dump(value: _Value) -> str:
    """Return a nested value as JSON, its numbers as they were spelled."""
    match value:
        # Loops, not comprehensions: those need a second frame for each level of nesting.
        case _Object():
            members = []
            for name, member in value.members.items():
                members.append(f"{encode_basestring(name)}: {_dump(member)}")
            return "{" + ", ".join(members) + "}"
        case _Number():
            return "null" if value[-1:].isalpha() else plain_number(value)
        case None | str() | bool():
            return json.dumps(value, ensure_ascii=False)
        case _:
            elements = []
            for element in value:
                elements.append(_dump(element))  # noqa: PERF401 - frames
            return "[" + ", ".join(elements) + "]"


def _format(path: Path) -> str:
    # DuckDB does not recognize an array behind a byte order mark.
    with path.open("rb") as file:
        return "array" if file.read(4) == codecs.BOM_UTF8 + b"[" else "auto"


def _escape_glob(path: Path) -> str:
    """Return the path so that DuckDB does not take it for a pattern."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


class JsonWriter:
    """One array of objects. Numbers are exact, null is null.

    JSON has no NaN and no infinities: they become null.
    """

    _begin, _separator, _end, _empty = "[\n", ",\n", "\n]\n", "[]\n"

    def __init__(self, path: Path, schema: pa.Schema, options: JsonOptions) -> None:
        self._schema = schema
        before, between, self._after = "{", ", ", "}"
        if options.pretty:
            before, between, self._after = "  {\n    ", ",\n    ", "\n  }"
        starts = chain([self._separator + before], repeat(between))
        self._names = [
            f"{start}{encode_basestring(name)}: "
            for start, name in zip(starts, schema.names, strict=False)
        ]
        self._file = path.open("wb")
        self._is_empty = True

    def write(self, batch: pa.RecordBatch) -> None:
        if not len(batch) or not self._names:
            return
        # The cells are JSON already, with all their digits; json.dumps would quote them again.
        pieces: list[str | pa.Array] = []
        for name, column, field in zip(self._names, batch.columns, self._schema, strict=True):
            pieces += name, to_json(column, field)
        text = text_buffer(pc.binary_join_element_wise(*pieces, self._after, ""))
        if self._is_empty:
            self._file.write(self._begin.encode())
            text = text[len(self._separator) :]
        self._file.write(text)
        self._is_empty = False

    def close(self) -> None:
        self._file.write((self._empty if self._is_empty else self._end).encode())
        self._file.close()


class NdjsonWriter(JsonWriter):
    """One object a line."""

    _begin, _separator, _end, _empty = "", "\n", "\n", ""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema, JsonOptions())
