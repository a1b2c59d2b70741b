"""Oracle's SQL, run by DuckDB.

DuckDB cannot hold every value of Oracle. So the values of a table stay in Python, and DuckDB has a
shadow table of comparable values, which decides which rows match, in which order. The selected
expressions are then computed from the values in Python, without loss. Queries of the dictionary's
views run in DuckDB alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from threading import Lock
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from oracle_server.answers import (
    Answer,
    BadValue,
    ColumnInfo,
    DayInterval,
    MonthInterval,
    OracleError,
    OracleType,
    Timestamp,
    Value,
)
from oracle_server.catalog import LONGS, PRIVILEGED, Catalog, Table, view_columns
from oracle_server.faults import error_text
from oracle_server.to_char import format_number, format_timestamp, to_char
from oracle_server.values import encode_text

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it tells of each hint that it drops
_NOT_A_QUERY = re.compile(
    r"\s*(ALTER SESSION SET|SET TRANSACTION READ ONLY|COMMIT|ROLLBACK)\b", re.IGNORECASE
)
_BIND = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|:("?)(\w+)\1""")
# Oracle's syntax for XML and JSON, which sqlglot does not parse.
_SERIALIZED = re.compile(
    r"\b(XMLSERIALIZE|JSON_SERIALIZE|VECTOR_SERIALIZE)\s*\(\s*(?:CONTENT\s+|DOCUMENT\s+)?(.+?)"
    r"\s+(?:AS|RETURNING)\s+CLOB\s*\)",
    re.IGNORECASE,
)
_AS_OF = re.compile(r"\s+AS OF SCN (\d+)\b")
_LONG_TEXT = OracleType("CLOB")
_NUMBER, _DATE = OracleType("NUMBER"), OracleType("DATE")
_SHORT_TEXT = OracleType("VARCHAR2", length=4000)
_UNSENDABLE = {"XMLTYPE", "JSON", "VECTOR", "BFILE", "OBJECT", "UROWID"}
_CONTEXT = {
    "CURRENT_SCHEMA": "{user}", "SESSION_USER": "{user}", "DB_NAME": "MARKETDB",
    "SERVICE_NAME": "FREEPDB1", "NETWORK_PROTOCOL": "tcp", "CON_NAME": "FREEPDB1",
    "DB_UNIQUE_NAME": "MARKETDB", "INSTANCE_NAME": "market1", "SID": "1",
}  # fmt: skip

_ARROW_TYPES = {
    "BIGINT": pa.int64(), "BLOB": pa.binary(), "TIMESTAMP": pa.timestamp("us"),
    "VARCHAR": pa.string(),
}  # fmt: skip

Cell = Callable[[Sequence[Value]], Value]


@dataclass(frozen=True)
class _StoredRows:
    """Rows, and the name of their shadow table."""

    columns: Sequence[ColumnInfo]
    rows: Sequence[Sequence[Value]]
    shadow: str
    table: Table | None = None


# DuckDB's SQL, the names of the columns, and which of them are LONG.
_DictionaryQuery: TypeAlias = tuple[str, Sequence[str], Sequence[bool]]
# By what they depend on. They come with every session, and to translate one takes up to 40 ms.
_dictionary_queries: dict[tuple[str, str, int, bool], _DictionaryQuery] = {}


