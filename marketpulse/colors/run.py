"""Run Colors: colors in, parents and children out, every row accounted for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ParamSpec, Protocol

import pyarrow as pa

from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED, RUN_TABLES, format_json
from marketpulse.atomic import FileRecord, FileSet, atomic_folder
from marketpulse.colors.engine import InputProfile
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import PreparedRun, prepare
from marketpulse.colors.rejections import Advice, RejectionLimit, rejection_error
from marketpulse.colors.results import (
    RUN_SEAL,
    ColorsRun,
    RunFacts,
    refuse_input_folder,
    run_constants,
    workbook_options,
)
from marketpulse.colors.tables import is_a
from marketpulse.colors.tally import Tally
from marketpulse.formats import close_at_end, timestamps, write_rows
from marketpulse.formats.encode import untag, with_pandas_types
from marketpulse.model import NO_PROGRESS, Progress, progress_stage

if TYPE_CHECKING:
    from marketpulse.colors.run_workbook import RunWorkbook

_Keywords = ParamSpec("_Keywords")
_DATA = inspect.Parameter("data", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="object")


def run(
    data: object,
    options: RunOptions,
    progress: Progress = NO_PROGRESS,
    *,
    fingerprint: str | None = None,
    publish: Callable[[ColorsRun], None] | None = None,
) -> ColorsRun:
    """Turn colors into parents and children per security, after the exclusion rules.

    `data` is a path, a glob or a list of them, a data frame of pandas or Polars, a DuckDB relation,
    an Arrow table or reader, a list of dicts with one for each row, or a source. Without
    `options.output` the results are Arrow tables of the returned run. `run.processed.to_pandas()`
    keeps every digit: its integers are nullable.

    A DataFrame of Spark is ranked in its own session: no row comes to the driver, and the results
    are files in `options.output`, or else DataFrames.

    Raises `UsageError`, `NotFoundError`, `RulesError` or `DataError`; then nothing is written.
    It is a `DataError`, too, if rows were read and none of them can be used.
    """
    if is_a(data, "pyspark.sql", "DataFrame"):
        from marketpulse.colors.spark.driver import run_data_frame  # noqa: PLC0415 - PySpark is optional

        return run_data_frame(data, options, progress)
    formats = options.output_formats()
    options.check_processing_type()
    processed_at = timestamps.parse_timestamp(options.processed_at, "--processed-at")
    limit = options.rejection_limit()
    with prepare(data, options, progress=progress) as prepared:
        with progress_stage(progress, "reading", prepared.color_input.estimate_rows()):
            profile = prepared.engine.profile()
            _check_rejected(prepared, profile, limit)
        job = _Run(prepared, profile, options, processed_at, progress, fingerprint)
        if options.output is None:
            with progress_stage(progress, "ranking", profile.rows):
                return job.in_memory()
        return job.in_files(Path(options.output), formats, publish)


class _RunColors(Protocol[_Keywords]):
    def __call__(
        self, data: object, *args: _Keywords.args, **keywords: _Keywords.kwargs
    ) -> ColorsRun: ...


def _with_keywords(
    make_options: Callable[_Keywords, RunOptions],
) -> _RunColors[_Keywords]:
    # The fields of RunOptions are spelled once: type checkers take the keywords from there.
    def run_colors(data: object, *args: _Keywords.args, **keywords: _Keywords.kwargs) -> ColorsRun:
        return run(data, make_options(*args, **keywords))

    run_colors.__doc__ = f"{run.__doc__}\n    The keywords are the fields of `RunOptions`."
    # `pickle` finds a function by this name: a pool of processes ranks several days at once.
    run_colors.__qualname__ = run_colors.__name__
    # `help` and notebooks show the keywords from here.
    keywords = inspect.signature(make_options).parameters.values()
    run_colors.__signature__ = inspect.signature(run).replace(  # type: ignore[attr-defined]  # read by inspect alone
        parameters=[_DATA, *keywords]
    )
    return run_colors


run_colors = _with_keywords(RunOptions)


class _Run:
    """One run: writes its three outputs, and counts the rows of each."""

    def __init__(
        self,
        prepared: PreparedRun,
        profile: InputProfile,
        options: RunOptions,
        processed_at: datetime,
        progress: Progress,
        fingerprint: str | None,
    ) -> None:
        self._prepared = prepared
        self._fingerprint = fingerprint
        self._progress = progress
        self._options = options
        self._processed_at = processed_at
        self._tally = Tally(rule.rule.id for rule in prepared.rules)
        self._facts = RunFacts(
            input=prepared.color_input.name,
            where=prepared.color_input.where,
            plan=prepared.plan,
            profile=profile,
            permitted=prepared.engine.permitted(),
            notes=prepared.color_input.read_notes(),
            advice=_advice(prepared),
        )

    def in_memory(self) -> ColorsRun:
        """Run, and return the outputs as tables."""
        tables: dict[str, pa.Table] = {}
        for name in RUN_TABLES:
            reader = self._reader(name)
            table = pa.Table.from_batches(self._counted(name, reader), reader.schema)
            table = untag(table)
            tables[name] = table.cast(with_pandas_types(table.schema))
        return self._result(tables=tables)

    def in_files(
        self,
        folder: Path,
        formats: Sequence[str],
        publish: Callable[[ColorsRun], None] | None = None,
    ) -> ColorsRun:
        """Run, and write the outputs and the summary into a folder.

        `publish` is called while no other run can write there.
        """
        refuse_input_folder(self._prepared.color_input.files, folder)
        with atomic_folder(folder, RUN_SEAL) as files:
            with progress_stage(self._progress, "ranking", self._facts.profile.rows):
                self._write_tables(files, formats)
            with ThreadPoolExecutor(1) as executor:
                # The database frees its memory while the files are hashed.
                executor.submit(self._prepared.engine.close)
                run = self._result(output=folder, files=tuple(files.records()))
                files.publish(format_json(run.summary()))
            if publish is not None:
                publish(run)
        return run

    def _reader(self, name: str) -> pa.RecordBatchReader:
        engine = self._prepared.engine
        if name == EXCLUDED:
            return engine.excluded()
        if name == REJECTED:
            return engine.rejected()
        return engine.processed(
            run_constants(self._facts.run_id, self._processed_at, self._options.processing_type)
        )

    def _write_tables(self, files: FileSet, formats: Sequence[str]) -> None:
        """Write all outputs: a file each in each format, or one workbook."""
        if not self._options.workbook:
            for name in RUN_TABLES:
                self._write(files, name, formats)
            return
        from marketpulse.colors.run_workbook import RunWorkbook  # noqa: PLC0415 - loads XlsxWriter

        others = [suffix for suffix in formats if suffix != "xlsx"]
        with ExitStack() as stack:
            workbook = RunWorkbook(files.part(f"{PROCESSED}.xlsx"), self._prepared.columns)
            close_at_end(stack, workbook)
            for name in RUN_TABLES:
                self._write(files, name, others, workbook)
            summary = self._result().summary()
            workbook.write_summary({key: part for key, part in summary.items() if key != "files"})

    def _write(
        self,
        files: FileSet,
        name: str,
        formats: Sequence[str],
        workbook: RunWorkbook | None = None,
    ) -> None:
        """Write one output in all its formats, in one pass."""
        reader = self._reader(name)
        sheet = workbook.open_table(name, reader.schema) if workbook else None
        paths = {suffix: files.part(f"{name}.{suffix}") for suffix in formats}
        options = workbook_options(self._prepared.columns, name)
        # It writes while the engine sorts the next batch.
        write_rows(self._counted(name, reader), reader.schema, paths, options, sheet)

    def _counted(self, name: str, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        for batch in self._tally.counted(name, reader):
            yield batch
            self._progress.advance(len(batch))

    def _result(
        self,
        *,
        output: Path | None = None,
        files: tuple[FileRecord, ...] = (),
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> ColorsRun:
        result = self._facts.result(
            self._tally,
            self._prepared.engine.warnings(),
            self._options,
            self._processed_at,
            output=output,
            files=files,
            tables=tables,
        )
        return replace(result, fingerprint=self._fingerprint)


def _check_rejected(
    prepared: PreparedRun, profile: InputProfile, limit: RejectionLimit | None
) -> None:
    """Raise `DataError` if no row can be used, or more are rejected than the limit allows."""
    rows, rejected = profile.rows, profile.rejected
    if rejected < rows and not (limit and limit.is_exceeded(rejected, rows)):
        return
    batches = prepared.engine.rejected()
    reasons = (reason for batch in batches for reason in batch.column("REASON").to_pylist())
    if error := rejection_error(reasons, rows, limit, _advice(prepared)):
        raise error


def _advice(prepared: PreparedRun) -> Advice:
    return Advice(
        ids=frozenset(column.label for column in prepared.columns.all if column.is_id),
        date_forms={
            name: census.fitting_forms
            for name, census in prepared.engine.date_census().items()
            if census.fitting_forms
        },
    )
