"""The functions that run on executors. Each takes Arrow batches and yields Arrow batches.

They are frozen dataclasses, because Spark sends them to the executors with all that they need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyspark import TaskContext

from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED
from marketpulse.atomic import TemporaryFolder
from marketpulse.colors.arrivals import Arrivals
from marketpulse.colors.columns import InputColumn
from marketpulse.colors.engine import Engine
from marketpulse.colors.inputs import ColorInput, select_columns, source_input, table_input
from marketpulse.colors.prepare import RunPlan, RunRequest
from marketpulse.colors.rejections import Advice, Causes
from marketpulse.colors.spark.carriers import cast_columns, result_type
from marketpulse.colors.spark.outputs import Outputs
from marketpulse.colors.spark.reports import (
    REPORT,
    SECURITY,
    ArrivalReport,
    FilesReport,
    RankingReport,
    WrittenPart,
    fault_batch,
    report_batch,
)
from marketpulse.colors.tally import Tally
from marketpulse.errors import MarketPulseError
from marketpulse.formats.encode import untag
from marketpulse.sources.base import FileOptions
from marketpulse.sources.files import FilesPart, FilesSource, InputFile, copied_file

TABLE = pa.field("output", pa.string())  # the output that a row belongs to; null if it goes on
RULE_ID, REASON, RAW_LINE = (
    pa.field(name, pa.string()) for name in ("RULE_ID", "REASON", "RAW_LINE")
)
Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, kw_only=True)
class Units:
    """The parts of an input of files: some files each, in their order.

    `names` has the files of each unit. They are local names that the executors see as well or,
    with `copied`, addresses whose content Spark brings along.
    """

    names: tuple[tuple[str, ...], ...]
    copied: bool = False

    def of(
        self, batches: Batches, stack: ExitStack
    ) -> Iterator[tuple[int, tuple[str | InputFile, ...]]]:
        """The units of a task with their numbers; `stack` removes copies."""
        # Spark gives copied files to tasks as it likes; their numbers keep the order of the input.
        numbers = {names[0]: number for number, names in enumerate(self.names)}
        for batch in batches:
            if not self.copied:
                for number in batch.column(0).to_pylist():
                    yield number, self.names[number]
                continue
            for name, content in zip(*batch.columns, strict=True):
                folder = Path(stack.enter_context(TemporaryFolder()))
                copy = folder / name.as_py().rsplit("/", 1)[-1]
                copy.write_bytes(content.as_buffer())
                yield numbers[name.as_py()], (copied_file(name.as_py(), copy),)


@dataclass(frozen=True, kw_only=True)
class InspectFiles:
    """Reports the columns of files."""

    units: Units
    options: FileOptions
    now: int

    def __call__(self, batches: Batches) -> Batches:
        """Yield a report for each unit."""
        schema = pa.schema([REPORT])
        with ExitStack() as stack:
            for number, files in self.units.of(batches, stack):
                try:
                    part = FilesPart(files=files, now=self.now)
                    with FilesSource([], self.options, part) as source:
                        schemas, notes = tuple(source.file_schemas()), source.file_notes()
                except MarketPulseError as error:
                    yield fault_batch(number, error, schema)
                else:
                    report = FilesReport(number=number, schemas=schemas, notes=notes)
                    yield report_batch(report, schema)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What every task needs to run an engine of its own.

    `schema` has the columns of the input as the engine takes them, `carriers` as Spark does.
    """

    label: str
    plan: RunPlan
    schema: pa.Schema
    carriers: pa.Schema
    memory_limit: int
    threads: int
    outputs: Outputs | None  # None for results that stay in Spark

    def open_engine(self, color_input: ColorInput, stack: ExitStack, plan: RunPlan) -> Engine:
        """An engine over some rows; `stack` closes it and removes what it has on the disk."""
        folder = Path(stack.enter_context(TemporaryFolder()))
        arrivals = Arrivals(color_input, folder, self.memory_limit, self.threads)
        return plan.make_engine(stack.enter_context(closing(arrivals)))

    @property
    def arrived_schema(self) -> pa.Schema:
        """The rows of the first stage."""
        return pa.schema([*self.carriers, SECURITY, TABLE, RULE_ID, REASON, RAW_LINE, REPORT])

    @property
    def security_schema(self) -> pa.Schema:
        """The rows of the shuffle."""
        return pa.schema([*self.carriers, SECURITY])


