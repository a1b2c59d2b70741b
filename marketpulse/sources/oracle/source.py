"""The tables of an Oracle database: `OracleSource`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from marketpulse.errors import ConnectionLostError, MarketPulseError
from marketpulse.model import CellReading, OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.names import quoted
from marketpulse.sources.base import Source, unknown_name_error
from marketpulse.sources.oracle.catalog import Catalog, is_connection_lost
from marketpulse.sources.oracle.columns import (
    ColumnDef,
    RowDecoder,
    SelectItem,
    batch_rows,
    project,
)
from marketpulse.sources.oracle.connection import (
    DateRangeError,
    OracleDatabase,
    unreadable_value_error,
)
from marketpulse.sources.oracle.retries import retry
from marketpulse.sources.selection import first_rows

if TYPE_CHECKING:
    from marketpulse.sources.oracle.dictionary import Key

_LOG = logging.getLogger("marketpulse.oracle")
_CHARACTER_SETS = (
    "SELECT parameter, value FROM nls_database_parameters "
    "WHERE parameter IN ('NLS_CHARACTERSET', 'NLS_NCHAR_CHARACTERSET')"
)
_SCN = "SELECT 'SCN', TO_CHAR(current_scn) FROM v$database"
_DETAIL_NAMES = {
    "SCN": "scn",
    "NLS_CHARACTERSET": "character_set",
    "NLS_NCHAR_CHARACTERSET": "national_character_set",
}


class OracleSource(Source):
    """The tables of a live database, listed as NAME in its schema, OWNER.NAME in others."""

    def __init__(
        self, database: OracleDatabase, *, max_lob: int | None = None, system: bool = False
    ) -> None:
        self.database = database
        self._max_lob = max_lob
        self._catalog = Catalog(database, system=system)
        self._decoders: dict[str, RowDecoder] = {}  # of the last scan of each table
        self._with_old_dates: set[Key] = set()  # tables that need `old_dates`, see `project`

    def info(self) -> SourceInfo:
        return SourceInfo("oracle", str(self.database.address), dict(self._details))

    def tables(self) -> Sequence[Table]:
        return self._catalog.tables()

    def find_table(self, name: str | None = None) -> str:
        name = self.database.settings.table_name if name is None else name
        return super().find_table() if name is None else self._catalog.find(name)

    def find_listed_table(self, name: str) -> str:
        return self._catalog.find_listed(name)

    def describe(self, table: str) -> TableSchema:
        return self.describe_all([table])[0]

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        return self._catalog.describe_all([self.find_listed_table(table) for table in tables])

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,  # noqa: ARG002 - a database has no malformed lines
        where: str | None = None,
        order: str | None = None,
        cell_readings: Mapping[str, CellReading] | None = None,  # noqa: ARG002 - its columns have types
    ) -> pa.RecordBatchReader:
        name = self.find_listed_table(table)
        key = self._catalog.target(name)
        definitions = self._catalog.columns([key])[key]
        query = _Query(
            key=key,
            definitions=definitions,
            columns=columns,
            where=where,
            order=order,
            limit=limit,
            max_lob=self._max_lob,
        )
        _, items = query.render()  # now, so that a wrong column or condition raises here
        decoder = self._decoders[name] = RowDecoder(items, self._max_lob)
        batches = self._batches(query, decoder)
        batches = batches if limit is None else first_rows(batches, limit)
        return pa.RecordBatchReader.from_batches(decoder.schema, batches)

    def remarks(self, table: str) -> Sequence[str]:
        decoder = self._decoders.get(self.find_listed_table(table))
        return [] if decoder is None else list(decoder.remarks())

    def count(self, table: str) -> int:
        key = self._catalog.target(self.find_listed_table(table))
        statement = f"SELECT COUNT(*) FROM {quoted(key.owner)}.{quoted(key.name)}"  # noqa: S608 - quoted names of the dictionary
        ((rows,),) = self.database.rows(statement)
        return int(rows)

    def __enter__(self) -> Self:
        self.database.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.database.close()

    @cached_property
    def _details(self) -> dict[str, str]:
        """Facts about the database; those that the user may not read are left out."""
        connection = self.database.connection
        details = {
            "version": connection.version,
            "driver": self.database.driver,
            "schema": self.database.schema,
            "database": connection.db_name or "",
        }
        # Few users may read the SCN: V$DATABASE needs a privilege.
        for statement in (f"{_CHARACTER_SETS} UNION ALL {_SCN}", _CHARACTER_SETS):
            try:
                rows = retry(
                    partial(self.database.rows, statement),
                    is_transient=is_connection_lost,
                    waits=(0.0, 0.0),
                )
            except ConnectionLostError:
                raise
            except MarketPulseError as error:
                _LOG.info("not read: %s", error.message)
                continue
            return details | {_DETAIL_NAMES[name]: str(value) for name, value in rows}
        return details

    def _batches(self, query: _Query, decoder: RowDecoder) -> Iterator[pa.RecordBatch]:
        """Yield the rows; select again with `old_dates` if the driver cannot read a date.

        Only if no batch was yielded before: the caller may have written its rows already.
        """
        has_rows = False
        modes = (True,) if query.key in self._with_old_dates else (False, True)
        for old_dates in modes:
            statement, items = query.render(old_dates=old_dates)
            fetched = pa.schema([(item.field.name, item.fetched) for item in items])
            batches = self.database.batches(statement, fetched, query.fetch_rows)
            try:
                for batch in decoder.decode(batches, items):
                    has_rows = True
                    yield batch
            except DateRangeError as error:
                self._with_old_dates.add(query.key)
                if old_dates:
                    raise unreadable_value_error(query.key.name) from error
                if has_rows:
                    # A lost connection, too, makes the caller read the table from the start.
                    raise ConnectionLostError(
                        f"{query.key.name} holds dates that Python cannot represent",
                        hint="read it again from the start",
                        check="MP-ORA-003",
                    ) from error
            else:
                return


@dataclass(frozen=True, kw_only=True)
class _Query:
    """A scan of one table, to be rendered as a statement."""

    key: Key
    definitions: Sequence[ColumnDef]
    columns: Sequence[str] | None
    where: str | None
    order: str | None
    limit: int | None
    max_lob: int | None

    @property
    def fetch_rows(self) -> int:
        """The rows to fetch in each round trip."""
        columns = self.columns
        rows = batch_rows(
            definition
            for definition in self.definitions
            if columns is None or definition.name in columns
        )
        # With one row more than the limit the first answer also says that there are no others.
        return max(rows if self.limit is None else min(rows, self.limit + 1), 2)

    def render(self, *, old_dates: bool = False) -> tuple[str, list[SelectItem]]:
        """Return the statement and its SELECT list.

        Raises `NotFoundError` for an unknown column, `UsageError` for a wrong condition or order.
        """
        items = {
            definition.name: project(definition, self.max_lob, old_dates=old_dates)
            for definition in self.definitions
        }
        readable = {name: item for name, item in items.items() if not item.column.unreadable}
        for column in self.columns or ():
            if column not in readable:
                raise unknown_name_error("column", column, list(readable))
        selected = [readable[name] for name in (readable if self.columns is None else self.columns)]
        # No aliases: ORDER BY would find a number's text by its alias, and sort 10 before 9.
        select_list = ", ".join(item.expression for item in selected)
        statement = f"SELECT {select_list} FROM {quoted(self.key.owner)}.{quoted(self.key.name)}"  # noqa: S608 - quoted names of the dictionary
        names = list(readable)
        if self.where is not None:
            from marketpulse.sources.clauses import condition_in_oracle  # noqa: PLC0415 - 0.05 s

            statement += f" WHERE {condition_in_oracle(self.where, names)}"
        if self.order is not None:
            from marketpulse.sources.clauses import order_in_oracle  # noqa: PLC0415 - 0.05 s

            statement += f" ORDER BY {order_in_oracle(self.order, names)}"
        # Oracle allows no FETCH FIRST with LONG columns; `scan` limits the rows anyway.
        if self.limit is not None and not any("LONG" in item.type for item in self.definitions):
            statement += f" FETCH FIRST {self.limit:d} ROWS ONLY"
        return statement, selected
