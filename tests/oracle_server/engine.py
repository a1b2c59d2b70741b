"""SQL as Oracle has it, run by DuckDB.

DuckDB cannot hold every value that Oracle can. So a table's values stay in Python, and DuckDB
has a shadow of them that can be compared: it says which rows, in which order. What is selected of
a row is then worked out from the values themselves, to the last digit. The dictionary's views are
DuckDB's altogether.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from threading import Lock
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from oracle_server.answers import (
    Answer,
    DayInterval,
    Described,
    Moment,
    MonthInterval,
    OracleError,
    OracleType,
    Value,
)
from oracle_server.catalog import LONGS, PRIVILEGED, Catalog, Table, view_columns
from oracle_server.faults import words
from oracle_server.spelling import minimal, moment, plain
from oracle_server.values import encode_text

_NO_QUERY = re.compile(
    r"\s*(ALTER SESSION SET|SET TRANSACTION READ ONLY|COMMIT|ROLLBACK)\b", re.IGNORECASE
)
_BIND = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|:("?)(\w+)\1""")
# Forms of XML and JSON that only Oracle has words for.
_SERIALIZED = re.compile(
    r"\b(XMLSERIALIZE|JSON_SERIALIZE|VECTOR_SERIALIZE)\s*\(\s*(?:CONTENT\s+|DOCUMENT\s+)?(.+?)"
    r"\s+(?:AS|RETURNING)\s+CLOB\s*\)",
    re.IGNORECASE,
)
_LONG_TEXT = OracleType("CLOB")
_NUMBER, _DATE = OracleType("NUMBER"), OracleType("DATE")
_SHORT_TEXT = OracleType("VARCHAR2", length=4000)
_UNSENDABLE = {"XMLTYPE", "JSON", "VECTOR", "BFILE", "OBJECT", "UROWID"}
_CONTEXT = {
    "CURRENT_SCHEMA": "{user}", "SESSION_USER": "{user}", "DB_NAME": "MARKETDB",
    "SERVICE_NAME": "FREEPDB1", "NETWORK_PROTOCOL": "tcp", "CON_NAME": "FREEPDB1",
    "DB_UNIQUE_NAME": "MARKETDB", "INSTANCE_NAME": "market1", "SID": "1",
}  # fmt: skip

Cell = Callable[[Sequence[Value]], Value]


@dataclass(frozen=True)
class _Held:
    """Rows as they are, and the name of their shadow."""

    columns: Sequence[Described]
    rows: Sequence[Sequence[Value]]
    shadow: str
    table: Table | None = None


class DuckEngine:
    """Runs SQL over a catalog, for any number of sessions."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._database = duckdb.connect()
        self._lock = Lock()
        self._held: dict[int, _Held] = {}
        self._users: set[str] = set()
        self._numbers = count()

    def converse(self, user: str, time_zone_minutes: int = 0) -> DuckConversation:  # noqa: ARG002 - instants are in UTC here
        """Begin a session."""
        with self._lock:
            if user not in self._users:
                self._make_views(user)
                self._users.add(user)
        return DuckConversation(self, user, self._database.cursor())

    def hold(
        self, columns: Sequence[Described], rows: Sequence[Sequence[Value]], table: Table | None
    ) -> _Held:
        """Rows with a shadow; a table's is made once."""
        with self._lock:
            known = self._held.get(id(table)) if table is not None else None
            if known is not None:
                return known
            name = f"shadow{next(self._numbers)}"
            kinds = ", ".join(f"c{n} {_kept(it.type)}" for n, it in enumerate(columns))
            cursor = self._database.cursor()
            cursor.execute(f"CREATE TABLE {name} (place BIGINT, {kinds})")
            shadows = [[n, *map(_shadow, row, columns)] for n, row in enumerate(rows)]
            for start in range(0, len(shadows), 5000):
                some = shadows[start : start + 5000]
                holes = ", ".join("?" * (len(columns) + 1))
                cursor.executemany(f"INSERT INTO {name} VALUES ({holes})", some)
            held = _Held(columns, rows, name, table)
            if table is not None:
                self._held[id(table)] = held
            return held

    def _make_views(self, user: str) -> None:
        cursor = self._database.cursor()
        schema = _schema(user)
        cursor.execute(f'CREATE SCHEMA "{schema}"')
        rows = self.catalog.views(user)
        for name, columns in view_columns():
            words_of = ", ".join(f'"{column}" {kind}' for column, kind in columns)
            cursor.execute(f'CREATE TABLE "{schema}"."{name}" ({words_of})')
            lines = [[row.get(column) for column, _ in columns] for row in rows.get(name, ())]
            if lines:
                holes = ", ".join("?" * len(columns))
                cursor.executemany(f'INSERT INTO "{schema}"."{name}" VALUES ({holes})', lines)