@dataclass(frozen=True, kw_only=True)
class ReadRows:
    """The first stage: profiles, rejects and excludes the rows of parts of the input."""

    workshop: Workshop
    request: RunRequest
    where: str | None
    columns: tuple[str, ...]  # of the input, those that the run takes

    def of_part(self, number: int, color_input: ColorInput) -> Batches:
        """Yield the rows of a part that go on, then its report."""
        schema = self.workshop.arrived_schema
        try:
            with ExitStack() as stack:
                color_input = select_columns(color_input, self.columns)
                engine = self.workshop.open_engine(color_input, stack, self.workshop.plan)
                yield from self._run(number, engine, color_input)
        except MarketPulseError as error:
            yield fault_batch(number, error, schema)

    def _run(self, number: int, engine: Engine, color_input: ColorInput) -> Batches:
        plan = self.workshop.plan
        profile = engine.profile()
        tally = Tally(rule.rule.id for rule in plan.rules)
        causes = Causes(id_advice(plan.columns.all))
        parts: list[WrittenPart] = []
        for table in (EXCLUDED, REJECTED):
            reader = engine.excluded() if table == EXCLUDED else engine.rejected()
            batches = tally.counted(table, reader)
            if table == REJECTED:
                batches = _with_causes(batches, causes)
            if self.workshop.outputs is None:
                yield from (self._arrived(batch, table) for batch in batches)
            else:
                parts += self.workshop.outputs.write(
                    table, number, attempt_id(), reader.schema, batches
                )
        unranked = unranked_bytes = 0
        for batch in engine.unranked(SECURITY.name):
            unranked, unranked_bytes = unranked + len(batch), unranked_bytes + batch.nbytes
            yield self._arrived(batch)
        report = ArrivalReport(
            number=number,
            profile=profile,
            unranked=unranked,
            unranked_hashes=engine.unranked_hashes(),
            unranked_bytes=unranked_bytes,
            permitted={column.place: count for column, count in engine.permitted().items()},
            census=engine.date_census(suspected_only=False),
            warnings=engine.warnings(),
            notes=color_input.read_notes(),
            tally=tally,
            causes=causes,
            parts=tuple(parts),
        )
        yield report_batch(report, self.workshop.arrived_schema)

    def _arrived(self, batch: pa.RecordBatch, table: str | None = None) -> pa.RecordBatch:
        """Rows of an engine as the first stage has them."""
        schema = self.workshop.arrived_schema
        cells = cast_columns(batch.columns, self.workshop.carriers)
        width = len(cells)
        others = dict(zip(batch.schema.names[width:], batch.columns[width:], strict=True))
        others[TABLE.name] = pa.repeat(pa.scalar(table, TABLE.type), len(batch))
        fields = list(schema)[width:]
        added = [others.get(field.name, pa.nulls(len(batch), field.type)) for field in fields]
        return pa.record_batch([*cells, *added], schema)


@dataclass(frozen=True, kw_only=True)
class ReadFiles:
    """The first stage for files."""

    rows: ReadRows
    units: Units
    options: FileOptions
    now: int
    schema: pa.Schema  # the columns of all files, as they are read

    def __call__(self, batches: Batches) -> Batches:
        """Yield the rows and the reports of all units of a task."""
        with ExitStack() as stack:
            for number, files in self.units.of(batches, stack):
                part = FilesPart(files=files, schema=self.schema, now=self.now)
                try:
                    with FilesSource([], self.options, part) as source:
                        readings = self.rows.request.cell_readings()
                        color_input = source_input(source, None, self.rows.where, readings)
                        yield from self.rows.of_part(number, color_input)
                except MarketPulseError as error:
                    yield fault_batch(number, error, self.rows.workshop.arrived_schema)


@dataclass(frozen=True, kw_only=True)
class ReadDataFrame:
    """The first stage for a DataFrame: a partition is a part."""

    rows: ReadRows
    schema: pa.Schema  # as Spark gives it

    def __call__(self, batches: Batches) -> Batches:
        """Yield the rows and the report of a partition."""
        rows = (
            pa.record_batch(cast_columns(batch.columns, self.schema), self.schema)
            for batch in batches
        )
        reader = pa.RecordBatchReader.from_batches(self.schema, rows)
        number = partition_id()
        try:
            color_input = table_input(reader, self.rows.workshop.label)
            yield from self.rows.of_part(number, color_input)
        except MarketPulseError as error:
            yield fault_batch(number, error, self.rows.workshop.arrived_schema)


