"""Writes rows of tables, and all that describes them, into a bundle.

Each table is read once. Every batch goes to all files at the same time, so memory stays flat.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.artifacts import sample_file
from marketpulse.bundle import (
    BundleTable,
    DataFile,
    Manifest,
    MissingTable,
    SecretFoundError,
    bundle_folder,
    write_zip,
    zip_path,
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
from marketpulse.formats.encode import LogicalType, is_date, is_number, logical_type, to_text
from marketpulse.model import CellReading, Column, MalformedLine, Progress, Table, TableSchema
from marketpulse.sources import Source, unknown_name_error
from marketpulse.timestamps import format_timestamp

# Each profile with its default formats: a spreadsheet user wants a workbook, too.
PROFILES = {"lossless": ("csv", "json"), "excel": ("csv", "json", "xlsx")}
_ATTEMPTS = 3  # to read a table whose connection is lost


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """Which rows of each table to read, and how to write them.

    `limit` and `json_rows` are None for all rows, `formats` is None for those of the profile.
    `cell_readings` says as what `where` and `order` compare text cells of files.
    Raises `UsageError` for invalid options.
    """

    limit: int | None = 1000
    where: str | None = None
    order: str | None = None
    columns: tuple[str, ...] | None = None
    formats: Sequence[str] | None = None
    profile: str = "lossless"
    json_rows: int | None = 100
    cell_readings: Mapping[str, CellReading] | None = None

    def __post_init__(self) -> None:
        if self.profile not in PROFILES:
            raise UsageError(
                f"--profile: unknown profile {self.profile!r}",
                hint=f"the profiles are {', '.join(PROFILES)}",
            )
        formats = self.output_formats()
        if self.profile == "excel" and not {"csv", "xlsx"} & {*formats}:
            raise UsageError(
                f"--profile excel changes nothing in {', '.join(formats)}",
                hint="add csv or xlsx to --formats, or leave out --profile",
            )

    def output_formats(self) -> tuple[str, ...]:
        """Return the formats to write. Raises `UsageError` for an unknown one."""
        return PROFILES[self.profile] if self.formats is None else parse_formats(self.formats)

    def statement(self, table: str) -> str:
        """Return what is read as SQL, for the manifest."""
        sql = f"SELECT {', '.join(self.columns or '*')} FROM {table}"  # noqa: S608 - never executed
        sql += f" WHERE {self.where}" if self.where else ""
        sql += f" ORDER BY {self.order}" if self.order else ""
        return sql if self.limit is None else f"{sql} FETCH FIRST {self.limit} ROWS ONLY"

    def expected_rows(self, table: Table) -> int | None:
        """Return how many rows will be read; None if that is not known."""
        if self.where or table.rows is None:
            return None
        return table.rows if self.limit is None else min(table.rows, self.limit)


def parse_column_names(text: str) -> tuple[str, ...]:
    """Split names at commas, without duplicates; a name in double quotes may hold a comma."""
    names = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def parse_row_count(text: str) -> int | None:
    """Parse the value of --json-rows; `all` is None. Raises `UsageError`."""
    if text.lower() == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"--json-rows: {text!r} is not a number of rows", hint="give 100, or all")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """A table that a sample will read, and the files that it will write."""

    table: str
    rows: int | None
    statement: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample that was written.

    `kept_tables` are those of an earlier sample whose rows are still there, `replaced_tables`
    those whose earlier rows are gone.
    """

    folder: Path
    manifest: Manifest
    zip_file: Path | None
    kept_tables: tuple[str, ...] = ()
    replaced_tables: tuple[str, ...] = ()

    @property
    def outdated_zip(self) -> Path | None:
        """The zip of an earlier sample beside the folder, if there is one."""
        path = zip_path(self.folder)
        return path if self.zip_file is None and path.exists() else None

    def as_json(self) -> dict[str, object]:
        """Return the manifest, the folder and the zip."""
        path = None if self.zip_file is None else str(self.zip_file)
        return {**self.manifest.as_json(), "output": str(self.folder), "zip": path}


def plan_sample(schemas: Schemas, options: SampleOptions, taken_at: datetime) -> list[PlannedTable]:
    """Return what a sample will read and write. Reads no row."""
    return [
        PlannedTable(
            table=schema.table.name,
            rows=options.expected_rows(schema.table),
            statement=options.statement(schema.table.name),
            files=tuple(
                sample_file(schemas.stems[schema.table.name], taken_at, suffix)
                for suffix in options.output_formats()
            ),
        )
        for schema in schemas.tables
    ]


