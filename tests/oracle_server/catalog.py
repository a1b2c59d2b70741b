"""The content of a database: tables with rows, and the rows of the dictionary's views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Alias, TableClause
from sqlalchemy.dialects.oracle import dictionary
from sqlalchemy.dialects.oracle.types import LONG, NUMBER, RAW
from sqlalchemy.types import DateTime

from oracle_server.answers import OracleType, Value
from oracle_server.values import parse_type

_CREATED = datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001 - a DATE has no zone
_NATIONAL = {"NVARCHAR2", "NCHAR"}
# Views that SQLAlchemy does not declare, with their columns.
OTHERS: Mapping[str, Sequence[str]] = {
    "dual": ("dummy",),
    "all_object_tables": (
        "owner",
        "table_name",
        "num_rows",
        "last_analyzed",
        "avg_row_len",
        "dropped",
    ),
    "all_external_tables": ("owner", "table_name"),
    "nls_database_parameters": ("parameter", "value"),
    "session_privs": ("privilege",),
    "session_roles": ("role",),
    "v$database": ("current_scn", "name"),
    "v$session_connect_info": ("sid", "network_service_banner"),
}
_OTHER_TYPES = {
    "current_scn": "BIGINT", "sid": "BIGINT", "num_rows": "BIGINT", "avg_row_len": "BIGINT",
    "last_analyzed": "TIMESTAMP",
}  # fmt: skip
PRIVILEGED = {name for name in OTHERS if name.startswith("v$")}
_ALIASES = [item.element for item in vars(dictionary).values() if isinstance(item, Alias)]
_VIEWS = [view for view in _ALIASES if isinstance(view, TableClause)]
LONGS = {column.name for view in _VIEWS for column in view.columns if isinstance(column.type, LONG)}


@dataclass(frozen=True)
class Column:
    """A column with its type as in DDL."""

    name: str
    ddl_type: str
    nullable: bool = True
    comment: str = ""
    default: str = ""
    hidden: bool = False
    invisible: bool = False  # hidden by a user
    virtual: bool = False
    type_owner: str = ""  # of a user-defined type
    average_bytes: int | None = None  # of a value, by the statistics

    @property
    def type(self) -> OracleType:
        """The parsed type."""
        return parse_type(self.ddl_type)


@dataclass(frozen=True)
class Table:
    """A table or a view, and its rows.

    `visible_to` are the users who see it in the dictionary, `readable_by` those who may read it,
    `flashback_by` those who may read it at an earlier SCN; None means all users. `history` has the
    table as it was at an SCN, if that differs.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]] = ()
    schema: str = "MARKET"
    kind: str = "TABLE"
    comment: str = ""
    primary_key: Sequence[str] = ()
    unique: Sequence[Sequence[str]] = ()
    foreign_keys: Sequence[tuple[Sequence[str], str, Sequence[str]]] = ()  # OWNER.TABLE
    checks: Sequence[str] = ()
    indexes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    num_rows: int | None = None
    analyzed: datetime | None = None
    visible_to: Iterable[str] | None = None
    readable_by: Iterable[str] | None = None
    flashback_by: Iterable[str] | None = None
    history: Mapping[int, Table] = field(default_factory=dict)

    def is_visible_to(self, user: str) -> bool:
        """Return whether the dictionary shows the table to this user."""
        return self.visible_to is None or user == self.schema or user in self.visible_to


@dataclass(frozen=True)
class StoredObject:
    """A sequence or another object that is no table."""

    name: str
    kind: str
    schema: str = "MARKET"


@dataclass(frozen=True)
class Synonym:
    """Another name for a table, here or in another database."""

    name: str
    target: str
    target_owner: str
    owner: str = "PUBLIC"
    link: str | None = None