class DuckConversation:
    """One session's SQL."""

    def __init__(self, engine: DuckEngine, user: str, cursor: duckdb.DuckDBPyConnection) -> None:
        self._engine, self._user, self._cursor = engine, user, cursor
        cursor.execute(f"""SET schema = '"{_schema(user)}"'""")

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        """Run a statement. Raises `OracleError`."""
        if _NO_QUERY.match(sql):
            return Answer()
        if not re.match(r"\s*(SELECT|WITH|\()", sql, re.IGNORECASE):
            raise OracleError(1031, words(1031))
        if sql.rstrip().endswith(";"):
            raise OracleError(933, "ORA-00933: SQL command not properly ended", len(sql) - 1)
        text = _SERIALIZED.sub(r"\1(\2)", _bound(sql, list(binds)))
        try:
            tree = sqlglot.parse_one(text, read="oracle")
        except sqlglot.errors.SqlglotError as odd:
            first = str(odd).partition("\n")[0]
            raise OracleError(900, f"ORA-00900: invalid SQL statement: {first}") from odd
        if tree is None or not isinstance(tree, exp.Query):
            raise OracleError(900, "ORA-00900: invalid SQL statement")
        for cut in tree.find_all(exp.DateTrunc):
            if cut.text("unit").upper() == "DD":  # Oracle's word for a day; DuckDB has another
                cut.set("unit", exp.Literal.string("DAY"))
        try:
            return self._answered(tree)
        except duckdb.ConversionException as odd:
            raise OracleError(1722, "ORA-01722: invalid number") from odd
        except duckdb.Error as odd:
            raise OracleError(3001, f"ORA-03001: unimplemented feature: {odd}") from odd

    def close(self) -> None:
        """End it."""
        self._cursor.close()

    def _answered(self, tree: exp.Query) -> Answer:
        held = self._source(tree)
        if held is None:
            return self._from_dictionary(tree)
        if tree.find(exp.AggFunc) or tree.args.get("group"):
            return self._aggregated(tree, held)
        select = _select(tree)
        items = [self._item(it, held) for it in select.expressions]
        flat = [one for item in items for one in item]
        places = self._places(tree, held)
        rows = (tuple(cell(held.rows[place]) for _, cell in flat) for place in places)
        return Answer([described for described, _ in flat], rows)

    def _source(self, tree: exp.Query) -> _Held | None:
        """What a query reads where that is one table or one query; None for the dictionary."""
        tables = list(tree.find_all(exp.Table))
        for table in tables:
            name = table.name.lower()
            if name in PRIVILEGED and not self._engine.catalog.may_see_v:
                raise OracleError(942, words(942))
        if all(it.name.lower() in _VIEWS and not _exact(it) for it in tables):
            return None
        source = _select(tree).args["from_"].this
        if isinstance(source, exp.Subquery):
            inner = self._answered(source.this)
            return self._engine.hold(inner.columns, [*inner.rows], None)
        if _select(tree).args.get("joins"):
            raise OracleError(3001, "ORA-03001: unimplemented feature: a join of tables")
        return self._table(source)

    def _table(self, source: exp.Table) -> _Held:
        owner = _folded(source.args["db"]) if source.args.get("db") else None
        name = _folded(source.this)
        catalog = self._engine.catalog
        if owner is None:
            for synonym in catalog.synonyms:
                if synonym.name == name and synonym.owner in {self._user, "PUBLIC"}:
                    owner, name = synonym.target_owner, synonym.target
        for table in catalog.tables:
            if (table.schema, table.name) == (owner or self._user, name) and table.seen_by(
                self._user
            ):
                if table.readable_by is not None and self._user not in table.readable_by:
                    raise OracleError(1031, words(1031))
                described = [Described(it.name, it.type, it.nullable) for it in table.columns]
                return self._engine.hold(described, table.rows, table)
        raise OracleError(942, words(942))

    def _places(self, tree: exp.Query, held: _Held) -> Iterator[int]:
        """Which rows, in their order."""
        query = _select(tree).copy()
        query.set("from_", exp.From(this=exp.to_table(held.shadow, quoted=True)))
        query.set("expressions", [exp.column("place")])
        for column in [*query.find_all(exp.Column)][1:]:
            column.replace(exp.column(_shadow_column(column, held)))
        if not query.args.get("order"):
            query = query.order_by("place")
        sql = query.sql("duckdb").replace(f'"{held.shadow}"', f'main."{held.shadow}"')
        cursor = self._cursor.cursor()
        cursor.execute(f"""SET schema = '"{_schema(self._user)}"'""")
        found = cursor.execute(sql)
        while rows := found.fetchmany(5000):
            yield from (row[0] for row in rows)

    def _aggregated(self, tree: exp.Query, held: _Held) -> Answer:
        query = _select(tree).copy()
        for column in [*query.find_all(exp.Column)]:
            column.replace(exp.column(_shadow_column(column, held)))
        query.set("from_", exp.From(this=exp.to_table(f'main."{held.shadow}"')))
        names = [it.alias or it.sql("oracle").upper() for it in _select(tree).expressions]
        return self._run(query.sql("duckdb"), names, [])

    def _from_dictionary(self, tree: exp.Query) -> Answer:
        items = _select(tree).expressions if isinstance(_select(tree), exp.Select) else []
        names = [_name(it) for it in items]
        longs = [it.unalias().name.lower() in LONGS for it in items]
        for call in [*tree.find_all(exp.Anonymous)]:
            if call.name.upper() == "SYS_CONTEXT":
                told = _CONTEXT.get(call.expressions[1].name.upper(), "")
                call.replace(exp.Literal.string(told.format(user=self._user)))
        return self._run(tree.sql("duckdb"), names, longs)

    def _run(self, sql: str, names: Sequence[str], longs: Sequence[bool]) -> Answer:
        try:
            found = self._cursor.execute(sql)
        except (duckdb.BinderException, duckdb.CatalogException) as odd:
            code = 942 if "Table" in str(odd) else 904
            raise OracleError(code, f"{words(code)}: {odd}") from odd
        described = [
            Described(
                names[place] if names else told[0].upper(),
                OracleType("LONG") if longs and longs[place] else _oracle_type(str(told[1])),
            )
            for place, told in enumerate(found.description or ())
        ]
        rows = [tuple(map(_value, row)) for row in found.fetchall()]
        return Answer(described, rows)

    def _item(self, item: exp.Expr, held: _Held) -> list[tuple[Described, Cell]]:
        if isinstance(item, exp.Star):
            return [(it, _picked(place)) for place, it in enumerate(held.columns) if _sendable(it)]
        kind, cell = self._cell(item.unalias(), held)
        return [(Described(_name(item), kind), cell)]

    def _cell(self, tree: exp.Expr, held: _Held) -> tuple[OracleType, Cell]:
        """An expression of one row: its type, and how it is worked out."""
        if isinstance(tree, exp.Column) and tree.name.upper() == "ROWID":
            raise OracleError(3001, "ORA-03001: unimplemented feature: ROWID")
        if isinstance(tree, exp.Column):
            place = _place(tree, held)
            column = held.columns[place]
            _sendable(column, refuse=True)
            return column.type, _picked(place)
        if isinstance(tree, exp.Null):
            return _SHORT_TEXT, lambda _: None
        if isinstance(tree, exp.Literal):
            value = tree.name if tree.is_string else Decimal(tree.name)
            return (_SHORT_TEXT if tree.is_string else _NUMBER), lambda _: value
        name, arguments = _call(tree)
        if name == "SUBSTR":
            kind, inner = self._cell(arguments[0], held)
            start, length = (int(it.name) for it in arguments[1:3])
            return kind, lambda row: _cut(inner(row), start - 1, start - 1 + length)
        if not arguments or not isinstance(arguments[0], exp.Column):
            raise OracleError(3001, f"ORA-03001: unimplemented feature: {tree.sql('oracle')}")
        place = _place(arguments[0], held)
        texts = [it.name for it in arguments[1:]]
        return _spelled(name, texts, held.columns[place], place)


