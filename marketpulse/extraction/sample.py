"""Writes rows of tables, and all that describes them, into a bundle.

Each table is read once. Every batch goes to all files at the same time, so memory stays flat. What
a run over a network has read stays until the bundle is complete: see `UnfinishedSample`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
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
from marketpulse.errors import MarketPulseError, OutputError, UserNote, is_network_error
from marketpulse.extraction.catalog import Schemas, list_tables
from marketpulse.extraction.joined_source import JoinedSource, describe_sample
from marketpulse.extraction.journal import RowJournal
from marketpulse.extraction.sample_options import (
    PlannedTable,
    SampleOptions,
    plan_sample,
)
from marketpulse.extraction.table_sampler import TableSampler
from marketpulse.extraction.unfinished import UnfinishedSample
from marketpulse.model import Progress, TableSchema, masks_of
from marketpulse.sources import Source
from marketpulse.timestamps import format_timestamp, parse_timestamp
from marketpulse.version import __version__

if TYPE_CHECKING:
    from marketpulse.extraction.masks.key import MaskKey
    from marketpulse.extraction.masks.tables import SampleMasks

_FEW_ROWS = 10_000  # of a table: they are read again sooner than a snapshot is found


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A sample that was written.

    `kept_tables` are those of an earlier sample whose rows are still there, `replaced_tables`
    those whose earlier rows are gone. `continued` says what an interrupted run had read already.
    `unfinished` is the folder from which the same command goes on, if something is missing.
    `unmasked` are columns of kept tables that the masks mean, TABLE.COLUMN, and that have none.
    `began_again` is whether an interrupted run was not continued, because its masks were others.
    """

    folder: Path
    manifest: Manifest
    zip_file: Path | None
    kept_tables: tuple[str, ...] = ()
    replaced_tables: tuple[str, ...] = ()
    continued: str = ""
    unfinished: Path | None = None
    began_again: bool = False
    unmasked: tuple[str, ...] = ()

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
    taken_at: datetime | None = None,
    with_zip: bool = False,
    replace: bool = False,
    restart: bool = False,
    secrets: Sequence[str] = (),
    mask_key: MaskKey | None = None,
) -> Sample:
    """Write rows of the named tables, or of the only one, into the bundle in the folder `output`.

    Other tables of an earlier sample of the same source stay, unless `replace` is true. A table
    that cannot be read to its end is left out, and the manifest lists it as missing. If no table
    is left, the error of the last one is raised.

    From a distant source, the same call goes on where an earlier one was interrupted, unless
    `restart` is true. `taken_at` is the time in file names and manifest; None is the current time,
    or that of the interrupted call. `mask_key` is for masks other than `redact`.

    Raises `DataError` if one of the `secrets` would be written, and `OutputError` if the folder
    cannot be written or, without `replace`, holds the bundle of another source. Raises what
    `describe` raises.
    """
    _refuse_to_replace_source(source, output)
    with (
        _rows_to_write(source, names, options, mask_key, progress) as (source, schemas, masks),  # noqa: PLR1704 - the same tables
        bundle_folder(output, source.info(), keep_rows=not replace) as bundle,
    ):
        moment = taken_at or parse_timestamp(None, "")
        work = None
        if source.is_distant:
            request = _request(source, schemas, options, taken_at, replace=replace)
            work = UnfinishedSample(
                output,
                request,
                _facts(schemas),
                [masks_of(schema.columns) for schema in schemas.tables],
                taken_at=moment,
                restart=restart,
            )
            _choose_snapshot(source, options, work)
            moment = work.taken_at
        run = _SampleRun(source, schemas, options, masks, bundle, work, moment, progress, secrets)
        with nullcontext() if work is None else _kept_for_later(work):
            run.read_tables()
            manifest = bundle.publish(
                list_tables(source).documents() | schemas.documents(),
                run.tables,
                taken_at=format_timestamp(moment),
                missing=run.missing,
                secrets=secrets,
                source=source.info(),
            )
        if work is not None and not run.may_go_on:
            work.remove()
        previous = bundle.previous_tables
        # Another run may replace the files as soon as the folder is left.
        zip_file = write_zip(output, manifest) if with_zip else None
    written = {table.name for table in run.tables}
    kept_tables = [t for t in manifest.tables if t.files and t.name not in written]
    kept = {table.name for table in kept_tables}
    return Sample(
        folder=output,
        manifest=manifest,
        zip_file=zip_file,
        kept_tables=tuple(name for name in previous if name in kept),
        replaced_tables=tuple(name for name in previous if name not in kept),
        continued=run.continued,
        unfinished=work.folder if work is not None and run.may_go_on else None,
        began_again=work is not None and work.had_other_masks,
        unmasked=tuple(masks.missed(kept_tables)) if masks else (),
    )


@contextmanager
def _rows_to_write(
    source: Source,
    names: Sequence[str],
    options: SampleOptions,
    mask_key: MaskKey | None,
    progress: Progress,
) -> Iterator[tuple[Source, Schemas, SampleMasks | None]]:
    """The source and its tables, with those that foreign keys reach where they are followed."""
    schemas = describe_sample(source, names, options)
    schemas, masks = with_masks(source, schemas, options, mask_key)
    if not options.follow:
        yield source, schemas, masks
        return
    with JoinedSource(source, schemas, masks) as joined:
        joined.collect(options, progress)
        yield joined, schemas, masks


