"""A run on Spark, as its driver sees it: stages, reports, and files that it adopts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import add
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.classic.dataframe import DataFrame as ClassicDataFrame

from marketpulse.artifacts import (
    EXCLUDED,
    PROCESSED,
    REJECTED,
    RUN_TABLES,
    format_json,
    numbered_file,
)
from marketpulse.atomic import FileSet, atomic_folder, check_folder_name
from marketpulse.colors.columns import without_run_columns
from marketpulse.colors.engine import DateCensus
from marketpulse.colors.inputs import select_columns
from marketpulse.colors.memory import parse_memory_limit
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import RunRequest, parse_request
from marketpulse.colors.results import (
    RUN_SEAL,
    ColorsRun,
    RunFacts,
    refuse_input_folder,
    run_constants,
)
from marketpulse.colors.spark.carriers import carrier_schema
from marketpulse.colors.spark.inputs import (
    SparkInput,
    map_frame,
    open_data_frame,
    open_spark_files,
)
from marketpulse.colors.spark.outputs import Outputs
from marketpulse.colors.spark.progress import stage_progress
from marketpulse.colors.spark.reports import (
    REPORT,
    SECURITY,
    ArrivalReport,
    RankingReport,
    WrittenPart,
    read_reports,
)
from marketpulse.colors.spark.session import open_session, quiet, translated_errors
from marketpulse.colors.spark.tasks import (
    RAW_LINE,
    REASON,
    RULE_ID,
    TABLE,
    Batches,
    RankRows,
    ReadRows,
    SelectOutput,
    Workshop,
    id_advice,
)
from marketpulse.colors.tally import Tally
from marketpulse.errors import DataError, UsageError
from marketpulse.formats import timestamps
from marketpulse.model import NO_PROGRESS, Progress, progress_stage
from marketpulse.sources.files import join_notes

_TASK_MEMORY = "1GB"
_RANGE_BYTES = 128 << 20  # of the rows that a task ranks; it sorts more on the disk
_RANGE_ROWS = 1_000  # below these, one more task costs more than it gains

Frames = dict[str, DataFrame]
Task = Callable[[Batches], Batches]


def run_data_frame(
    frame: object, options: RunOptions, progress: Progress = NO_PROGRESS
) -> ColorsRun:
    """Rank a DataFrame in its own session.

    Without an output folder the results are DataFrames, stored on the executors' disks.
    """
    if not isinstance(frame, ClassicDataFrame):
        raise UsageError(
            "the DataFrame is of a session of Spark Connect, which is not supported",
            hint="use a session on the driver, or write the rows as Parquet",
        )
    request = parse_request(options)
    with _stages(frame.sparkSession):
        spark_input = open_data_frame(frame, options)
        return _run(frame.sparkSession, spark_input, request, options, progress)


def run_files(
    names: Sequence[str],
    options: RunOptions,
    master: str | None = None,
    progress: Progress = NO_PROGRESS,
) -> ColorsRun:
    """Rank files in a session of its own.

    Raises `SettingsError` if Spark cannot start, and what `rank_files` raises.
    """
    parse_request(options)  # a misspelt option shows before Spark starts
    with ExitStack() as stack:
        with progress_stage(progress, "starting Spark"):
            session = stack.enter_context(open_session(master))
        return rank_files(session, names, options, progress)


def rank_files(
    session: SparkSession,
    names: Sequence[str],
    options: RunOptions,
    progress: Progress = NO_PROGRESS,
) -> ColorsRun:
    """Rank files, folders and globs; the executors see local ones under the same names.

    Raises `UsageError`, `NotFoundError`, `RulesError`, `DataError` or `SparkError`.
    """
    request = parse_request(options)
    with _stages(session):
        with stage_progress(session.sparkContext, progress, "opening"):
            spark_input = open_spark_files(session, names, options, request)
        return _run(session, spark_input, request, options, progress)


@contextmanager
def _stages(session: SparkSession) -> Iterator[None]:
    """Translate errors of Spark, and cancel what still runs after one."""
    context = session.sparkContext
    tag = f"marketpulse-{id(session)}"
    context.addJobTag(tag)
    try:
        with quiet(), translated_errors(), ExitStack() as stack:
            stack.callback(context.cancelJobsWithTag, tag)
            yield
            stack.pop_all()
    finally:
        with translated_errors():
            context.removeJobTag(tag)


def _run(
    session: SparkSession,
    spark_input: SparkInput,
    request: RunRequest,
    options: RunOptions,
    progress: Progress,
) -> ColorsRun:
    """Check what can be checked before a row is read, then run."""
    formats = options.output_formats()
    options.check_processing_type()
    processed_at = timestamps.parse_timestamp(options.processed_at, "--processed-at")
    options.rejection_limit()  # raises for a limit that is none, before a row is read
    empty = spark_input.empty
    if options.again:
        empty = select_columns(empty, without_run_columns(empty.schema))
    workshop = Workshop(
        label=empty.name,
        plan=request.plan(empty.schema, empty.read_notes()),
        schema=empty.schema,
        carriers=carrier_schema(empty.schema, empty.name),
        memory_limit=parse_memory_limit(options.memory_limit or _TASK_MEMORY),
        # Spark has as many tasks at work as there are cores: DuckDB would start threads for all.
        threads=int(session.conf.get("spark.task.cpus", "1") or 1),
        outputs=None,
    )
    job = _Job(
        session=session,
        input=replace(spark_input, empty=empty),
        request=request,
        workshop=workshop,
        options=options,
        processed_at=processed_at,
        progress=progress,
    )
    if options.output is None:
        return job.in_frames()
    check_folder_name(Path(options.output))
    folder = Path(options.output).absolute()
    refuse_input_folder(spark_input.files, folder)
    with atomic_folder(folder, RUN_SEAL) as files:
        outputs = Outputs(
            place=files.part_folder,
            formats=formats,
            columns=workshop.plan.columns,
        )
        job = replace(job, workshop=replace(workshop, outputs=outputs))
        return job.in_files(files, Path(options.output))


@dataclass(frozen=True, kw_only=True)
class _LastStage:
    """The last stage: its reports, and its rows if they stay in Spark."""

    reports: Sequence[RankingReport]
    rows: DataFrame | None


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One run over an input that is planned."""

    session: SparkSession
    input: SparkInput
    request: RunRequest
    workshop: Workshop
    options: RunOptions
    processed_at: datetime
    progress: Progress

    def in_files(self, files: FileSet, output: Path) -> ColorsRun:
        """Run, and publish files and summary."""
        arrived, task = self._read()
        try:
            arrivals, facts = self._arrivals(arrived, task)
            ranked = self._rank(arrived, arrivals, facts)
        finally:
            arrived.unpersist()
        parts = [part for report in arrivals for part in report.parts]
        parts += [part for report in ranked.reports for part in report.parts]
        parts += self._empty_parts(parts, facts)
        _adopt(files, parts)
        tally, warnings = self._sum(arrivals, ranked.reports)
        run = facts.result(
            tally,
            warnings,
            self.options,
            self.processed_at,
            output=output,
            files=tuple(files.records()),
        )
        files.publish(format_json(run.summary()))
        return run

    def in_frames(self) -> ColorsRun:
        """Run, and return DataFrames."""
        arrived, task = self._read()
        with ExitStack() as stack:
            stack.callback(arrived.unpersist)
            arrivals, facts = self._arrivals(arrived, task)
            ranked = self._rank(arrived, arrivals, facts)
            stack.pop_all()
        tally, warnings = self._sum(arrivals, ranked.reports)
        frames: Frames = {
            EXCLUDED: self._output(arrived, EXCLUDED, pa.schema([RULE_ID])),
            REJECTED: self._output(arrived, REJECTED, pa.schema([REASON, RAW_LINE])),
        }
        if ranked.rows is not None:
            frames[PROCESSED] = ranked.rows
        return facts.result(tally, warnings, self.options, self.processed_at, tables=frames)

    def _read(self) -> tuple[DataFrame, Task]:
        """The first stage, and its task. Its rows stay on the executors' disks: read once."""
        rows = ReadRows(
            workshop=self.workshop,
            where=self.options.where,
            request=self.request,
            columns=tuple(self.workshop.schema.names),
        )
        task = self.input.reader(rows)
        frame = map_frame(self.input.frame, task, self.workshop.arrived_schema)
        return frame.persist(StorageLevel.DISK_ONLY), task

    def _arrivals(self, arrived: DataFrame, task: Task) -> tuple[list[ArrivalReport], RunFacts]:
        """What the first stage reports. Raises `DataError` if too many rows are rejected."""
        arrivals = read_reports(
            self._report_rows(arrived, "reading", self.input.parts), ArrivalReport
        )
        if not arrivals:  # a DataFrame without rows may have no partition, and so no task
            reports = (batch.column(REPORT.name)[0].as_py() for batch in task(iter(())))
            arrivals = read_reports(reports, ArrivalReport)
        columns, empty = self.workshop.plan.columns.all, self.input.empty
        permitted: Counter[int] = Counter()
        census: dict[str, DateCensus] = {}
        causes = arrivals[0].causes
        for report in arrivals:
            permitted.update(report.permitted)
            for name, part in report.census.items():
                census[name] = census.get(name, DateCensus()) + part
            if report is not arrivals[0]:  # whose causes they are added to
                causes.merge(report.causes)
        profile = reduce(add, (report.profile for report in arrivals))
        forms = {name: total.fitting_forms for name, total in census.items()}
        advice = replace(
            id_advice(columns), date_forms={name: fit for name, fit in forms.items() if fit}
        )
        undecided = join_notes([report.notes for report in arrivals])
        if error := causes.error(profile.rows, self.options.rejection_limit(), advice):
            raise error
        return arrivals, RunFacts(
            input=empty.name,
            where=empty.where,
            plan=self.workshop.plan,
            profile=profile,
            permitted={
                column: permitted[column.place] for column in columns if permitted[column.place]
            },
            notes=replace(
                empty.read_notes(),
                undecided_rows=undecided.undecided_rows,
                undecided_cell=undecided.undecided_cell,
            ),
            advice=advice,
        )

    def _rank(
        self, arrived: DataFrame, arrivals: Sequence[ArrivalReport], facts: RunFacts
    ) -> _LastStage:
        """The last stage. Raises `DataError` if a row was lost or changed on the way."""
        constants = run_constants(facts.run_id, self.processed_at, self.options.processing_type)
        task = RankRows(workshop=self.workshop, constants=constants)
        names = self.workshop.security_schema.names
        goes_on = arrived[REPORT.name].isNull() & arrived[TABLE.name].isNull()
        count = self._count_ranges(arrivals)
        # By range, so that the files of the tasks, one after the other, are in the order of CUSIP.
        ranges = arrived.where(goes_on).select(*names).repartitionByRange(count, SECURITY.name)
        ranked = map_frame(ranges, task, task.ranked_schema)
        keeps_rows = self.workshop.outputs is None
        if keeps_rows:
            # The rows are asked for after the reports: without this the tasks would run again.
            ranked = ranked.persist(StorageLevel.DISK_ONLY)
        # Spark reads the rows of each part twice: to find the ranges, and to move them there.
        total = 2 * len(arrivals) + count
        reports = read_reports(self._report_rows(ranked, "ranking", total), RankingReport)
        # A sum does not depend on which task had which rows, and a lost or doubled row shows in it.
        sent = sum(report.unranked_hashes for report in arrivals)
        if sent != sum(report.hashes for report in reports):
            raise DataError(
                "the rows that were ranked are not those that were read",
                hint="did the input change meanwhile? run it again",
                check="MP-DAT-016",
            )
        rows = ranked.where(ranked[REPORT.name].isNull()).drop(REPORT.name)
        return _LastStage(reports=reports, rows=rows if keeps_rows else None)

    def _report_rows(self, frame: DataFrame, name: str, total: int | None) -> Iterator[bytes]:
        """Run the tasks of a frame, and return what they report."""
        reports = frame.where(frame[REPORT.name].isNotNull()).select(REPORT.name)
        with stage_progress(self.session.sparkContext, self.progress, name, total):
            return (bytes(row[0]) for row in reports.collect())

    def _count_ranges(self, arrivals: Sequence[ArrivalReport]) -> int:
        """As many ranges as keep all cores at work, none of them too large to sort in memory."""
        rows = sum(report.unranked for report in arrivals)
        size = sum(report.unranked_bytes for report in arrivals)
        cores = self.session.sparkContext.defaultParallelism
        return max(1, -(-size // _RANGE_BYTES), min(cores, -(-rows // _RANGE_ROWS)))

    def _sum(
        self, arrivals: Sequence[ArrivalReport], ranked: Sequence[RankingReport]
    ) -> tuple[Tally, dict[str, int]]:
        """The rows of all tasks, and their warnings."""
        tally = Tally(rule.rule.id for rule in self.workshop.plan.rules)
        warnings: Counter[str] = Counter()
        reports: list[ArrivalReport | RankingReport] = [*arrivals, *ranked]
        for report in reports:
            tally.merge(report.tally)
            warnings.update(report.warnings)
        return tally, dict(warnings)

    def _empty_parts(self, parts: Sequence[WrittenPart], facts: RunFacts) -> Iterator[WrittenPart]:
        """A file with a header for each output that no task has written."""
        outputs = self.workshop.outputs
        missing = [name for name in RUN_TABLES if not any(part.table == name for part in parts)]
        if outputs is None or not missing:
            return
        constants = run_constants(facts.run_id, self.processed_at, self.options.processing_type)
        task = RankRows(workshop=self.workshop, constants=constants)
        with ExitStack() as stack:
            engine = task.open_engine(iter(()), stack)
            engine.profile()
            readers: dict[str, Callable[[], pa.RecordBatchReader]] = {
                PROCESSED: lambda: engine.processed(constants),
                EXCLUDED: engine.excluded,
                REJECTED: engine.rejected,
            }
            for name in missing:
                reader = readers[name]()
                yield from outputs.write(name, 0, 0, reader.schema, iter(()), even_empty=True)

    def _output(self, arrived: DataFrame, table: str, added: pa.Schema) -> DataFrame:
        """The excluded or rejected rows, in the order of the input."""
        schema = self.workshop.schema
        task = SelectOutput(schema=schema, added=added)
        rows = arrived.where(arrived[TABLE.name] == table)
        columns = [*self.workshop.carriers.names, *added.names]
        return map_frame(rows.select(*columns), task, task.result)


def _adopt(files: FileSet, parts: Sequence[WrittenPart]) -> None:
    """Give the files of each output their numbers, without a gap, in the order of the tasks."""
    numbers: Counter[tuple[str, str]] = Counter()
    for part in sorted(parts, key=lambda part: RUN_TABLES.index(part.table)):
        number = numbers[part.table, part.suffix]
        numbers[part.table, part.suffix] += 1
        name = numbered_file(part.table, number, part.suffix)
        files.adopt(part.path, replace(part.record, name=name))
