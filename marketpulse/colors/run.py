"""Run Colors: colors in, parents and children out, every row accounted for."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import ParamSpec, Protocol

import pyarrow as pa

from marketpulse import timestamps
from marketpulse.artifacts import (
    EXCLUDED,
    PROCESSED,
    REJECTED,
    RUN_SUMMARY,
    RUN_TABLES,
    format_json,
    is_run_file,
    parse_run_summary,
)
from marketpulse.atomic import FileRecord, FileSet, Seal, atomic_folder
from marketpulse.colors.columns import Columns, InputColumn, Kind
from marketpulse.colors.engine import InputProfile
from marketpulse.colors.options import PROCESSING_TYPES, RunOptions
from marketpulse.colors.prepare import PreparedRun, RunPlan, prepare
from marketpulse.colors.rejections import (
    Advice,
    RejectionLimit,
    rejection_error,
    rejection_hints,
)
from marketpulse.colors.tally import Counts, Tally
from marketpulse.errors import OutputError, UsageError
from marketpulse.formats import FORMATS, XlsxOptions, open_writer, write_behind
from marketpulse.formats.encode import untag, with_pandas_types
from marketpulse.model import NO_PROGRESS, FileNotes, Progress, progress_stage
from marketpulse.version import __version__

_Keywords = ParamSpec("_Keywords")
_DATA = inspect.Parameter("data", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="object")


@dataclass(frozen=True, kw_only=True)
class ColorsRun:
    """The result of a run. It has the three tables unless there is an output folder.

    `hints` are the options that would help against rejections, and `date_formats` the permitted
    formats that were needed, by column.
    `warnings` counts what is doubtful in the rows that were kept; `remarks` are sentences about
    the files. `fingerprint` stands for the input and the options of a day, see `history`.
    """

    run_id: str
    processed_at: datetime
    processing_type: str
    input: str
    where: str | None
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    types: dict[str, str]
    rules: str
    counts: Counts
    excluded_by_rule: dict[str, int]
    rejected_by_reason: dict[str, int]
    warnings: dict[str, int]
    rule_warnings: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    date_formats: dict[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    output: Path | None = None
    files: tuple[FileRecord, ...] = ()
    processed: pa.Table | None = field(default=None, repr=False)
    excluded: pa.Table | None = field(default=None, repr=False)
    rejected: pa.Table | None = field(default=None, repr=False)

    @property
    def unpublished(self) -> str | None:
        """Why the run must not be published; None if it may be."""
        # A day that is empty so far, or that the rules take whole, is no failure. Yet readers of
        # `latest.json` keep the last set that has colors.
        if self.counts.parents:
            return None
        return "no color is left, and an empty set never replaces a good one"

    def summary(self) -> dict[str, object]:
        """The run as `run_summary.json` and `--format json` show it."""
        fingerprint = {"fingerprint": self.fingerprint} if self.fingerprint else {}
        return {
            "run_id": self.run_id,
            "processed_at": self.processed_at.isoformat().replace("+00:00", "Z"),
            "processing_type": self.processing_type,
            "marketpulse": __version__,
            "input": self.input,
            "where": self.where,
            "hierarchy": list(self.hierarchy),
            "mapping": self.mapping,
            "types": self.types,
            "date_formats": self.date_formats,
            "rules": self.rules,
            "rows": asdict(self.counts),
            "excluded_by_rule": self.excluded_by_rule,
            "rejected_by_reason": self.rejected_by_reason,
            "warnings": self.warnings,
            "rule_warnings": list(self.rule_warnings),
            **fingerprint,
            "files": [asdict(file) for file in self.files],
        }


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

    Raises `UsageError`, `NotFoundError`, `RulesError` or `DataError`; then nothing is written.
    It is a `DataError`, too, if rows were read and none of them can be used.
    """
    formats = options.output_formats()
    if options.processing_type not in PROCESSING_TYPES:
        raise UsageError(
            f"the processing type is {options.processing_type!r}, "
            f"expected {' or '.join(PROCESSING_TYPES)}"
        )
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


