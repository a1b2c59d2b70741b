"""The tables of an Oracle database: `OracleSource`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

import pyarrow as pa

from marketpulse.errors import ConnectionLostError, MarketPulseError, UsageError, is_network_error
from marketpulse.model import KeyRows, SourceInfo, Table, TableSchema
from marketpulse.sources.base import KeyPosition, RowRequest, Source
from marketpulse.sources.names import quoted
from marketpulse.sources.oracle.catalog import Catalog
from marketpulse.sources.oracle.columns import RowDecoder
from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.keys import is_comparable
from marketpulse.sources.oracle.retries import retry_in_new_session
from marketpulse.sources.oracle.scan import RowReader, RowSet, SelectStatement, table_error
from marketpulse.sources.selection import first_rows

_LOG = logging.getLogger("marketpulse.oracle")
# The last rows say whether the user may read the SCN: few may, and a refusal costs a round trip.
_FACTS = (
    "SELECT parameter, value FROM nls_database_parameters "
    "WHERE parameter IN ('NLS_CHARACTERSET', 'NLS_NCHAR_CHARACTERSET') "
    "UNION ALL SELECT 'GRANT', object_name FROM all_objects "
    "WHERE owner = 'SYS' AND object_name = 'V_$DATABASE' "
    "UNION ALL SELECT 'GRANT', privilege FROM session_privs "
    "WHERE privilege = 'SELECT ANY DICTIONARY'"
)
_SCN = "SELECT 'SCN', TO_CHAR(current_scn) FROM v$database"
# Anybody may ask this. It is the SCN of some moment in the last three seconds.
_RECENT_SCN = "SELECT TO_CHAR(TIMESTAMP_TO_SCN(SYSTIMESTAMP)) FROM DUAL"
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
        self._scn = ""  # of the snapshot that is read; empty for the session's transaction

    def info(self) -> SourceInfo:
        details = dict(self._details)
        if self._scn:
            details["scn"] = self._scn
        return SourceInfo("oracle", str(self.database.address), details)

    @property
    def is_distant(self) -> bool:
        return True

    def scan_options(self) -> Mapping[str, object]:
        return {"max_lob": self._max_lob}

    def read_snapshot(self, name: str = "") -> str:
        self._scn = name or self._scn or self._details.get("scn", "") or self._recent_scn()
        return self._scn

    def is_at_snapshot(self, table: str) -> bool:
        return bool(self._scn) and not self._reader.refusal(self.find_listed_table(table))

    def sibling(self) -> OracleSource | None:
        other = OracleSource(self.database.sibling(), max_lob=self._max_lob)
        other._catalog = self._catalog.for_session(other.database)
        other._scn = self._scn
        return other

    def cancel(self) -> None:
        self.database.cancel()

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

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        choice = request.choice
        statement = SelectStatement(
            relation=self._relation(table),
            columns=request.columns,
            where=request.where,
            order=request.order,
            limit=request.limit,
            choice=choice,
            max_lob=self._max_lob,
            scn="" if self._reader.refusal(table) else self._scn,
        )
        return self._read(table, statement, choice.changes if isinstance(choice, KeyRows) else {})

    def scan_in_key_order(
        self,
        table: str,
        columns: Sequence[str],
        position: KeyPosition,
        limit: int | None,
        where: str | None,
    ) -> pa.RecordBatchReader | None:
        name = self.find_listed_table(table)
        relation = self._relation(name)
        definitions = {definition.name: definition for definition in relation.columns}
        is_comparable_key = all(is_comparable(definitions[column]) for column in position.key)
        if not self.is_at_snapshot(name) or self._reader.remarks(name) or not is_comparable_key:
            return None
        statement = SelectStatement(
            relation=relation,
            columns=columns,
            where=where,
            limit=limit,
            max_lob=self._max_lob,
            scn=self._scn,
            position=position,
        )
        return self._read(name, statement, position.changes)

    def _read(
        self, name: str, statement: SelectStatement, changes: Mapping[str, int]
    ) -> pa.RecordBatchReader:
        items = statement.items()
        statement.render(items, {})  # now, so that a wrong condition raises here
        decoder = self._decoders[name] = RowDecoder(items, self._max_lob)
        decoder.changes.update(changes)
        batches = self._reader.batches(statement, decoder)
        batches = batches if statement.limit is None else first_rows(batches, statement.limit)
        return pa.RecordBatchReader.from_batches(decoder.schema, batches)

    def changes(self, table: str) -> Mapping[str, int]:
        return dict(self._decoders[self.find_listed_table(table)].changes)

    def remarks(self, table: str, *, quote: bool = True) -> Sequence[str]:
        name = self.find_listed_table(table)
        decoder = self._decoders.get(name)
        if decoder is None:
            return []
        remarks = [*decoder.remarks(), *self._reader.remarks(name, quote=quote)]
        if self._scn and (refusal := self._reader.refusal(name)):
            remarks.append(f"the rows are not of SCN {self._scn} but of this session: {refusal}")
        return remarks

    def count(self, table: str) -> int:
        name = self.find_listed_table(table)
        statement = f"SELECT COUNT(*) FROM {self._relation_sql(name)}"  # noqa: S608 - quoted names of the dictionary
        try:
            ((rows,),) = self.database.rows(statement)
        except UsageError as error:
            raise table_error(name, error) from error
        return int(rows)

    def _recent_scn(self) -> str:
        """Return an SCN that anybody may ask for; empty if the database does not say it."""
        try:
            ((scn,),) = self.database.rows(_RECENT_SCN)
        except MarketPulseError as error:
            if is_network_error(error):
                raise
            _LOG.info("not read: %s", error.message)
            return ""
        return str(scn or "")

    def _relation(self, name: str) -> RowSet:
        """Return what a listed name stands for."""
        table = self._catalog.target(name)
        columns = self._catalog.columns([table])[table]
        return RowSet(name=name, sql=self._relation_sql(name), columns=columns)

    def _relation_sql(self, name: str) -> str:
        table = self._catalog.target(name)
        return f"{quoted(table.owner)}.{quoted(table.name)}"

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        self.database.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.database.__exit__(*exception)

    @cached_property
    def _details(self) -> dict[str, str]:
        """Facts about the database; those that the user may not read are left out."""
        connection = self.database.connection
        details = {
            "version": connection.version,
            "driver": self.database.login.driver,
            "schema": self.database.schema,
            "database": connection.db_name or "",
        }
        facts = self._read_facts(_FACTS)
        if any(name == "GRANT" for name, _ in facts):
            facts += self._read_facts(_SCN)
        return details | {
            _DETAIL_NAMES[name]: value for name, value in facts if name in _DETAIL_NAMES
        }

    def _read_facts(self, statement: str) -> list[tuple[str, str]]:
        """Return names and values; nothing if the user may not read them."""
        try:
            rows = retry_in_new_session(lambda: self.database.rows(statement))
        except ConnectionLostError:
            raise
        except MarketPulseError as error:
            _LOG.info("not read: %s", error.message)
            return []
        return [(name, str(value)) for name, value in rows]
