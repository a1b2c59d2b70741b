"""The job: colors in, parents and children out, every row accounted for."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

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
from marketpulse.colors.columns import (
    HIERARCHY,
    Columns,
    Kind,
    parse_hierarchy,
    parse_mapping,
    resolve,
)
from marketpulse.colors.engine import ColorInput, Engine, InputProfile
from marketpulse.colors.memory import parse_memory_limit
from marketpulse.colors.rejections import MostRejected, most_rejected, refused
from marketpulse.colors.rules import (
    NO_RULES,
    BoundRule,
    RuleBook,
    RuleFault,
    read_rules,
    require_rules,
    rules_from,
)
from marketpulse.errors import DataError, OutputError, UsageError
from marketpulse.formats import FORMATS, XlsxOptions, open_writer, parse_formats, write_behind
from marketpulse.formats.encode import plain_field, untag
from marketpulse.sources import Source, open_files, open_source
from marketpulse.version import __version__

PROCESSING_TYPES = ("AUTOMATED", "MANUAL")


@dataclass(frozen=True)
class Counts:
    """What became of the rows: `read` is the sum of all others."""

    read: int
    parents: int
    children: int
    excluded: int
    rejected: int

    @property
    def balanced(self) -> bool:
        """Whether every row is accounted for."""
        return self.read == self.parents + self.children + self.excluded + self.rejected


@dataclass(frozen=True)
class ColorsRun:
    """What a run did. The three tables are there where no output folder was given."""

    run_id: str
    processed_at: datetime
    processing_type: str
    input: str
    where: str | None
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    rules: str
    counts: Counts
    excluded_by_rule: dict[str, int]
    rejected_by_reason: dict[str, int]
    warnings: dict[str, int]
    rule_warnings: tuple[str, ...]
    output: Path | None = None
    files: tuple[FileRecord, ...] = ()
    processed: pa.Table | None = field(default=None, repr=False)
    excluded: pa.Table | None = field(default=None, repr=False)
    rejected: pa.Table | None = field(default=None, repr=False)

    def summary(self) -> dict[str, Any]:
        """The run as `run_summary.json` and `--format json` show it."""
        return {
            "run_id": self.run_id,
            "processed_at": self.processed_at.isoformat().replace("+00:00", "Z"),
            "processing_type": self.processing_type,
            "marketpulse": __version__,
            "input": self.input,
            "where": self.where,
            "hierarchy": list(self.hierarchy),
            "mapping": self.mapping,
            "rules": self.rules,
            "rows": asdict(self.counts),
            "excluded_by_rule": self.excluded_by_rule,
            "rejected_by_reason": self.rejected_by_reason,
            "warnings": self.warnings,
            "rule_warnings": list(self.rule_warnings),
            "files": [asdict(file) for file in self.files],
        }


@dataclass(frozen=True)
class Prepared:
    """An input, its columns and the rules on them: all checked, no row read."""

    feed: ColorInput
    columns: Columns
    book: RuleBook
    rules: tuple[BoundRule, ...]
    faults: tuple[RuleFault, ...]
    hierarchy: tuple[str, ...]
    mapping: dict[str, str]
    engine: Engine


def run_colors(
    data: Any,
    *,
    table: str | None = None,
    where: str | None = None,
    rules: Any = None,
    hierarchy: str | Sequence[str] = HIERARCHY,
    mapping: Mapping[str, str] | Sequence[str] = (),
    output: str | Path | None = None,
    formats: Sequence[str] = ("csv",),
    processing_type: str = "MANUAL",
    processed_at: str | datetime | None = None,
    max_rejected: int | str | None = None,
    memory_limit: str | None = None,
) -> ColorsRun:
    """Turn colors into parents and children per security, after the exclusion rules.

    `data` is a path, a glob or a list of them, a pandas data frame, an Arrow table or reader, or a
    source. Of a source only the rows are read of which `where` is true, as `Source.scan` has it.
    `rules` is a path or what such a file holds. With `output` the results are written
    there; without, they are the tables of the returned run (`run.processed.to_pandas()`).
    `max_rejected` is how many rows may be rejected, a number or a share (`"5%"`).

    Raises `UsageError`, `NotFoundError`, `RulesError` or `DataError`, the last also where rows
    were read and none can be used; nothing is written then.
    """
    formats = parse_formats(formats)
    if processing_type not in PROCESSING_TYPES:
        raise UsageError(f"the processing type {processing_type!r} is none of {PROCESSING_TYPES}")
    moment = timestamps.parse_timestamp(processed_at, "--processed-at")
    most = most_rejected(max_rejected)
    with prepared(
        data,
        table=table,
        where=where,
        rules=rules,
        hierarchy=hierarchy,
        mapping=mapping,
        memory_limit=memory_limit,
    ) as ready:
        seen = ready.engine.look()
        _check_rejected(ready, seen, most)
        run = _Run(ready, seen, moment, processing_type)
        return run.in_memory() if output is None else run.in_files(Path(output), formats)


@contextmanager
def prepared(
    data: Any,
    *,
    table: str | None = None,
    where: str | None = None,
    rules: Any = None,
    hierarchy: str | Sequence[str] = HIERARCHY,
    mapping: Mapping[str, str] | Sequence[str] = (),
    memory_limit: str | None = None,
) -> Iterator[Prepared]:
    """Open the input, find its columns, check the rules. Raises what `run_colors` raises."""
    memory = parse_memory_limit(memory_limit) if memory_limit is not None else None
    order = parse_hierarchy(hierarchy)
    pairs = [f"{a}={b}" for a, b in mapping.items()] if isinstance(mapping, Mapping) else mapping
    roles = parse_mapping(pairs)
    book = _book(rules)
    with ExitStack() as stack:
        workspace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marketpulse-")))
        feed = _feed(data, table, where, stack)
        columns = resolve(feed.schema, roles)
        bound, faults = require_rules(book, columns)
        engine = stack.enter_context(
            Engine(feed, columns, bound, order, workspace=workspace, memory_limit=memory)
        )
        yield Prepared(feed, columns, book, bound, faults, order, roles, engine)


def _book(rules: Any) -> RuleBook:
    if rules is None:
        return NO_RULES
    if isinstance(rules, RuleBook):
        return rules
    return read_rules(Path(rules)) if isinstance(rules, str | Path) else rules_from(rules)


def _feed(data: Any, table: str | None, where: str | None, stack: ExitStack) -> ColorInput:
    """Whatever was given, as colors to read."""
    if isinstance(data, str | Path):
        data = stack.enter_context(open_source(str(data)))
    elif isinstance(data, list | tuple):
        data = stack.enter_context(open_files(data))
    if hasattr(data, "scan"):
        source: Source = data
        name = source.find_table(table)
        info = source.info()
        files = info.details.values() if info.kind == "files" else ()
        schema = source.scan(name, limit=0, where=where).schema
        return ColorInput(
            info.name if files else name,
            schema,
            lambda on_malformed_line: source.scan(
                name, on_malformed_line=on_malformed_line, where=where
            ),
            where,
            tuple(map(Path, files)),
        )
    if where is not None:
        raise UsageError("--where is for files and databases", hint="filter the table yourself")
    given = isinstance(data, pa.RecordBatchReader)
    reader = data if given else _as_arrow(data).to_reader()
    schema = pa.schema([plain_field(field) for field in reader.schema])
    if schema != reader.schema:
        reader = reader.cast(schema)
    return ColorInput("reader" if given else type(data).__name__, schema, lambda _on_misfit: reader)


def _as_arrow(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    try:
        return pa.Table.from_pandas(data, preserve_index=False)
    except (pa.ArrowException, AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{type(data).__name__}: this is no table of colors: {error}",
            hint="give a path, a pandas data frame or an Arrow table; in a data frame each column "
            "holds values of one type",
            check="MP-DAT-015",
        ) from error


def _run_id(ready: Prepared, seen: InputProfile) -> str:
    """Follows from the rows, whatever their order, the columns, the rules and the hierarchy."""
    rules = [
        [
            rule.rule.id,
            *(
                [
                    one.written.connector,
                    one.column.label,
                    one.written.operator.value,
                    *map(repr, one.operands),
                ]
                for one in rule.conditions
            ),
        ]
        for rule in ready.rules
    ]
    columns = [[column.name, column.role] for column in ready.columns.all]
    identity = json.dumps([seen.digest, columns, rules, ready.hierarchy])
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


class _Run:
    """A run under way: its three outputs, and the account of what passes to them."""

    def __init__(
        self, ready: Prepared, seen: InputProfile, processed_at: datetime, processing_type: str
    ) -> None:
        self._ready = ready
        self._seen = seen
        self._run_id = _run_id(ready, seen)
        self._processed_at = processed_at
        self._processing_type = processing_type
        self._rows: Counter[str] = Counter()
        self._parents = 0
        self._excluded: dict[str, int] = {rule.rule.id: 0 for rule in ready.rules}
        self._rejected: Counter[str] = Counter()

    def in_memory(self) -> ColorsRun:
        """Run, and hold the outputs as tables."""
        tables = {}
        for name in RUN_TABLES:
            reader = self._reader(name)
            table = pa.Table.from_batches(self._counted(name, reader), reader.schema)
            tables[name.partition("_")[0]] = untag(table)
        return self._finished(**tables)

    def in_files(self, folder: Path, formats: Sequence[str]) -> ColorsRun:
        """Run, and write the outputs and their summary into a folder."""
        for path in self._ready.feed.files:
            if _is_ours(path.name) and path.resolve().parent == folder.resolve():
                raise OutputError(
                    f"{path}: the results would replace what they are made of",
                    hint="name another folder with --output",
                )
        with atomic_folder(folder, _SEAL) as files:
            for name in RUN_TABLES:
                self._write(files, name, formats)
            run = self._finished(output=folder, files=tuple(files.records()))
            files.publish(format_json(run.summary()))
        return run

    def _reader(self, name: str) -> pa.RecordBatchReader:
        engine = self._ready.engine
        if name == EXCLUDED:
            return engine.excluded()
        if name == REJECTED:
            return engine.rejected()
        moment = pa.field("PROCESSED_AT", pa.timestamp("us", "UTC"))
        return engine.processed(
            [
                (pa.field("RUN_ID", pa.string()), pa.scalar(self._run_id)),
                (moment, pa.scalar(self._processed_at, moment.type)),
                (pa.field("PROCESSING_TYPE", pa.string()), pa.scalar(self._processing_type)),
            ]
        )

    def _write(self, files: FileSet, name: str, formats: Sequence[str]) -> None:
        """Write one output in all its formats, in one pass."""
        reader = self._reader(name)
        options = {"xlsx": XlsxOptions(number_columns=_spreadsheet_numbers(self._ready.columns))}
        with ExitStack() as stack:
            writers = []
            for suffix in formats:
                part = files.part(f"{name}.{suffix}")
                writers.append(open_writer(suffix, part, reader.schema, options.get(suffix)))
                stack.callback(writers[-1].close)

            def write(batch: pa.RecordBatch) -> None:
                for writer in writers:
                    writer.write(batch)

            write_behind(write, self._counted(name, reader))

    def _counted(self, name: str, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The same batches; the account is of what was written, not of what should have been."""
        for batch in reader:
            self._rows[name] += len(batch)
            if name == PROCESSED:
                self._parents += pc.sum(batch.column("IS_PARENT")).as_py() or 0
            elif name == EXCLUDED:
                for counted in batch.column("RULE_ID").value_counts().to_pylist():
                    self._excluded[counted["values"]] += counted["counts"]
            else:
                for counted in batch.column("REASON").value_counts().to_pylist():
                    known = counted["values"] in self._rejected or len(self._rejected) < 1000
                    reason = counted["values"] if known else "other reasons"
                    self._rejected[reason] += counted["counts"]
            yield batch

    def _counts(self) -> Counts:
        """The account of the run. Raises `DataError` where it does not balance."""
        counts = Counts(
            read=self._seen.rows,
            parents=self._parents,
            children=self._rows[PROCESSED] - self._parents,
            excluded=self._rows[EXCLUDED],
            rejected=self._rows[REJECTED],
        )
        if not counts.balanced:
            raise DataError(
                f"the rows do not balance: {counts}",
                hint="this should not happen: please report it",
                check="MP-DAT-016",
            )
        return counts

    def _finished(self, **results: Any) -> ColorsRun:
        return ColorsRun(
            run_id=self._run_id,
            processed_at=self._processed_at,
            processing_type=self._processing_type,
            input=self._ready.feed.name,
            where=self._ready.feed.where,
            hierarchy=self._ready.hierarchy,
            mapping=self._ready.mapping,
            rules=self._ready.book.name,
            counts=self._counts(),
            excluded_by_rule=self._excluded,
            rejected_by_reason=dict(self._rejected.most_common()),
            warnings=self._ready.engine.warnings(),
            rule_warnings=tuple(map(str, self._ready.faults)),
            **results,
        )


