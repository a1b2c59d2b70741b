"""Oracle's data dictionary, read in few statements for all tables at once.

SQLAlchemy's reflection reads keys, indexes and checks. Statements on the views that SQLAlchemy
declares read the rest: exact types, row estimates and their age, synonyms, the last change.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import oracledb
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    and_,
    case,
    column,
    inspect,
    literal_column,
    or_,
    select,
    table,
    union_all,
)
from sqlalchemy.dialects.oracle import dictionary as views
from sqlalchemy.dialects.oracle.oracledb import (
    OracleDialect_oracledb,
    OracleExecutionContext_oracledb,
)
from sqlalchemy.engine import Row, make_url
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import ColumnElement, CompoundSelect, Executable, Select

from marketpulse.model import ForeignKey, Index
from marketpulse.sources.oracle.columns import ColumnDef

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint, ReflectedIndex
    from sqlalchemy.sql.base import ReadOnlyColumnCollection

# `Any` in this module: SQLAlchemy's types want a Python type for each column, and its declarations
# of Oracle's views have none.

# Views that SQLAlchemy does not declare.
_OBJECT_TABLES = table(
    "all_object_tables",
    *map(column, ("owner", "table_name", "num_rows", "last_analyzed", "avg_row_len", "dropped")),
)
# The columns of ALL_TAB_COLS that `_column_def` reads, and those that say which column it is.
_DEFINITION = (
    "owner", "table_name", "column_name", "data_type", "data_type_owner", "data_precision",
    "data_scale", "data_length", "char_length", "char_used", "nullable", "avg_col_len",
    "data_default", "hidden_column",
)  # fmt: skip
_EXTERNAL_TABLES = table("all_external_tables", column("owner"), column("table_name"))
_OTHER_KINDS = {"materialized view", "external table"}  # of what is a table, too
_OTHER_OBJECTS = ("PACKAGE", "SEQUENCE", "PROCEDURE", "FUNCTION", "TYPE", "OPERATOR", "QUEUE",
                  "JAVA CLASS", "INDEXTYPE", "CONTEXT", "DIRECTORY", "LIBRARY")  # fmt: skip
_FETCH_ROWS = 10_000  # a round trip costs more than these rows
_MOST_NAMES = 900  # in one IN (...): Oracle allows 1000
# Schemas that come with a database. Releases before 12.2 do not mark all of them themselves.
_SYSTEM_SCHEMAS = (
    "APPQOSSYS", "AUDSYS", "CTXSYS", "DBSFWUSER", "DBSNMP", "DVSYS", "GSMADMIN_INTERNAL",
    "LBACSYS", "MDSYS", "OJVMSYS", "OLAPSYS", "ORDDATA", "ORDSYS", "OUTLN", "PUBLIC", "SYS",
    "SYSTEM", "WMSYS", "XDB",
)  # fmt: skip


# The columns of the UNION in `_relations_statement`, and their types: a NULL in a UNION needs one.
_UNION_COLUMNS = {
    "num_rows": "NUMBER", "time": "DATE", "row_bytes": "NUMBER",
    "target_owner": "VARCHAR2(128)", "target_name": "VARCHAR2(128)", "link": "VARCHAR2(128)",
    "comment": "VARCHAR2(4000)",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class TableId:
    """A table's owner and name, as the dictionary spells them."""

    owner: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A table, a view or a synonym.

    `rows` and `row_bytes` are estimates from the time `analyzed`. `target` is the table that a
    synonym refers to, `link` the database link to it.
    """

    id: TableId
    kind: str
    rows: int | None
    analyzed: datetime | None
    row_bytes: int | None
    changed: datetime | None = None
    comment: str = ""
    target: TableId | None
    link: str


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """A table's constraints and indexes; each foreign key comes with the table it refers to."""

    primary: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    foreign: tuple[tuple[TableId, ForeignKey], ...]
    checks: tuple[str, ...]
    indexes: tuple[Index, ...]


class _ExecutionContext(OracleExecutionContext_oracledb):
    def create_cursor(self) -> Any:  # SQLAlchemy has no type for the driver's cursor
        cursor = super().create_cursor()  # type: ignore[no-untyped-call]  # SQLAlchemy's
        cursor.arraysize = cursor.prefetchrows = _FETCH_ROWS
        return cursor


