"""What a source holds: its tables and their columns, to be shown or sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from marketpulse.artifacts import DATABASE_INFO, TABLE_LIST, schema_file
from marketpulse.bundle import BundleTable, bundle_folder
from marketpulse.errors import LoginError, NotFoundError
from marketpulse.model import SourceInfo, Table, TableSchema
from marketpulse.sources import Source
from marketpulse.timestamps import format_timestamp
from marketpulse.version import __version__


@dataclass(frozen=True)
class Listing:
    """The tables of a source, those that were asked for."""

    source: SourceInfo
    tables: tuple[Table, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The tables as `accessible_tables.json` and `--format json` show them."""
        return [asdict(table) for table in self.tables]

    def write(self, folder: Path) -> list[str]:
        """Write `accessible_tables.json` and `database_info.json`; gives their names.

        Raises `OutputError` where that cannot be.
        """
        texts = self.texts()
        with bundle_folder(folder, self.source, keep=True) as bundle:
            bundle.seal(texts, (), taken_at=_now())
        return [*texts]

    def texts(self) -> dict[str, Any]:
        """The two files, by their names."""
        database = {**asdict(self.source), "marketpulse": __version__}
        return {DATABASE_INFO: database, TABLE_LIST: self.as_json()}


def list_tables(
    source: Source, like: str | None = None, *, schema: str | None = None, exact: bool = False
) -> Listing:
    """The source's tables by name, or those like a pattern, or of a schema.

    `%` and `*` in the pattern stand for any text; without either it is looked for anywhere in the
    name. Case makes no difference. `exact` counts the rows of each, where they may be read. Raises
    `NotFoundError` where there is no such table.
    """
    tables = tuple(source.tables())
    if schema is not None:
        owners = sorted({table.schema for table in tables})
        tables = tuple(it for it in tables if it.schema.casefold() == schema.casefold())
        if not tables:
            raise NotFoundError(
                f"no table of {source.info().name} is of the schema {schema!r}",
                hint=f"there is: {', '.join(owners[:10])}",
                check="MP-SRC-007",
            )
    found = _like(source, tables, like)
    return Listing(source.info(), tuple(_counted(source, it) for it in found) if exact else found)


def _counted(source: Source, table: Table) -> Table:
    """The table with the number of its rows; without one where they may not be read."""
    try:
        rows = source.count(table.name)
    except (LoginError, NotFoundError):
        return replace(table, rows=None, rows_as_of="")
    return replace(table, rows=rows, rows_as_of="")


def _like(source: Source, tables: tuple[Table, ...], like: str | None) -> tuple[Table, ...]:
    if like is None:
        return tables
    parts = [re.escape(part) for part in re.split("[%*]", like)]
    pattern = re.compile(
        ".*".join(parts if len(parts) > 1 else ["", *parts, ""]), re.IGNORECASE | re.DOTALL
    )
    found = tuple(table for table in tables if pattern.fullmatch(table.name))
    if not found:
        raise NotFoundError(
            f"no table of {source.info().name} is like {like!r}",
            hint=f"it has {len(tables)}; without --like they are listed",
            check="MP-SRC-007",
        )
    return found


@dataclass(frozen=True)
class Schemas:
    """What some tables are made of."""

    source: SourceInfo
    tables: tuple[TableSchema, ...]
    stems: Mapping[str, str]  # the begin of each table's file names

    def as_json(self) -> list[dict[str, Any]]:
        """Each table as its `TABLE_schema.json` shows it."""
        return [_as_json(schema) for schema in self.tables]

    def write(self, folder: Path) -> list[str]:
        """Write each table's `TABLE_schema.json`; gives their names.

        Raises `OutputError` where that cannot be.
        """
        texts = self.texts()
        tables = [BundleTable(it.table.name, self.file(it.table.name)) for it in self.tables]
        with bundle_folder(folder, self.source, keep=True) as bundle:
            bundle.seal(texts, tables, taken_at=_now())
        return [*texts]

    def texts(self) -> dict[str, Any]:
        """Each table's `TABLE_schema.json` by its name."""
        return {self.file(it.table.name): _as_json(it) for it in self.tables}

    def file(self, table: str) -> str:
        """The name of a table's schema file."""
        return schema_file(self.stems[table])


def describe(source: Source, names: Sequence[str] = ()) -> Schemas:
    """The schemas of these tables, or of the only one there is.

    Raises `NotFoundError`, which names the nearest tables.
    """
    return describe_listed(source, [source.find_table(name) for name in names or (None,)])


def describe_listed(source: Source, tables: Sequence[str]) -> Schemas:
    """The schemas of tables that are named as the source lists them."""
    found = dict.fromkeys(tables)
    stems = file_stems([table.name for table in source.tables()])
    return Schemas(source.info(), tuple(source.describe_all(list(found))), stems)


def file_stems(tables: Sequence[str]) -> dict[str, str]:
    """For each table the begin of its files' names, its own on every platform.

    The table's name, where no file system could take offence at it or take it for another's;
    what had to be changed ends in eight digits of the name's SHA-256. Of names that differ in case
    only the first keeps its own: capitals come first.
    """
    stems: dict[str, str] = {}
    folded: set[str] = set()
    for name in sorted(tables):
        stem = re.sub(r"[^A-Za-z0-9_$#-]", "_", name)[:80]
        if stem != name or stem.casefold() in folded:
            stem += "~" + hashlib.sha256(name.encode()).hexdigest()[:8]
        folded.add(stem.casefold())
        stems[name] = stem
    return stems


def _as_json(schema: TableSchema) -> dict[str, Any]:
    parts = asdict(schema)
    return {**parts.pop("table"), **parts}


def _now() -> str:
    return format_timestamp(datetime.now(UTC))
