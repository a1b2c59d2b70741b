"""Writes rows of tables, and all that describes them, into a bundle.

Each table is read once. Every batch goes to all files at the same time, so memory stays flat. What
a run over a network has read stays until the bundle is complete: see `UnfinishedSample`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from marketpulse.bundle import (
    BundleTable,
    BundleWriter,
    Manifest,
    MissingTable,
    SecretFoundError,
    bundle_folder,
    source_identity,
    write_zip,
    zip_path,
)
from marketpulse.errors import (
    DataError,
    MarketPulseError,
    OutputError,
    UsageError,
    UserNote,
    is_network_error,
)
from marketpulse.extraction.catalog import Schemas, list_tables
from marketpulse.extraction.joined_source import JoinedSource, describe_sample
from marketpulse.extraction.journal import RowJournal
from marketpulse.extraction.sample_options import PlannedTable, SampleOptions, plan_sample
from marketpulse.extraction.sessions import SessionPool, SharedProgress, open_sessions
from marketpulse.extraction.table_sampler import TableSampler
from marketpulse.extraction.unfinished import UnfinishedSample
from marketpulse.formats.timestamps import format_timestamp, parse_timestamp
from marketpulse.model import Progress, TableSchema, format_count, masks_of, progress_stage
from marketpulse.sources import Source
from marketpulse.version import __version__

if TYPE_CHECKING:
    from marketpulse.extraction.masks.key import MaskKey
    from marketpulse.extraction.masks.tables import SampleMasks

_DATABASE_CODE = re.compile(r"\b(?:ORA|DPY)-\d+")
_FEW_ROWS = 10_000  # of a table: they are read again sooner than a snapshot is found
_NO_SNAPSHOT = (
    "several sessions read the tables, each at its own instant: there is no SCN for all of them"
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample that was written.

    `kept_tables` are those of an earlier sample whose rows are still there, `replaced_tables`
    those whose earlier rows are gone. `continued` says what an interrupted run had read already.
    `unfinished` is the folder from which the same command goes on, if something is missing.
    `unmasked` are columns of kept tables that the masks mean, TABLE.COLUMN, and that have none.
    `began_again` is whether an interrupted run was not continued, because it had other masks.
    `sessions` is how many read tables at the same time.
    """

    folder: Path
    manifest: Manifest
    zip_file: Path | None
    kept_tables: tuple[str, ...]
    replaced_tables: tuple[str, ...]
    continued: str
    unfinished: Path | None
    began_again: bool
    unmasked: tuple[str, ...]
    sessions: int

    @property
    def outdated_zip(self) -> Path | None:
        """The zip of an earlier sample beside the folder, if there is one."""
        path = zip_path(self.folder)
        return path if self.zip_file is None and path.exists() else None

    def as_json(self) -> dict[str, object]:
        """Return the manifest, the folder and the zip."""
        path = None if self.zip_file is None else str(self.zip_file)
        return {**self.manifest.as_json(), "output": str(self.folder), "zip": path}


def write_sample(
    source: Source,
    names: Sequence[str],
    options: SampleOptions,
    *,
    output: Path,
    progress: Progress,
    taken_at: str | datetime | None = None,
    with_zip: bool = False,
    replace: bool = False,
    restart: bool = False,
    secrets: Sequence[str] = (),
    mask_key: MaskKey | None = None,
    jobs: int = 1,
) -> Sample:
    """Write rows of the named tables, or of the only one, into the bundle in the folder `output`.

    Other tables of an earlier sample of the same source stay, unless `replace` is true. A table
    that cannot be read to its end is left out, and the manifest lists it as missing. If no table
    is left, the error of the last one is raised.

    From a distant source, the same call goes on where an earlier one was interrupted, unless
    `restart` is true. `taken_at` is the time in file names and manifest, in ISO 8601; None is the
    current time, or that of the interrupted call. `mask_key` is for masks other than `redact`.

    A database reads up to `jobs` tables at the same time, each in a session of its own, all at one
    SCN where that is allowed. The files are those of one session.

    Raises `DataError` if one of the `secrets` would be written, and `OutputError` if the folder
    cannot be written or, without `replace`, holds the bundle of another source. Raises what
    `parse_timestamp` and `describe` raise.
    """
    timestamp = parse_timestamp(taken_at, "--taken-at")
    _refuse_to_replace_source(source, output)
    with (
        _without_values(options),
        _rows_to_write(source, names, options, mask_key, progress) as (source, schemas, masks),  # noqa: PLR1704 - the same tables
        bundle_folder(output, source.info(), keep_rows=not replace) as bundle,
    ):
        work, sessions = None, [source]
        if source.is_distant:
            given = None if taken_at is None else timestamp
            request = _request(source, schemas, options, given, replace=replace)
            marks = [masks_of(schema.columns) for schema in schemas.tables]
            work = UnfinishedSample(
                output, request, _facts(schemas), marks, taken_at=timestamp, restart=restart
            )
            with _kept_for_later(work):
                sessions = _open_sessions(source, schemas, options, work, jobs)
            timestamp = work.taken_at
        run = _SampleRun(
            sessions=sessions,
            schemas=schemas,
            options=options,
            masks=masks,
            bundle=bundle,
            work=work,
            taken_at=timestamp,
            progress=progress,
            secrets=secrets,
        )
        with nullcontext() if work is None else _kept_for_later(work):
            run.read_tables()
            manifest = bundle.publish(
                list_tables(source).documents() | schemas.documents(),
                run.tables,
                taken_at=format_timestamp(timestamp),
                missing=run.missing,
                secrets=secrets,
                source=source.info(),
            )
        if work is not None and not run.may_go_on:
            work.remove()
        # Another run may replace the files as soon as the folder is left.
        zip_file = write_zip(output, manifest) if with_zip else None
    return run.result(output, manifest, zip_file)


