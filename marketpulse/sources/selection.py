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
from marketpulse.formats.encode import LogicalType, is_text, logical_type, untag
from marketpulse.sources.base import unknown_name_error

_ROWS = 50_000
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not, exp.Func, exp.Boolean)
_NOT_OF_A_ROW = (exp.Query, exp.AggFunc, exp.Window)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between)
# Text that is compared with a number counts as one; DuckDB alone would round it to the number's
# own decimals.
_NUMBER = "DECIMAL(38, 12)"


@dataclass(frozen=True)
class Asked:
    """What a user asked, as DuckDB's SQL, and the columns that it is about."""

    sql: str
    columns: frozenset[str]


def condition(text: str, fields: pa.Schema) -> Asked:
    """The user's condition, in Oracle's words, about these columns.

    Raises `UsageError` for what is not one condition, `NotFoundError` for an unknown column.
    """
    tree, columns = _understood(text, fields)
    for column, field in columns:
        beside = column.parent
        if beside and beside.name == "TRUNC" and pa.types.is_temporal(field.type):  # the day
            beside.replace(exp.cast(column.copy(), "DATE"))
        elif _counts(column, field):
            column.replace(exp.cast(column.copy(), _NUMBER))
    names = frozenset(field.name for _, field in columns)
    return Asked(tree.sql("duckdb", comments=False), names)


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
        sql = (exp.cast(column, _NUMBER) if counted else column).sql("duckdb")
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


def _refused(option: str, text: str, why: str) -> UsageError:
    return UsageError(
        f"{option}: {text!r}: {why}",
        hint='for instance --where "RANK <= 3 AND BIAS = \'BID\'" --order-by "PX DESC, CUSIP"',
        check="MP-USE-003",
    )


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


def _counts(column: exp.Column, field: pa.Field) -> bool:
    """Whether a column of text is to be taken for a number."""
    if logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}:
        return True
    beside = column.parent
    if not is_text(field.type) or not isinstance(beside, _COMPARISONS):
        return False
    return any(_is_number(it) for it in beside.iter_expressions())


def _is_number(operand: exp.Expr) -> bool:
    operand = operand.this if isinstance(operand, exp.Neg) else operand
    return isinstance(operand, exp.Literal) and not operand.is_string


@contextmanager
def translate_errors() -> Iterator[None]:
    """Say in our words what DuckDB has against a condition or an order."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        first = str(error).partition("\n")[0]
        raise UsageError(
            f"--where or --order-by cannot be applied: {first}",
            hint="numbers and text are compared with their like: CAST(PX AS NUMBER(9,4)) > 100",
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
