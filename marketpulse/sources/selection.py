"""`--where` and `--order-by`: parsed, never pasted into SQL, and applied to the rows of any source.

Oracle gets the user's condition as parsed. For other sources it is translated to DuckDB, which
finds the matching rows; the rows themselves do not pass through DuckDB, so that no value changes.
"""

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
from marketpulse.sources.conditions import NUMBER_TYPE, UntranslatableError, to_duckdb

_BATCH_ROWS = 50_000
_CONDITIONS = (exp.Predicate, exp.Connector, exp.Not, exp.Func, exp.Boolean, exp.Escape)
_NOT_PER_ROW = (exp.Query, exp.AggFunc, exp.Window)
_EXAMPLE_HINT = 'for example --where "RANK <= 3 AND BIAS = \'BID\'" --order-by "PX DESC, CUSIP"'
_SUPPORTED_HINT = (
    "in files, bundles and the demo you can compare columns with 3, 'text' or DATE '2026-03-13' by "
    "=, <>, <, <=, >, >=, IN, BETWEEN, LIKE and IS NULL, and combine with AND, OR, NOT"
)


@dataclass(frozen=True)
class SqlExpression:
    """An expression in DuckDB's SQL, and the columns that it reads."""

    sql: str
    columns: frozenset[str]


def condition(text: str, fields: pa.Schema) -> SqlExpression:
    """Translate the user's condition on these columns, written for Oracle, to DuckDB.

    Raises `UsageError` if it is not one condition or may mean something else in DuckDB,
    `NotFoundError` for an unknown column.
    """
    tree, columns = _parse_condition(text, fields)
    used = {field.name: field for _, field in columns}
    try:
        sql = to_duckdb(tree, used).sql("duckdb", comments=False)
    except UntranslatableError as error:
        reason = f"{_source_text(error.part, text)}: {error.reason}"
        raise _invalid_error("--where", text, reason, _SUPPORTED_HINT) from None
    return SqlExpression(sql, frozenset(used))


def condition_in_oracle(text: str, fields: pa.Schema) -> str:
    """Return the user's condition for Oracle, with columns as the dictionary spells them.

    Raises `UsageError` if it is not one condition, `NotFoundError` for an unknown column.
    """
    tree, _ = _parse_condition(text, fields)
    return f"({tree.sql('oracle', comments=False)})"


def ordering(text: str, fields: pa.Schema) -> SqlExpression:
    """Translate the user's sort keys to DuckDB: columns, each with ASC or DESC; nulls are last.

    Raises `UsageError` if it is not a list of columns, `NotFoundError` for an unknown column.
    """
    keys, names = [], set()
    for column, field, direction in _parse_order(text, fields):
        names.add(field.name)
        is_number = logical_type(field) in {LogicalType.NUMBER, LogicalType.FLOAT}
        sql = (exp.cast(column, NUMBER_TYPE) if is_number else column).sql("duckdb")
        keys.append(f"{sql} {direction} NULLS LAST")
    return SqlExpression(", ".join(keys), frozenset(names))


def order_in_oracle(text: str, fields: pa.Schema) -> str:
    """Return the user's sort keys for Oracle. Raises what `ordering` raises."""
    keys = _parse_order(text, fields)
    return ", ".join(
        f"{column.sql('oracle')} {direction} NULLS LAST" for column, _, direction in keys
    )


def _parse_condition(
    text: str, fields: pa.Schema
) -> tuple[exp.Expr, list[tuple[exp.Column, pa.Field]]]:
    """Return the condition as a tree, and the columns in it with their fields."""
    tree = _parse("--where", text, text, exp.Condition)
    if not isinstance(tree.unnest(), _CONDITIONS) or tree.find(*_NOT_PER_ROW):
        raise _invalid_error("--where", text, "it is not a condition")
    columns = list(tree.find_all(exp.Column))
    return tree, [(column, _resolve(column, fields)) for column in columns]


def _parse_order(text: str, fields: pa.Schema) -> Iterator[tuple[exp.Column, pa.Field, str]]:
    for key in _parse("--order-by", text, f"ORDER BY {text}", exp.Order).expressions:
        column = key.this
        if not isinstance(column, exp.Column):
            reason = f"{column.sql('oracle')} is not a column"
            raise _invalid_error("--order-by", text, reason)
        yield column, _resolve(column, fields), "DESC" if key.args.get("desc") else "ASC"


def _parse(option: str, text: str, sql: str, kind: type[exp.Expr]) -> exp.Expr:
    try:
        return sqlglot.parse_one(sql, read="oracle", into=kind)
    except sqlglot.errors.SqlglotError as error:
        raise _invalid_error(option, text, "it is not a single SQL expression") from error


