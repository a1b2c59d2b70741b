"""Which rows, in which order. What a user writes becomes a tree of SQL and is never pasted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from marketpulse.errors import UsageError
from marketpulse.formats.encode import LogicalType, logical_type, untag
from marketpulse.sources.base import unknown_name_error
from marketpulse.sources.conditions import NUMBER, NotTheSame, in_duckdb

_ROWS = 50_000
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not, exp.Func, exp.Boolean, exp.Escape)
_FOR_INSTANCE = 'for instance --where "RANK <= 3 AND BIAS = \'BID\'" --order-by "PX DESC, CUSIP"'
_UNDERSTOOD = (
    "in files, bundles and the demo compare columns with 3, 'text' or DATE '2026-03-13' by "
    "=, <>, <, <=, >, >=, IN, BETWEEN, LIKE and IS NULL; join with AND, OR, NOT"
)
_NOT_OF_A_ROW = (exp.Query, exp.AggFunc, exp.Window)


@dataclass(frozen=True)
class Asked:
    """What a user asked, as DuckDB's SQL, and the columns that it is about."""

    sql: str
    columns: frozenset[str]


def condition(text: str, fields: pa.Schema) -> Asked:
    """The user's condition, in Oracle's words, about these columns.

    Raises `UsageError` for what is not one condition or may mean something else to DuckDB,
    `NotFoundError` for an unknown column.
    """
    tree, columns = _understood(text, fields)
    known = {field.name: field for _, field in columns}
    try:
        sql = in_duckdb(tree, known).sql("duckdb", comments=False)
    except NotTheSame as fault:
        why = f"{_word(fault.part, text)}: {fault.why}"
        raise _refused("--where", text, why, _UNDERSTOOD) from None
    return Asked(sql, frozenset(known))


def condition_in_oracle(text: str, fields: pa.Schema) -> str:
    """The same for Oracle itself: its columns as the dictionary spells them."""
    tree, _ = _understood(text, fields)
    return f"({tree.sql('oracle', comments=False)})"


def ordering(text: str, fields: pa.Schema) -> Asked:
    """The user's sort keys: columns, each with ASC or DESC; missing values come last.

    Raises what `condition` raises.
    """
    keys, names = [], set()
    for column, field, way in _sort_keys(text, fields):
        names.add(field.name)
        counted = logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}
        sql = (exp.cast(column, NUMBER) if counted else column).sql("duckdb")
        keys.append(f"{sql} {way} NULLS LAST")
    return Asked(", ".join(keys), frozenset(names))


def order_in_oracle(text: str, fields: pa.Schema) -> str:
    """The same for Oracle itself."""
    keys = _sort_keys(text, fields)
    return ", ".join(f"{column.sql('oracle')} {way} NULLS LAST" for column, _, way in keys)


def _understood(text: str, fields: pa.Schema) -> tuple[exp.Expr, list[tuple[exp.Column, pa.Field]]]:
    """The condition as a tree, and the columns in it with their fields."""
    tree = _parsed("--where", text, text, exp.Condition)
    if not isinstance(tree.unnest(), _CONDITIONS) or tree.find(*_NOT_OF_A_ROW):
        raise _refused("--where", text, "it is not a condition")
    columns = list(tree.find_all(exp.Column))
    return tree, [(column, _looked_up(column, fields)) for column in columns]


def _sort_keys(text: str, fields: pa.Schema) -> Iterator[tuple[exp.Column, pa.Field, str]]:
    for key in _parsed("--order-by", text, f"ORDER BY {text}", exp.Order).expressions:
        column = key.this
        if not isinstance(column, exp.Column):
            raise _refused("--order-by", text, f"{column.sql('oracle')} is not a column")
        yield column, _looked_up(column, fields), "DESC" if key.args.get("desc") else "ASC"


def _parsed(option: str, text: str, sql: str, kind: type[exp.Expr]) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, read="oracle", into=kind)
    except sqlglot.errors.SqlglotError as error:
        raise _refused(option, text, "it is not one expression of SQL") from error


def _refused(option: str, text: str, why: str, hint: str = _FOR_INSTANCE) -> UsageError:
    return UsageError(f"{option}: {text!r}: {why}", hint=hint, check="MP-USE-003")


def _word(part: exp.Expr, text: str) -> str:
    """The part as the user wrote it: a function's name, or all of something else."""
    if "start" in part.meta and isinstance(part, exp.Func):
        return text[part.meta["start"] : part.meta["end"] + 1]
    return part.sql("oracle")


