"""What a database holds, by its own dictionary: few statements, for all tables at once.

Keys, indexes and checks come from SQLAlchemy's reflection; what it leaves out (the exact types,
estimates and their age, synonyms, the last change) from statements on the tables it declares.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import oracledb
from sqlalchemy import (
    Connection,
    Engine,
    and_,
    inspect,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.oracle import dictionary as views
from sqlalchemy.dialects.oracle.oracledb import (
    OracleDialect_oracledb,
    OracleExecutionContext_oracledb,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql import ColumnElement, CompoundSelect, Executable, Select

from marketpulse.model import ForeignKey, Index
from marketpulse.sources.oracle.columns import ColumnDef

_ROWS = 10_000  # of an answer that come at once: a round trip costs more than they do
_BATCH = 900  # names in one IN (...): Oracle allows 1000
# Schemas that come with a database, for releases that do not mark them themselves.
_SYSTEM = (
    "APPQOSSYS", "AUDSYS", "CTXSYS", "DBSFWUSER", "DBSNMP", "DVSYS", "GSMADMIN_INTERNAL",
    "LBACSYS", "MDSYS", "OJVMSYS", "OLAPSYS", "ORDDATA", "ORDSYS", "OUTLN", "PUBLIC", "SYS",
    "SYSTEM", "WMSYS", "XDB",
)  # fmt: skip


# What a line of `_everything` may tell; a NULL of a UNION has its type from here.
_TOLD = {
    "num_rows": "NUMBER", "moment": "DATE", "width": "NUMBER", "parted": "VARCHAR2(3)",
    "target_owner": "VARCHAR2(128)", "target": "VARCHAR2(128)", "link": "VARCHAR2(128)",
    "comment": "VARCHAR2(4000)",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Key:
    """A table's full name, as the dictionary spells it."""

    owner: str
    name: str


@dataclass(frozen=True)
class Relation:
    """A table, a view or a synonym; `rows` is an estimate of the day `analyzed`.

    `target` is what a synonym stands for, `link` the database link behind which that is.
    """

    key: Key
    kind: str
    rows: int | None = None
    analyzed: datetime | None = None
    row_bytes: int | None = None
    partitioned: bool = False
    changed: datetime | None = None
    comment: str = ""
    target: Key | None = None
    link: str = ""


@dataclass(frozen=True)
class Keys:
    """A table's constraints and indexes."""

    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign: tuple[tuple[Key, ForeignKey], ...] = ()
    checks: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


class _Context(OracleExecutionContext_oracledb):
    def create_cursor(self) -> Any:
        cursor = super().create_cursor()  # type: ignore[no-untyped-call]  # SQLAlchemy's
        cursor.arraysize = cursor.prefetchrows = _ROWS
        return cursor


class _Dialect(OracleDialect_oracledb):
    """SQLAlchemy's, with names as the dictionary spells them, and no transactions of its own.

    Its usual way folds names to lower case, where COLORS and "colors" would become one.
    """

    execution_ctx_cls = _Context
    supports_statement_cache = True

    def normalize_name(self, name: Any) -> Any:
        return name

    def denormalize_name(self, name: Any) -> Any:
        return name

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing: the read-only transaction is the session's."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """Nothing, for the same reason."""