@dataclass(frozen=True)
class Catalog:
    """A database; `may_see_v` allows users to read the V$ views."""

    tables: Sequence[Table]
    synonyms: Sequence[Synonym] = ()
    objects: Sequence[StoredObject] = ()
    system_users: Sequence[str] = ("SYS", "SYSTEM", "XDB")
    may_see_v: bool = False
    scn: int = 8_765_432

    def views(self, user: str) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of each dictionary view for this user; missing columns are null."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for view, row in self._view_rows(user):
            rows.setdefault(view, []).append(row)
        return rows

    def _view_rows(self, user: str) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "dual", {"dummy": "X"}
        yield "v$database", {"current_scn": self.scn, "name": "MARKETDB"}
        for name, value in (
            ("NLS_CHARACTERSET", "AL32UTF8"),
            ("NLS_NCHAR_CHARACTERSET", "AL16UTF16"),
        ):
            yield "nls_database_parameters", {"parameter": name, "value": value}
        yield "session_privs", {"privilege": "CREATE SESSION"}
        users = {*self.system_users, *(table.schema for table in self.tables), user}
        for number, name in enumerate(sorted(users)):
            maintained = "Y" if name in self.system_users else "N"
            yield "all_users", {
                "username": name, "user_id": number, "created": _CREATED,
                "oracle_maintained": maintained,
            }  # fmt: skip
        for synonym in self.synonyms:
            yield "all_synonyms", {
                "owner": synonym.owner, "synonym_name": synonym.name,
                "table_owner": synonym.target_owner, "table_name": synonym.target,
                "db_link": synonym.link,
            }  # fmt: skip
        if self.may_see_v:
            yield "all_objects", {
                "owner": "SYS", "object_name": "V_$DATABASE", "object_id": 9,
                "object_type": "VIEW", "created": _CREATED, "status": "VALID",
            }  # fmt: skip
        for number, stored in enumerate(self.objects):
            yield "all_objects", {
                "owner": stored.schema, "object_name": stored.name, "object_id": number + 10_000,
                "object_type": stored.kind, "created": _CREATED, "status": "VALID",
            }  # fmt: skip
        for number, table in enumerate(self.tables):
            if table.is_visible_to(user):
                yield from _table_rows(table, number + 100)


