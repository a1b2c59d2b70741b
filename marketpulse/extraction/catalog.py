"""What a source holds: its tables and their columns, to show them or to write them to a bundle."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from marketpulse.artifacts import DATABASE_INFO, TABLE_LIST, schema_file
from marketpulse.bundle import BundleTable, bundle_folder
from marketpulse.errors import DataError, LoginError, NotFoundError
from marketpulse.formats.timestamps import current_timestamp
from marketpulse.model import SourceInfo, Table, TableSchema
from marketpulse.sources import Source, unknown_name_error
from marketpulse.version import __version__

_LOG = logging.getLogger("marketpulse.extraction")


@dataclass(frozen=True)
class TableListing:
    """Tables of a source."""

    source: SourceInfo
    tables: tuple[Table, ...]

    def as_json(self) -> list[dict[str, object]]:
        """Return the tables as in `accessible_tables.json` and `--format json`."""
        return [asdict(table) for table in self.tables]

    def documents(self) -> dict[str, object]:
        """Return the content of `database_info.json` and `accessible_tables.json`, by name."""
        database = {**asdict(self.source), "marketpulse": __version__}
        return {DATABASE_INFO: database, TABLE_LIST: self.as_json()}

    def write(self, folder: Path, secrets: Sequence[str] = ()) -> list[str]:
        """Add the two documents to a bundle's folder; return their names.

        Raises `OutputError` if the folder cannot be written, `DataError` if one of the `secrets`
        would be.
        """
        return _add_to_bundle(folder, self.source, self.documents(), (), secrets)


@dataclass(frozen=True)
class Schemas:
    """The schemas of some tables of a source."""

    source: SourceInfo
    tables: tuple[TableSchema, ...]
    stems: Mapping[str, str]  # how the names of each table's files begin, see `file_stems`
    reached: frozenset[str] = frozenset()  # those that foreign keys refer to, see `describe_sample`

    def as_json(self) -> list[dict[str, object]]:
        """Return each table as in its `TABLE_schema.json`."""
        return [_as_json(schema) for schema in self.tables]

    def documents(self) -> dict[str, object]:
        """Return the content of each table's `TABLE_schema.json`, by the name of the file."""
        return {self.schema_file(schema.table.name): _as_json(schema) for schema in self.tables}

    def write(self, folder: Path, secrets: Sequence[str] = ()) -> list[str]:
        """Add the documents to a bundle's folder; return their names.

        Raises `OutputError` if the folder cannot be written, `DataError` if one of the `secrets`
        would be.
        """
        names = [schema.table.name for schema in self.tables]
        tables = [BundleTable(name=name, schema_file=self.schema_file(name)) for name in names]
        return _add_to_bundle(folder, self.source, self.documents(), tables, secrets)

    def schema_file(self, table: str) -> str:
        """Return the name of a table's schema file."""
        return schema_file(self.stems[table])


def list_tables(
    source: Source, like: str | None = None, *, schema: str | None = None, exact: bool = False
) -> TableListing:
    """List the source's tables: all, those whose name is like a pattern, or those of a schema.

    In the pattern, `%` and `*` stand for any text; without either, the name may contain it
    anywhere. Upper and lower case are the same. `exact` counts the rows of each table that can be
    read. Raises `NotFoundError` if no table is left.
    """
    tables = tuple(source.tables())
    if schema is not None:
        owners = sorted({table.schema for table in tables})
        tables = tuple(table for table in tables if table.schema.casefold() == schema.casefold())
        if not tables:
            raise NotFoundError(
                f"{source.info().name} has no table in the schema {schema!r}",
                hint=f"the schemas are {', '.join(owners[:10])}"
                if any(owners)
                else "its tables have no schema: leave out --schema",
                check="MP-SRC-007",
            )
    if like is not None:
        tables = _filter_by_name(source, tables, like)
    if exact:
        tables = tuple(_with_exact_rows(source, table) for table in tables)
    return TableListing(source.info(), tables)