def _invalid_error(option: str, text: str, reason: str, hint: str = _EXAMPLE_HINT) -> UsageError:
    return UsageError(f"{option}: {text!r}: {reason}", hint=hint, check="MP-USE-003")


def _source_text(part: exp.Expr, text: str) -> str:
    """Return the part as the user wrote it: a function's name, or the whole of another part."""
    if "start" in part.meta and isinstance(part, exp.Func):
        return text[part.meta["start"] : part.meta["end"] + 1]
    return part.sql("oracle")


def _resolve(column: exp.Column, fields: pa.Schema) -> pa.Field:
    """Return the field of a column in a condition; change the column to the field's spelling."""
    name = column.name
    candidates = (
        [name]
        if column.this.quoted
        else [field for field in fields.names if field.casefold() == name.casefold()]
    )
    spelling = name if name in fields.names else None
    if spelling is None and len(candidates) == 1 and candidates[0] in fields.names:
        spelling = candidates[0]
    if column.table or spelling is None:
        raise unknown_name_error("column", column.sql("oracle"), fields.names)
    column.set("this", exp.to_identifier(spelling, quoted=True))
    return fields.field(spelling)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn DuckDB's errors about a condition or an order into `UsageError`."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException) as error:
        first_line = str(error).partition("\n")[0]
        raise UsageError(
            f"--where or --order-by cannot be applied: {first_line}",
            hint="if you compare text with a number or a date, every row must hold one",
            check="MP-USE-003",
        ) from error


@dataclass(frozen=True)
class Selection:
    """A condition, an order and a limit; `workspace` is a folder for rows to be sorted."""

    where: str | None
    order: str | None
    limit: int | None
    workspace: Path

    def apply(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """Return the selected rows. Raises what `condition` and `ordering` raise."""
        fields = reader.schema
        batches: Iterator[pa.RecordBatch] = iter(reader)
        if self.where is not None:
            batches = _filter(batches, condition(self.where, fields))
        if self.order is not None:
            batches = self._sort(batches, ordering(self.order, fields), fields)
        elif self.limit is not None:
            batches = first_rows(batches, self.limit)
        return pa.RecordBatchReader.from_batches(fields, batches)

    def _sort(
        self, batches: Iterator[pa.RecordBatch], order: SqlExpression, fields: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Yield the first rows in this order; rows that are equal in it keep their order."""
        path = str(self.workspace / f"{uuid4().hex}.arrow")
        with pa.ipc.new_stream(path, fields) as file:
            for batch in batches:
                file.write_batch(batch)
        with pa.memory_map(path) as mapped:
            rows = pa.ipc.open_stream(mapped).read_all().unify_dictionaries()
            indices = _sorted_indices(rows, order, self.limit)
            for start in range(0, len(indices), _BATCH_ROWS):
                chunk = rows.take(pa.array(indices[start : start + _BATCH_ROWS]))
                yield from chunk.combine_chunks().to_batches()


def _filter(batches: Iterator[pa.RecordBatch], where: SqlExpression) -> Iterator[pa.RecordBatch]:
    """Yield the rows for which the condition is true. DuckDB sees only the columns in it."""
    sql = f"SELECT CAST({where.sql} AS BOOLEAN) FROM rows"  # noqa: S608 - built by the translator
    with duckdb.connect() as database:
        for batch in batches:
            names = sorted(where.columns) or batch.schema.names[:1]
            with translate_errors():
                database.register("rows", untag(pa.Table.from_batches([batch]).select(names)))
                matches = database.sql(sql).to_arrow_table()
            yield batch.filter(matches.column(0).combine_chunks())


def _sorted_indices(rows: pa.Table, order: SqlExpression, limit: int | None) -> Any:
    """Return the indices of the first rows in this order, as an array of NumPy."""
    limit_clause = "" if limit is None else f"LIMIT {limit:d}"
    index = "n" * (1 + max(map(len, order.columns)))  # longer than every column's name
    sql = f"SELECT {index} FROM rows ORDER BY {order.sql}, {index} {limit_clause}"  # noqa: S608 - built by the translator
    keys = untag(rows.select(sorted(order.columns)))
    numbered = keys.append_column(index, pa.array(range(len(rows))))
    with translate_errors(), duckdb.connect() as database:
        database.register("rows", numbered)
        return database.execute(sql).fetchnumpy()[index]


def with_columns(
    reader: pa.RecordBatchReader, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """Return the same rows with these columns, in this order.

    Raises `NotFoundError` for an unknown column.
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
    """Yield the first `limit` rows; stop reading after them."""
    for batch in batches:
        yield batch[:limit]
        limit -= len(batch)
        if limit <= 0:
            return