def preview_sample(
    source: Source,
    names: Sequence[str],
    options: SampleOptions,
    *,
    mask_key: MaskKey | None = None,
    taken_at: str | datetime | None = None,
) -> list[PlannedTable]:
    """Return what `write_sample` would read and write. Reads no row."""
    timestamp = parse_timestamp(taken_at, "--taken-at")
    schemas, _ = _describe(source, names, options, mask_key)
    return plan_sample(schemas, options, timestamp)


@contextmanager
def _without_values(options: SampleOptions) -> Iterator[None]:
    """Leave the database's own words out of errors of a masked sample: they may quote a cell."""
    try:
        yield
    except (DataError, UsageError) as error:
        if not options.masks or not _DATABASE_CODE.search(error.message):
            raise
        raise type(error)(
            f"the rows cannot be read: {_codes_alone(error)}", hint=error.hint, check=error.check
        ) from None


def _codes_alone(error: MarketPulseError) -> str:
    """Return what a masked sample says of an error: its codes, without its message."""
    codes = dict.fromkeys([error.check, *_DATABASE_CODE.findall(error.message)])
    return f"{', '.join(codes)}; without --mask the message is shown"


@contextmanager
def _rows_to_write(
    source: Source,
    names: Sequence[str],
    options: SampleOptions,
    mask_key: MaskKey | None,
    progress: Progress,
) -> Iterator[tuple[Source, Schemas, SampleMasks | None]]:
    """The source and its tables, with those that foreign keys reach where they are followed."""
    schemas, masks = _describe(source, names, options, mask_key)
    if not options.follow:
        yield source, schemas, masks
        return
    with JoinedSource(source, schemas, masks) as joined:
        joined.collect(options, progress)
        yield joined, schemas, masks


def _describe(
    source: Source, names: Sequence[str], options: SampleOptions, key: MaskKey | None
) -> tuple[Schemas, SampleMasks | None]:
    """The schemas with the masks of a sample, and these.

    Raises `NotFoundError` for a mask of an unknown column, and `UsageError` for one that its column
    cannot have.
    """
    schemas = describe_sample(source, names, options)
    if not options.masks:
        return schemas, None
    from marketpulse.extraction.masks.tables import SampleMasks  # noqa: PLC0415 - few samples have masks

    masks = SampleMasks(source, schemas, options.masks, key)
    return masks.describe(schemas), masks


@dataclass(kw_only=True)
class _TableRead:
    """A table to read, then what came of it: `kept` is what an earlier run had read of it."""

    planned: PlannedTable
    schema: TableSchema
    parts: Mapping[str, Path]
    table: BundleTable | None = None
    error: MarketPulseError | None = None
    kept: str = ""