def _spelled(
    name: str, texts: Sequence[str], column: Described, place: int
) -> tuple[OracleType, Cell]:
    """A function of one column that gives its value as text, or as a LOB."""
    kind = column.type.name
    if name == "TO_CHAR" and texts and kind in {"NUMBER", "FLOAT"} and texts[0] == "TM9":
        return _SHORT_TEXT, lambda row: _made(minimal, row[place])
    if name == "TO_CHAR" and texts:
        return _SHORT_TEXT, lambda row: _made(lambda it: moment(it, texts[0]), row[place])
    if name == "TO_CHAR" or (name == "ROWIDTOCHAR" and kind == "ROWID"):
        return _SHORT_TEXT, lambda row: plain(row[place])
    if (name, kind) in {
        ("XMLSERIALIZE", "XMLTYPE"), ("XMLSERIALIZE", "OBJECT"), ("JSON_SERIALIZE", "JSON"),
        ("VECTOR_SERIALIZE", "VECTOR"),
    }:  # fmt: skip
        return _LONG_TEXT, _picked(place)
    if name == "TO_BLOB" and kind == "BFILE":
        return OracleType("BLOB"), _picked(place)
    raise OracleError(932, f"ORA-00932: inconsistent datatypes: {name} of {kind}")


def _made(function: Callable[[Any], str], value: Value) -> Value:
    return None if value is None else function(value)