class DuckEngine:
    """Runs SQL on a catalog, for any number of sessions."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._database = duckdb.connect()
        self._lock = Lock()
        self._stored: dict[int, _StoredRows] = {}
        self._users: set[str] = set()
        self._numbers = count()

    def open_session(self, user: str, time_zone_minutes: int = 0) -> DuckSession:  # noqa: ARG002 - all times are in UTC here
        """Open a session."""
        with self._lock:
            if user not in self._users:
                self._make_views(user)
                self._users.add(user)
        return DuckSession(self, user, self._database.cursor())

    def store(
        self, columns: Sequence[ColumnInfo], rows: Sequence[Sequence[Value]], table: Table | None
    ) -> _StoredRows:
        """Create the shadow of rows; that of a table is created once."""
        with self._lock:
            known = self._stored.get(id(table)) if table is not None else None
            if known is not None:
                return known
            name = f"shadow{next(self._numbers)}"
            types = ", ".join(f"c{n} {_shadow_type(info.type)}" for n, info in enumerate(columns))
            cursor = self._database.cursor()
            cursor.execute(f"CREATE TABLE {name} (row_index BIGINT, {types})")
            shadows = [[n, *map(_shadow, row, columns)] for n, row in enumerate(rows)]
            for start in range(0, len(shadows), 5000):
                chunk = shadows[start : start + 5000]
                placeholders = ", ".join("?" * (len(columns) + 1))
                cursor.executemany(f"INSERT INTO {name} VALUES ({placeholders})", chunk)
            stored = _StoredRows(columns, rows, name, table)
            if table is not None:
                self._stored[id(table)] = stored
            return stored

    def _make_views(self, user: str) -> None:
        cursor = self._database.cursor()
        schema = _schema(user)
        cursor.execute(f'CREATE SCHEMA "{schema}"')
        cursor.execute(f'CREATE MACRO "{schema}".ora_hash(v, m, s) AS hash(v, s) % (m + 1)')
        rows = self.catalog.views(user)
        for name, columns in view_columns():
            definitions = ", ".join(f'"{column}" {sql_type}' for column, sql_type in columns)
            cursor.execute(f'CREATE TABLE "{schema}"."{name}" ({definitions})')
            if name in rows:
                # Row by row, DuckDB takes minutes for thousands of tables.
                view = pa.table({  # noqa: F841 - the statement names it
                    column: pa.array([_dictionary_cell(row.get(column), sql_type)
                                      for row in rows[name]], _ARROW_TYPES[sql_type])
                    for column, sql_type in columns
                })  # fmt: skip
                cursor.execute(f'INSERT INTO "{schema}"."{name}" SELECT * FROM view')


def _parse(text: str) -> exp.Query:
    try:
        tree = sqlglot.parse_one(text, read="oracle")
    except sqlglot.errors.SqlglotError as error:
        first_line = str(error).partition("\n")[0]
        raise OracleError(900, f"ORA-00900: invalid SQL statement: {first_line}") from error
    if tree is None or not isinstance(tree, exp.Query):
        raise OracleError(900, "ORA-00900: invalid SQL statement")
    for call in tree.find_all(exp.DateTrunc):
        if call.text("unit").upper() == "DD":  # DuckDB's name of the unit is DAY
            call.set("unit", exp.Literal.string("DAY"))
    return tree


class DuckSession:
    """The SQL of one session."""

    def __init__(self, engine: DuckEngine, user: str, cursor: duckdb.DuckDBPyConnection) -> None:
        self._engine, self._user, self._cursor = engine, user, cursor
        self._scn: int | None = None  # at which the current statement reads
        cursor.execute(f"""SET schema = '"{_schema(user)}"'""")

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        """Run a statement. Raises `OracleError`."""
        if _NOT_A_QUERY.match(sql):
            return Answer()
        beginning = re.match(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", sql, re.DOTALL)
        statement = sql[beginning.end() :] if beginning else sql
        if not re.match(r"(SELECT|WITH|\()", statement, re.IGNORECASE):
            raise OracleError(1031, error_text(1031))
        if sql.rstrip().endswith(";"):
            raise OracleError(933, "ORA-00933: SQL command not properly ended", len(sql) - 1)
        as_of = _AS_OF.search(sql)
        self._scn = int(as_of[1]) if as_of else None
        text = _AS_OF.sub("", _SERIALIZED.sub(r"\1(\2)", _insert_binds(sql, list(binds))))
        text = text.replace("DBMS_LOB.GETLENGTH(", "LENGTH(")
        known = _dictionary_queries.get(self._dictionary_key(text))
        try:
            return self._run(*known) if known else self._query(_parse(text), text)
        except duckdb.ConversionException as error:
            raise OracleError(1722, "ORA-01722: invalid number") from error
        except duckdb.Error as error:
            raise OracleError(3001, f"ORA-03001: unimplemented feature: {error}") from error

    def close(self) -> None:
        """End the session."""
        self._cursor.close()

    def _query(self, tree: exp.Query, text: str = "") -> Answer:
        if self._is_relational(tree):
            return self._relational(tree)
        stored = self._source(tree)
        if stored is None:
            query = self._translate_dictionary_query(tree)
            if text:
                _dictionary_queries[self._dictionary_key(text)] = query
            return self._run(*query)
        if tree.find(exp.AggFunc) or tree.args.get("group"):
            return self._aggregate(tree, stored)
        select = _select(tree)
        cells = [
            cell for expression in select.expressions for cell in self._item(expression, stored)
        ]
        indices = self._row_indices(tree, stored)
        rows = (tuple(compute(stored.rows[index]) for _, compute in cells) for index in indices)
        return Answer([info for info, _ in cells], rows)

    def _dictionary_key(self, text: str) -> tuple[str, str, int, bool]:
        catalog = self._engine.catalog
        return text, self._user, catalog.scn, catalog.may_see_v

    def _is_relational(self, tree: exp.Query) -> bool:
        """Return whether a query combines tables, so that DuckDB has to run the whole of it."""
        if all(table.name.lower() in _VIEWS for table in tree.find_all(exp.Table)):
            return False
        return bool(
            tree.args.get("with_")
            or isinstance(tree, exp.SetOperation)
            or tree.args.get("joins")
            or any(item.find(exp.Window) for item in tree.selects)
        )

    def _relational(self, tree: exp.Query) -> Answer:
        """Run a query on the shadows of its tables; the values become text, NUMBER and DATE."""
        names = [expression.alias_or_name.upper() for expression in tree.selects]
        subqueries = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        tree = tree.copy()
        for table in list(tree.find_all(exp.Table)):
            if table.name.lower() in subqueries or table.name.lower() in _VIEWS:
                continue
            stored = self._table(table)
            columns = ", ".join(f'c{n} AS "{info.name}"' for n, info in enumerate(stored.columns))
            shadow = sqlglot.parse_one(
                f'SELECT {columns} FROM main."{stored.shadow}"', read="duckdb"
            )
            alias = exp.to_identifier(table.alias_or_name)
            table.replace(exp.Subquery(this=shadow, alias=exp.TableAlias(this=alias)))
        return self._run(tree.sql("duckdb"), names, [])

    def _source(self, tree: exp.Query) -> _StoredRows | None:
        """Return the rows of the one table or subquery in FROM; None for the dictionary."""
        tables = list(tree.find_all(exp.Table))
        for table in tables:
            name = table.name.lower()
            if name in PRIVILEGED and not self._engine.catalog.may_see_v:
                raise OracleError(942, error_text(942))
        if all(table.name.lower() in _VIEWS and not _is_exact(table) for table in tables):
            return None
        source = _select(tree).args["from_"].this
        if isinstance(source, exp.Subquery):
            inner = self._with_row_numbers(source.this) or self._query(source.this)
            return self._engine.store(inner.columns, [*inner.rows], None)
        if _select(tree).args.get("joins"):
            raise OracleError(3001, "ORA-03001: unimplemented feature: a join of tables")
        return self._table(source)

    def _table(self, source: exp.Table) -> _StoredRows:
        owner = _fold(source.args["db"]) if source.args.get("db") else None
        name = _fold(source.this)
        catalog = self._engine.catalog
        if owner is None:
            for synonym in catalog.synonyms:
                if synonym.name == name and synonym.owner in {self._user, "PUBLIC"}:
                    owner, name = synonym.target_owner, synonym.target
        for table in catalog.tables:
            if (table.schema, table.name) == (owner or self._user, name) and table.is_visible_to(
                self._user
            ):
                if table.readable_by is not None and self._user not in table.readable_by:
                    raise OracleError(1031, error_text(1031))
                if self._scn is not None:
                    table = self._at_scn(table, self._scn)  # noqa: PLW2901 - as it was
                columns = [
                    ColumnInfo(column.name, column.type, column.nullable)
                    for column in table.columns
                ]
                return self._engine.store(columns, table.rows, table)
        raise OracleError(942, error_text(942))

    def _at_scn(self, table: Table, scn: int) -> Table:
        if table.flashback_by is not None and self._user not in table.flashback_by:
            raise OracleError(1031, error_text(1031))
        if scn > self._engine.catalog.scn:
            raise OracleError(8181, error_text(8181))
        return table.history.get(scn, table)

    def _with_row_numbers(self, tree: exp.Query) -> Answer | None:
        """Answer a query of columns of one table and a ROW_NUMBER; None for any other query."""
        numbers = [item for item in tree.selects if item.find(exp.RowNumber)]
        if len(numbers) != 1 or tree.args.get("joins") or tree.args.get("with_"):
            return None
        stored = self._source(tree)
        if stored is None:
            return None
        items = [item for item in tree.selects if item is not numbers[0]]
        cells = [cell for item in items for cell in self._item(item, stored)]
        rows = [
            (*(compute(stored.rows[index]) for _, compute in cells), number)
            for index, number in self._shadow_rows(tree, stored, numbers[0].unalias())
        ]
        columns = [*(info for info, _ in cells), ColumnInfo(_name(numbers[0]), _NUMBER)]
        return Answer(columns, rows)

    def _row_indices(self, tree: exp.Query, stored: _StoredRows) -> Iterator[int]:
        """Yield the indices of the matching rows, in order."""
        return (row[0] for row in self._shadow_rows(tree, stored))

    def _shadow_rows(
        self, tree: exp.Query, stored: _StoredRows, *expressions: exp.Expr
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the indices of the matching rows, in order, each with these expressions."""
        query = _select(tree).copy()
        query.set("from_", exp.From(this=exp.to_table(stored.shadow, quoted=True)))
        query.set("expressions", [exp.column("row_index"), *(item.copy() for item in expressions)])
        for column in [*query.find_all(exp.Column)]:
            if column is not query.expressions[0]:
                column.replace(exp.column(_shadow_column(column, stored)))
        if not query.args.get("order"):
            query = query.order_by("row_index")
        sql = query.sql("duckdb").replace(f'"{stored.shadow}"', f'main."{stored.shadow}"')
        cursor = self._cursor.cursor()
        cursor.execute(f"""SET schema = '"{_schema(self._user)}"'""")
        result = cursor.execute(sql)
        while rows := result.fetchmany(5000):
            yield from rows

    def _aggregate(self, tree: exp.Query, stored: _StoredRows) -> Answer:
        query = _select(tree).copy()
        for column in query.find_all(exp.Column):
            index = _column_index(column, stored)
            for row in stored.rows:
                _readable(row[index])
        for column in [*query.find_all(exp.Column)]:
            column.replace(exp.column(_shadow_column(column, stored)))
        query.set("from_", exp.From(this=exp.to_table(f'main."{stored.shadow}"')))
        names = [
            expression.alias or expression.sql("oracle").upper()
            for expression in _select(tree).expressions
        ]
        return self._run(query.sql("duckdb"), names, [])

    def _translate_dictionary_query(self, tree: exp.Query) -> _DictionaryQuery:
        items = _select(tree).expressions if isinstance(_select(tree), exp.Select) else []
        names = [_name(item) for item in items]
        longs = [item.unalias().name.lower() in LONGS for item in items]
        for call in [*tree.find_all(exp.Anonymous)]:
            if call.name.upper() == "SYS_CONTEXT":
                value = _CONTEXT.get(call.expressions[1].name.upper(), "")
                call.replace(exp.Literal.string(value.format(user=self._user)))
            if call.name.upper() == "TIMESTAMP_TO_SCN":
                call.replace(exp.Literal.number(self._engine.catalog.scn))
        return tree.sql("duckdb"), names, longs

    def _run(self, sql: str, names: Sequence[str], longs: Sequence[bool]) -> Answer:
        try:
            result = self._cursor.execute(sql)
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            code = 942 if "Table" in str(error) else 904
            raise OracleError(code, f"{error_text(code)}: {error}") from error
        columns = [
            ColumnInfo(
                names[index] if names else name.upper(),
                OracleType("LONG") if longs and longs[index] else _oracle_type(str(sql_type)),
            )
            for index, (name, sql_type, *_) in enumerate(result.description or ())
        ]
        rows = [tuple(map(_value, row)) for row in result.fetchall()]
        return Answer(columns, rows)

    def _item(self, item: exp.Expr, stored: _StoredRows) -> list[tuple[ColumnInfo, Cell]]:
        if isinstance(item, exp.Star):
            return [
                (info, _value_at(index))
                for index, info in enumerate(stored.columns)
                if _is_sendable(info)
            ]
        oracle_type, compute = self._cell(item.unalias(), stored)
        return [(ColumnInfo(_name(item), oracle_type), compute)]

    def _cell(self, tree: exp.Expr, stored: _StoredRows) -> tuple[OracleType, Cell]:
        """Return the type of an expression on one row, and a function that computes it."""
        if isinstance(tree, exp.Column) and tree.name.upper() == "ROWID":
            raise OracleError(3001, "ORA-03001: unimplemented feature: ROWID")
        if isinstance(tree, exp.Column):
            index = _column_index(tree, stored)
            column = stored.columns[index]
            if not _is_sendable(column):
                raise OracleError(932, f"ORA-00932: inconsistent datatypes: {column.type.name}")
            return column.type, _value_at(index)
        if isinstance(tree, exp.Null):
            return _SHORT_TEXT, lambda _: None
        if isinstance(tree, exp.Literal):
            value = tree.name if tree.is_string else Decimal(tree.name)
            return (_SHORT_TEXT if tree.is_string else _NUMBER), lambda _: value
        name, arguments = _call(tree)
        if name == "SUBSTR":
            oracle_type, inner = self._cell(arguments[0], stored)
            start, length = (int(argument.name) for argument in arguments[1:3])
            return oracle_type, lambda row: _substring(inner(row), start - 1, start - 1 + length)
        if not arguments or not isinstance(arguments[0], exp.Column):
            raise OracleError(3001, f"ORA-03001: unimplemented feature: {tree.sql('oracle')}")
        index = _column_index(arguments[0], stored)
        texts = [argument.name for argument in arguments[1:]]
        return _conversion(name, texts, stored.columns[index], index)