def run_id(profile: InputProfile, plan: RunPlan, permitted: Iterable[InputColumn]) -> str:
    """A hash of the rows in any order, the columns, the rules and the hierarchy.

    `permitted` are the columns with cells that are read only because an option permits it.
    """
    rules = [
        [
            rule.rule.id,
            *(
                [
                    condition.written.connector,
                    condition.column.label,
                    condition.written.operator.value,
                    *map(repr, condition.operands),
                ]
                for condition in rule.conditions
            ),
        ]
        for rule in plan.rules
    ]
    columns = [
        [column.name, column.role, *([column.kind] if column.declared else [])]
        for column in plan.columns.all
    ]
    # The time and the type of a run are not part of it: the same rows again are the same run.
    parts: list[object] = [profile.digest, columns, rules, plan.hierarchy]
    # The same cells are other values with another format of dates. An option that changes no
    # cell does not count.
    if spellings := [[column.name, column.translation or "rounded"] for column in permitted]:
        parts.append(spellings)
    identity = json.dumps(parts)
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def run_constants(
    run_id: str, processed_at: datetime, processing_type: str
) -> list[tuple[pa.Field, pa.Scalar]]:
    """The columns of the processed colors that have one value in all rows."""
    moment = pa.field("PROCESSED_AT", pa.timestamp("us", "UTC"))
    return [
        (pa.field("RUN_ID", pa.string()), pa.scalar(run_id)),
        (moment, pa.scalar(processed_at, moment.type)),
        (pa.field("PROCESSING_TYPE", pa.string()), pa.scalar(processing_type)),
    ]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run knows of its input: from the engine, or from all engines of a cluster.

    `warnings` counts doubtful rows, `permitted` the cells that are read only because an option
    permits it, by column in the input's order.
    """

    input: str
    where: str | None
    plan: RunPlan
    profile: InputProfile
    permitted: Mapping[InputColumn, int]
    notes: FileNotes
    advice: Advice

    @property
    def run_id(self) -> str:
        """See the function `run_id`."""
        return run_id(self.profile, self.plan, self.permitted)

    def result(
        self,
        tally: Tally,
        warnings: Mapping[str, int],
        options: RunOptions,
        processed_at: datetime,
        *,
        output: Path | None = None,
        files: tuple[FileRecord, ...] = (),
        tables: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> ColorsRun:
        """The result of the run. Raises `DataError` if the rows do not balance."""
        plan = self.plan
        return ColorsRun(
            run_id=self.run_id,
            processed_at=processed_at,
            processing_type=options.processing_type,
            input=self.input,
            where=self.where,
            hierarchy=plan.hierarchy,
            mapping=plan.mapping,
            types=plan.types,
            rules=plan.book.name,
            counts=tally.counts(self.profile.rows),
            excluded_by_rule=tally.excluded,
            rejected_by_reason=dict(tally.rejected.most_common()),
            warnings={**warnings, **self.notes.counts()},
            rule_warnings=tuple(map(str, plan.warnings)),
            remarks=(*self.notes.remarks(), *self._permission_remarks()),
            hints=rejection_hints(tally.rejected, self.advice),
            date_formats={
                column.label: str(column.date_form) for column in self.permitted if column.date_form
            },
            output=output,
            files=files,
            processed=tables.get(PROCESSED),
            excluded=tables.get(EXCLUDED),
            rejected=tables.get(REJECTED),
        )

    def _permission_remarks(self) -> Iterator[str]:
        """What was read only because an option permits it."""
        for column, count in self.permitted.items():
            cells = "1 cell is" if count == 1 else f"{count} cells are"
            if column.date_form:
                yield f"{column.label}: {cells} read as dates of the format {column.date_form}"
            else:
                yield f"{column.label}: {cells} rounded by a spreadsheet; the digits left are used"


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
        for path in self._prepared.color_input.files:
            if _is_run_file(path.name) and path.resolve().parent == folder.resolve():
                raise OutputError(
                    f"{path}: the results would replace an input of the run",
                    hint="choose another folder with --output",
                )
        with atomic_folder(folder, _SEAL) as files:
            with progress_stage(self._progress, "ranking", self._facts.profile.rows):
                for name in RUN_TABLES:
                    self._write(files, name, formats)
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

    def _write(self, files: FileSet, name: str, formats: Sequence[str]) -> None:
        """Write one output in all its formats, in one pass."""
        reader = self._reader(name)
        columns = self._prepared.columns
        options = {
            "xlsx": XlsxOptions(
                number_columns=_spreadsheet_numbers(columns),
                date_columns=frozenset(
                    column.name for column in columns.all if column.kind is Kind.DATE
                ),
                title=name,
            )
        }
        with ExitStack() as stack:
            writers = []
            for suffix in formats:
                part = files.part(f"{name}.{suffix}")
                writers.append(open_writer(suffix, part, reader.schema, options.get(suffix)))
                stack.callback(writers[-1].close)

            def write(batch: pa.RecordBatch) -> None:
                for writer in writers:
                    writer.write(batch)

            # A thread writes while the engine sorts the next batch.
            write_behind(write, self._counted(name, reader))

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


def _is_run_file(name: str) -> bool:
    """Whether a run writes a file of this name."""
    return is_run_file(name, FORMATS)


def _listed_files(summary: str) -> list[str]:
    """Return the files of a run. Raises `ValueError` if this is not the summary of one."""
    names = [file.name for file in parse_run_summary(summary).files]
    if not all(map(_is_run_file, names)):
        raise ValueError("it lists files that no run writes")
    return names


_SEAL = Seal(name=RUN_SUMMARY, is_member=_is_run_file, list_files=_listed_files)


def _spreadsheet_numbers(columns: Columns) -> frozenset[str]:
    """The columns that are numbers in XLSX. Integers stay text, because they may be identifiers."""
    return frozenset(
        column.name
        for column in columns.all
        if column.kind is Kind.NUMBER and not pa.types.is_integer(column.field.type)
    )


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