def with_masks(
    source: Source, schemas: Schemas, options: SampleOptions, key: MaskKey | None
) -> tuple[Schemas, SampleMasks | None]:
    """Return the schemas with the masks of a sample, and these.

    Raises `NotFoundError` for a mask of an unknown column, and `UsageError` for one that its column
    cannot have.
    """
    if not options.masks:
        return schemas, None
    from marketpulse.extraction.masks.tables import SampleMasks  # noqa: PLC0415 - few samples have masks

    masks = SampleMasks(source, schemas, options.masks, key)
    return masks.describe(schemas), masks


class _SampleRun:
    """Reads tables into a bundle. `tables` and `missing` are the results."""

    def __init__(
        self,
        source: Source,
        schemas: Schemas,
        options: SampleOptions,
        masks: SampleMasks | None,
        bundle: BundleWriter,
        work: UnfinishedSample | None,
        taken_at: datetime,
        progress: Progress,
        secrets: Sequence[str],
    ) -> None:
        self._source = source
        self._schemas = schemas
        self._options = options
        self._masks = masks
        self._bundle = bundle
        self._work = work
        self._taken_at = taken_at
        self._progress = progress
        self._secrets = secrets
        self.tables: list[BundleTable] = []
        self.missing: list[MissingTable] = []
        self.may_go_on = False  # the same command may read what is missing
        self._kept: list[str] = []

    @property
    def continued(self) -> str:
        """What did not have to be read again; empty if there was no such thing."""
        return ", ".join(self._kept)

    def read_tables(self) -> None:
        """Read all tables. Raises the error of the last one if none can be read."""
        planned_tables = plan_sample(self._schemas, self._options, self._taken_at)
        for planned, schema in zip(planned_tables, self._schemas.tables, strict=True):
            parts = {name: self._bundle.part(name) for name in planned.files}
            try:
                self.tables.append(self._read(planned, schema, parts))
            except (OutputError, SecretFoundError):
                raise
            except MarketPulseError as error:
                self.missing.append(MissingTable(planned.table, self._reason(error)))
                self._bundle.remove(planned.files)
                self.may_go_on |= self._may_go_on(planned, error)
                if len(self.missing) == len(self._schemas.tables):
                    raise

    def _reason(self, error: MarketPulseError) -> str:
        """Why a table is missing; the message of a database may quote a cell."""
        if self._masks is None:
            return error.message
        codes = re.findall(r"\b(?:ORA|DPY)-\d+", error.message)
        return f"{', '.join([error.check, *codes])}; without --mask the message is shown"

    def _may_go_on(self, planned: PlannedTable, error: MarketPulseError) -> bool:
        """Whether the same command may read what this error has left."""
        if self._work is None:
            return False
        has_rows = self._work.has_rows_of(self._schemas.stems[planned.table])
        return has_rows or is_network_error(error)

    def _read(
        self, planned: PlannedTable, schema: TableSchema, parts: dict[str, Path]
    ) -> BundleTable:
        work = self._work
        if work is None:
            return self._write(planned, schema, parts, None)
        if planned.table in work.whole_tables:
            table = work.whole_tables[planned.table]
            self._kept.append(f"{table.name} ({table.rows:,} rows)")
            if not work.snapshot:
                note = "read before the run was interrupted, and not again with the others"
                table = replace(table, notes=(*table.notes, note))
        else:
            table = self._write_for_later(planned, schema, work)
        for name, part in parts.items():
            work.link_file(name, part)
        return table

    def _write_for_later(
        self, planned: PlannedTable, schema: TableSchema, work: UnfinishedSample
    ) -> BundleTable:
        """Read a table into files that stay if the run is interrupted later."""
        files = {name: work.file(name) for name in planned.files}
        path = work.journal(self._schemas.stems[planned.table])
        try:
            with closing(RowJournal(path)) as journal:
                if journal.rows:
                    self._kept.append(f"the first {journal.rows:,} rows of {planned.table}")
                table = self._write(planned, schema, files, journal if work.snapshot else None)
        except BaseException:
            for file in files.values():
                file.unlink(missing_ok=True)
            raise
        work.add(table)
        path.unlink()
        return table

    def _write(
        self,
        planned: PlannedTable,
        schema: TableSchema,
        files: dict[str, Path],
        journal: RowJournal | None,
    ) -> BundleTable:
        options = self._options
        if planned.table in self._schemas.reached:
            options = options.without_choice()
        masks = self._masks
        sampler = TableSampler(
            self._source,
            schema,
            options,
            planned=planned,
            secrets=self._secrets,
            journal=journal,
            # Rows that were collected have their masks.
            masks=masks.of(planned.table) if masks and not options.follow else None,
        )
        sampler.write(files, self._progress)
        table = sampler.describe(self._schemas.schema_file(planned.table), self._taken_at)
        remarks = masks.remarks(planned.table) if masks else ()
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


def _choose_snapshot(source: Source, options: SampleOptions, work: UnfinishedSample) -> None:
    """Read what the interrupted run has read, or what the source has now."""
    is_long = options.limit is None or options.limit > _FEW_ROWS
    if work.snapshot or (is_long and not work.is_continued):
        work.snapshot = source.read_snapshot(work.snapshot)
    work.save()


@contextmanager
def _kept_for_later(work: UnfinishedSample) -> Iterator[None]:
    """Keep what was read if the run ends now, and let the error say so."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, SecretFoundError) or not work.has_rows():
            work.remove()
            raise
        note = f"{work.folder} keeps what was read: the same command goes on from there"
        if isinstance(error, MarketPulseError):
            error.hint += f"; {note}" if error.hint else note
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
            hint="name another folder with --output",
        )