def _conversion(
    name: str, texts: Sequence[str], column: ColumnInfo, index: int
) -> tuple[OracleType, Cell]:
    """Return the type and the function of a conversion of one column to text or to a LOB."""
    kind = column.type.name
    if name == "LENGTH":
        return _NUMBER, lambda row: _length(row[index], kind)
    if name == "TO_CHAR" and texts and kind in {"NUMBER", "FLOAT"} and texts[0] == "TM9":
        return _SHORT_TEXT, lambda row: _apply(format_number, row[index])
    if name == "TO_CHAR" and texts:
        return _SHORT_TEXT, lambda row: _apply(
            lambda value: format_timestamp(value, texts[0]), row[index]
        )
    if name == "TO_CHAR" or (name == "ROWIDTOCHAR" and kind == "ROWID"):
        return _SHORT_TEXT, lambda row: to_char(row[index])
    if (name, kind) in {
        ("XMLSERIALIZE", "XMLTYPE"), ("XMLSERIALIZE", "OBJECT"), ("JSON_SERIALIZE", "JSON"),
        ("VECTOR_SERIALIZE", "VECTOR"),
    }:  # fmt: skip
        return _LONG_TEXT, _value_at(index)
    if name == "TO_BLOB" and kind == "BFILE":
        return OracleType("BLOB"), _value_at(index)
    raise OracleError(932, f"ORA-00932: inconsistent datatypes: {name} of {kind}")