def _table_rows(table: Table, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    table_key = {"owner": table.schema, "table_name": table.name}
    yield "all_objects", {
        "owner": table.schema, "object_name": table.name, "object_id": number,
        "object_type": "VIEW" if table.kind == "VIEW" else "TABLE", "created": _CREATED,
        "last_ddl_time": _CREATED, "status": "VALID", "temporary": "N", "namespace": 1,
        "secondary": "N",
    }  # fmt: skip
    yield "all_tab_comments", {
        **table_key, "table_type": table.kind, "comments": table.comment or None,
    }  # fmt: skip
    if table.kind == "VIEW":
        yield "all_views", {
            "owner": table.schema, "view_name": table.name, "text": "SELECT ...",
        }  # fmt: skip
    elif table.kind == "OBJECT TABLE":
        yield "all_object_tables", {**table_key, "dropped": "NO"}
    else:
        yield "all_tables", {
            **table_key, "num_rows": table.num_rows, "last_analyzed": table.analyzed,
            "avg_row_len": None if table.num_rows is None else 100, "partitioned": "NO",
            "temporary": "Y" if table.kind == "TEMPORARY TABLE" else "N", "nested": "NO",
            "dropped": "NO", "secondary": "N",
            "status": "VALID", "compression": "DISABLED", "tablespace_name": "USERS",
        }  # fmt: skip
    if table.kind == "EXTERNAL TABLE":
        yield "all_external_tables", table_key
    if table.kind == "MATERIALIZED VIEW":
        yield "all_mviews", {
            "owner": table.schema, "mview_name": table.name, "container_name": table.name,
        }  # fmt: skip
        yield "all_mview_comments", {
            "owner": table.schema, "mview_name": table.name, "comments": table.comment or None,
        }  # fmt: skip
    for position, column in enumerate(table.columns, 1):
        yield "all_tab_cols", {**table_key, **_column(column, position)}
        yield "all_col_comments", {
            **table_key, "column_name": column.name, "comments": column.comment or None,
        }  # fmt: skip
    yield from _constraints(table, table_key)


def _column(column: Column, position: int) -> dict[str, Any]:
    kind = column.type
    name = kind.name
    if name.startswith("TIMESTAMP"):
        name = f"TIMESTAMP({6 if kind.scale is None else kind.scale}){name[9:]}"
    elif name == "INTERVAL DAY TO SECOND":
        name = "INTERVAL DAY(2) TO SECOND(6)"
    elif name == "INTERVAL YEAR TO MONTH":
        name = "INTERVAL YEAR(2) TO MONTH"
    characters = kind.length if kind.name in {"VARCHAR2", "CHAR", *_NATIONAL} else 0
    wide = (
        4
        if kind.by_character and kind.name not in _NATIONAL
        else 2
        if kind.name in _NATIONAL
        else 1
    )
    hidden = column.hidden or column.invisible
    return {
        "column_name": column.name, "data_type": name, "data_precision": kind.precision,
        "data_scale": kind.scale, "data_length": (kind.length or 22) * wide,
        "char_length": characters or 0, "nullable": "Y" if column.nullable else "N",
        "char_used": ("C" if kind.by_character else "B") if characters else None,
        "data_default": column.default or None, "column_id": None if hidden else position,
        "user_generated": "NO" if column.hidden else "YES",
        "internal_column_id": position, "hidden_column": "YES" if hidden else "NO",
        "avg_col_len": column.average_bytes,
        "virtual_column": "YES" if column.virtual else "NO", "default_on_null": "NO",
        "data_type_owner": column.type_owner or ("PUBLIC" if kind.name == "XMLTYPE" else None),
    }  # fmt: skip


def _constraints(table: Table, table_key: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    keys = [("P", table.primary_key)] if table.primary_key else []
    keys += [("U", columns) for columns in table.unique]
    for kind, columns in keys:
        name = _key_name(table.name, columns)
        yield from _constraint(table_key, kind, name, columns, {"index_name": name})
        yield from _index(table, name, columns, unique=True)
    for number, (columns, target, references) in enumerate(table.foreign_keys):
        owner, _, other = target.partition(".")
        details = {
            "r_owner": owner, "r_constraint_name": _key_name(other, references),
            "delete_rule": "NO ACTION",
        }  # fmt: skip
        yield from _constraint(table_key, "R", f"{table.name}_R{number}", columns, details)
    checks = [f'"{column.name}" IS NOT NULL' for column in table.columns if not column.nullable]
    for number, check in enumerate([*checks, *table.checks]):
        details = {"search_condition": check, "search_condition_vc": check}
        yield from _constraint(
            table_key, "C", f"{table.name}_C{number}", (table.columns[0].name,), details
        )
    for name, columns in table.indexes.items():
        yield from _index(table, name, columns, unique=False)


def _key_name(table: str, columns: Sequence[str]) -> str:
    """A foreign key finds the key that it refers to by this name."""
    return f"{table}_{'_'.join(columns)}"[:128]


def _constraint(
    table_key: Mapping[str, str],
    kind: str,
    name: str,
    columns: Sequence[str],
    details: Mapping[str, Any],
) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "all_constraints", {
        **table_key, "constraint_name": name, "constraint_type": kind,
        "status": "ENABLED", **details,
    }  # fmt: skip
    for position, column in enumerate(columns, 1):
        yield "all_cons_columns", {
            **table_key, "constraint_name": name, "column_name": column,
            "position": None if kind == "C" else position,
        }  # fmt: skip


def _index(
    table: Table, name: str, columns: Sequence[str], *, unique: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    known = {column.name for column in table.columns}
    functional = any(column not in known for column in columns)
    table_key = {"table_owner": table.schema, "table_name": table.name, "index_name": name}
    yield "all_indexes", {
        **table_key, "owner": table.schema, "table_type": "TABLE", "status": "VALID",
        "index_type": "FUNCTION-BASED NORMAL" if functional else "NORMAL",
        "uniqueness": "UNIQUE" if unique else "NONUNIQUE", "compression": "DISABLED",
    }  # fmt: skip
    for position, column in enumerate(columns, 1):
        is_column = column in known
        yield "all_ind_columns", {
            **table_key, "index_owner": table.schema, "column_position": position, "descend": "ASC",
            "column_name": column if is_column else f"SYS_NC{position:05}$", "column_length": 22,
        }  # fmt: skip
        if not is_column:
            yield "all_ind_expressions", {
                **table_key, "index_owner": table.schema, "column_position": position,
                "column_expression": column,
            }  # fmt: skip


def view_columns() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each dictionary view, its columns and their types in DuckDB."""
    for view in _VIEWS:
        name = view.name.removesuffix(dictionary.DB_LINK_PLACEHOLDER)
        yield name, [(column.name, _duckdb_type(column.type)) for column in view.columns]
    for name, columns in OTHERS.items():
        yield (
            name,
            [(column, _OTHER_TYPES.get(column, "VARCHAR")) for column in columns],
        )


def _duckdb_type(kind: object) -> str:
    if isinstance(kind, NUMBER):
        return "BIGINT"
    if isinstance(kind, RAW):
        return "BLOB"
    return "TIMESTAMP" if isinstance(kind, DateTime) else "VARCHAR"
