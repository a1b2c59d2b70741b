"""The source demo: a small bond market in memory, and tables that are hard to export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from marketpulse.atomic import TemporaryFolder
from marketpulse.errors import UsageError
from marketpulse.formats.decode import column_of
from marketpulse.formats.encode import LogicalType, logical_field
from marketpulse.model import Column, ForeignKey, SourceInfo, Table, TableSchema
from marketpulse.sources.base import RowRequest, Source, unknown_name_error
from marketpulse.sources.demo_market import create_market
from marketpulse.sources.names import quoted
from marketpulse.sources.selection import now, select_rows

# A third of DuckDB's own chunk size. So batches are the same with any number of threads.
_BATCH_ROWS = 40_960

# Types that become text: DuckDB cannot pass them to Arrow without loss, or no file format has them.
_TEXT_CONVERSIONS = {
    "HUGEINT": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),  # 39 digits; Arrow's decimal has 38
    "UHUGEINT": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),  # Arrow would get a negative number
    "BIGNUM": ("CAST({} AS VARCHAR)", LogicalType.NUMBER),
    "BIT": ("CAST({} AS VARCHAR)", LogicalType.TEXT),  # Arrow would get DuckDB's form in memory
    "TIME WITH TIME ZONE": ("CAST({} AS VARCHAR)", LogicalType.TEXT),  # Arrow would lose the offset
    "INTERVAL": ("CAST({} AS VARCHAR)", LogicalType.TEXT),
    "GEOMETRY": ("CAST({} AS VARCHAR)", LogicalType.TEXT),
    "UNION": ("CAST(to_json({}) AS VARCHAR)", LogicalType.JSON),
    "VARIANT": ("CAST(CAST({} AS JSON) AS VARCHAR)", LogicalType.JSON),
    "JSON": ("CAST({} AS VARCHAR)", LogicalType.JSON),
}

_TABLES = """
SELECT schema_name, table_name, 'table', coalesce(comment, '') FROM duckdb_tables()
UNION ALL
SELECT schema_name, view_name, 'view', coalesce(comment, '') FROM duckdb_views() WHERE NOT internal
"""
_COLUMNS = """
SELECT column_name, data_type, is_nullable, coalesce(comment, '') FROM duckdb_columns()
WHERE schema_name = ? AND table_name = ? ORDER BY column_index
"""
_CONSTRAINTS = """
SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names,
    expression