def _is_ours(name: str) -> bool:
    """Whether a run of ours writes files of this name."""
    return is_run_file(name, FORMATS)


def _listed(summary: str) -> list[str]:
    """Return the files of a run. Raises `ValueError` if this is not the summary of one."""
    names = [file.name for file in parse_run_summary(summary).files]
    if not all(map(_is_ours, names)):
        raise ValueError("it lists files that no run writes")
    return names


_SEAL = Seal(name=RUN_SUMMARY, is_member=_is_ours, list_files=_listed)


def _spreadsheet_numbers(columns: Columns) -> frozenset[str]:
    """The columns that a spreadsheet may treat as numbers; a whole number may be an identifier."""
    return frozenset(
        column.name
        for column in columns.all
        if column.kind is Kind.NUMBER and not pa.types.is_integer(column.field.type)
    )


def _check_rejected(ready: Prepared, seen: InputProfile, most: MostRejected | None) -> None:
    """Raise `DataError` where no row can be used, or more are rejected than may be."""
    if seen.rejected < seen.rows and not (most and most.exceeded(seen.rejected, seen.rows)):
        return
    batches = ready.engine.rejected()
    reasons = (reason for batch in batches for reason in batch.column("REASON").to_pylist())
    if fault := refused(reasons, seen.rows, most):
        raise fault
