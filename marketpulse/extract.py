"""What a source holds: its tables and their columns, to be shown or sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marketpulse.errors import NotFound
from marketpulse.model import SourceInfo, Table, TableSchema
from marketpulse.sealed import sealed_folder
from marketpulse.sources import Source, only_table
from marketpulse.version import __version__

TABLES = "accessible_tables.json"
DATABASE = "database_info.json"


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

        Raises `OutputRefused` where that cannot be.
        """
        database = {**asdict(self.source), "marketpulse": __version__}
        return _write(folder, {DATABASE: database, TABLES: self.as_json()})


def list_tables(source: Source, like: str | None = None) -> Listing:
    """The source's tables by name, or those like a pattern.

    `%` and `*` in the pattern stand for any text; without either it is looked for anywhere in the
    name. Case makes no difference. Raises `NotFound` where there is none.
    """
    tables = tuple(source.tables())
    if like is None:
        return Listing(source.info(), tables)
    parts = [re.escape(part) for part in re.split("[%*]", like)]
    pattern = re.compile(
        ".*".join(parts if len(parts) > 1 else ["", *parts, ""]), re.IGNORECASE | re.DOTALL
    )
    found = tuple(table for table in tables if pattern.fullmatch(table.name))
    if not found:
        raise NotFound(
            f"no table of {source.info().name} is like {like!r}",
            hint=f"it has {len(tables)}; without --like they are listed",
            check="MP-SRC-007",
        )
    return Listing(source.info(), found)


@dataclass(frozen=True)
class Schemas:
    """What some tables are made of."""

    tables: tuple[TableSchema, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Each table as its `TABLE_schema.json` shows it."""
        return [_as_json(schema) for schema in self.tables]

    def write(self, folder: Path) -> list[str]:
        """Write each table's `TABLE_schema.json`; gives their names.

        Raises `OutputRefused` where that cannot be.
        """
        stems = file_stems([schema.table.name for schema in self.tables])
        return _write(
            folder,
            {f"{stems[it.table.name]}_schema.json": _as_json(it) for it in self.tables},
        )


def describe(source: Source, names: Sequence[str] = ()) -> Schemas:
    """The schemas of these tables, or of the only one there is.

    Raises `NotFound`, which names the nearest tables.
    """
    found = dict.fromkeys(only_table(source, name) for name in names or (None,))
    return Schemas(tuple(source.describe(name) for name in found))


def file_stems(tables: Sequence[str]) -> dict[str, str]:
    """For each table the begin of its files' names, its own on every platform.

    The table's name, where no file system could take offence at it or take it for another's;
    what had to be changed ends in eight digits of the name's SHA-256.
    """
    same = Counter(name.casefold() for name in tables)
    stems = {}
    for name in tables:
        stem = re.sub(r"[^A-Za-z0-9_$#-]", "_", name)[:80]
        if stem != name or same[name.casefold()] > 1:
            stem += "~" + hashlib.sha256(name.encode()).hexdigest()[:8]
        stems[name] = stem
    return stems


def _as_json(schema: TableSchema) -> dict[str, Any]:
    parts = asdict(schema)
    return {**parts.pop("table"), **parts}


def _write(folder: Path, files: Mapping[str, Any]) -> list[str]:
    """Write these files as JSON; they appear whole, and one after another."""
    *others, last = files
    texts = {
        name: json.dumps(data, indent=2, ensure_ascii=False) + "\n" for name, data in files.items()
    }
    with sealed_folder(folder, last, lambda _: False) as written:
        for name in others:
            written.part(name).write_text(texts[name], encoding="utf-8")
        written.publish(texts[last])
    return [*files]
