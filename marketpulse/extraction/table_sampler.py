"""Writes the rows of one table to all of its files in one pass, over a line that may drop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.bundle import BundleTable, DataFile, SecretFoundError
from marketpulse.errors import ConnectionLostError
from marketpulse.extraction.journal import ReadBatch, RowJournal
from marketpulse.extraction.sample_options import LEFT_OUT, PlannedTable, SampleOptions
from marketpulse.extraction.table_columns import find_key, newest_first, select_columns
from marketpulse.formats import (
    CsvOptions,
    JsonOptions,
    Writer,
    WriterOptions,
    XlsxOptions,
    close_at_end,
    open_writer,
    write_behind,
)
from marketpulse.formats.decode import is_binary
from marketpulse.formats.encode import (
    LogicalType,
    is_date,
    is_number,
    logical_type,
    may_contain,
    text_buffer,
    to_text,
)
from marketpulse.formats.timestamps import format_timestamp
from marketpulse.model import MalformedLine, Progress, TableSchema, format_count
from marketpulse.sources import KeyPosition, SnapshotError, Source

if TYPE_CHECKING:
    from marketpulse.extraction.masks.tables import TableMasks

_PART_BYTES = 16 << 20  # of what writers get at once: they make several copies of it
_ATTEMPTS = 3  # without a new row, while the connection is lost


class _StartAgainError(Exception):
    """The rows that were read cannot be continued."""


class TableSampler:
    """Reads a table and writes its rows to all of its files in one pass.

    With a `journal`, rows that are on disk already are not read again, if the source can go on
    after the last of them. `masks` are applied to all rows before they are written anywhere.
    """

    def __init__(
        self,
        source: Source,
        schema: TableSchema,
        options: SampleOptions,
        *,
        planned: PlannedTable,
        secrets: Sequence[str],
        journal: RowJournal | None,
        masks: TableMasks | None,
    ) -> None:
        self._source = source
        self._options = options
        self._planned = planned
        self._secrets = secrets
        self._table = schema
        self._columns = select_columns(schema, options.columns)
        self._unreadable = (
            [] if options.columns else [column for column in schema.columns if column.unreadable]
        )
        self._names = [column.name for column in self._columns]
        self._choice = options.choice(schema)
        # Without a journal, or in an order of their own, the rows cannot be continued.
        is_free = journal is not None and options.order is None and self._choice is None
        self._key = find_key(schema) if is_free else ()
        self._masks = masks
        self._hides_key = masks is not None and masks.hides(self._key)
        if masks and self._hides_key and not masks.can_encrypt:
            self._key, self._hides_key = (), False
        self._journal = journal
        self._remarks: Sequence[str] = ()
        self._lost_connection = ""
        self._failures = 0
        self._furthest = 0  # rows, of all attempts
        self._schema = pa.schema([])
        self._reset()

    def _reset(self) -> None:
        self._rows = 0
        self._malformed_lines = 0
        # Values that not every format can hold, by column.
        self._nonfinite: Counter[str] = Counter()
        self._formulas: Counter[str] = Counter()
        self._rounded: Counter[str] = Counter()

    def write(self, files: Mapping[str, Path], progress: Progress) -> None:
        """Write the rows to these files, by their names.

        If the connection is lost, it reads on after the last row, where the source can do that,
        else from the first row again; it gives up after three attempts without a new row.
        """
        progress.begin(self._planned.table, self._planned.rows)
        try:
            while not self._write_once(files, progress):
                if self._journal is not None:
                    self._journal.clear()
        finally:
            progress.end()
        quote = not self._options.masks
        self._remarks = self._source.remarks(self._planned.table, quote=quote)

    def _write_once(self, files: Mapping[str, Path], progress: Progress) -> bool:
        """Write the rows from the first on; return whether that was possible."""
        self._reset()
        with ExitStack() as stack:
            writers: dict[str, Writer] = {}

            def open_writers(schema: pa.Schema) -> None:
                for name, path in files.items():
                    writer = self._open_writer(_suffix(name), path, schema)
                    close_at_end(stack, writer)
                    writers[_suffix(name)] = writer

            def write(batch: ReadBatch) -> None:
                if not writers:
                    open_writers(batch.rows.select(self._names).schema)
                parts = [*_parts(batch.rows)]
                for part in parts:
                    self._refuse_secrets(part)
                if self._key and self._journal and self._rows >= self._journal.rows:
                    self._journal.append(batch)
                for part in parts:
                    self._write_batch(part.select(self._names), writers)
                progress.advance(len(batch.rows))

            try:
                write_behind(write, self._batches(), {*map(_suffix, files)})
            except _StartAgainError:
                progress.advance(-self._rows)
                return False
            if not writers:
                open_writers(self._schema)  # there was no row
        return True

    def _batches(self) -> Iterator[ReadBatch]:
        """Yield the rows that the journal has, then those that follow."""
        last = None
        handed = 0
        for batch in self._journal.batches() if self._key and self._journal else ():
            last = batch
            handed += len(batch.rows)
            yield batch
        while True:
            try:
                for batch in self._scan(last, handed):
                    last = batch
                    handed += len(batch.rows)
                    yield batch
            except ConnectionLostError as error:
                if self._is_last_attempt(handed):
                    raise
                if not self._key:
                    self._lost_connection = error.message
                    raise _StartAgainError from error
            except SnapshotError as error:
                self._key = ()
                if last is not None:
                    raise _StartAgainError from error
            else:
                return

    def _is_last_attempt(self, handed: int) -> bool:
        """Count a failure after so many rows; return whether it ends the attempts."""
        if handed > self._furthest:
            self._furthest, self._failures = handed, 0
        self._failures += 1
        return self._failures == _ATTEMPTS

    def _scan(self, last: ReadBatch | None, handed: int) -> Iterator[ReadBatch]:
        """Yield the rows after the last one; `handed` is the number of those before."""
        options, table = self._options, self._planned.table
        limit = None if options.limit is None else options.limit - handed
        reader = None
        if self._key:
            columns = [*self._names, *(name for name in self._key if name not in self._names)]
            reader = self._source.scan_in_key_order(
                table, columns, self._position(last), limit, options.where
            )
        if reader is None:
            if last is not None:
                raise SnapshotError("the source does not go on")
            self._key = ()
            reader = self._source.scan(
                table,
                self._names,
                limit=limit,
                on_malformed_line=self._count_malformed_line,
                where=options.where,
                order=options.order,
                cell_readings=options.cell_readings,
                choice=self._choice,
            )
        self._schema = pa.schema([reader.schema.field(name) for name in self._names])
        self._schema = self._masks.schema(self._schema) if self._masks else self._schema
        for batch in reader:
            if len(batch):
                if last is not None and not _follows(batch, self._key_rows(last), self._key):
                    raise SnapshotError("the rows do not follow those that were read before")
                last = None
                yield self._read_batch(batch, self._source.changes(table))

    def _read_batch(self, rows: pa.RecordBatch, changes: Mapping[str, int]) -> ReadBatch:
        if self._masks is None:
            return ReadBatch(rows, changes)
        position = b""
        if self._hides_key:
            position = self._masks.encrypt(rows[-1:].select(list(self._key)))
        return ReadBatch(self._masks.apply(rows), changes, position)

    def _key_rows(self, batch: ReadBatch) -> pa.RecordBatch:
        """Rows that end with the last key of a batch, as the source has it."""
        if self._masks and self._hides_key:
            return self._masks.decrypt(batch.position)
        return batch.rows

    def _position(self, last: ReadBatch | None) -> KeyPosition:
        if last is None:
            return KeyPosition(key=self._key, changes={})
        try:
            values = _values(self._key_rows(last), -1, self._key)
        except (ValueError, OverflowError) as error:
            raise SnapshotError("Python cannot hold a date of the key") from error
        return KeyPosition(key=self._key, after=values, changes=last.changes)

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
        table = self._table.table
        more = (table.rows or 0) > self._rows  # and not as many as a condition left
        was_cut = more and self._rows == self._options.limit and self._options.where is None
        return BundleTable(
            name=self._planned.table,
            schema_file=schema_file,
            taken_at=format_timestamp(taken_at),
            rows=self._rows,
            all_rows=table.rows if was_cut else None,
            all_rows_as_of=table.rows_as_of if was_cut else "",
            statement=self._planned.statement,
            query=(LEFT_OUT if self._options.masks else query.text) if query else "",
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
        if self._lost_connection and not self._source.is_at_snapshot(self._planned.table):
            yield f"{self._lost_connection}: the table was read again, later than the others"
        if self._options.per and self._options.order is None:
            order = newest_first(self._table, self._options.cell_readings or {})
            yield f"the newest rows are those by {order}; --order-by says otherwise"
        for column in self._unreadable:
            yield f"{column.name} was skipped: {column.unreadable}"
        yield from self._remarks
        if self._malformed_lines:
            yield format_count(
                self._malformed_lines,
                "line with too few or too many fields was skipped",
                "lines with too few or too many fields were skipped",
            )
        # The plus drops the columns with a count of 0.
        for name, count in (+self._formulas).items():
            yield f"{name}: {format_count(count, 'formula')} without a result: written as text"
        for name, count in (+self._rounded).items():
            numbers = format_count(count, "number has", "numbers have")
            yield f"{name}: {numbers} more digits than a spreadsheet keeps"
        for name, count in (+self._nonfinite).items():
            values = format_count(count, "value that is", "values that are")
            yield f"{name}: {values} NaN or infinite: null in JSON"

    def _refuse_secrets(self, batch: pa.RecordBatch) -> None:
        """Raise `SecretFoundError` if a secret is in a cell."""
        for field, column in zip(batch.schema, batch.columns, strict=True):
            secrets = [secret for secret in self._secrets if may_contain(field, secret)]
            texts = [to_text(column, field)] if secrets else []
            if secrets and is_binary(field.type):
                texts.append(column.cast(pa.large_binary()))  # Parquet has the bytes themselves
            for secret in secrets:
                # Searching the text of all cells at once is far faster, but it may find the end of
                # one and the beginning of the next.
                if any(
                    secret.encode() in bytes(text_buffer(text))
                    and pc.any(pc.match_substring(text, secret)).as_py()
                    for text in texts
                ):
                    raise SecretFoundError(f"{self._planned.table}: {field.name}")


def _parts(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the rows in order, about 16 MB at a time or a row that is longer."""
    count = max(1, len(rows) * _PART_BYTES // max(rows.nbytes, 1))
    for start in range(0, len(rows), count):
        yield rows[start : start + count]


def _values(rows: pa.RecordBatch, index: int, key: Sequence[str]) -> tuple[object, ...]:
    return tuple(rows.column(name)[index].as_py() for name in key)


def _follows(rows: pa.RecordBatch, before: pa.RecordBatch, key: Sequence[str]) -> bool:
    """Whether rows come after others in the order of a key, as far as that can be told here.

    Only the database knows how text compares, and some numbers are text here.
    """
    for name in key:
        value, earlier = rows.column(name)[0].as_py(), before.column(name)[-1].as_py()
        if value != earlier:
            return isinstance(value, str) or bool(value > earlier)
    return False


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]