@dataclass(frozen=True, kw_only=True)
class RankRows:
    """The last stage: ranks whole securities with the engine of a local run."""

    workshop: Workshop
    constants: Sequence[tuple[pa.Field, pa.Scalar]]

    def __call__(self, batches: Batches) -> Batches:
        """Yield the ranked rows, unless they are written, and the report of a range."""
        number = partition_id()
        schema = self.ranked_schema
        try:
            with ExitStack() as stack:
                engine = self.open_engine(batches, stack)
                hashes = engine.profile().row_hashes
                reader, tally = engine.processed(self.constants), Tally()
                parts: tuple[WrittenPart, ...] = ()
                counted = tally.counted(PROCESSED, reader)
                if self.workshop.outputs is None:
                    yield from (self._ranked(batch) for batch in counted)
                else:
                    parts = self.workshop.outputs.write(
                        PROCESSED, number, attempt_id(), reader.schema, counted
                    )
                # Permitted cells were counted in the first stage already.
                warnings = {name: engine.warnings()[name] for name in ("cusip", "rank")}
                report = RankingReport(
                    number=number, hashes=hashes, warnings=warnings, tally=tally, parts=parts
                )
                yield report_batch(report, schema)
        except MarketPulseError as error:
            yield fault_batch(number, error, schema)

    def open_engine(self, batches: Batches, stack: ExitStack) -> Engine:
        """An engine over these rows of the shuffle. They are usable, and no rule excludes them."""
        schema = self.workshop.schema
        rows = (
            pa.record_batch(cast_columns(batch.columns[: len(schema)], schema), schema)
            for batch in batches
        )
        reader = pa.RecordBatchReader.from_batches(schema, rows)
        color_input = ColorInput(name=self.workshop.label, schema=schema, read=lambda _: reader)
        # The first stage has applied the rules to these rows.
        plan = replace(self.workshop.plan, rules=(), other_rules=())
        return self.workshop.open_engine(color_input, stack, plan)

    @property
    def ranked_schema(self) -> pa.Schema:
        """The rows of the last stage: nothing but reports, if they are written."""
        if self.workshop.outputs is not None:
            return pa.schema([REPORT])
        # An engine without rows knows the types of its result best.
        with ExitStack() as stack:
            engine = self.open_engine(iter(()), stack)
            engine.profile()
            schema = engine.processed(self.constants).schema
        return pa.schema([*result_schema(schema), REPORT])

    def _ranked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = as_result(batch)
        columns = [*rows.columns, pa.nulls(len(batch), REPORT.type)]
        return pa.record_batch(columns, pa.schema([*rows.schema, REPORT]))


@dataclass(frozen=True, kw_only=True)
class SelectOutput:
    """The excluded or the rejected rows of the first stage, in the types of results."""

    schema: pa.Schema  # of the input
    added: pa.Schema  # the columns that the output has beside those

    @property
    def result(self) -> pa.Schema:
        """The columns of the output."""
        return result_schema(pa.schema([*self.schema, *self.added]))

    def __call__(self, batches: Batches) -> Batches:
        """Yield the rows as they arrived."""
        width = len(self.schema)
        for batch in batches:
            cells = cast_columns(batch.columns[:width], self.schema)
            added = [batch.column(name) for name in self.added.names]
            yield as_result(
                pa.record_batch([*cells, *added], pa.schema([*self.schema, *self.added]))
            )


def id_advice(columns: Sequence[InputColumn]) -> Advice:
    """What is known without a row of what helps against rejections."""
    return Advice(ids=frozenset(column.label for column in columns if column.is_id))


def as_result(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows in the types of a DataFrame of results; tagged cells as their text."""
    rows = untag(pa.Table.from_batches([batch]))
    target = result_schema(batch.schema)
    columns = [
        column.combine_chunks().cast(field.type, safe=False)
        for column, field in zip(rows.columns, target, strict=True)
    ]
    return pa.record_batch(columns, target)


def result_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of results in a DataFrame."""
    plain = untag(schema.empty_table()).schema
    return pa.schema([pa.field(field.name, result_type(field.type)) for field in plain])


def attempt_id() -> int:
    """The number of this attempt of a task, which no other attempt has; -1 on the driver."""
    context = TaskContext.get()
    return -1 if context is None else context.taskAttemptId()


def partition_id() -> int:
    """The number of this task's partition; 0 on the driver."""
    context = TaskContext.get()
    return 0 if context is None else context.partitionId()


def _with_causes(batches: Batches, causes: Causes) -> Batches:
    for batch in batches:
        causes.add(batch.column(REASON.name).to_pylist())
        yield batch