FROM duckdb_constraints()
WHERE schema_name = ? AND table_name = ? ORDER BY constraint_index
"""
_COUNT = "SELECT count(*) FROM {table}"
_SCAN = "SELECT {columns} FROM {table} {rest}"


@dataclass(frozen=True)
class _SelectItem:
    """A column, the SQL that selects it, and the resulting Arrow field."""

    column: Column
    sql: str
    field: pa.Field


class DemoSource(Source):
    """A market of this many colors; the same `rows` and `seed` make the same market.

    It is created on first use.
    """

    def __init__(self, rows: int = 2000, seed: int = 7) -> None:
        if rows < 0:
            raise UsageError(f"{rows} is not a number of colors", hint="use 0 or more")
        self._rows = rows
        self._seed = seed
        self._stack = ExitStack()
        self._now = now()

    def info(self) -> SourceInfo:
        return SourceInfo("demo", "demo", {"rows": str(self._rows), "seed": str(self._seed)})

    def tables(self) -> Sequence[Table]:
        return [table for _, table in self._tables.values()]

    def describe(self, table: str) -> TableSchema:
        schema, listed = self._tables[self.find_listed_table(table)]
        constraints = self._fetch(_CONSTRAINTS, schema, listed.name)
        keys = {
            key_kind: tuple(tuple(names) for kind, names, *_ in constraints if kind == key_kind)
            for key_kind in ("PRIMARY KEY", "UNIQUE")
        }
        return TableSchema(
            table=listed,
            columns=tuple(item.column for item in self._columns(schema, listed.name).values()),
            primary_key=next(iter(keys["PRIMARY KEY"]), ()),
            unique=keys["UNIQUE"],
            foreign_keys=tuple(
                ForeignKey(tuple(names), target, tuple(references))
                for kind, names, target, references, _ in constraints
                if kind == "FOREIGN KEY"
            ),
            checks=tuple(expression for kind, *_, expression in constraints if kind == "CHECK"),
        )

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        schema, _ = self._tables[table]
        items = self._columns(schema, table)
        columns = items if request.columns is None else request.columns
        for name in columns:
            if name not in items:
                raise unknown_name_error("column", name, list(items))
        if request.where is None and request.order is None and request.choice is None:
            return self._read(schema, table, [items[name] for name in columns], request.limit)
        return select_rows(
            self._read(schema, table, list(items.values()), None),
            request,
            workspace=self._workspace,
            now=self._now,
            source_types={name: item.column.type for name, item in items.items()},
        )

    def _read(
        self, schema: str, table: str, items: Sequence[_SelectItem], limit: int | None
    ) -> pa.RecordBatchReader:
        statement = _SCAN.format(
            columns=", ".join(item.sql for item in items),
            table=_qualified(schema, table),
            rest="" if limit is None else f"LIMIT {limit:d}",
        )
        # Each reader has a cursor, so that several can be open.
        cursor = _without_progress_bar(self._database.cursor())
        reader = cursor.sql(statement).to_arrow_reader(_BATCH_ROWS)
        fields = pa.schema([item.field for item in items])
        return pa.RecordBatchReader.from_batches(fields, _cast_batches(reader, fields))

    @cached_property
    def _workspace(self) -> Path:
        return Path(self._stack.enter_context(TemporaryFolder()))

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        database = self._stack.enter_context(
            duckdb.connect(
                config={
                    "autoinstall_known_extensions": "false",
                    "temp_directory": str(self._workspace),
                }
            )
        )
        create_market(_without_progress_bar(database), self._rows, self._seed)
        return database

    @cached_property
    def _tables(self) -> dict[str, tuple[str, Table]]:
        """All tables in the order of their names, each with its schema."""
        tables = {}
        for schema, name, kind, comment in sorted(self._fetch(_TABLES), key=lambda row: row[1]):
            ((rows,),) = self._fetch(_COUNT.format(table=_qualified(schema, name)))
            tables[name] = (schema, Table(name, kind, rows, comment))
        return tables

    def _columns(self, schema: str, table: str) -> dict[str, _SelectItem]:
        """Return the table's columns in order, by name."""
        definitions = self._fetch(_COLUMNS, schema, table)
        conversions = [
            _TEXT_CONVERSIONS.get(sql_type.partition("(")[0], ("{}", None))
            for _, sql_type, *_ in definitions
        ]
        expressions = [
            f"{template.format(quoted(name))} AS {quoted(name)}"
            for (name, *_), (template, _) in zip(definitions, conversions, strict=True)
        ]
        no_rows = _SCAN.format(
            columns=", ".join(expressions), table=_qualified(schema, table), rest="LIMIT 0"
        )
        fields = self._database.sql(no_rows).to_arrow_reader(1).schema
        items = {}
        for (name, sql_type, nullable, comment), (_, logical), sql, field in zip(
            definitions, conversions, expressions, fields, strict=True
        ):
            result = logical_field(name, logical) if logical else _with_utc(field)
            column = column_of(result, sql_type, nullable=nullable, comment=comment)
            items[name] = _SelectItem(column, sql, result)
        return items

    # `Any`: DuckDB's values have the types of the statement's columns.
    def _fetch(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, values).fetchall()

    def close(self) -> None:
        self._stack.close()


def _without_progress_bar(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # In an interactive Python, DuckDB prints its progress to standard output.
    return connection.execute("SET enable_progress_bar = false")


def _cast_batches(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        columns = [
            column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)
        ]
        yield pa.record_batch(columns, schema)


def _with_utc(field: pa.Field) -> pa.Field:
    """Return the field with the time zone UTC; DuckDB names the machine's own."""
    if pa.types.is_timestamp(field.type) and field.type.tz:
        return pa.field(field.name, pa.timestamp(field.type.unit, "UTC"))
    return field


def _qualified(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"