@dataclass(kw_only=True)
class _SampleRun:
    """Reads tables into a bundle. `tables` and `missing` are the results.

    `kept` is what did not have to be read again. If `may_go_on`, the same command may read what is
    missing.
    """

    sessions: Sequence[Source]
    schemas: Schemas
    options: SampleOptions
    masks: SampleMasks | None
    bundle: BundleWriter
    work: UnfinishedSample | None
    taken_at: datetime
    progress: Progress
    secrets: Sequence[str]
    tables: list[BundleTable] = field(default_factory=list)
    missing: list[MissingTable] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    may_go_on: bool = False

    def read_tables(self) -> None:
        """Read all tables. Raises the error of the last one if none can be read."""
        planned_tables = plan_sample(self.schemas, self.options, self.taken_at)
        reads = [
            _TableRead(
                planned=planned,
                schema=schema,
                parts={name: self.bundle.part(name) for name in planned.files},
            )
            for planned, schema in zip(planned_tables, self.schemas.tables, strict=True)
        ]
        if len(self.sessions) == 1:
            for read in reads:
                self._try_to_read(self.sessions[0], self.progress, read)
        else:
            self._read_at_the_same_time(reads)
        for read in reads:
            self._note(read)
        errors = [read.error for read in reads if read.error is not None]
        if errors and not self.tables:
            raise errors[-1]

    def result(self, folder: Path, manifest: Manifest, zip_file: Path | None) -> Sample:
        """Return what the bundle has, once it is complete."""
        read = {table.name for table in self.tables}
        kept_tables = [table for table in manifest.tables if table.files and table.name not in read]
        kept = {table.name for table in kept_tables}
        previous, work = self.bundle.previous_tables, self.work
        return Sample(
            folder=folder,
            manifest=manifest,
            zip_file=zip_file,
            kept_tables=tuple(name for name in previous if name in kept),
            replaced_tables=tuple(name for name in previous if name not in kept),
            continued=", ".join(self.kept),
            unfinished=work.folder if work is not None and self.may_go_on else None,
            began_again=work is not None and work.had_other_masks,
            unmasked=tuple(self.masks.find_missed(kept_tables)) if self.masks else (),
            sessions=len(self.sessions),
        )

    def _read_at_the_same_time(self, reads: Sequence[_TableRead]) -> None:
        """Read the tables in all sessions, the longest first: none then reads alone at the end."""
        whole = self.work.whole_tables if self.work else {}
        rows = [read.planned.rows for read in reads if read.planned.table not in whole]
        total = None if None in rows else sum(count or 0 for count in rows)
        shared = SharedProgress(self.progress)
        with progress_stage(self.progress, format_count(len(rows), "table"), total):
            SessionPool(
                self.sessions,
                sorted(reads, key=lambda read: -(read.planned.rows or 0)),
                lambda source, read: self._try_to_read(source, shared, read),
            ).run()

    def _try_to_read(self, source: Source, progress: Progress, read: _TableRead) -> None:
        try:
            read.table = self._read(source, progress, read)
        except (OutputError, SecretFoundError):
            raise  # another table would fare no better, or may hold the secret, too
        except MarketPulseError as error:
            read.error = error

    def _note(self, read: _TableRead) -> None:
        """Add what came of a table to the results."""
        if read.kept:
            self.kept.append(read.kept)
        if read.table is not None:
            self.tables.append(read.table)
        elif read.error is not None:
            # The message of a database may quote a cell.
            reason = read.error.message if self.masks is None else _codes_alone(read.error)
            self.missing.append(MissingTable(read.planned.table, reason))
            self.bundle.remove(read.planned.files)
            self.may_go_on |= self._may_go_on(read.planned, read.error)

    def _may_go_on(self, planned: PlannedTable, error: MarketPulseError) -> bool:
        """Whether the same command may read what this error has left."""
        if self.work is None:
            return False
        has_rows = self.work.has_rows_of(self.schemas.stems[planned.table])
        return has_rows or is_network_error(error)

    def _read(self, source: Source, progress: Progress, read: _TableRead) -> BundleTable:
        work, planned = self.work, read.planned
        if work is None:
            return self._write(source, progress, read, read.parts, None)
        if planned.table in work.whole_tables:
            table = work.whole_tables[planned.table]
            read.kept = f"{table.name} ({_shown_rows(table.rows or 0)})"
            if not work.snapshot:
                note = "read before the run was interrupted, and not again with the others"
                table = replace(table, notes=(*table.notes, note))
        else:
            table = self._write_for_later(source, progress, read, work)
        for name, part in read.parts.items():
            work.link_file(name, part)
        return table

    def _write_for_later(
        self, source: Source, progress: Progress, read: _TableRead, work: UnfinishedSample
    ) -> BundleTable:
        """Read a table into files that stay if the run is interrupted later."""
        files = {name: work.file(name) for name in read.planned.files}
        path = work.journal(self.schemas.stems[read.planned.table])
        may_continue = work.snapshot and _is_long(self.options)
        with closing(RowJournal(path)) as journal, ExitStack() as stack:
            for file in files.values():
                stack.callback(file.unlink, missing_ok=True)
            if journal.rows:
                read.kept = f"the first {_shown_rows(journal.rows)} of {read.planned.table}"
            used = journal if may_continue else None
            table = self._write(source, progress, read, files, used)
            stack.pop_all()  # they are whole
        if len(self.sessions) > 1 and not work.snapshot:
            table = replace(table, notes=(*table.notes, _NO_SNAPSHOT))
        work.add(table)
        path.unlink()  # the files have its rows
        return table

    def _write(
        self,
        source: Source,
        progress: Progress,
        read: _TableRead,
        files: Mapping[str, Path],
        journal: RowJournal | None,
    ) -> BundleTable:
        options, name, masks = self.options, read.planned.table, self.masks
        if name in self.schemas.reached:
            options = options.without_choice()
        sampler = TableSampler(
            source,
            read.schema,
            options,
            planned=read.planned,
            secrets=self.secrets,
            journal=journal,
            # Rows that were collected have their masks.
            masks=masks.of(name) if masks and not options.follow else None,
        )
        sampler.write(files, progress)
        table = sampler.describe(self.schemas.schema_file(name), self.taken_at)
        remarks = masks.remarks(name) if masks else ()
        return replace(table, notes=(*table.notes, *remarks))


