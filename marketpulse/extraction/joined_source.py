"""A sample that joins: the rows of tables, and those that their foreign keys refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from marketpulse.atomic import TemporaryFolder
from marketpulse.errors import ConnectionLostError, MarketPulseError, UsageError, is_network_error
from marketpulse.extraction.catalog import Schemas, describe
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.model import (
    MOST_KEYS,
    KeyRows,
    Progress,
    Query,
    SourceInfo,
    Table,
    TableSchema,
    format_count,
    progress_stage,
)
from marketpulse.sources import RowRequest, Source
from marketpulse.sources.selection import with_columns

if TYPE_CHECKING:
    from marketpulse.extraction.masks.tables import SampleMasks

_ATTEMPTS = 3  # at a scan whose connection is lost

Values = tuple[object, ...]
KeyColumns = tuple[str, tuple[str, ...]]  # a table, columns of it that foreign keys refer to


def describe_sample(source: Source, names: Sequence[str], options: SampleOptions) -> Schemas:
    """Return the schemas of the tables that a sample will hold. Raises what `describe` raises.

    Raises `UsageError` if foreign keys are to be followed, and there is none.
    """
    schemas = describe(source, names)
    return _follow_keys(source, schemas) if options.follow else schemas


def _follow_keys(source: Source, schemas: Schemas) -> Schemas:
    """Return the schemas, and those of the tables that foreign keys reach, over any depth."""
    if not any(schema.foreign_keys for schema in schemas.tables):
        names = ", ".join(schema.table.name for schema in schemas.tables)
        raise UsageError(
            f"--follow changes nothing: there is no foreign key in {names}",
            hint="leave out --follow",
        )
    listed = {table.name for table in source.tables()}
    found = {schema.table.name: schema for schema in schemas.tables}
    new = list(found)
    while new:
        targets = (key.table for name in new for key in found[name].foreign_keys)
        new = [name for name in dict.fromkeys(targets) if name in listed - found.keys()]
        found |= {schema.table.name: schema for schema in source.describe_all(new)} if new else {}
    named = {schema.table.name for schema in schemas.tables}
    reached = frozenset(found.keys() - named)
    return replace(schemas, tables=tuple(found.values()), reached=reached)


@dataclass(frozen=True, kw_only=True)
class _Link:
    """A foreign key that can be followed."""

    columns: tuple[str, ...]
    target: KeyColumns


@dataclass(kw_only=True)
class _Rows:
    """Rows of a table in files, and why there are no more."""

    files: list[Path] = field(default_factory=list)
    error: MarketPulseError | None = None
    remarks: Sequence[str] = ()


class JoinedSource(Source):
    """The rows of a sample in temporary files, under the names of another source.

    Every value of a foreign key has its row in the table that it refers to, if there is one. The
    rows are distinct, for foreign keys refer to unique columns. The files have the rows with masks.
    """

    def __init__(self, source: Source, schemas: Schemas, masks: SampleMasks | None) -> None:
        self.schemas = schemas
        self._masks = masks
        self._source = source
        self._folder = TemporaryFolder()
        self._tables = {schema.table.name: schema for schema in schemas.tables}
        self._rows = {name: _Rows() for name in self._tables}
        self._notes: dict[str, list[str]] = {name: [] for name in self._tables}
        self._links = {name: self._links_of(schema) for name, schema in self._tables.items()}
        targets = {link.target: None for links in self._links.values() for link in links}
        # Dictionaries keep the order of the rows, so that a sample is the same again.
        self._present: dict[KeyColumns, dict[Values, None]] = {target: {} for target in targets}
        self._wanted: dict[KeyColumns, dict[Values, None]] = {target: {} for target in targets}
        self._files = 0

    def collect(self, options: SampleOptions, progress: Progress) -> None:
        """Read the rows of the sample, then those that they refer to, until none is missing.

        What cannot be read raises when it is scanned; a lost connection raises here.
        """
        self._source.read_snapshot()  # a new session would see other rows
        for name, schema in self._tables.items():
            request = RowRequest(limit=0)
            if name not in self.schemas.reached:
                request = RowRequest(
                    limit=options.limit,
                    where=options.where,
                    order=options.order,
                    cell_readings=options.cell_readings or {},
                    choice=options.choice(schema),
                )
            self._read(name, request, progress)
        # Again from the start: the rows that are read refer to others.
        while missing := next(self._missing(), None):
            (name, key), values = missing
            changes = self._source.changes(name) if self._rows[name].files else {}
            choice = KeyRows(key=key, values=values, changes=changes)
            self._read(name, RowRequest(choice=choice), progress)
            # A value without a row is not asked for again.
            present = self._present[name, key]
            if orphans := [value for value in values if value not in present]:
                self._notes[name].append(_orphan_note(key, orphans))
            present.update(dict.fromkeys(values))

    def _missing(self) -> Iterator[tuple[KeyColumns, list[Values]]]:
        """Yield values that foreign keys have and no row has yet, some at a time."""
        for target, wanted in self._wanted.items():
            values: list[Values] = []
            while wanted and len(values) < MOST_KEYS:
                value, _ = wanted.popitem()
                # A row that was found by another key of the table may have it meanwhile.
                if value not in self._present[target]:
                    values.append(value)
            if values and self._rows[target[0]].error is None:
                yield target, values

    def _read(self, name: str, request: RowRequest, progress: Progress) -> None:
        """Read some rows of a table into a file."""
        for attempt in range(_ATTEMPTS):
            try:
                with progress_stage(progress, name):
                    reader = self._source.read_rows(name, request)
                    path, keys = self._write(name, reader, progress)
                break
            except ConnectionLostError:
                if attempt + 1 == _ATTEMPTS:
                    raise
            except MarketPulseError as error:
                if is_network_error(error):
                    raise
                self._rows[name].error = error
                return
        self._rows[name].files.append(path)
        self._rows[name].remarks = self._source.remarks(name, quote=self._masks is None)
        self._note_keys(name, keys)

    def _write(
        self, name: str, reader: pa.RecordBatchReader, progress: Progress
    ) -> tuple[Path, list[pa.RecordBatch]]:
        """Write rows into a file; return it, and the columns of the keys without masks."""
        self._files += 1
        path = Path(self._folder.name) / f"{self._files}.arrow"
        masks = self._masks.of(name) if self._masks else None
        columns = [column for table, key in self._present for column in key if table == name]
        columns += [column for link in self._links[name] for column in link.columns]
        keys = []
        schema = masks.schema(reader.schema) if masks else reader.schema
        with pa.ipc.new_stream(path, schema) as file:
            for batch in reader:
                keys.append(batch.select(list(dict.fromkeys(columns))))
                file.write_batch(masks.apply(batch) if masks else batch)
                progress.advance(len(batch))
        return path, keys

    def _note_keys(self, name: str, batches: Sequence[pa.RecordBatch]) -> None:
        """Note which keys rows have, and which they refer to."""
        from marketpulse.sources.row_choice import key_values  # noqa: PLC0415 - only --follow needs it

        for batch in batches:
            for (table, key), present in self._present.items():
                if table == name:
                    present.update(dict.fromkeys(key_values(batch, key)))
            for link in self._links[name]:
                values = key_values(batch, link.columns)
                # A foreign key with a null refers to nothing.
                self._wanted[link.target].update(
                    dict.fromkeys(value for value in values if None not in value)
                )

    def _links_of(self, schema: TableSchema) -> list[_Link]:
        """Return the foreign keys that can be followed, and note the others."""
        links = []
        name = schema.table.name
        for key in schema.foreign_keys:
            target = self._tables.get(key.table)
            if target is None:
                reason = f"{key.table} is not among the tables that can be read"
            elif missing := _unreadable(schema, key.columns) + _unreadable(target, key.references):
                reason = f"{missing[0]} cannot be read"
            else:
                links.append(_Link(columns=key.columns, target=(key.table, key.references)))
                continue
            self._notes[name].append(f"{', '.join(key.columns)} is not followed: {reason}")
        return links

    def info(self) -> SourceInfo:
        return self._source.info()

    def tables(self) -> Sequence[Table]:
        return self._source.tables()

    def find_table(self, name: str | None = None) -> str:
        return self._source.find_table(name)

    def find_listed_table(self, name: str) -> str:
        return self._source.find_listed_table(name)

    def describe(self, table: str) -> TableSchema:
        return self._source.describe(table)

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        """Return the columns of a request; `collect` has chosen the rows."""
        rows = self._rows[table]
        if rows.error is not None:
            raise rows.error
        with pa.ipc.open_stream(rows.files[0]) as first:
            schema = first.schema
        batches = (batch for path in rows.files for batch in _batches(path))
        return with_columns(pa.RecordBatchReader.from_batches(schema, batches), request.columns)

    def query_of(self, table: str) -> Query | None:
        return self._source.query_of(table)

    def remarks(self, table: str, *, quote: bool = True) -> Sequence[str]:  # noqa: ARG002 - see `_read`
        return [*self._rows[table].remarks, *self._notes[table]]

    def close(self) -> None:
        with suppress(OSError):  # Windows keeps a file that is still open
            self._folder.cleanup()


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
        yield from reader


def _unreadable(schema: TableSchema, names: Sequence[str]) -> list[str]:
    readable = {column.name for column in schema.columns if not column.unreadable}
    return [f"{schema.table.name}.{name}" for name in names if name not in readable]


def _orphan_note(key: Sequence[str], orphans: Sequence[Values]) -> str:
    count = format_count(len(orphans), "value has", "values have")
    return f"{count} no row with this {', '.join(key)}, although foreign keys refer to it"
