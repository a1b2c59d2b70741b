"""The tables that a session may read: their names, synonyms, columns and keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import astuple
from typing import TYPE_CHECKING, Protocol, TypeVar

from marketpulse.errors import NotFoundError
from marketpulse.model import ForeignKey, Table, TableSchema
from marketpulse.sources.base import unknown_name_error
from marketpulse.sources.oracle.columns import ColumnDef, project
from marketpulse.sources.oracle.identifiers import display_identifier, parse_table_name
from marketpulse.sources.oracle.retries import retry_in_new_session

if TYPE_CHECKING:
    from marketpulse.sources.oracle.dictionary import Constraints, Dictionary, Relation, TableId

_MOST_SYNONYMS = 10  # that refer to each other: a cycle of them ends here

T = TypeVar("T")


class CatalogSession(Protocol):
    """The part of a database session that the catalog needs."""

    @property
    def schema(self) -> str:
        """The schema whose tables need no owner in their names."""

    def prepare(self) -> None:
        """Set the session's formats."""

    def dictionary(self) -> AbstractContextManager[Dictionary]:
        """Open the dictionary. Inside, the driver's errors become errors of MarketPulse."""


class Catalog:
    """The tables that a session may read.

    Each has one name here, as `tables` lists it: NAME in the session's schema, OWNER.NAME in
    others. The catalog reads the dictionary once, and again in a new session if the connection is
    lost meanwhile.
    """

    def __init__(self, session: CatalogSession, *, system: bool = False) -> None:
        self._session = session
        self._system = system  # whether to list Oracle's own schemas
        self._relations: dict[str, Relation] = {}
        self._columns: dict[TableId, list[ColumnDef]] = {}

    def for_session(self, session: CatalogSession) -> Catalog:
        """Return a catalog that knows what this one has read, and reads more in another session."""
        other = Catalog(session, system=self._system)
        other._relations = dict(self._relations)
        other._columns = dict(self._columns)
        return other

    def tables(self) -> list[Table]:
        """Return all tables, in the order of the dictionary."""
        return [self._table(name, relation) for name, relation in self._listed.items()]

    def find(self, name: str) -> str:
        """Return the listed name of the table that a user names.

        Without quotes it is in capitals, as in Oracle, or exactly as it is listed. Raises
        `NotFoundError`.
        """
        parts = parse_table_name(name)
        listed: str | None = None
        if parts is not None and parts.owner is not None:
            listed = self._find_exactly(parts.owner, parts.name)
        elif parts is not None:
            listed = display_identifier(parts.name)
        # Second as it is: a name may be copied from the list.
        for spelling in filter(None, (listed, name)):
            if spelling in self._listed:
                return spelling
        if parts is not None and parts.owner is None:
            self._refuse_other_schemas(name, parts.name)
        error = unknown_name_error("table", name, [*self._listed])
        if parts is not None and parts.owner is not None:
            error.add_hint("if it is there and you may not see it, ask the DBA to GRANT SELECT")
        raise error

    def find_listed(self, name: str) -> str:
        """Return the name if it is listed exactly so, else what `find` finds."""
        return name if name in self._listed else self.find(name)

    def target(self, name: str) -> TableId:
        """Return the owner and name of a listed table; of a synonym, those of its table.

        Raises `NotFoundError` if that table is in another database or cannot be seen.
        """
        relation = self._listed[name]
        for _ in range(_MOST_SYNONYMS):
            if relation.target is None:
                return relation.id
            if relation.link:
                raise NotFoundError(
                    f"{name} is a synonym for a table of another database ({relation.link})",
                    hint="extract it from there, or ask for a view of it",
                    check="MP-SRC-008",
                )
            target = relation.target
            listed = self._find_exactly(target.owner, target.name)
            if listed is None:
                break
            relation = self._listed[listed]
        missing = self._listed_name(target.owner, target.name)
        raise NotFoundError(
            f"{name} is a synonym for {missing}, which does not exist or you may not see",
            hint="ask the DBA to GRANT SELECT on it",
            check="MP-SRC-008",
        )

    def columns(self, tables: Sequence[TableId]) -> Mapping[TableId, Sequence[ColumnDef]]:
        """Return the columns of these tables; reads all that are still unknown at once."""
        self._session.prepare()
        missing = [table for table in dict.fromkeys(tables) if table not in self._columns]
        if missing:
            self._columns |= self._read(lambda dictionary: dictionary.columns(missing))
        return {table: self._columns[table] for table in tables}

    def describe_all(self, names: Sequence[str]) -> list[TableSchema]:
        """Return the schemas of listed tables. Takes few statements, however many tables."""
        tables = [self.target(name) for name in names]
        columns = self.columns(tables)
        constraints = self._read(lambda dictionary: dictionary.constraints(list(columns)))
        return [
            self._schema(name, columns[table], constraints[table])
            for name, table in zip(names, tables, strict=True)
        ]

    @property
    def _listed(self) -> dict[str, Relation]:
        if not self._relations:
            for relation in self._read(
                lambda dictionary: dictionary.relations(system=self._system)
            ):
                self._add(relation)
        return self._relations

    def _add(self, relation: Relation) -> None:
        owner, name = relation.id.owner, relation.id.name
        if relation.kind == "synonym" and owner == "PUBLIC":
            # Anybody may use a public synonym without an owner, but a table of that name wins.
            self._relations.setdefault(display_identifier(name), relation)
        else:
            self._relations[self._listed_name(owner, name)] = relation

    def _find_exactly(self, owner: str, name: str) -> str | None:
        """Return the listed name of this owner's table; None if the user sees no such table."""
        # A public synonym is listed without an owner, so the name alone proves nothing.
        listed = display_identifier(name) if owner == "PUBLIC" else self._listed_name(owner, name)

        def is_listed() -> bool:
            relation = self._listed.get(listed)
            return relation is not None and astuple(relation.id) == (owner, name)

        if not is_listed():
            # Oracle's own schemas are not listed, but you may name their tables.
            for relation in self._read(lambda dictionary: dictionary.relations([owner])):
                self._add(relation)
        return listed if is_listed() else None

    def _refuse_other_schemas(self, name: str, table: str) -> None:
        """Raise `NotFoundError` if other schemas have a table of this name."""
        others = [listed for listed, relation in self._listed.items() if relation.id.name == table]
        if others:
            raise NotFoundError(
                f"there is no table {name!r} in the schema {self._session.schema}",
                hint=f"there is: {', '.join(others[:5])}; write OWNER.TABLE, or set "
                "ORACLE_SCHEMA=OWNER",
            )

    def _listed_name(self, owner: str, name: str) -> str:
        shown = display_identifier(name)
        if owner == self._session.schema:
            return shown
        return f"{display_identifier(owner)}.{shown}"

    def _table(self, name: str, relation: Relation) -> Table:
        rows, row_bytes, target = relation.rows, relation.row_bytes, relation.target
        shown_target = "" if target is None else self._listed_name(target.owner, target.name)
        if relation.link:
            shown_target += f"@{relation.link}"
        return Table(
            name=name,
            kind=relation.kind,
            rows=rows,
            comment=relation.comment,
            schema=relation.id.owner,
            rows_as_of=f"{relation.analyzed:%Y-%m-%d}" if relation.analyzed else "",
            bytes=None if rows is None or row_bytes is None else rows * row_bytes,
            changed=f"{relation.changed:%Y-%m-%d}" if relation.changed else "",
            target=shown_target,
        )

    def _schema(
        self, name: str, columns: Sequence[ColumnDef], constraints: Constraints
    ) -> TableSchema:
        foreign_keys = tuple(
            ForeignKey(key.columns, self._listed_name(target.owner, target.name), key.references)
            for target, key in constraints.foreign
        )
        return TableSchema(
            table=self._table(name, self._listed[name]),
            columns=tuple(project(column).column for column in columns),
            primary_key=constraints.primary,
            unique=constraints.unique,
            foreign_keys=foreign_keys,
            checks=constraints.checks,
            indexes=constraints.indexes,
        )

    def _read(self, question: Callable[[Dictionary], T]) -> T:
        """Ask the dictionary; ask again in a new session if the connection is lost."""

        def ask() -> T:
            with self._session.dictionary() as dictionary:
                return question(dictionary)

        return retry_in_new_session(ask)
