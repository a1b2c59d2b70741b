"""The DuckDB engine: looks at the cells, then runs the statement, in memory that does not grow.

The input is read several times and never held: once to look at the cells and to identify the rows,
then once for what is rejected, excluded and processed. The sorted rows stream out in batches, and
parents and children are told by where one security ends and the next begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from marketpulse.colors import cells
from marketpulse.colors.cells import Cell, Look
from marketpulse.colors.columns import NEVER_MISSING, Columns, Kind
from marketpulse.colors.ranking import predicate, sort_keys, taken_by
from marketpulse.colors.rules import BoundRule
from marketpulse.errors import BadData, MarketPulseError, WrongUsage
from marketpulse.model import Misfit, OnMisfit

_ROWS = 50_000


@dataclass(frozen=True)
class Feed:
    """Colors as they arrive: their columns, and a way to read them again and again."""

    name: str
    schema: pa.Schema
    scan: Callable[[OnMisfit], Any]


@dataclass(frozen=True)
class Seen:
    """What the look at all rows told."""

    rows: int  # misfits included
    rejected: int  # misfits included
    digest: str  # of the rows, whatever their order
    cusip_warnings: int
    rank_warnings: int


class Engine:
    """One run over one feed. A context manager; its readers are used one at a time."""

    def __init__(
        self,
        feed: Feed,
        columns: Columns,
        rules: Sequence[BoundRule],
        hierarchy: Sequence[str],
        *,
        workspace: Path,
        memory_limit: str | None = None,
    ) -> None:
        self._feed = feed
        self._columns = columns
        self._rules = tuple(rules)
        self._hierarchy = tuple(hierarchy)
        self._misfits: list[Misfit] = []
        self._failure: BaseException | None = None
        self._cells = [Cell(column) for column in columns.all]
        self._faulty = False
        config = {"temp_directory": str(workspace), "autoinstall_known_extensions": "false"}
        if memory_limit:
            config["memory_limit"] = memory_limit
        try:
            self._connection = duckdb.connect(config=config)
        except duckdb.Error as error:
            raise WrongUsage(f"--memory-limit: {error}", hint="for instance 2GB") from error
        for macro in cells.MACROS:
            self._connection.execute(f"CREATE TEMP MACRO {macro}")

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def look(self) -> Seen:
        """Read everything once: what the cells are like, and which rows these are."""
        asked = [(cell, condition) for cell in self._cells if (condition := cell.odd)]
        cusip, rank = self._role("CUSIP"), self._role("RANK")
        missing = " OR ".join(self._role(name).missing for name in NEVER_MISSING)
        row = ", chr(31), ".join(f"coalesce({it.raw}::VARCHAR, chr(0))" for it in self._cells)
        aggregates = [
            "count(*)",
            f"sum((md5_number(concat({row})) >> 64)::UBIGINT)",
            f"count(*) FILTER ({missing})",
            f"count(*) FILTER (NOT is_cusip(upper(trimmed({cusip.text}))))",
            f"count(*) FILTER (TRY_CAST({rank.text} AS BIGINT) NOT BETWEEN 1 AND 6)",
            *(f"count(*) FILTER ({condition})" for _, condition in asked),
        ]
        ((rows, digest, unnamed, cusips, ranks, *counts),) = self._fetch(
            f"SELECT {', '.join(aggregates)} FROM arrived", keep_misfits=True
        )
        suspects = [cell for (cell, _), count in zip(asked, counts, strict=True) if count]
        self._look_closely(suspects, missing=bool(unnamed))
        rejected = 0
        if self._faulty or rank in suspects:
            rejected, cusips, ranks = self._recount()
        texts = sorted(misfit.text for misfit in self._misfits)
        identity = hashlib.sha256("\0".join((f"{rows} {digest}", *texts)).encode()).hexdigest()
        misfits = len(self._misfits)
        return Seen(rows + misfits, rejected + misfits, identity, cusips, ranks)

    def processed(self, constants: Sequence[tuple[pa.Field, pa.Scalar]]) -> pa.RecordBatchReader:
        """The rows that stay, ranked: the input's columns, the constants, and the marks."""
        cusip = self._columns.role("CUSIP").place
        statement = (
            self._fated()
            .select(*self._raw(cusip))
            .where("taken_by IS NULL", dialect="duckdb")
            .order_by(
                f"v{cusip}",
                *(key for _, key in sort_keys(self._columns, self._cells, self._hierarchy)),
            )
        )
        message_id = self._columns.role("MESSAGE_ID").place
        fields = [
            pa.field(field.name, pa.string()) if place == cusip else field
            for place, field in enumerate(self._feed.schema)
        ]
        arrived = pa.schema(fields)
        schema = pa.schema(
            [
                *fields,
                *(field for field, _ in constants),
                pa.field("IS_PARENT", pa.bool_()),
                pa.field("PARENT_MESSAGE_ID", fields[message_id].type,
                         metadata=fields[message_id].metadata),
                pa.field("CHILDREN_COUNT", pa.int64()),
                pa.field("GROUP_POSITION", pa.int64()),
            ]
        )

        def batches() -> Iterator[pa.RecordBatch]:
            for group in _whole_groups(self._stream(statement, arrived), cusip):
                values = [pa.repeat(value, len(group)) for _, value in constants]
                marks = _marks(group.column(cusip), group.column(message_id))
                yield pa.record_batch([*group.columns, *values, *marks], schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def excluded(self) -> pa.RecordBatchReader:
        """The rows that rules took, every cell as it arrived, and the rule's id."""
        schema = pa.schema([*self._feed.schema, pa.field("RULE_ID", pa.string())])
        if not self._rules:
            return schema.empty_table().to_reader()
        statement = (
            self._fated()
            .select(*self._raw(), "taken_by")
            .where("taken_by IS NOT NULL", dialect="duckdb")
            .order_by("n")
        )
        return pa.RecordBatchReader.from_batches(schema, self._stream(statement, schema))

    def rejected(self) -> pa.RecordBatchReader:
        """The rows that cannot be used, every cell as it arrived, and the lines that are none."""
        schema = pa.schema(
            [*self._feed.schema, pa.field("REASON", pa.string()), pa.field("RAW_LINE", pa.string())]
        )
        if not (self._faulty or self._misfits):
            return schema.empty_table().to_reader()
        misfits = pa.table(
            {
                "n": [misfit.after - 0.5 for misfit in self._misfits],
                "line": range(len(self._misfits)),
                "reason": [misfit.reason for misfit in self._misfits],
                "raw": [misfit.text for misfit in self._misfits],
            }
        )
        self._connection.register("misfits", misfits)
        empty = ", ".join("NULL" for _ in self._raw())
        statement = (
            f"SELECT {', '.join(self._raw())}, reason, raw FROM ("
            f"SELECT {', '.join(self._raw())}, reason, NULL AS raw, n, 0 AS line FROM valued "
            "WHERE reason IS NOT NULL UNION ALL "
            f"SELECT {empty}, reason, raw, n, line FROM misfits) ORDER BY n, line"
        )
        return pa.RecordBatchReader.from_batches(schema, self._stream(statement, schema))

    def funnel(self) -> list[tuple[str, int, int]]:
        """For each active rule: its id, how many rows it matches alone, how many it takes."""
        if not self._rules:
            return []
        asked = [
            exp.alias_(exp.Count(this=exp.Case().when(predicate(rule, self._cells), exp.true())),
                       f"matches{number}")
            for number, rule in enumerate(self._rules)
        ]
        taken = [
            f"count(*) FILTER (taken_by = '{rule.rule.id.replace(chr(39), chr(39) * 2)}')"
            for rule in self._rules
        ]
        alone = self._fetch(exp.select(*asked).from_("valued").where("reason IS NULL"))[0]
        first = self._fetch(f"SELECT {', '.join(taken)} FROM ({self._fated().select('taken_by').sql('duckdb')})")[0]
        return [
            (rule.rule.id, matches, takes)
            for rule, matches, takes in zip(self._rules, alone, first, strict=True)
        ]

    # -- statements ----------------------------------------------------------------------------

    def _raw(self, cusip: int | None = None) -> list[str]:
        """The cells as they arrived, the CUSIP normalised where its place is given."""
        return [
            f"v{cell.column.place} AS c{cell.column.place}"
            if cell.column.place == cusip
            else f"c{cell.column.place}"
            for cell in self._cells
        ]

    def _fated(self) -> exp.Select:
        """The rows that can be used, and which rule takes each."""
        fate = exp.alias_(taken_by(self._rules, self._cells), "taken_by")
        usable = exp.select("*", fate).from_("valued").where("reason IS NULL", dialect="duckdb")
        return exp.select().from_(usable.subquery("fated"))

    def _define_values(self) -> None:
        """The relation that the statement reads, from what is known of the cells by now."""
        selected = []
        for cell in self._cells:
            place = cell.column.place
            selected += [f"{cell.value} AS v{place}", f"{cell.key} AS k{place}"]
            if cell.column.kind is Kind.TEXT:
                selected.append(f"lower(trimmed(CAST({cell.value} AS VARCHAR))) AS x{place}")
            selected += [
                f"{spelling} AS s{place}_{number}"
                for number, spelling in enumerate(cell.spellings)
            ]
        reasons = [reason for cell in self._cells if (reason := cell.reason)]
        reason = f"coalesce({', '.join(reasons)})" if self._faulty else "CAST(NULL AS VARCHAR)"
        self._connection.execute(
            f"CREATE OR REPLACE TEMP VIEW valued AS SELECT *, {', '.join(selected)}, "
            f"{reason} AS reason FROM arrived"
        )

    def _look_closely(self, suspects: Sequence[Cell], *, missing: bool) -> None:
        """Decide for each column how careful its values have to be taken."""
        faults = 0
        beyond: dict[int, bool] = {}
        if suspects:
            aggregates = [f"count(*) FILTER ({cell.beyond})" for cell in suspects]
            aggregates += [f"count(*) FILTER ({cell.fault or 'false'})" for cell in suspects]
            (counts,) = self._fetch(f"SELECT {', '.join(aggregates)} FROM arrived")
            faults = sum(counts[len(suspects) :])
            beyond = {
                cell.column.place: bool(count)
                for cell, count in zip(suspects, counts, strict=False)
            }
        looks = {False: Look.SHORT, True: Look.EXACT}
        self._cells = [
            Cell(cell.column, looks[beyond[place]] if place in beyond else Look.PLAIN)
            for place, cell in enumerate(self._cells)
        ]
        self._faulty = missing or faults > 0
        self._arrive(keep_misfits=False)
        self._define_values()

    def _recount(self) -> tuple[int, int, int]:
        """How many rows cannot be used, and the warnings of those that can."""
        cusip, rank = self._role("CUSIP"), self._role("RANK")
        value = f"v{rank.column.place}", "1", "6"
        if rank.look is Look.EXACT:
            value = f"k{rank.column.place}", "number_key('1')", "number_key('6')"
        outside = "{0} < {1} OR {0} > {2}".format(*value)
        (counts,) = self._fetch(
            "SELECT count(*) FILTER (reason IS NOT NULL), "
            f"count(*) FILTER (reason IS NULL AND NOT is_cusip(v{cusip.column.place})), "
            f"count(*) FILTER (reason IS NULL AND ({outside})) FROM valued"
        )
        return counts

    def _role(self, name: str) -> Cell:
        return self._cells[self._columns.role(name).place]

    # -- running -------------------------------------------------------------------------------

    def _arrive(self, *, keep_misfits: bool) -> None:
        """Let the feed's rows be the relation `arrived`, once, numbered in their order by n."""
        keep = self._misfits.append if keep_misfits else _forget
        reader = self._feed.scan(keep)
        names = [f"c{place}" for place in range(len(self._feed.schema))]
        fields = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
        schema = pa.schema([*fields, pa.field("n", pa.int64())])

        def batches() -> Iterator[pa.RecordBatch]:
            count = 0
            try:
                for batch in reader:
                    numbers = pa.array(np.arange(count, count + len(batch)))
                    count += len(batch)
                    yield pa.record_batch([*batch.columns, numbers], schema)
            except MarketPulseError as error:
                self._failure = error  # DuckDB would only keep its words
                raise

        self._connection.register("arrived", pa.RecordBatchReader.from_batches(schema, batches()))

    def _fetch(
        self, statement: str | exp.Expression, *, keep_misfits: bool = False
    ) -> list[tuple[Any, ...]]:
        self._arrive(keep_misfits=keep_misfits)
        with self._own_errors():
            return self._connection.execute(_sql(statement)).fetchall()

    def _stream(
        self, statement: str | exp.Expression, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """The statement's rows in batches, in the types in which they arrived."""
        self._arrive(keep_misfits=False)
        with self._own_errors():
            for batch in self._connection.sql(_sql(statement)).to_arrow_reader(_ROWS):
                columns = [
                    column if column.type == field.type else column.cast(field.type)
                    for column, field in zip(batch.columns, schema, strict=True)
                ]
                yield pa.record_batch(columns, schema)

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """DuckDB's errors in our words."""
        try:
            yield
        except (duckdb.Error, pa.ArrowException) as error:
            if self._failure:
                raise self._failure from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise WrongUsage(
                    f"--memory-limit: there is not enough of it: {error}", hint="give it more"
                ) from error
            if isinstance(error, duckdb.NotImplementedException):
                raise BadData(
                    f"{self._feed.name}: a column has a type that cannot be read: {error}",
                    check="MP-DAT-018",
                ) from error
            raise


def _sql(statement: str | exp.Expression) -> str:
    return statement if isinstance(statement, str) else statement.sql("duckdb")


def _forget(_misfit: Misfit) -> None:
    """The first reading has kept it."""


def _whole_groups(batches: Iterator[pa.RecordBatch], key: int) -> Iterator[pa.RecordBatch]:
    """The same rows, cut only where one group ends and the next begins."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if not len(batch):
            continue
        begins = _begins(batch.column(key))
        last = int(begins[-1])
        if held and batch.column(key)[0] != held[-1].column(key)[-1]:
            yield pa.concat_batches(held)
            held = []
        if last:
            yield pa.concat_batches([*held, batch[:last]])
            held = []
        held.append(batch[last:])
    if held:
        yield pa.concat_batches(held)


def _begins(key: pa.Array) -> Any:
    """The positions at which a new value of the sorted key begins."""
    changes = pc.not_equal(key[1:], key[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def _marks(cusips: pa.Array, message_ids: pa.Array) -> list[pa.Array]:
    """IS_PARENT, PARENT_MESSAGE_ID, CHILDREN_COUNT and GROUP_POSITION of whole groups."""
    begins = _begins(cusips)
    sizes = np.diff(begins, append=len(cusips))
    parents = np.repeat(begins, sizes)
    positions = np.arange(len(cusips)) - parents + 1
    is_parent = positions == 1
    return [
        pa.array(is_parent),
        message_ids.take(pa.array(parents, mask=is_parent)),
        pa.array(np.where(is_parent, np.repeat(sizes, sizes) - 1, 0)),
        pa.array(positions),
    ]
