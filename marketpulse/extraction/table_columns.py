"""Columns of a table: those that a user names, its key, and what makes a row new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from marketpulse.errors import UsageError
from marketpulse.model import CellKind, CellReading, Column, TableSchema
from marketpulse.sources import unknown_name_error
from marketpulse.sources.names import fold_name, quoted


def select_columns(schema: TableSchema, names: Sequence[str] | None) -> list[Column]:
    """Return the readable columns, or those of these names; case makes no difference.

    Raises `NotFoundError` for an unknown name.
    """
    readable = [column for column in schema.columns if not column.unreadable]
    if names is None:
        return readable
    exact = {column.name: column for column in readable}
    folded = {column.name.casefold(): column for column in readable}
    selected: dict[str, Column] = {}
    for name in names:
        column = exact.get(name) or folded.get(name.casefold())
        if column is None:
            raise unknown_name_error("column", name, list(exact))
        selected[column.name] = column
    return [*selected.values()]


def find_key(schema: TableSchema) -> tuple[str, ...]:
    """Return the columns of a key whose values order the rows; empty if there is none."""
    columns = {column.name: column for column in schema.columns if not column.unreadable}
    required = {name for name, column in columns.items() if not column.nullable}
    # A null is unknown: rows with one have no place in the order of a unique key.
    unique = (key for key in schema.unique if required.issuperset(key))
    for key in (schema.primary_key, *unique):
        if key and columns.keys() >= {*key}:
            return key
    return ()


def newest_first(schema: TableSchema, readings: Mapping[str, CellReading]) -> str:
    """Return the order in which the newest rows of a table come first, as in `--order-by`.

    That is by its column DATE, else by its only date, else by its primary key. Text cells of files
    are dates as `readings` says. Raises `UsageError` if that says nothing.
    """
    dates = [column.name for column in schema.columns if _is_date(column, readings)]
    names = ["DATE"] if "DATE" in dates else dates
    if len(names) > 1:
        raise UsageError(
            f"--per: {schema.table.name} has several dates: {', '.join(names)}",
            hint=f'say what makes a row new: --order-by "{names[0]} DESC"',
        )
    names = names or [*schema.primary_key]
    if not names:
        raise UsageError(
            f"--per: nothing says which rows of {schema.table.name} are the newest",
            hint='say it: --order-by "COLUMN DESC"',
        )
    return ", ".join(f"{quoted(name)} DESC" for name in names)


def _is_date(column: Column, readings: Mapping[str, CellReading]) -> bool:
    reading = readings.get(fold_name(column.name))
    if column.type == "string" and reading is not None and reading.kind is CellKind.DATE:
        return True
    # A type with more digits than Arrow has travels as text.
    is_date = column.type.upper().startswith(("DATE", "TIMESTAMP"))
    is_arrow_date = column.arrow_type.startswith(("date", "timestamp"))
    return (is_date or is_arrow_date) and not column.unreadable
