"""The rows of an input as the DuckDB relation `arrived`: read once, queried as often as needed.

    color input ──▶ first query ──▶ ...
               └──▶ spill (memory, then disk) ──▶ every later query

The relation has the columns c0, c1, ... and the row number n.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from marketpulse.colors import spellings
from marketpulse.colors.cells import MACROS, literal
from marketpulse.colors.database import new_database
from marketpulse.colors.inputs import ColorInput
from marketpulse.colors.malformed import MalformedLines
from marketpulse.errors import DataError, MarketPulseError, UsageError
from marketpulse.formats.arrays import from_numpy
from marketpulse.formats.spill import Spill

_ROWS_OUT = 50_000  # of a batch that a query returns
_ROWS_IN = 20_000  # of a batch that is read: small, so that all cores have work
_IN_MEMORY = 1 << 29  # bytes of the rows in memory; the rest is on disk
_MACROS = {macro.partition("(")[0]: macro for macro in (*MACROS, *spellings.MACROS)}

Row = tuple[Any, ...]  # DuckDB's values have the types of their columns


class Arrivals:
    """The rows of one input. Queries run one at a time; `close` ends the database."""

    def __init__(
        self,
        color_input: ColorInput,
        workspace: Path,
        memory_limit: int | None = None,
        threads: int | None = None,
    ) -> None:
        self._input = color_input
        self.schema: pa.Schema = color_input.schema
        self._failure: MarketPulseError | None = None
        # The other half is for the libraries, and for rows between a file and the engine.
        half = max(memory_limit // 2, 1) if memory_limit else None
        self.connection = _connect(workspace, half, threads)
        self._aside = self.connection.cursor()
        self._macros: set[str] = set()  # that exist
        in_memory = min(_IN_MEMORY, memory_limit // 8) if memory_limit else _IN_MEMORY
        fields = [field.with_name(f"c{place}") for place, field in enumerate(color_input.schema)]
        schema = pa.schema([*fields, pa.field("n", pa.int64())])
        self._spill = Spill(workspace / "arrived.arrow", schema, in_memory)
        self.malformed = MalformedLines(workspace / "malformed.arrow", in_memory // 8)

    def close(self) -> None:
        """Close the database."""
        self._aside.close()
        self.connection.close()

    def read(self, sql: str, look: Callable[[Sequence[pa.Array]], None]) -> list[Row]:
        """The rows of the first query, which reads the input and stores it for later ones.

        `look` gets the cells of each batch, column by column, before the query does.
        """
        self._register(self._reader(look))
        return self._execute(sql)

    def ask(self, sql: str, doubtful: pa.Table) -> Row:
        """The one row of a query on the relation `doubtful`, also while `read` runs."""
        self._aside.register("doubtful", doubtful)
        self._create_macros(self._aside, sql)
        (row,) = self._aside.execute(sql).fetchall()
        return row

    def fetch(self, sql: str) -> list[Row]:
        """The rows of a query with a small result."""
        self._register(self._spill.reader())
        return self._execute(sql)

    def table(self, sql: str) -> pa.Table:
        """The rows of a query with a small result, as a table."""
        self._register(self._spill.reader())
        with self._translated_errors():
            self._create_macros(self.connection, sql)
            return self.connection.sql(sql).to_arrow_table()

    def stream(self, sql: str, fields: Sequence[pa.Field]) -> Iterator[pa.RecordBatch]:
        """The rows of a query in batches, cast to the types of these fields."""
        schema = pa.schema(fields)
        self._register(self._spill.reader())
        with self._translated_errors():
            self._create_macros(self.connection, sql)
            for batch in self.connection.sql(sql).to_arrow_reader(_ROWS_OUT):
                yield pa.record_batch(batch.columns, schema)  # which casts them

    def register_malformed(self) -> None:
        """Make the malformed lines the relation `malformed`: n, line, reason, raw."""
        self.connection.register("malformed", self.malformed.reader())

    def _reader(self, look: Callable[[Sequence[pa.Array]], None]) -> pa.RecordBatchReader:
        """The input's rows, numbered, looked at and stored while they pass."""
        reader = self._input.read(self.malformed.add)
        schema = self._spill.schema

        def batches() -> Iterator[pa.RecordBatch]:
            count = 0
            try:
                for batch in reader:
                    numbers = from_numpy(np.arange(count, count + len(batch)))
                    count += len(batch)
                    look(batch.columns)
                    rows = pa.table([*batch.columns, numbers], schema=schema)
                    for portion in rows.to_batches(max_chunksize=_ROWS_IN):
                        self._spill.add(portion)
                        yield portion
            except MarketPulseError as error:
                # DuckDB turns it into an error of its own, with nothing but the message.
                self._failure = error
                raise
            self._spill.close()
            self.malformed.close()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _register(self, reader: pa.RecordBatchReader) -> None:
        try:
            self.connection.register("arrived", reader)
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def _execute(self, sql: str) -> list[Row]:
        with self._translated_errors():
            self._create_macros(self.connection, sql)
            return self.connection.execute(sql).fetchall()

    def _create_macros(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Create the macros that a statement uses: all of them take as long as to read the file."""
        if missing := [name for name in _macros_of(sql) if name not in self._macros]:
            connection.execute(_create(missing))
            self._macros.update(missing)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise errors of the input as they were, and errors of DuckDB as ours."""
        try:
            yield
        except duckdb.Error as error:
            if self._failure:
                raise self._failure from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise UsageError(
                    f"--memory-limit is too small for this input: {_first_line(error)}",
                    hint="allow more memory",
                ) from error
            if isinstance(error, duckdb.NotImplementedException):
                raise self._unreadable(error) from error
            raise
        except pa.ArrowNotImplementedError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        columns = ", ".join(f"{field.name} ({field.type})" for field in self._refused_fields())
        return DataError(
            f"{self._input.name}: a column has a type that cannot be read: "
            f"{columns or _first_line(error)}",
            hint="remove that column from the input, or write it as text",
            check="MP-DAT-018",
        )

    def _refused_fields(self) -> list[pa.Field]:
        """The columns that do not come back from DuckDB with their type."""
        refused = []
        for field in self.schema:
            schema = pa.schema([field.with_name("c")])
            try:
                self.connection.register("probe", schema.empty_table().to_reader())
                column = self.connection.sql("FROM probe").to_arrow_table().column("c")
                column.cast(field.type)
            except (duckdb.Error, pa.ArrowException):
                refused.append(field)
        return refused


def connect_engine(
    workspace: Path | None = None, memory_limit: int | None = None, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A database in memory with all macros, which sorts in the workspace what does not fit."""
    connection = _connect(workspace, memory_limit, threads)
    connection.execute(_create(_MACROS))
    return connection


def _connect(
    workspace: Path | None, memory_limit: int | None, threads: int | None
) -> duckdb.DuckDBPyConnection:
    settings = {
        "temp_directory": literal(str(workspace or "")),
        "autoinstall_known_extensions": "false",
        # DuckDB would draw its progress on standard output, among the results.
        "enable_progress_bar": "false",
        "TimeZone": "'UTC'",  # of dates without an offset
    }
    if threads:
        settings["threads"] = str(threads)
    if memory_limit:
        settings["memory_limit"] = f"'{memory_limit}B'"
    try:
        connection = new_database()
        connection.execute(";".join(f"SET {name} = {value}" for name, value in settings.items()))
    except duckdb.Error as error:
        raise UsageError(
            f"--memory-limit: {memory_limit} bytes do not work: {_first_line(error)}",
            hint="for instance 2GB",
        ) from error
    return connection


def _create(names: Iterable[str]) -> str:
    return ";".join(f"CREATE MACRO {_MACROS[name]}" for name in names)


def _macros_of(sql: str) -> list[str]:
    """The macros that a text of SQL uses, those that they use before them."""
    names = [name for name in re.findall(r"\b([a-z_]+)\(", sql) if name in _MACROS]
    below = [other for name in dict.fromkeys(names) for other in (*_macros_of(_body(name)), name)]
    return list(dict.fromkeys(below))


def _body(name: str) -> str:
    return _MACROS[name].partition(")")[2]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