def write_sample(
    source: Source,
    names: Sequence[str],
    options: SampleOptions,
    *,
    output: Path,
    taken_at: datetime,
    progress: Progress,
    with_zip: bool = False,
    replace: bool = False,
    secrets: Sequence[str] = (),
) -> Sample:
    """Write rows of the named tables, or of the only one, into the bundle in the folder `output`.

    Other tables of an earlier sample of the same source stay, unless `replace` is true. A table
    that cannot be read to its end is left out, and the manifest lists it as missing. If no table
    is left, the error of the last one is raised.

    Raises `DataError` if one of the `secrets` would be written, and `OutputError` if the folder
    cannot be written or, without `replace`, holds the bundle of another source. Raises what
    `describe` raises.
    """
    _refuse_to_replace_source(source, output)
    schemas = describe(source, names)
    tables: list[BundleTable] = []
    missing: list[MissingTable] = []
    with bundle_folder(output, source.info(), keep_rows=not replace) as bundle:
        planned_tables = plan_sample(schemas, options, taken_at)
        for planned, schema in zip(planned_tables, schemas.tables, strict=True):
            parts = {name: bundle.part(name) for name in planned.files}
            try:
                sampler = TableSampler(source, schema, options, planned=planned, secrets=secrets)
                sampler.write(parts, progress)
            except (OutputError, SecretFoundError):
                raise
            except MarketPulseError as error:
                missing.append(MissingTable(planned.table, error.message))
                bundle.remove(planned.files)
                if len(missing) == len(schemas.tables):
                    raise
            else:
                tables.append(sampler.describe(schemas.schema_file(planned.table), taken_at))
        manifest = bundle.publish(
            list_tables(source).documents() | schemas.documents(),
            tables,
            taken_at=format_timestamp(taken_at),
            missing=missing,
            secrets=secrets,
        )
        previous = bundle.previous_tables
        # Another run may replace the files as soon as the folder is left.
        zip_file = write_zip(output, manifest) if with_zip else None
    kept = {table.name for table in manifest.tables if table.files}
    kept -= {table.name for table in tables}
    return Sample(
        folder=output,
        manifest=manifest,
        zip_file=zip_file,
        kept_tables=tuple(name for name in previous if name in kept),
        replaced_tables=tuple(name for name in previous if name not in kept),
    )


def _refuse_to_replace_source(source: Source, output: Path) -> None:
    """Raise `OutputError` if the sample would overwrite the bundle that it is read from."""
    name = source.info().name
    targets = {output.resolve(), zip_path(output).resolve()}
    if source.info().kind == "bundle" and Path(name).resolve() in targets:
        raise OutputError(
            f"{output}: the sample would replace the bundle that it is taken from",
            hint="name another folder with --output",
        )


