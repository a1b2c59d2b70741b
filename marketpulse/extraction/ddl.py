"""Tables as the DuckDB statements that create them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from marketpulse.formats.decode import field_of
from marketpulse.model import Column, TableSchema
from marketpulse.names import distinct, one_line, quoted


def as_ddl(tables: Sequence[TableSchema]) -> str:
    """The statements, in any order and database free of these names; rows arrive as they travel.

    Foreign keys and checks stand there as comments: part of a table's rows need not fit the part
    of another's, and conditions are in the source's words.
    """
    names = _distinct(it.table.name for it in tables)
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as database:
        return "\n\n".join(_table(it, names[it.table.name], database) for it in tables)


def _table(schema: TableSchema, name: str, database: duckdb.DuckDBPyConnection) -> str:
    table, names = quoted(name), _distinct(it.name for it in schema.columns)
    head = f"{schema.table.kind} {quoted(schema.table.name)}"
    if name != schema.table.name:
        head += f", here {table}: DuckDB has no such name beside another's"
    lines = [f"-- {one_line(note)}" for note in (head, *_notes(schema))]
    if not schema.columns:
        return "\n".join([*lines, "-- DuckDB has no table without columns."])
    parts = [_column(it, names[it.name], database) for it in schema.columns]
    keys = [("PRIMARY KEY", schema.primary_key), *(("UNIQUE", it) for it in schema.unique)]
    parts += [(f"{kind} ({_listed(key, names)})", "") for kind, key in keys if key]
    last = len(parts) - 1
    lines.append(f"CREATE TABLE {table} (")
    for place, (part, note) in enumerate(parts):
        comma = "," if place < last else ""
        lines.append(f"    {part}{comma}" + (f"  -- {one_line(note)}" if note else ""))
    lines.append(");")
    if schema.table.comment:
        lines.append(f"COMMENT ON TABLE {table} IS {_literal(schema.table.comment)};")
    lines += [
        f"COMMENT ON COLUMN {table}.{quoted(names[it.name])} IS {_literal(it.comment)};"
        for it in schema.columns
        if it.comment
    ]
    return "\n".join(lines)


def _column(column: Column, name: str, database: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """A column's line, and what is to be said beside it."""
    notes = [f"{quoted(column.name)} in the source"] if name != column.name else []
    words = _type(column, database)
    if column.logical_type:
        notes.append(f"text that stands for: {column.logical_type}")
    elif not words:
        notes.append(f"the text of {column.arrow_type}, which DuckDB cannot hold")
    return (
        f"{quoted(name)} {words or 'VARCHAR'}{'' if column.nullable else ' NOT NULL'}",
        "; ".join(notes),
    )


def _type(column: Column, database: duckdb.DuckDBPyConnection) -> str:
    """DuckDB's own word for the Arrow type; none where it has no such, or would lose something."""
    field = field_of(column)
    if "duration[ns]" in column.arrow_type:
        return ""  # DuckDB's intervals have microseconds
    try:
        (words,) = database.from_arrow(pa.schema([field]).empty_table()).types
        database.execute(f"CREATE OR REPLACE TEMP TABLE tried (it {words})")
    except duckdb.Error:
        return ""
    return str(words)


def _notes(schema: TableSchema) -> Iterable[str]:
    for key in schema.foreign_keys:
        ours, theirs = (", ".join(map(quoted, it)) for it in (key.columns, key.references))
        yield f"{ours} points to {quoted(key.table)}: {theirs}"
    for check in schema.checks:
        yield f"check: {check}"


def _distinct(names: Iterable[str]) -> dict[str, str]:
    """For each name one that DuckDB has: none is empty, and `a` is `A`, but `ä` is not `Ä`."""
    return distinct({name: name or "_" for name in names}, lambda it: it.encode().lower())


def _listed(key: Iterable[str], names: Mapping[str, str]) -> str:
    return ", ".join(quoted(names[name]) for name in key)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
