"""The manifest of a bundle and the schema files beside it: their content and how to read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from marketpulse.atomic import FileRecord
from marketpulse.errors import DataError
from marketpulse.formats.nesting import parse_json
from marketpulse.model import Column, SourceInfo, TableSchema, masks_of
from marketpulse.version import __version__

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_Kind = TypeVar("_Kind")

FORMAT_VERSION = 1
_FILE_NAME = re.compile(r"[A-Za-z0-9_$#~-][A-Za-z0-9_$#~.-]*")
# Keys of columns in bundles of early versions, with their names now.
_OLD_KEYS = {"travels": "arrow_type", "stands_for": "logical_type"}


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file with rows of a table: the first `rows` of those that were extracted."""

    name: str
    format: str
    rows: int
    profile: str = "lossless"


@dataclass(frozen=True, kw_only=True)
class BundleTable:
    """A table of a bundle. Without `files` the bundle only describes it."""

    name: str
    schema_file: str
    taken_at: str = ""
    rows: int | None = None
    # The limit ended the table early: its rows as the source counts them, and on which day it did.
    all_rows: int | None = None
    all_rows_as_of: str = ""
    statement: str = ""
    query: str = ""  # the user's SELECT that the table is the result of
    binds: tuple[str, ...] = ()  # the names of its bind variables, without their values
    columns: tuple[Column, ...] = ()  # as they were written
    notes: tuple[str, ...] = ()  # what was cut, skipped or replaced
    files: tuple[DataFile, ...] = ()

    @property
    def row_count(self) -> str:
        """How many rows the bundle has, and of how many, for people."""
        if self.rows is None or self.all_rows is None:
            return "" if self.rows is None else str(self.rows)
        return f"{self.rows} of {'about ' if self.all_rows_as_of else ''}{self.all_rows}"

    @property
    def masks(self) -> dict[str, str]:
        """The masks of columns by their names, see `Column.mask`."""
        return masks_of(self.columns)

    @property
    def file_names(self) -> list[str]:
        """The names of all files of the table."""
        return [self.schema_file, *(file.name for file in self.files)]


@dataclass(frozen=True)
class MissingTable:
    """A table that was requested but could not be read."""

    table: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle consists of. It is written last: a folder without it is not complete."""

    taken_at: str
    source: SourceInfo
    tables: tuple[BundleTable, ...]
    files: tuple[FileRecord, ...]
    missing: tuple[MissingTable, ...] = ()
    complete: bool = True
    bundle: int = FORMAT_VERSION
    marketpulse: str = __version__

    def as_json(self) -> dict[str, object]:
        """Return the content of `manifest.json`."""
        return asdict(self)


@cache
def adapter(kind: type[_Kind]) -> TypeAdapter[_Kind]:
    """What reads documents of this class. Raises `ValueError` if they have other types."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - takes 0.05 s, and only reading needs it

    return TypeAdapter(kind)


def parse_manifest(text: bytes, where: str) -> Manifest:
    """Read a manifest, also one of an earlier release. `where` begins the message of an error.

    Raises `DataError` if it is not a valid manifest, or names files outside the bundle.
    """
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        content = _with_current_keys(parse_json(text))
        _check_version(content.get("bundle"), where)
        manifest: Manifest = adapter(Manifest).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _invalid(where, f"not the manifest of a bundle: {place}: {first['msg']}") from None
    except ValueError as error:
        raise _invalid(where, f"not the manifest of a bundle: {error}") from None
    files = [file.name for file in manifest.files]
    named = [name for table in manifest.tables for name in table.file_names]
    for name in (*files, *named):
        if not _FILE_NAME.fullmatch(name):
            raise DataError(
                f"{where}: {name!r} is not the name of a file in a bundle",
                hint="do not trust this bundle: its manifest names files outside of it",
                check="MP-BND-003",
            )
    tables = [table.name for table in manifest.tables]
    if len({*files}) < len(files) or len({*tables}) < len(tables):
        raise _invalid(where, "it lists a file or a table twice")
    if unlisted := sorted({*named} - {*files}):
        raise _invalid(where, f"a table has the file {unlisted[0]}, but it is not listed")
    return manifest


def parse_table_schema(text: bytes, where: str) -> TableSchema:
    """Read a schema file, also one of an earlier release. Raises `DataError` if it is invalid."""
    try:
        content = _with_current_keys(parse_json(text))
        # The file has the table's own fields beside its columns and keys.
        table = {name: content[name] for name in ("name", "kind", "rows", "comment")}
        schema: TableSchema = adapter(TableSchema).validate_python({**content, "table": table})
    except (ValueError, KeyError) as error:
        raise _invalid(where, "not a valid description of a table") from error
    return schema


def _with_current_keys(value: object) -> dict[str, object]:
    """Rename the old keys of columns, wherever the document has columns."""
    if not isinstance(value, Mapping):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - invalid content, not misuse
    members: Mapping[str, object] = value
    renamed = {_OLD_KEYS.get(key, key): member for key, member in members.items()}
    for key in ("tables", "columns", "parts"):
        children = renamed.get(key)
        if isinstance(children, list):
            renamed[key] = [
                _with_current_keys(child) if isinstance(child, Mapping) else child
                for child in children
            ]
    return renamed


def _check_version(version: object, where: str) -> None:
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise DataError(
            f"{where}: written by a newer version of MarketPulse (format {version})",
            hint="install that version of MarketPulse, or a newer one",
            check="MP-BND-002",
        )


def _invalid(where: str, message: str) -> DataError:
    return DataError(
        f"{where}: {message}",
        hint="ask for the bundle again, as `marketpulse sample` made it",
        check="MP-BND-002",
    )
