"""The source of a query: one SELECT of the user's is its only table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from marketpulse.errors import UsageError
from marketpulse.model import Query, Table, TableSchema
from marketpulse.sources.base import Source, match_table
from marketpulse.sources.oracle.columns import project
from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.scan import RowSet
from marketpulse.sources.oracle.select_query import SelectQuery, match_binds
from marketpulse.sources.oracle.source import OracleSource


class QuerySource(OracleSource):
    """The result of a SELECT, as a table named after its file.

    `tables` lists the tables of the database, too; only the query can be read. The statement is
    sent as its author wrote it, mostly as a subquery: the projection around it keeps every value.
    """

    def __init__(
        self, database: OracleDatabase, query: SelectQuery, *, max_lob: int | None = None
    ) -> None:
        super().__init__(database, max_lob=max_lob)
        self._select = query

    def tables(self) -> Sequence[Table]:
        """Return the tables of the database, and the query.

        Raises `UsageError` if a table has the query's name.
        """
        tables = super().tables()
        name = self._select.name
        if any(table.name == name for table in tables):
            raise UsageError(
                f"--query: the result would be called {name}, and there is a table of that name",
                hint="rename the file: the result is named after it",
            )
        return [*tables, Table(name, kind="query")]

    def find_table(self, name: str | None = None) -> str:
        return self._select.name if name is None else match_table(name, [self._select.name])

    def find_listed_table(self, name: str) -> str:
        return name if name == self._select.name else self.find_table(name)

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        # Raises for the names of tables: only the query can be read.
        return [self._schema for _ in map(self.find_listed_table, tables)]

    def read_snapshot(self, name: str = "") -> str:  # noqa: ARG002 - it is sent as it is written
        return ""

    def count(self, table: str) -> int:
        # By reading: COUNT(*) would need the values of the binds, too.
        return Source.count(self, table)

    def query_of(self, table: str) -> Query | None:
        self.find_listed_table(table)
        return Query(self._select.text, tuple(self._relation_of_query.binds))

    @cached_property
    def _schema(self) -> TableSchema:
        columns = tuple(project(column).column for column in self._relation_of_query.columns)
        return TableSchema(table=Table(self._select.name, kind="query"), columns=columns)

    @cached_property
    def _relation_of_query(self) -> RowSet:
        query, database = self._select, self.database
        binds = match_binds(query, database.bind_names(query.text))
        return RowSet(
            name=query.name,
            sql=f"({query.text})",
            columns=database.describe_query(query.text, query),
            query=query,
            binds=binds,
        )

    def _relation(self, name: str) -> RowSet:  # noqa: ARG002 - there is only one
        return self._relation_of_query
