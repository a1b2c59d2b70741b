"""Generates the DuckDB statements that create the tables of a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa

from marketpulse.extraction.names import make_distinct, one_line
from marketpulse.formats.decode import field_of
from marketpulse.model import Column, TableSchema
from marketpulse.sources.names import quoted


def format_ddl(tables: Sequence[TableSchema]) -> str:
    """Return the statements, which run in any order in a database without tables of these names.

    Each column has the type in which MarketPulse writes its values. Foreign keys and checks are
    comments: a sample of one table need not fit a sample of another, and conditions are in the SQL
    of the source.
    """
    names = _duckdb_names(schema.table.name for schema in tables)
    # Without the network: a type is not worth a download.
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as database:
        return "\n\n".join(
            _format_table(schema, names[schema.table.name], database) for schema in tables
        )


def _format_table(schema: TableSchema, name: str, database: duckdb.DuckDBPyConnection) -> str:
    table = quoted(name)
    names = _duckdb_names(column.name for column in schema.columns)
    title = f"{schema.table.kind} {quoted(schema.table.name)}"
    if name != schema.table.name:
        title += f", here {table}: to DuckDB its name is equal to another's"
    lines = [f"-- {one_line(note)}" for note in (title, *_notes(schema))]
    if not schema.columns:
        return "\n".join([*lines, "-- DuckDB has no table without columns."])
    parts = [_format_column(column, names[column.name], database) for column in schema.columns]
    keys = [("PRIMARY KEY", schema.primary_key), *(("UNIQUE", key) for key in schema.unique)]
    parts += [
        (f"{kind} ({', '.join(quoted(names[name]) for name in key)})", "")
        for kind, key in keys
        if key
    ]
    lines.append(f"CREATE TABLE {table} (")
    for number, (part, note) in enumerate(parts, 1):
        comma = "," if number < len(parts) else ""
        lines.append(f"    {part}{comma}" + (f"  -- {one_line(note)}" if note else ""))
    lines.append(");")
    if schema.table.comment:
        lines.append(f"COMMENT ON TABLE {table} IS {_literal(schema.table.comment)};")
    lines += [
        f"COMMENT ON COLUMN {table}.{quoted(names[column.name])} IS {_literal(column.comment)};"
        for column in schema.columns
        if column.comment
    ]
    return "\n".join(lines)


def _format_column(
    column: Column, name: str, database: duckdb.DuckDBPyConnection
) -> tuple[str, str]:
    """Return a column's line, and the comment at its end."""
    notes = [f"{quoted(column.name)} in the source"] if name != column.name else []
    data_type = _duckdb_type(column, database)
    if column.logical_type:
        notes.append(f"text, logical type {column.logical_type}")
    elif not data_type:
        notes.append(f"{column.arrow_type} as text: DuckDB has no such type")
    return (
        f"{quoted(name)} {data_type or 'VARCHAR'}{'' if column.nullable else ' NOT NULL'}",
        "; ".join(notes),
    )


def _duckdb_type(column: Column, database: duckdb.DuckDBPyConnection) -> str:
    """Return DuckDB's type for the Arrow type; empty if there is none that keeps every digit."""
    field = field_of(column)
    if "duration[ns]" in column.arrow_type:
        return ""  # DuckDB's intervals have microseconds
    try:
        (data_type,) = database.from_arrow(pa.schema([field]).empty_table()).types
        # DuckDB shows some types that it cannot store.
        database.execute(f"CREATE OR REPLACE TEMP TABLE probe (value {data_type})")
    except duckdb.Error:
        return ""
    return str(data_type)


def _notes(schema: TableSchema) -> Iterator[str]:
    for key in schema.foreign_keys:
        columns, references = (
            ", ".join(map(quoted, names)) for names in (key.columns, key.references)
        )
        yield f"foreign key {columns} references {quoted(key.table)}: {references}"
    for check in schema.checks:
        yield f"check: {check}"


def _duckdb_names(names: Iterable[str]) -> dict[str, str]:
    """Return a name for each that DuckDB accepts and tells from the others.

    DuckDB has no empty names, and folds the case of ASCII letters only: `a` is `A`, `ä` is not `Ä`.
    """
    return make_distinct({name: name or "_" for name in names}, lambda name: name.encode().lower())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