class Dictionary:
    """The dictionary of an open connection."""

    def __init__(self, raw: oracledb.Connection, home: str) -> None:
        dialect = _Dialect(dbapi=oracledb)  # type: ignore[no-untyped-call]  # so too
        dialect.server_version_info = tuple(int(part) for part in raw.version.split("."))
        dialect.default_schema_name = home
        pool = StaticPool(lambda: raw, reset_on_return=None)  # type: ignore[arg-type]  # typed for SQLAlchemy's own protocol
        connection = Connection(Engine(pool, dialect, make_url("oracle+oracledb://")))
        # Without this its names of the views have a place for a database link in them.
        self._connection = connection.execution_options(_oracle_dblink="")
        self._inspector = inspect(self._connection)
        raw.outputtypehandler = _as_it_is

    def relations(
        self, owners: Sequence[str] | None = None, *, system: bool = False
    ) -> list[Relation]:
        """Tables, views and synonyms that the user may see, of these owners or of all.

        Those of Oracle's own schemas are left out unless `system` is true. One statement.
        """
        comments: dict[Key, str] = {}
        found: dict[Key, Relation] = {}
        changed: dict[Key, datetime] = {}
        for owner, name, kind, rows, moment, width, parted, *target, link, comment in self._rows(
            self._everything(owners, system)
        ):
            key = Key(owner, name)
            if kind == "changed":
                changed[key] = moment
            elif kind == "comment":
                comments[key] = comment
            elif key not in found or kind == "materialized view":  # which is a table, too
                known = found.get(key)
                found[key] = Relation(
                    key,
                    kind,
                    known.rows if known else rows,
                    known.analyzed if known else moment,
                    known.row_bytes if known else width,
                    parted == "YES",
                    target=Key(target[0] or "", target[1]) if kind == "synonym" else None,
                    link=link or "",
                )
        return [
            replace(it, comment=comments.get(key, ""), changed=changed.get(key))
            for key, it in sorted(found.items())
        ]

    def columns(self, keys: Sequence[Key]) -> dict[Key, list[ColumnDef]]:
        """The visible columns of these tables, in their order. One statement."""
        columns, comments = views.all_tab_cols.c, views.all_col_comments.c
        said = and_(
            columns.owner == comments.owner,
            columns.table_name == comments.table_name,
            columns.column_name == comments.column_name,
        )
        statement = (
            select(
                columns.owner,
                columns.table_name,
                columns.column_name,
                columns.data_type,
                columns.data_type_owner,
                columns.data_precision,
                columns.data_scale,
                columns.data_length,
                columns.char_length,
                columns.char_used,
                columns.nullable,
                columns.avg_col_len,
                columns.data_default,
                comments.comments,
            )
            .select_from(views.all_tab_cols.outerjoin(views.all_col_comments, said))
            .where(columns.hidden_column == "NO")
            .order_by(columns.owner, columns.table_name, columns.column_id)
        )
        found: dict[Key, list[ColumnDef]] = {key: [] for key in keys}
        for some in _some(keys):
            for row in self._rows(statement.where(_any_of(some, columns))):
                found[Key(row.owner, row.table_name)].append(_declared(row))
        return found

    def keys(self, keys: Sequence[Key]) -> dict[Key, Keys]:
        """The constraints and indexes of these tables. Three statements for each owner."""
        by_owner = defaultdict(list)
        for key in keys:
            by_owner[key.owner].append(key.name)
        found = {}
        for owner, names in by_owner.items():
            asked: dict[str, Any] = {
                "schema": owner,
                "filter_names": names,
                "kind": ObjectKind.ANY,
                "scope": ObjectScope.ANY,
            }
            with _as_the_driver_says(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of keys to what the user may not see
                primary = self._inspector.get_multi_pk_constraint(**asked)
                unique = self._inspector.get_multi_unique_constraints(**asked)
                foreign = self._inspector.get_multi_foreign_keys(**asked)
                checks = self._inspector.get_multi_check_constraints(**asked)
                indexes = self._inspector.get_multi_indexes(**asked)
            for name in names:
                place = (owner, name)
                found[Key(owner, name)] = Keys(
                    tuple(primary[place]["constrained_columns"] if place in primary else ()),
                    tuple(tuple(it["column_names"]) for it in unique.get(place, ())),
                    tuple(map(_foreign_key, foreign.get(place, ()))),
                    tuple(it["sqltext"] for it in checks.get(place, ())),
                    tuple(map(_index, indexes.get(place, ()))),
                )
        return found

    def _everything(self, owners: Sequence[str] | None, system: bool) -> CompoundSelect[Any]:
        """A line for each relation, one for its last change, and one for its comment."""
        tables, mviews = views.all_tables.c, views.all_mviews.c
        synonyms, objects = views.all_synonyms.c, views.all_objects.c
        commented = [
            (it, it[name])
            for it, name in (
                (views.all_tab_comments.c, "table_name"),
                (views.all_mview_comments.c, "mview_name"),
            )
        ]
        whose = partial(self._whose, owners, system)
        own = and_(
            *(or_(it.is_(None), it != "YES") for it in (tables.nested, tables.dropped)),
            or_(tables.iot_type.is_(None), tables.iot_type != "IOT_OVERFLOW"),
            or_(tables.secondary.is_(None), tables.secondary != "Y"),
        )
        usable = or_(synonyms.owner == "PUBLIC", whose(synonyms.owner))
        return union_all(
            _line(tables.owner, tables.table_name, "table", {
                "num_rows": tables.num_rows, "moment": tables.last_analyzed,
                "width": tables.avg_row_len, "parted": tables.partitioned,
            }).where(whose(tables.owner), own),
            _line(views.all_views.c.owner, views.all_views.c.view_name, "view", {}).where(
                whose(views.all_views.c.owner)
            ),
            _line(mviews.owner, mviews.mview_name, "materialized view", {}).where(
                whose(mviews.owner)
            ),
            _line(synonyms.owner, synonyms.synonym_name, "synonym", {
                "target_owner": synonyms.table_owner, "target": synonyms.table_name,
                "link": synonyms.db_link,
            }).where(usable, or_(synonyms.table_owner.is_(None), whose(synonyms.table_owner))),
            _line(objects.owner, objects.object_name, "changed", {
                "moment": objects.last_ddl_time,
            }).where(whose(objects.owner), objects.object_type.in_(("TABLE", "VIEW"))),
            *(_line(it.owner, name, "comment", {"comment": it.comments}).where(
                it.comments.is_not(None), whose(it.owner)
            ) for it, name in commented),
        )  # fmt: skip

    def _whose(
        self, owners: Sequence[str] | None, system: bool, owner: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Whether something of this owner is asked for."""
        if owners is not None:
            return owner.in_(owners)
        if system:
            return owner.is_not(None)
        users = views.all_users.c
        maintained = select(users.username).where(users.oracle_maintained == "Y")
        return and_(owner.not_in(_SYSTEM), owner.not_in(maintained))

    def _rows(self, statement: Executable) -> Sequence[Any]:
        with _as_the_driver_says():
            return self._connection.execute(statement).all()


@contextmanager
def _as_the_driver_says() -> Iterator[None]:
    """Raise the driver's own error, which has a meaning, and not SQLAlchemy's."""
    try:
        yield
    except DBAPIError as error:
        raise (error.orig or error) from None


def _as_it_is(*_: Any) -> None:
    """A type of an answer as the driver has it; SQLAlchemy takes for granted that one is asked."""


def _line(owner: Any, name: Any, kind: str, told: Mapping[str, ColumnElement[Any]]) -> Select[Any]:
    """A line of `_everything`: NULL where nothing is told."""
    return select(
        owner.label("owner"),
        name.label("name"),
        literal_column(f"'{kind}'").label("kind"),
        *(
            told.get(it, literal_column(f"CAST(NULL AS {type_})")).label(it)
            for it, type_ in _TOLD.items()
        ),
    )


def _any_of(keys: Sequence[Key], columns: Any) -> ColumnElement[bool]:
    by_owner = defaultdict(list)
    for key in keys:
        by_owner[key.owner].append(key.name)
    return or_(
        *(
            and_(columns.owner == owner, columns.table_name.in_(names))
            for owner, names in by_owner.items()
        )
    )


def _some(keys: Sequence[Key]) -> Iterable[Sequence[Key]]:
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))


def _declared(row: Any) -> ColumnDef:
    characters = row.char_used == "C" or row.data_type in {"NVARCHAR2", "NCHAR"}
    return ColumnDef(
        row.column_name,
        row.data_type or "",
        _whole(row.data_precision),
        _whole(row.data_scale),
        _whole(row.char_length if characters else row.data_length) or 0,
        characters,
        row.nullable != "N",
        row.comments or "",
        (row.data_default or "").strip(),
        row.data_type_owner or "",
        _whole(row.avg_col_len),
    )


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)


def _foreign_key(told: Mapping[str, Any]) -> tuple[Key, ForeignKey]:
    target = Key(told["referred_schema"] or "", told["referred_table"])
    columns, references = tuple(told["constrained_columns"]), tuple(told["referred_columns"])
    return target, ForeignKey(columns, target.name, references)


def _index(told: Mapping[str, Any]) -> Index:
    columns = told.get("expressions") or told["column_names"]
    return Index(told["name"], tuple(columns), told["unique"])