class _Dialect(OracleDialect_oracledb):
    """SQLAlchemy's dialect with names as the dictionary spells them, and without transactions.

    SQLAlchemy folds names to lower case: the tables COLORS and "colors" would become one.
    """

    execution_ctx_cls = _ExecutionContext
    supports_statement_cache = True

    def normalize_name(self, name: str) -> str:
        return name

    def denormalize_name(self, name: str) -> str:
        return name

    def _get_all_objects(
        self,
        connection: Connection,
        schema: str | None,
        scope: ObjectScope,
        kind: ObjectKind,
        filter_names: Collection[str],
        dblink: str | None,
        **options: object,
    ) -> list[str]:
        """Return the names: the dictionary has them, and SQLAlchemy need not ask for them again."""
        del connection, schema, scope, kind, dblink, options
        return [*filter_names]

    def do_rollback(self, dbapi_connection: object) -> None:
        """Do nothing: the session's read-only transaction goes on."""

    def do_commit(self, dbapi_connection: object) -> None:
        """Do nothing: the session's read-only transaction goes on."""

    def do_close(self, dbapi_connection: object) -> None:
        """Do nothing: `OracleDatabase` closes its session, also after Ctrl-C."""

    def do_terminate(self, dbapi_connection: object) -> None:
        """Do nothing: `OracleDatabase` closes its session, also after Ctrl-C."""


class _ReflectionOptions(TypedDict):
    schema: str
    filter_names: Sequence[str]
    kind: ObjectKind
    scope: ObjectScope