class TableSampler:
    """Reads a table and writes its rows to all of its files in one pass."""

    def __init__(
        self,
        source: Source,
        schema: TableSchema,
        options: SampleOptions,
        *,
        planned: PlannedTable,
        secrets: Sequence[str],
    ) -> None:
        self._source = source
        self._options = options
        self._planned = planned
        self._secrets = secrets
        self._columns = _select_columns(schema, options.columns)
        self._unreadable = (
            [] if options.columns else [column for column in schema.columns if column.unreadable]
        )
        self._remarks: Sequence[str] = ()
        self._lost_connection = ""
        self._reset()

    def _reset(self) -> None:
        self._rows = 0
        self._malformed_lines = 0
        # Values that not every format can hold, by column.
        self._nonfinite: Counter[str] = Counter()
        self._formulas: Counter[str] = Counter()
        self._rounded: Counter[str] = Counter()

    def write(self, parts: Mapping[str, Path], progress: Progress) -> None:
        """Write the rows to these files, by their names.

        If the connection is lost, it reads the table from the first row again, up to two times.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            self._reset()
            try:
                self._write_once(parts, progress)
            except ConnectionLostError as error:
                self._lost_connection = error.message
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

    def _write_once(self, parts: Mapping[str, Path], progress: Progress) -> None:
        options, table = self._options, self._planned.table
        names = [column.name for column in self._columns]
        reader = self._source.scan(
            table,
            names,
            limit=options.limit,
            on_malformed_line=self._count_malformed_line,
            where=options.where,
            order=options.order,
            cell_readings=options.cell_readings,
        )
        progress.begin(table, self._planned.rows)
        with ExitStack() as stack:
            stack.callback(progress.end)
            writers: dict[str, Writer] = {}
            for name, part in parts.items():
                suffix = _suffix(name)
                writers[suffix] = self._open_writer(suffix, part, reader.schema)
                stack.callback(writers[suffix].close)

            def write(batch: pa.RecordBatch) -> None:
                self._refuse_secrets(batch)
                self._write_batch(batch, writers)
                progress.advance(len(batch))

            write_behind(write, reader)
        self._remarks = self._source.remarks(table)

    def _write_batch(self, batch: pa.RecordBatch, writers: Mapping[str, Writer]) -> None:
        self._count_untyped_cells(batch)
        json_batch = self._first_json_rows(batch)
        for suffix, writer in writers.items():
            writer.write(json_batch if suffix == "json" else batch)
        if "json" in writers or "ndjson" in writers:
            self._count_nonfinite(batch if "ndjson" in writers else json_batch)
        self._rows += len(batch)

    def describe(self, schema_file: str, taken_at: datetime) -> BundleTable:
        """Return what was written, for the manifest."""
        limit = self._options.json_rows
        query = self._source.query_of(self._planned.table)
        json_rows = self._rows if limit is None else min(self._rows, limit)
        return BundleTable(
            name=self._planned.table,
            schema_file=schema_file,
            taken_at=format_timestamp(taken_at),
            rows=self._rows,
            statement=self._planned.statement,
            query=query.text if query else "",
            binds=query.binds if query else (),
            columns=tuple(self._columns),
            notes=tuple(self._notes()),
            files=tuple(
                DataFile(
                    name=name,
                    format=_suffix(name),
                    rows=json_rows if _suffix(name) == "json" else self._rows,
                    profile=self._options.profile if _suffix(name) == "csv" else "lossless",
                )
                for name in self._planned.files
            ),
        )

    def _open_writer(self, suffix: str, part: Path, schema: pa.Schema) -> Writer:
        numbers = frozenset(field.name for field in schema if is_number(field))
        options: dict[str, WriterOptions] = {
            "csv": CsvOptions(excel=self._options.profile == "excel"),
            "json": JsonOptions(pretty=True),
            "xlsx": XlsxOptions(
                number_columns=numbers,
                date_columns=frozenset(field.name for field in schema if is_date(field)),
                title=self._planned.table,
            ),
        }
        return open_writer(suffix, part, schema, options.get(suffix))

    def _first_json_rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that belong in the JSON file, which may have fewer than the others."""
        limit = self._options.json_rows
        return batch if limit is None else batch[: max(limit - self._rows, 0)]

    def _count_nonfinite(self, batch: pa.RecordBatch) -> None:
        """Count the numbers that JSON writes as null."""
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if pa.types.is_floating(field.type):
                finite = pc.sum(pc.is_finite(column)).as_py() or 0
                self._nonfinite[field.name] += len(column) - column.null_count - finite

    def _count_untyped_cells(self, batch: pa.RecordBatch) -> None:
        """Count cells of mixed columns that the files show as text, but that were not text."""
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if logical_type(field) is LogicalType.MIXED:
                # A cell is its tag and its text: "u" is a formula, "f" a float of a spreadsheet.
                for counts, pattern in ((self._formulas, "^u"), (self._rounded, r"^f[+-]?\d{16}")):
                    matches = pc.match_substring_regex(column, pattern)
                    counts[field.name] += pc.sum(matches).as_py() or 0

    def _count_malformed_line(self, _: MalformedLine) -> None:
        self._malformed_lines += 1

    def _notes(self) -> Iterator[str]:
        if self._lost_connection:
            yield f"{self._lost_connection}: the table was read again, later than the others"
        for column in self._unreadable:
            yield f"{column.name} was skipped: {column.unreadable}"
        yield from self._remarks
        if self._malformed_lines:
            yield f"{self._malformed_lines} lines with too few or too many fields were skipped"
        # The plus drops the columns with a count of 0.
        for name, count in (+self._formulas).items():
            yield f"{name}: {count} formulas without a result are written as their text"
        for name, count in (+self._rounded).items():
            yield f"{name}: {count} numbers have more digits than a spreadsheet keeps"
        for name, count in (+self._nonfinite).items():
            yield f"{name}: {count} values that are NaN or infinite are null in JSON"

    def _refuse_secrets(self, batch: pa.RecordBatch) -> None:
        for secret in self._secrets:
            for field, column in zip(batch.schema, batch.columns, strict=True):
                if pc.any(pc.match_substring(to_text(column, field), secret)).as_py():
                    raise SecretFoundError(f"{self._planned.table}: {field.name}")


def _select_columns(schema: TableSchema, names: Sequence[str] | None) -> list[Column]:
    """Return the readable columns, or those of these names; case makes no difference.

    Raises `NotFoundError` for an unknown name.
    """
    readable = [column for column in schema.columns if not column.unreadable]
    if names is None:
        return readable
    exact = {column.name: column for column in readable}
    folded = {column.name.casefold(): column for column in readable}
    selected: dict[str, Column] = {}
    for name in names:
        column = exact.get(name) or folded.get(name.casefold())
        if column is None:
            raise unknown_name_error("column", name, list(exact))
        selected[column.name] = column
    return [*selected.values()]


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]