def _cut(value: Value, start: int, end: int) -> Value:
    return value[start:end] if isinstance(value, str) else value


def _picked(place: int) -> Cell:
    return lambda row: row[place]


def _call(tree: exp.Expr) -> tuple[str, list[exp.Expr]]:
    """A function's name and its arguments."""
    if isinstance(tree, exp.Anonymous):
        arguments = tree.expressions
        inner = arguments[0] if arguments else None
        if isinstance(inner, exp.Anonymous) and inner.name.upper() == "XMLTYPE":
            return tree.name.upper(), list(inner.expressions)
        return tree.name.upper(), list(arguments)
    if isinstance(tree, exp.ToChar):
        told = [tree.this, tree.args.get("format"), tree.args.get("nlsparam")]
        return "TO_CHAR", [it for it in told if it is not None]
    if isinstance(tree, exp.Substring):
        return "SUBSTR", [tree.this, tree.args["start"], tree.args["length"]]
    again = tree.sql("oracle")
    if found := re.match(r"TO_CHAR\((.*), '(.*)'\)$", again):  # a moment's, in its own class
        inside = sqlglot.parse_one(found[1], read="oracle")
        return "TO_CHAR", [inside, exp.Literal.string(found[2])]
    raise OracleError(3001, f"ORA-03001: unimplemented feature: {again}")


def _select(tree: exp.Query) -> Any:
    """The first SELECT of a query."""
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        tree = tree.this
    return tree


def _folded(identifier: exp.Expr) -> str:
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()


def _name(item: exp.Expr) -> str:
    if isinstance(item, exp.Alias):
        return _folded(item.args["alias"])
    if isinstance(item, exp.Column):
        return _folded(item.this)
    return item.sql("oracle").upper()


def _exact(table: exp.Table) -> bool:
    return bool(table.this.args.get("quoted")) and table.name != table.name.upper()


def _place(column: exp.Column, held: _Held) -> int:
    name = _folded(column.this)
    for place, it in enumerate(held.columns):
        if it.name == name:
            return place
    raise OracleError(904, f'ORA-00904: "{name}": invalid identifier')


def _shadow_column(column: exp.Column, held: _Held) -> str:
    return f"c{_place(column, held)}"


def _sendable(column: Described, *, refuse: bool = False) -> bool:
    sendable = column.type.name not in _UNSENDABLE
    if refuse and not sendable:
        raise OracleError(932, f"ORA-00932: inconsistent datatypes: {column.type.name}")
    return sendable


def _bound(sql: str, binds: list[Value]) -> str:
    """The statement with its binds as literals, one for each place."""

    def put(found: re.Match[str]) -> str:
        if not found[2]:
            return found[0]
        value = binds.pop(0) if binds else None  # it is described alone
        if value is None:
            return "NULL"
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return format(value, "f") if isinstance(value, Decimal) else str(value)

    return _BIND.sub(put, sql)


def _schema(user: str) -> str:
    return "seen by " + user.replace('"', "")


_VIEWS = {name for name, _ in view_columns()}


def _kept(kind: OracleType) -> str:
    """The type of a shadow."""
    if kind.name == "NUMBER" and kind.precision is not None and not kind.scale:
        return "DECIMAL(38, 0)"
    if kind.name in {"NUMBER", "FLOAT", "BINARY_FLOAT", "BINARY_DOUBLE"}:
        return "DOUBLE"
    if kind.name == "DATE" or kind.name.startswith("TIMESTAMP"):
        return "TIMESTAMP"
    return "VARCHAR"


def _shadow(value: Value, column: Described) -> object:
    """Something that compares as the value does."""
    kept = _kept(column.type)
    if value is None:
        return None
    if kept == "DOUBLE":
        return float(value)  # type: ignore[arg-type]  # a number's
    if kept == "DECIMAL(38, 0)":
        return Decimal(value)  # type: ignore[arg-type]  # so too
    if isinstance(value, Moment):
        year = f"{abs(value.year):04}"
        clock = f"{value.hour:02}:{value.minute:02}:{value.second:02}.{value.nanosecond // 1000:06}"
        era = " (BC)" if value.year < 0 else ""
        return f"{year}-{value.month:02}-{value.day:02}{era} {clock}"
    if isinstance(value, str):
        return encode_text(value).decode("utf-8", "replace")
    if isinstance(value, DayInterval | MonthInterval | bytes | bool):
        return plain(value)
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
        return Moment(value.year, value.month, value.day, value.hour, value.minute, value.second)
    if isinstance(value, float):
        return Decimal(repr(value))
    return value  # type: ignore[return-value]  # DuckDB's other types are ours
