"""Rows of tables with all that describes them, as a bundle: read once, written while they come."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.artifacts import sample_file
from marketpulse.bundle import (
    BundleTable,
    DataFile,
    Manifest,
    Missing,
    SecretFoundError,
    bundle_folder,
    write_zip,
    zip_beside,
)
from marketpulse.errors import ConnectionLostError, MarketPulseError, OutputError, UsageError
from marketpulse.extraction.catalog import Schemas, describe, list_tables
from marketpulse.formats import (
    CsvOptions,
    JsonOptions,
    Writer,
    WriterOptions,
    XlsxOptions,
    open_writer,
    parse_formats,
    write_behind,
)
from marketpulse.formats.encode import LogicalType, is_number, logical_type, to_text
from marketpulse.model import Column, MalformedLine, Progress, Table, TableSchema
from marketpulse.sources import Source, unknown_name_error
from marketpulse.timestamps import format_timestamp

PROFILES = ("lossless", "excel")
_TRIES = 3  # of a table whose connection is lost


@dataclass(frozen=True)
class Wanted:
    """What to take of each table, and how to write it. Raises `UsageError` for what cannot be."""

    limit: int | None = 1000
    where: str | None = None
    order: str | None = None
    columns: tuple[str, ...] | None = None
    formats: tuple[str, ...] = ("csv", "json")
    profile: str = "lossless"
    json_rows: int | None = 100

    def __post_init__(self) -> None:
        # A frozen dataclass cannot set its own fields otherwise.
        object.__setattr__(self, "formats", parse_formats(self.formats))
        if self.profile not in PROFILES:
            raise UsageError(
                f"--profile: {self.profile!r} is no profile",
                hint=f"the profiles are {', '.join(PROFILES)}",
            )
        if self.profile == "excel" and not {"csv", "xlsx"} & {*self.formats}:
            raise UsageError(
                f"--profile excel changes nothing in {', '.join(self.formats)}",
                hint="add csv or xlsx to --formats, or leave the profile out",
            )

    def statement(self, table: str) -> str:
        """What is taken, in words of SQL."""
        words = f"SELECT {', '.join(self.columns or '*')} FROM {table}"  # noqa: S608 - to be read
        words += f" WHERE {self.where}" if self.where else ""
        words += f" ORDER BY {self.order}" if self.order else ""
        return words if self.limit is None else f"{words} FETCH FIRST {self.limit} ROWS ONLY"

    def rows_of(self, table: Table) -> int | None:
        """How many rows that will be, where it is known."""
        if self.where or table.rows is None:
            return None
        return table.rows if self.limit is None else min(table.rows, self.limit)


def listed(text: str) -> tuple[str, ...]:
    """The words of a list with commas, each once; a name in double quotes may hold a comma."""
    words = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def rows(text: str) -> int | None:
    """How many rows; None for all. Raises `UsageError`."""
    if text.lower() == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"--json-rows: {text!r} is no number of rows", hint="100, or all")
    return int(text)


@dataclass(frozen=True)
class Planned:
    """A table that would be sampled, and the files that would be written."""

    table: str
    rows: int | None
    statement: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """What a sample wrote."""

    folder: Path
    manifest: Manifest
    zipped: Path | None
    kept: tuple[str, ...] = ()  # tables of an earlier sample that stay
    replaced: tuple[str, ...] = ()  # tables whose earlier rows are gone

    @property
    def old_zip(self) -> Path | None:
        """A zip beside the folder that does not hold what the folder does."""
        beside = zip_beside(self.folder)
        return beside if self.zipped is None and beside.exists() else None

    def as_json(self) -> dict[str, Any]:
        """The manifest, the folder, and the zip."""
        zipped = None if self.zipped is None else str(self.zipped)
        return {**self.manifest.as_json(), "output": str(self.folder), "zip": zipped}


def plan(schemas: Schemas, wanted: Wanted, taken_at: datetime) -> list[Planned]:
    """What a sample would take and write, without reading a row."""
    return [
        Planned(
            schema.table.name,
            wanted.rows_of(schema.table),
            wanted.statement(schema.table.name),
            tuple(
                sample_file(schemas.stems[schema.table.name], taken_at, suffix)
                for suffix in wanted.formats
            ),
        )
        for schema in schemas.tables
    ]


def sample(
    source: Source,
    names: Sequence[str],
    wanted: Wanted,
    *,
    output: Path,
    taken_at: datetime,
    progress: Progress,
    zipped: bool = False,
    anew: bool = False,
    secrets: Sequence[str] = (),
) -> Sample:
    """Write rows of these tables, or of the only one, and all that describes them, as a bundle.

    Tables of an earlier sample of the same source stay in the folder, unless it is made `anew`.
    A table that cannot be read to its end is left out; the manifest then says what is missing.
    Where there is none left, its fault is raised. Raises `DataError` where one of the `secrets`
    would be written, `OutputError` where the folder cannot be written or, unless `anew`, holds
    another source's bundle, and what `describe` raises.
    """
    _refuse_itself(source, output)
    schemas = describe(source, names)
    tables: list[BundleTable] = []
    missing: list[Missing] = []
    with bundle_folder(output, source.info(), keep=not anew) as bundle:
        for planned, schema in zip(plan(schemas, wanted, taken_at), schemas.tables, strict=True):
            parts = {name: bundle.part(name) for name in planned.files}
            try:
                taken = _taken(source, schema, wanted, planned, parts, progress, secrets)
            except (OutputError, SecretFoundError):
                raise
            except MarketPulseError as error:
                missing.append(Missing(planned.table, error.message))
                bundle.forget(planned.files)
                if len(missing) == len(schemas.tables):
                    raise
            else:
                tables.append(taken.account(schemas.file(planned.table), taken_at))
        texts = list_tables(source).texts() | schemas.texts()
        manifest = bundle.seal(
            texts, tables, taken_at=format_timestamp(taken_at), missing=missing, secrets=secrets
        )
    stay = {it.name for it in manifest.tables if it.files} - {it.name for it in tables}
    return Sample(
        output,
        manifest,
        write_zip(output, manifest) if zipped else None,
        tuple(it for it in bundle.earlier if it in stay),
        tuple(it for it in bundle.earlier if it not in stay),
    )


def _taken(
    source: Source,
    schema: TableSchema,
    wanted: Wanted,
    planned: Planned,
    parts: Mapping[str, Path],
    progress: Progress,
    secrets: Sequence[str],
) -> TableSampler:
    """A table, written; from its first row again where the connection to the source was lost."""
    lost = ""
    for tries in range(_TRIES):
        taken = TableSampler(schema, wanted, planned, secrets, lost)
        try:
            taken.write(source, parts, progress)
        except ConnectionLostError as fault:
            lost = fault.message
            if tries == _TRIES - 1:
                raise
        else:
            break
    return taken


def _refuse_itself(source: Source, output: Path) -> None:
    """A sample of a bundle must not replace the bundle while it is read."""
    name = source.info().name
    targets = {output.resolve(), zip_beside(output).resolve()}
    if source.info().kind == "bundle" and Path(name).resolve() in targets:
        raise OutputError(
            f"{output}: the sample would replace the bundle that it is taken from",
            hint="name another folder with --output",
        )


class TableSampler:
    """A table on its way into all of its files, in one pass."""

    def __init__(
        self,
        schema: TableSchema,
        wanted: Wanted,
        planned: Planned,
        secrets: Sequence[str],
        lost: str,  # why it was begun anew
    ) -> None:
        self._wanted = wanted
        self._planned = planned
        self._secrets = secrets
        self._columns = _chosen(schema, wanted.columns)
        self._lost = lost
        self._remarks: Sequence[str] = ()
        self._unreadable = () if wanted.columns else [it for it in schema.columns if it.unreadable]
        self._rows = 0
        self._malformed_lines = 0
        self._nameless: Counter[str] = Counter()  # values that JSON has no name for
        self._formulas: Counter[str] = Counter()  # that nobody has worked out
        self._long: Counter[str] = Counter()  # floats among text that have lost digits

    def write(self, source: Source, parts: Mapping[str, Path], progress: Progress) -> None:
        """Write the rows into these files."""
        wanted, table = self._wanted, self._planned.table
        names = [column.name for column in self._columns]
        reader = source.scan(table, names, wanted.limit, self._skip, wanted.where, wanted.order)
        progress.begin(table, self._planned.rows)
        with ExitStack() as stack:
            stack.callback(progress.end)
            writers = {}
            for name, part in parts.items():
                writers[_format(name)] = self._writer(_format(name), part, reader.schema)
                stack.callback(writers[_format(name)].close)

            def write(batch: pa.RecordBatch) -> None:
                self._refuse_secrets(batch)
                self._count_kinds(batch)
                shown = self._cut(batch)
                for kind, writer in writers.items():
                    writer.write(shown if kind == "json" else batch)
                if "json" in writers or "ndjson" in writers:
                    self._count_nameless(batch if "ndjson" in writers else shown)
                self._rows += len(batch)
                progress.advance(len(batch))

            write_behind(write, reader)
        self._remarks = source.remarks(table)

    def account(self, schema_file: str, taken_at: datetime) -> BundleTable:
        """What was written, for the manifest."""
        most = self._wanted.json_rows
        shown = self._rows if most is None else min(self._rows, most)
        return BundleTable(
            self._planned.table,
            schema_file,
            format_timestamp(taken_at),
            self._rows,
            self._planned.statement,
            tuple(self._columns),
            tuple(self._notes()),
            tuple(
                DataFile(
                    name,
                    _format(name),
                    shown if _format(name) == "json" else self._rows,
                    self._wanted.profile if _format(name) == "csv" else "lossless",
                )
                for name in self._planned.files
            ),
        )

    def _writer(self, kind: str, part: Path, schema: pa.Schema) -> Writer:
        numbers = frozenset(field.name for field in schema if is_number(field))
        options: dict[str, WriterOptions] = {
            "csv": CsvOptions(excel=self._wanted.profile == "excel"),
            "json": JsonOptions(pretty=True),
            "xlsx": XlsxOptions(number_columns=numbers),
        }
        return open_writer(kind, part, schema, options.get(kind))

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows that belong in the JSON file."""
        most = self._wanted.json_rows
        return batch if most is None else batch[: max(most - self._rows, 0)]

    def _count_nameless(self, batch: pa.RecordBatch) -> None:
        """Count the numbers that are null in JSON, and were not."""
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if pa.types.is_floating(field.type):
                finite = pc.sum(pc.is_finite(column)).as_py() or 0
                self._nameless[field.name] += len(column) - column.null_count - finite

    def _count_kinds(self, batch: pa.RecordBatch) -> None:
        """Count the cells of mixed columns that are plain text in the files, and were not."""
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if logical_type(field) is LogicalType.MIXED:
                for counts, pattern in ((self._formulas, "^u"), (self._long, r"^f[+-]?\d{16}")):
                    found = pc.match_substring_regex(column, pattern)
                    counts[field.name] += pc.sum(found).as_py() or 0

    def _skip(self, _malformed_line: MalformedLine) -> None:
        self._malformed_lines += 1

    def _notes(self) -> Iterator[str]:
        if self._lost:
            yield f"{self._lost}: the table was taken anew, later than the others"
        for column in self._unreadable:
            yield f"{column.name} was skipped: {column.unreadable}"
        yield from self._remarks
        if self._malformed_lines:
            yield f"{self._malformed_lines} lines with too few or too many fields were skipped"
        for name, count in (+self._formulas).items():
            yield f"{name}: {count} formulas without a result are written as their text"
        for name, count in (+self._long).items():
            yield f"{name}: {count} numbers have more digits than a spreadsheet keeps"
        for name, count in (+self._nameless).items():
            yield f"{name}: {count} values that are NaN or infinite are null in JSON"

    def _refuse_secrets(self, batch: pa.RecordBatch) -> None:
        for secret in self._secrets:
            for field, column in zip(batch.schema, batch.columns, strict=True):
                if pc.any(pc.match_substring(to_text(column, field), secret)).as_py():
                    raise SecretFoundError(f"{self._planned.table}: {field.name}")


def _chosen(schema: TableSchema, names: Sequence[str] | None) -> list[Column]:
    """The columns of these names, without regard to case.

    Raises `NotFoundError` for an unknown one.
    """
    readable = [column for column in schema.columns if not column.unreadable]
    if names is None:
        return readable
    known = {column.name: column for column in readable}
    folded = {column.name.casefold(): column for column in readable}
    chosen = [known.get(name) or folded.get(name.casefold()) for name in names]
    for name, column in zip(names, chosen, strict=True):
        if column is None:
            raise unknown_name_error("column", name, list(known))
    return [column for column in dict.fromkeys(chosen) if column is not None]


def _format(name: str) -> str:
    return name.rpartition(".")[2]