def _apply(function: Callable[[Any], str], value: Value) -> Value:
    return None if _readable(value) is None else function(value)


def _substring(value: Value, start: int, end: int) -> Value:
    return value[start:end] if isinstance(value, str) else value


def _length(value: Value, kind: str) -> Value:
    """The length in characters or bytes; that of a RAW in digits, for it becomes text."""
    if not (value := _readable(value)):
        return None if isinstance(value, str) else value
    return len(value) * (2 if kind == "RAW" else 1) if isinstance(value, str | bytes) else None


def _value_at(index: int) -> Cell:
    return lambda row: _readable(row[index])


def _readable(value: Value) -> Value:
    """Return the value. Raises `OracleError` for one that cannot be computed."""
    if isinstance(value, BadValue):
        raise OracleError(value.code, error_text(value.code))
    return value


def _call(tree: exp.Expr) -> tuple[str, list[exp.Expr]]:
    """Return a function's name and its arguments."""
    if isinstance(tree, exp.Anonymous):
        arguments = tree.expressions
        inner = arguments[0] if arguments else None
        if isinstance(inner, exp.Anonymous) and inner.name.upper() == "XMLTYPE":
            return tree.name.upper(), list(inner.expressions)
        return tree.name.upper(), list(arguments)
    if isinstance(tree, exp.ToChar):
        arguments = [tree.this, tree.args.get("format"), tree.args.get("nlsparam")]
        return "TO_CHAR", [argument for argument in arguments if argument is not None]
    if isinstance(tree, exp.Length):
        return "LENGTH", [tree.this]
    if isinstance(tree, exp.Dot) and tree.sql("oracle").upper().startswith("DBMS_LOB.GETLENGTH("):
        return "LENGTH", list(tree.expression.expressions)
    if isinstance(tree, exp.Substring):
        return "SUBSTR", [tree.this, tree.args["start"], tree.args["length"]]
    sql = tree.sql("oracle")
    # For dates sqlglot has several classes, which all become TO_CHAR again.
    if match := re.match(r"TO_CHAR\((.*), '(.*)'\)$", sql):
        argument = sqlglot.parse_one(match[1], read="oracle")
        return "TO_CHAR", [argument, exp.Literal.string(match[2])]
    raise OracleError(3001, f"ORA-03001: unimplemented feature: {sql}")