class Dictionary:
    """The dictionary of an open connection. Methods raise the driver's errors."""

    def __init__(self, connection: oracledb.Connection, schema: str) -> None:
        dialect = _Dialect(dbapi=oracledb)  # type: ignore[no-untyped-call]  # SQLAlchemy's
        # SQLAlchemy would ask the server for both.
        dialect.server_version_info = tuple(int(part) for part in connection.version.split("."))
        dialect.default_schema_name = schema
        pool = StaticPool(lambda: connection, reset_on_return=None, dialect=dialect)  # type: ignore[arg-type]  # typed for SQLAlchemy's own protocol
        sqlalchemy = Connection(Engine(pool, dialect, make_url("oracle+oracledb://")))
        # The names of SQLAlchemy's views contain a placeholder for a database link.
        self._connection = sqlalchemy.execution_options(_oracle_dblink="")
        self._inspector = inspect(self._connection)
        connection.outputtypehandler = _no_type_handler

    def relations(
        self, owners: Sequence[str] | None = None, *, system: bool = False
    ) -> list[Relation]:
        """Return the tables, views and synonyms that the user may see, of these owners or of all.

        Without `owners`, Oracle's own schemas are left out unless `system` is true. Takes one
        statement.
        """
        comments: dict[TableId, str] = {}
        changes: dict[TableId, datetime] = {}
        relations: dict[TableId, Relation] = {}
        others: set[TableId] = set()  # packages, sequences, ...
        for row in self._rows(self._relations_statement(owners, system)):
            table_id = TableId(row.owner, row.name)
            if row.kind == "changed":
                changes[table_id] = row.time
            elif row.kind == "comment":
                comments[table_id] = row.comment
            elif row.kind == "object":
                others.add(table_id)
            elif row.kind in _OTHER_KINDS and table_id in relations:
                # It is a table, too, and only that row has its statistics.
                relations[table_id] = replace(relations[table_id], kind=row.kind)
            elif table_id not in relations:
                relations[table_id] = _relation(table_id, row)
        return [
            replace(relation, comment=comments.get(table_id, ""), changed=changes.get(table_id))
            for table_id, relation in sorted(relations.items())
            if relation.link or relation.target not in others
        ]

    def columns(self, tables: Sequence[TableId]) -> dict[TableId, list[ColumnDef]]:
        """Return the columns of these tables, in order, those that are INVISIBLE last.

        Takes one statement.
        """
        columns, comments = views.all_tab_cols.c, views.all_col_comments.c
        same_column = and_(
            columns.owner == comments.owner,
            columns.table_name == comments.table_name,
            columns.column_name == comments.column_name,
        )
        statement = (
            select(*(columns[name] for name in _DEFINITION), comments.comments)
            .select_from(views.all_tab_cols.outerjoin(views.all_col_comments, same_column))
            # Oracle hides its own columns, and those that the user has made INVISIBLE.
            .where(or_(columns.hidden_column == "NO", columns.user_generated == "YES"))
            .order_by(columns.owner, columns.table_name, columns.column_id, columns.column_name)
        )
        definitions: dict[TableId, list[ColumnDef]] = {table_id: [] for table_id in tables}
        for start in range(0, len(tables), _MOST_NAMES):
            chunk = tables[start : start + _MOST_NAMES]
            for row in self._rows(statement.where(_any_of(chunk, columns))):
                definitions[TableId(row.owner, row.table_name)].append(_column_def(row))
        return definitions

    def constraints(self, tables: Sequence[TableId]) -> dict[TableId, Constraints]:
        """Return the constraints and indexes of these tables. Takes two statements per owner."""
        result = {}
        for owner, names in _names_by_owner(tables).items():
            options = _ReflectionOptions(
                schema=owner, filter_names=names, kind=ObjectKind.ANY, scope=ObjectScope.ANY
            )
            with _driver_errors(), warnings.catch_warnings():
                # SQLAlchemy warns of foreign keys to tables that the user may not see.
                warnings.simplefilter("ignore")
                primary = self._inspector.get_multi_pk_constraint(**options)
                unique = self._inspector.get_multi_unique_constraints(**options)
                foreign = self._inspector.get_multi_foreign_keys(**options)
                checks = self._inspector.get_multi_check_constraints(**options)
                indexes = self._inspector.get_multi_indexes(**options)
            for name in names:
                table = (owner, name)
                result[TableId(owner, name)] = Constraints(
                    primary=tuple(
                        primary[table]["constrained_columns"] if table in primary else ()
                    ),
                    unique=tuple(
                        tuple(constraint["column_names"]) for constraint in unique.get(table, ())
                    ),
                    foreign=tuple(map(_foreign_key, foreign.get(table, ()))),
                    checks=tuple(constraint["sqltext"] for constraint in checks.get(table, ())),
                    indexes=tuple(map(_index, indexes.get(table, ()))),
                )
        return result

    def _relations_statement(
        self, owners: Sequence[str] | None, system: bool
    ) -> CompoundSelect[Any]:
        """Select a row for each relation, one for its last change, and one for its comment."""
        tables, mviews = views.all_tables.c, views.all_mviews.c
        synonyms, objects = views.all_synonyms.c, views.all_objects.c
        comment_views = (
            (views.all_tab_comments.c, views.all_tab_comments.c.table_name),
            (views.all_mview_comments.c, views.all_mview_comments.c.mview_name),
        )
        is_selected = partial(_is_selected, owners, system)
        # Tables that Oracle makes for itself, such as those in the recycle bin, are left out.
        is_user_table = and_(
            *(or_(flag.is_(None), flag != "YES") for flag in (tables.nested, tables.dropped)),
            or_(tables.iot_type.is_(None), tables.iot_type != "IOT_OVERFLOW"),
            or_(tables.secondary.is_(None), tables.secondary != "Y"),
        )
        kind_of_table = case(
            (tables.temporary == "Y", literal_column("'temporary table'")),
            else_=literal_column("'table'"),
        )
        is_selected_synonym = or_(synonyms.owner == "PUBLIC", is_selected(synonyms.owner))
        return union_all(
            _union_row(tables.owner, tables.table_name, kind_of_table, {
                "num_rows": tables.num_rows, "time": tables.last_analyzed,
                "row_bytes": tables.avg_row_len,
            }).where(is_selected(tables.owner), is_user_table),
            _union_row(_OBJECT_TABLES.c.owner, _OBJECT_TABLES.c.table_name, "object table", {
                "num_rows": _OBJECT_TABLES.c.num_rows, "time": _OBJECT_TABLES.c.last_analyzed,
                "row_bytes": _OBJECT_TABLES.c.avg_row_len,
            }).where(is_selected(_OBJECT_TABLES.c.owner), _OBJECT_TABLES.c.dropped != "YES"),
            _union_row(
                _EXTERNAL_TABLES.c.owner, _EXTERNAL_TABLES.c.table_name, "external table", {}
            ).where(is_selected(_EXTERNAL_TABLES.c.owner)),
            _union_row(views.all_views.c.owner, views.all_views.c.view_name, "view", {}).where(
                is_selected(views.all_views.c.owner)
            ),
            _union_row(mviews.owner, mviews.mview_name, "materialized view", {}).where(
                is_selected(mviews.owner)
            ),
            _union_row(synonyms.owner, synonyms.synonym_name, "synonym", {
                "target_owner": synonyms.table_owner, "target_name": synonyms.table_name,
                "link": synonyms.db_link,
            }).where(
                is_selected_synonym,
                or_(synonyms.table_owner.is_(None), is_selected(synonyms.table_owner)),
            ),
            _union_row(objects.owner, objects.object_name, "changed", {
                "time": objects.last_ddl_time,
            }).where(is_selected(objects.owner), objects.object_type.in_(("TABLE", "VIEW"))),
            _union_row(objects.owner, objects.object_name, "object", {}).where(
                is_selected(objects.owner), objects.object_type.in_(_OTHER_OBJECTS),
                objects.object_name.in_(select(synonyms.table_name)),
            ),
            *(_union_row(columns.owner, name, "comment", {"comment": columns.comments}).where(
                columns.comments.is_not(None), is_selected(columns.owner)
            ) for columns, name in comment_views),
        )  # fmt: skip

    def _rows(self, statement: Executable) -> Sequence[Row[Any]]:
        with _driver_errors():
            return self._connection.execute(statement).all()


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise the driver's error, which has Oracle's code, instead of SQLAlchemy's."""
    try:
        yield
    except DBAPIError as error:
        raise (error.orig or error) from None


