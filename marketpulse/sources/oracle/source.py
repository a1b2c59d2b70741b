"""The tables of an Oracle database: `OracleSource`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from types import TracebackType
from typing import Self

import pyarrow as pa

from marketpulse.errors import ConnectionLostError, MarketPulseError, UsageError
from marketpulse.model import CellReading, OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.names import quoted
from marketpulse.sources.base import Source
from marketpulse.sources.oracle.catalog import Catalog, is_connection_lost
from marketpulse.sources.oracle.columns import RowDecoder
from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.retries import retry
from marketpulse.sources.oracle.scan import RowReader, RowSet, SelectStatement, table_error
from marketpulse.sources.selection import first_rows

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
        self._reader = RowReader(database)

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
        scan = SelectStatement(
            relation=self._relation(name),
            columns=columns,
            where=where,
            order=order,
            limit=limit,
            max_lob=self._max_lob,
        )
        items = scan.items()
        scan.render(items, {})  # now, so that a wrong condition raises here
        decoder = self._decoders[name] = RowDecoder(items, self._max_lob)
        batches = self._reader.batches(scan, decoder)
        batches = batches if limit is None else first_rows(batches, limit)
        return pa.RecordBatchReader.from_batches(decoder.schema, batches)

    def remarks(self, table: str) -> Sequence[str]:
        name = self.find_listed_table(table)
        decoder = self._decoders.get(name)
        if decoder is None:
            return []
        return [*decoder.remarks(), *self._reader.remarks(name)]

    def count(self, table: str) -> int:
        name = self.find_listed_table(table)
        statement = f"SELECT COUNT(*) FROM {self._relation_sql(name)}"  # noqa: S608 - quoted names of the dictionary
        try:
            ((rows,),) = self.database.rows(statement)
        except UsageError as error:
            raise table_error(name, error) from error
        return int(rows)

    def _relation(self, name: str) -> RowSet:
        """Return what a listed name stands for."""
        key = self._catalog.target(name)
        columns = self._catalog.columns([key])[key]
        return RowSet(name=name, sql=self._relation_sql(name), columns=columns)

    def _relation_sql(self, name: str) -> str:
        key = self._catalog.target(name)
        return f"{quoted(key.owner)}.{quoted(key.name)}"

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