def _looked_up(column: exp.Column, fields: pa.Schema) -> pa.Field:
    """The field that a column means; the column is then spelled as the source spells it."""
    name = column.name
    names = [name] if column.this.quoted else [it for it in fields.names if _same(it, name)]
    found = name if name in fields.names else names[0] if len(names) == 1 else None
    if column.table or found not in fields.names:
        raise unknown_name_error("column", column.sql("oracle"), fields.names)
    column.set("this", exp.to_identifier(found, quoted=True))
    return fields.field(found)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


@contextmanager
def translate_errors() -> Iterator[None]:
    """Say in our words what DuckDB has against a condition or an order."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(
            f"--where or --order-by cannot be applied: {first}",
            hint="text that is compared with a number or a date has to be one in every row",
            check="MP-USE-003",
        ) from error


@dataclass(frozen=True)
class Selection:
    """The rows that are wanted of those that come by; `workspace` is a folder for many of them."""

    where: str | None
    order: str | None
    limit: int | None
    workspace: Path

    def apply(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same columns with these rows. Raises what `condition` and `ordering` raise."""
        fields = reader.schema
        batches: Iterator[pa.RecordBatch] = iter(reader)
        if self.where is not None:
            batches = _matching(batches, condition(self.where, fields))
        if self.order is not None:
            batches = self._sorted(batches, ordering(self.order, fields), fields)
        elif self.limit is not None:
            batches = first_rows(batches, self.limit)
        return pa.RecordBatchReader.from_batches(fields, batches)

    def _sorted(
        self, batches: Iterator[pa.RecordBatch], asked: Asked, fields: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The first rows in this order; of equal ones the first to come is the first."""
        path = str(self.workspace / f"{uuid4().hex}.arrow")
        with pa.ipc.new_stream(path, fields) as file:
            for batch in batches:
                file.write_batch(batch)
        with pa.memory_map(path) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().unify_dictionaries()
            places = _places(rows, asked, self.limit)
            for start in range(0, len(places), _ROWS):
                taken = rows.take(pa.array(places[start : start + _ROWS]))
                yield from taken.combine_chunks().to_batches()


def _matching(batches: Iterator[pa.RecordBatch], asked: Asked) -> Iterator[pa.RecordBatch]:
    """The rows that the condition is true of. DuckDB tells which; the cells pass it by."""
    sql = f"SELECT CAST({asked.sql} AS BOOLEAN) FROM rows"  # noqa: S608 - rendered from a tree
    with duckdb.connect() as database:
        for batch in batches:
            names = sorted(asked.columns) or batch.schema.names[:1]
            with translate_errors():
                looked_at = untag(pa.Table.from_batches([batch]).select(names))
                database.register("rows", looked_at)
                found = database.sql(sql).to_arrow_table()
            yield batch.filter(found.column(0).combine_chunks())


def _places(rows: pa.Table, asked: Asked, limit: int | None) -> Any:
    """Where the first rows in this order stand."""
    most = "" if limit is None else f"LIMIT {limit:d}"
    n = "n" * (1 + max(map(len, asked.columns)))  # no column's name
    sql = f"SELECT {n} FROM rows ORDER BY {asked.sql}, {n} {most}"  # noqa: S608 - so too
    looked_at = untag(rows.select(sorted(asked.columns)))
    numbered = looked_at.append_column(n, pa.array(range(len(rows))))
    with translate_errors(), duckdb.connect() as database:
        database.register("rows", numbered)
        return database.execute(sql).fetchnumpy()[n]


def with_columns(
    reader: pa.RecordBatchReader, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """The same rows with these columns, in this order.

    Raises `NotFoundError` for an unknown one.
    """
    if columns is None:
        return reader
    for name in columns:
        if name not in reader.schema.names:
            raise unknown_name_error("column", name, reader.schema.names)
    schema = pa.schema([reader.schema.field(name) for name in columns])
    selected = (batch.select(list(columns)) for batch in reader)
    return pa.RecordBatchReader.from_batches(schema, selected)


def first_rows(batches: Iterator[pa.RecordBatch], limit: int) -> Iterator[pa.RecordBatch]:
    """So many rows of the batches; the rest is not asked for."""
    for batch in batches:
        yield batch[:limit]
        limit -= len(batch)
        if limit <= 0:
            return