def _no_type_handler(*_: object) -> None:
    """Keep the driver's types; SQLAlchemy's compiled statements require some handler."""


def _is_selected(
    owners: Sequence[str] | None, system: bool, owner: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Return the condition that selects these owners; None selects all that are not Oracle's."""
    if owners is not None:
        return owner.in_(owners)
    if system:
        return owner.is_not(None)
    users = views.all_users.c
    maintained = select(users.username).where(users.oracle_maintained == "Y")
    return and_(owner.not_in(_SYSTEM_SCHEMAS), owner.not_in(maintained))


def _union_row(
    owner: ColumnElement[Any],
    name: ColumnElement[Any],
    kind: str | ColumnElement[Any],
    values: Mapping[str, ColumnElement[Any]],
) -> Select[Any]:
    """Return a SELECT for the UNION, with NULL for the columns that are not in `values`."""
    return select(
        owner.label("owner"),
        name.label("name"),
        (literal_column(f"'{kind}'") if isinstance(kind, str) else kind).label("kind"),
        *(
            values.get(column, literal_column(f"CAST(NULL AS {sql_type})")).label(column)
            for column, sql_type in _UNION_COLUMNS.items()
        ),
    )


def _any_of(
    tables: Sequence[TableId], columns: ReadOnlyColumnCollection[str, Column[Any]]
) -> ColumnElement[bool]:
    return or_(
        *(
            and_(columns.owner == owner, columns.table_name.in_(names))
            for owner, names in _names_by_owner(tables).items()
        )
    )


def _names_by_owner(tables: Sequence[TableId]) -> dict[str, list[str]]:
    names = defaultdict(list)
    for table_id in tables:
        names[table_id.owner].append(table_id.name)
    return names


def _relation(table_id: TableId, row: Row[Any]) -> Relation:
    is_synonym = row.kind == "synonym"
    return Relation(
        id=table_id,
        kind=row.kind,
        rows=row.num_rows,
        analyzed=row.time,
        row_bytes=row.row_bytes,
        target=TableId(row.target_owner or "", row.target_name) if is_synonym else None,
        link=row.link or "",
    )


def _column_def(row: Row[Any]) -> ColumnDef:
    by_character = row.char_used == "C" or row.data_type in {"NVARCHAR2", "NCHAR"}
    return ColumnDef(
        name=row.column_name,
        type=row.data_type or "",
        precision=_optional_int(row.data_precision),
        scale=_optional_int(row.data_scale),
        length=_optional_int(row.char_length if by_character else row.data_length) or 0,
        by_character=by_character,
        nullable=row.nullable != "N",
        comment=row.comments or "",
        default=(row.data_default or "").strip(),
        type_owner=row.data_type_owner or "",
        average_bytes=_optional_int(row.avg_col_len),
        invisible=row.hidden_column == "YES",
    )


def _optional_int(number: float | None) -> int | None:
    return None if number is None else int(number)


def _foreign_key(constraint: ReflectedForeignKeyConstraint) -> tuple[TableId, ForeignKey]:
    target = TableId(constraint["referred_schema"] or "", constraint["referred_table"])
    columns, references = constraint["constrained_columns"], constraint["referred_columns"]
    return target, ForeignKey(tuple(columns), target.name, tuple(references))


def _index(index: ReflectedIndex) -> Index:
    columns = index.get("expressions") or index["column_names"]
    return Index(index["name"] or "", tuple(str(column) for column in columns), index["unique"])