def _request(
    source: Source,
    schemas: Schemas,
    options: SampleOptions,
    taken_at: datetime | None,
    *,
    replace: bool,
) -> object:
    """Return all that decides what a sample contains, for `UnfinishedSample`."""
    return {
        "source": source_identity(source.info()),
        "scan": dict(source.scan_options()),
        # With other masks the rows in the folder must go, so they are no part of its name.
        "statements": [options.statement(schema, schemas.source.kind) for schema in schemas.tables],
        "options": asdict(options) | {"masks": ()},
        "taken_at": taken_at,
        "replace": replace,
    }


def _facts(schemas: Schemas) -> object:
    """Return what makes rows that were read before useless if it changes."""
    tables = [
        (asdict(schema)["columns"], schema.primary_key, schema.unique, schema.table.changed)
        for schema in schemas.tables
    ]
    return {"marketpulse": __version__, "tables": tables}


def _shown_rows(count: int) -> str:
    """`1 row`, `18,315 rows`, as progress shows them."""
    return "1 row" if count == 1 else f"{count:,} rows"


def _is_long(options: SampleOptions) -> bool:
    """Whether so many rows are read that those of an interrupted run are worth keeping."""
    return options.limit is None or options.limit > _FEW_ROWS


def _open_sessions(
    source: Source, schemas: Schemas, options: SampleOptions, work: UnfinishedSample, jobs: int
) -> list[Source]:
    """Open a session for each table that is to be read, up to `jobs`; all read one snapshot.

    That is the one of the interrupted run, or of now. One session reads few rows without it.
    """
    count = min(jobs, len(schemas.tables) - len(work.whole_tables))
    is_needed = _is_long(options) or count > 1
    # What was begun without a snapshot goes on without: its tables are of other instants already.
    if work.snapshot or (is_needed and not work.is_continued):
        work.snapshot = source.read_snapshot(work.snapshot)
    work.save()
    return open_sessions(source, count)


@contextmanager
def _kept_for_later(work: UnfinishedSample) -> Iterator[None]:
    """Keep what was read if the run ends now, and let the error say so."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, SecretFoundError) or not work.has_rows():
            work.remove()
            raise
        note = f"{work.folder} keeps what was read: run the same command again to resume"
        if isinstance(error, MarketPulseError):
            error.add_hint(note)
        else:
            error.add_note(UserNote(note))
        raise


def _refuse_to_replace_source(source: Source, output: Path) -> None:
    """Raise `OutputError` if the sample would overwrite the bundle that it is read from."""
    name = source.info().name
    targets = {output.resolve(), zip_path(output).resolve()}
    if source.info().kind == "bundle" and Path(name).resolve() in targets:
        raise OutputError(
            f"{output}: the sample would replace the bundle that it is taken from",
            hint="choose another folder with --output",
        )