def describe(source: Source, names: Sequence[str] = ()) -> Schemas:
    """Return the schemas of the tables that a user names, see `find_tables`, or of the only one.

    Raises `NotFoundError`, which suggests similar names.
    """
    return describe_listed(source, find_tables(source, names) if names else [source.find_table()])


def describe_all(source: Source) -> Schemas:
    """Return the schemas of all tables; of a database, which may have thousands, of the default.

    Raises `NotFoundError` if there is no table.
    """
    tables = [] if source.is_distant else [table.name for table in source.tables()]
    return describe_listed(source, tables or [source.find_table()])


def find_tables(source: Source, names: Sequence[str]) -> list[str]:
    """Return the listed names of tables that a user names, each once.

    A name may stand for several: `A,B`, or `COLOR*` with `*` and `?`, in any case. In double quotes
    all characters are a name's own. Raises `NotFoundError` if there is no such table.
    """
    found: list[str] = []
    for name in names:
        parts = re.findall(r'(?:"(?:[^"]|"")*"|[^,"])+', name) if "," in name else [name]
        if len(parts) > 1 and any(table.name == name for table in source.tables()):
            parts = [name]  # a file's name may have a comma
        for part in parts:
            if '"' not in part and not {"*", "?"}.isdisjoint(part):
                found += _matching_tables(source, part)
            else:
                found.append(source.find_table(part))
    return [*dict.fromkeys(found)]


def _matching_tables(source: Source, pattern: str) -> list[str]:
    names = [table.name for table in source.tables()]
    found = [name for name in names if fnmatchcase(name.upper(), pattern.strip().upper())]
    if pattern in names:  # a glob of files is the name of its table
        return [pattern]
    if not found:
        raise unknown_name_error("table", pattern, names)
    return found


def describe_listed(source: Source, tables: Sequence[str]) -> Schemas:
    """Return the schemas of tables, named as the source lists them."""
    stems = file_stems([table.name for table in source.tables()])
    schemas = source.describe_all([*dict.fromkeys(tables)])
    return Schemas(source.info(), tuple(schemas), stems)


def file_stems(tables: Sequence[str]) -> dict[str, str]:
    """Return for each table how the names of its files begin, distinct on every platform.

    That is the table's name, if it suits every file system. Otherwise it is changed and ends in
    eight digits of the name's SHA-256. Of names that differ only in case, the first in the order
    of characters stays as it is, which is the one with capitals.
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


def _filter_by_name(source: Source, tables: tuple[Table, ...], like: str) -> tuple[Table, ...]:
    parts = [re.escape(part) for part in re.split("[%*]", like)]
    if len(parts) == 1:
        parts = ["", *parts, ""]
    pattern = re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)
    matches = tuple(table for table in tables if pattern.fullmatch(table.name))
    if not matches:
        raise NotFoundError(
            f"no table of {source.info().name} is like {like!r}",
            hint="leave out --like to list all tables",
            check="MP-SRC-007",
        )
    return matches


def _with_exact_rows(source: Source, table: Table) -> Table:
    """Return the table with its counted rows, or with None if it cannot be read."""
    try:
        rows = source.count(table.name)
    except (LoginError, NotFoundError, DataError) as error:
        _LOG.warning("%s: its rows cannot be counted: %s", table.name, error.message)
        return replace(table, rows=None, rows_as_of="")
    return replace(table, rows=rows, rows_as_of="")


def _add_to_bundle(
    folder: Path,
    source: SourceInfo,
    documents: Mapping[str, object],
    tables: Sequence[BundleTable],
    secrets: Sequence[str],
) -> list[str]:
    with bundle_folder(folder, source, keep_rows=True) as bundle:
        bundle.publish(documents, tables, taken_at=current_timestamp(), secrets=secrets)
    return [*documents]


def _as_json(schema: TableSchema) -> dict[str, object]:
    content = asdict(schema)
    return {**content.pop("table"), **content}