def _select(tree: exp.Query) -> Any:
    """Return the first SELECT of a query."""
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return tree


def _fold(identifier: exp.Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _name(item: exp.Expr) -> str:
    if isinstance(item, exp.Alias):
        return _fold(item.args["alias"])
    if isinstance(item, exp.Column):
        return _fold(item.this)
    return item.sql("oracle").upper()


def _is_exact(table: exp.Table) -> bool:
    return bool(table.this.args.get("quoted")) and table.name != table.name.upper()


def _column_index(column: exp.Column, stored: _StoredRows) -> int:
    name = _fold(column.this)
    for index, info in enumerate(stored.columns):
        if info.name == name:
            return index
    raise OracleError(904, f'ORA-00904: "{name}": invalid identifier')


def _shadow_column(column: exp.Column, stored: _StoredRows) -> str:
    return f"c{_column_index(column, stored)}"


def _is_sendable(column: ColumnInfo) -> bool:
    return column.type.name not in _UNSENDABLE


def _insert_binds(sql: str, binds: list[Value]) -> str:
    """Return the statement with a literal instead of each placeholder."""

    def literal(match: re.Match[str]) -> str:
        if not match[2]:  # a string or a quoted name
            return match[0]
        value = binds.pop(0) if binds else None  # a statement that is only described has no binds
        if value is None:
            return "NULL"
        if isinstance(value, bytes):
            return f"'{to_char(value)}'"  # as the shadow has it
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return format(value, "f") if isinstance(value, Decimal) else str(value)

    return _BIND.sub(literal, sql)


def _dictionary_cell(value: object, sql_type: str) -> object:
    return str(value) if sql_type == "VARCHAR" and value is not None else value


def _schema(user: str) -> str:
    return "seen by " + user.replace('"', "")


_VIEWS = {name for name, _ in view_columns()}


def _shadow_type(kind: OracleType) -> str:
    """Return DuckDB's type for comparable values."""
    if kind.name == "NUMBER" and kind.precision is not None and not kind.scale:
        return "DECIMAL(38, 0)"
    if kind.name in {"NUMBER", "FLOAT", "BINARY_FLOAT", "BINARY_DOUBLE"}:
        return "DOUBLE"
    if kind.name == "DATE" or kind.name.startswith("TIMESTAMP"):
        return "TIMESTAMP"
    return "VARCHAR"


def _shadow(value: Value, column: ColumnInfo) -> object:
    """Return a value that compares like the given one."""
    shadow_type = _shadow_type(column.type)
    if value is None or isinstance(value, BadValue):
        return None
    if shadow_type == "DOUBLE":
        return float(value)  # type: ignore[arg-type]  # a number
    if shadow_type == "DECIMAL(38, 0)":
        return Decimal(value)  # type: ignore[arg-type]  # a number
    if isinstance(value, Timestamp):
        year = f"{abs(value.year):04}"
        clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}.{value.nanosecond // 1000:06}"
        era = " (BC)" if value.year < 0 else ""
        return f"{year}-{value.month:02}-{value.day:02}{era} {clock}"
    if isinstance(value, str):
        return encode_text(value).decode("utf-8", "replace")
    if isinstance(value, DayInterval | MonthInterval | bytes | bool):
        return to_char(value)
    return str(value)


def _oracle_type(kind: str) -> OracleType:
    if kind in {"VARCHAR", "NULL", '"NULL"'}:
        return _SHORT_TEXT
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        return _DATE
    if kind == "BLOB":
        return OracleType("RAW", length=2000)
    return _NUMBER


def _value(value: object) -> Value:
    if isinstance(value, datetime):
        return Timestamp(value.year, value.month, value.day, value.hour, value.minute, value.second)
    if isinstance(value, float):
        return Decimal(repr(value))
    return value  # type: ignore[return-value]  # DuckDB's other types are values here, too
