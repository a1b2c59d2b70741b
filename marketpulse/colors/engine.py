"""The DuckDB engine: looks at the cells, then runs the statement, in memory that does not grow.

The input is read once and kept for the run. As it comes it is looked at: which cells are more
than plain, and which rows these are. Only then it is known how each column's values are taken,
and the statement runs for what is processed, excluded and rejected. The sorted rows stream out in
batches; parents and children are told by where one security ends and the next begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from marketpulse.colors.cells import MACROS, Cell, Precision
from marketpulse.colors.columns import KEYS, NEVER_MISSING, Columns, InputColumn
from marketpulse.colors.cusip import are_valid_cusips
from marketpulse.colors.groups import group_marks, whole_groups
from marketpulse.colors.malformed import MalformedLines
from marketpulse.colors.profile import look_closely, question
from marketpulse.colors.ranking import predicate, sort_keys, taken_by, with_values
from marketpulse.colors.rules import BoundRule
from marketpulse.colors.tie_breaking import settled
from marketpulse.errors import DataError, MarketPulseError, UsageError
from marketpulse.formats.encode import to_text
from marketpulse.formats.spill import Spill
from marketpulse.model import OnMalformedLine

_ROWS = 50_000  # of a batch on its way out
_PORTION = 20_000  # of a batch on its way in: small enough to keep all cores at work
_HELD = 1 << 29  # bytes of what arrived, in memory; beyond, it is on disk
_RAW_CUSIP = pa.field("raw_cusip", pa.string())
_TIE = pa.field("tie", pa.uint64())  # one number for rows that are equal in all sort keys
_ODD_RANK = pa.field("odd_rank", pa.bool_())


@dataclass(frozen=True)
class ColorInput:
    """Colors as they arrive: their columns, and a way to read them, once."""

    name: str
    schema: pa.Schema
    read: Callable[[OnMalformedLine], Any]
    where: str | None = None  # what chose them
    files: tuple[Path, ...] = ()  # that they are read from


@dataclass(frozen=True)
class InputProfile:
    """What the look at all rows told."""

    rows: int  # misfits included
    rejected: int  # so too
    digest: str  # of the rows, whatever their order


class Engine:
    """One run over one feed. A context manager; its readers are used one at a time."""

    def __init__(
        self,
        feed: ColorInput,
        columns: Columns,
        rules: Sequence[BoundRule],
        hierarchy: Sequence[str],
        *,
        workspace: Path,
        memory_limit: int | None = None,
    ) -> None:
        self._feed = feed
        self._columns = columns
        self._rules = tuple(rules)
        self._hierarchy = tuple(hierarchy)
        self.cells: Sequence[Cell] = [Cell(column) for column in columns.all]
        self._faulty = 0  # how many rows have a reason why they cannot be used
        self._failure: MarketPulseError | None = None
        self._warnings = dict.fromkeys(("cusip", "rank"), 0)
        self._connection = _connect(workspace, memory_limit)
        fields = [field.with_name(f"c{place}") for place, field in enumerate(feed.schema)]
        held = min(_HELD, memory_limit // 4) if memory_limit else _HELD
        schema = pa.schema([*fields, pa.field("n", pa.int64())])
        self._kept = Spill(workspace / "arrived.arrow", schema, held)
        self._malformed_lines = MalformedLines(workspace / "misfits.arrow", held // 8)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def look(self) -> InputProfile:
        """Read the feed, and look at it: what the cells are like, and which rows these are.

        Raises `DataError` where the feed is not what its format promises.
        """
        self._offer(self._arriving())
        missing = " OR ".join(self._role(name).missing for name in NEVER_MISSING)
        row = ", ".join(cell.raw for cell in self.cells)
        compared = self._compared()
        formed = [cell for cell in self.cells if cell.column in compared and cell.form]
        carried = [cell for cell in self.cells if cell.column not in compared and cell.fault]
        asked = [
            "count(*)",
            f"sum(hash({row}))",
            f"coalesce(bool_or({missing}), false)",
            *(cell.varies for cell in formed),
            *(f"coalesce(bool_or({cell.doubt}), false)" for cell in carried),
        ]
        forms = [f"{cell.form} AS f{cell.column.place}" for cell in formed]
        ((rows, digest, unnamed, *found),) = self._ask(question(asked, forms))
        suspects = [cell for cell, it in zip(formed + carried, found, strict=True) if it]
        looks = look_closely([cell for cell in suspects if cell.column in compared], self._fetch)
        self.cells = [
            Cell(cell.column, looks.get(cell.column, Precision.PLAIN))
            if cell.column in compared
            else cell
            for cell in self.cells
        ]
        suspected = {cell.column for cell in suspects}
        if unnamed:
            suspected |= {self._columns.role(name) for name in NEVER_MISSING}
        self._set_aside(suspected)
        told = f"{rows} {digest} {self._malformed_lines.count} {self._malformed_lines.digest}"
        identity = hashlib.sha256(told.encode()).hexdigest()
        malformed_lines = self._malformed_lines.count
        return InputProfile(rows + malformed_lines, self._faulty + malformed_lines, identity)

    def _set_aside(self, suspected: AbstractSet[InputColumn]) -> None:
        """Note the rows that cannot be used, and the first reason why, in the columns' order."""
        cells = [cell for cell in self.cells if cell.column in suspected]
        reasons = [reason for cell in cells if (reason := cell.reason)]
        if reasons:
            reason = f"coalesce({', '.join(reasons)}) AS reason"
            ((self._faulty,),) = self._fetch(
                f"CREATE TABLE faults AS SELECT n, {reason} FROM arrived WHERE reason IS NOT NULL"  # noqa: S608 - our own words
            )

    def _compared(self) -> set[InputColumn]:
        """The columns whose values are compared in all rows; those of others break ties alone."""
        asked = {condition.column for rule in self._rules for condition in rule.conditions}
        return asked | {self._columns.role(name) for name in (*NEVER_MISSING, *KEYS.values())}

    def processed(self, constants: Sequence[tuple[pa.Field, pa.Scalar]]) -> pa.RecordBatchReader:
        """The rows that stay, ranked: the input's columns, the constants, and the marks."""
        cusip, message_id = (self._columns.role(name).place for name in ("CUSIP", "MESSAGE_ID"))
        keys = [
            exp.Ordered(this=exp.column(f"v{cusip}"), nulls_first=False),
            *(key.ordered for key in sort_keys(self._columns, self._hierarchy)),
        ]
        statement = (
            self._fated()
            .select(
                *self._raw(cusip),
                f"c{cusip} AS {_RAW_CUSIP.name}",
                exp.alias_(exp.func("hash", *(key.this.copy() for key in keys)), _TIE.name),
                self._odd_rank(),
            )
            .where(exp.column("taken_by").is_(exp.null()))
            .order_by(*keys)
        )
        fields = list(self._feed.schema)
        arrived = fields[cusip].with_name(_RAW_CUSIP.name)
        fields[cusip] = pa.field(fields[cusip].name, pa.string())
        marks = [
            pa.field("IS_PARENT", pa.bool_()),
            fields[message_id].with_name("PARENT_MESSAGE_ID"),
            pa.field("CHILDREN_COUNT", pa.int64()),
            pa.field("GROUP_POSITION", pa.int64()),
        ]
        schema = pa.schema([*fields, *(field for field, _ in constants), *marks])

        def batches() -> Iterator[pa.RecordBatch]:
            streamed = self._stream(statement, [*fields, arrived, _TIE, _ODD_RANK])
            for tied in whole_groups(self._without_odd_ranks(_ahead(streamed)), cusip):
                groups = self._settled(tied, cusip)
                values = [pa.repeat(value, len(groups)) for _, value in constants]
                marked = group_marks(groups.column(cusip), groups.column(message_id))
                is_parent, _, children, _ = marked
                odd = ~are_valid_cusips(groups.column(cusip).filter(is_parent))
                self._warnings["cusip"] += int(
                    (children.filter(is_parent).to_numpy() + 1)[odd].sum()
                )
                yield pa.record_batch([*groups.columns, *values, *marked], schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _settled(self, groups: pa.RecordBatch, cusip: int) -> pa.RecordBatch:
        """The rows without their last two columns; in order where the sort keys left them tied."""
        *cells, arrived, ties = groups.columns
        rows = pa.record_batch(cells, pa.schema(list(groups.schema)[:-2]))
        cells[cusip] = arrived
        order = settled(cells, ties.to_numpy(), self._columns.all, self._connection)
        return rows if order is None else rows.take(pa.array(order))

    def excluded(self) -> pa.RecordBatchReader:
        """The rows that rules took, every cell as it arrived, and the rule's id."""
        schema = pa.schema([*self._feed.schema, pa.field("RULE_ID", pa.string())])
        if not self._rules:
            return schema.empty_table().to_reader()
        statement = (
            self._fated()
            .select(*self._raw(), "taken_by", self._odd_rank())
            .where(exp.column("taken_by").is_(exp.null()).not_())
            .order_by("n")
        )
        cusip = self._columns.role("CUSIP").place

        def batches() -> Iterator[pa.RecordBatch]:
            for rows in self._without_odd_ranks(self._stream(statement, [*schema, _ODD_RANK])):
                text = to_text(rows.column(cusip), schema.field(cusip))
                normal = pc.utf8_upper(pc.utf8_trim_whitespace(text))
                self._warnings["cusip"] += int((~are_valid_cusips(normal)).sum())
                yield rows

        return pa.RecordBatchReader.from_batches(schema, batches())

    def rejected(self) -> pa.RecordBatchReader:
        """The rows that cannot be used, every cell as it arrived, and the lines that are none."""
        schema = pa.schema(
            [*self._feed.schema, pa.field("REASON", pa.string()), pa.field("RAW_LINE", pa.string())]
        )
        if not (self._faulty or self._malformed_lines.count):
            return schema.empty_table().to_reader()
        self._connection.register("misfits", self._malformed_lines.reader())
        cells = [exp.column(name) for name in self._raw()]
        nulls = [exp.alias_(exp.null(), name) for name in self._raw()]
        unusable = (
            exp.select(*cells, "reason", "NULL AS raw", "n", "0 AS line")
            .from_("valued")
            .where(exp.column("reason").is_(exp.null()).not_())
        )
        malformed_line = exp.select(*nulls, "reason", "raw", "n", "line").from_("misfits")
        both = exp.union(unusable, malformed_line, distinct=False).subquery("both")
        statement = exp.select(*cells, "reason", "raw").from_(both).order_by("n", "line")
        return pa.RecordBatchReader.from_batches(schema, self._stream(statement, [*schema]))

    def funnel(self) -> list[tuple[int, int]]:
        """For each active rule: how many rows it matches alone, how many it takes."""
        counts = []
        for rule in self._rules:
            alone = exp.Case().when(predicate(rule, self.cells), exp.true())
            taken = exp.Case().when(
                exp.column("taken_by").eq(exp.Literal.string(rule.rule.id)), exp.true()
            )
            counts += [exp.Count(this=alone), exp.Count(this=taken)]
        if not counts:
            return []
        (row,) = self._fetch(self._fated().select(*counts))
        return list(zip(row[::2], row[1::2], strict=True))

    def table(self, statement: exp.Expr) -> pa.Table:
        """The rows of a statement on `valued` that gives few of them."""
        sql = self._with_values(statement)
        self._offer()
        with self._own_errors():
            return self._connection.sql(sql).to_arrow_table()

    def warnings(self) -> dict[str, int]:
        """How many rows among those read so far are kept, but doubtful, and why."""
        return dict(self._warnings)

    # -- statements ----------------------------------------------------------------------------

    def _role(self, name: str) -> Cell:
        return self.cells[self._columns.role(name).place]

    def _raw(self, cusip: int | None = None) -> list[str]:
        """The cells as they arrived, the CUSIP normalised where its place is given."""
        places = range(len(self.cells))
        return [f"v{place} AS c{place}" if place == cusip else f"c{place}" for place in places]

    def _fated(self) -> exp.Select:
        """The rows that can be used, and which rule takes each."""
        fate = exp.alias_(taken_by(self._rules, self.cells), "taken_by")
        usable = exp.select("*", fate).from_("valued").where(exp.column("reason").is_(exp.null()))
        return exp.select().from_(usable.subquery("fated"))

    def _odd_rank(self) -> exp.Expr:
        """Whether the rank is none of 1 to 6."""
        cell = self._role("RANK")
        exact = cell.look is Precision.EXACT
        value = exp.column(f"{'k' if exact else 'v'}{cell.column.place}")
        low, high = (
            exp.func("number_key", exp.Literal.string(end)) if exact else exp.Literal.number(end)
            for end in ("1", "6")
        )
        outside = exp.or_(value < low, value > high)
        return exp.alias_(exp.func("coalesce", outside, exp.false()), _ODD_RANK.name)

    def _with_values(self, statement: exp.Expr) -> str:
        """The statement as SQL, with the relation that it reads."""
        faults = (
            "LEFT JOIN faults USING (n)"
            if self._faulty
            else ", (SELECT CAST(NULL AS VARCHAR) AS reason)"
        )
        return with_values(statement, self.cells, f"arrived {faults}")

    # -- running -------------------------------------------------------------------------------

    def _arriving(self) -> pa.RecordBatchReader:
        """The feed, its columns called c0, c1, ..., its rows numbered by n; kept as it passes."""
        reader = self._feed.read(self._malformed_lines.add)
        schema = self._kept.schema

        def batches() -> Iterator[pa.RecordBatch]:
            count = 0
            try:
                for batch in reader:
                    numbers = pa.array(np.arange(count, count + len(batch)))
                    count += len(batch)
                    rows = pa.table([*batch.columns, numbers], schema=schema)
                    for portion in rows.to_batches(max_chunksize=_PORTION):
                        self._kept.add(portion)
                        yield portion
            except MarketPulseError as error:
                self._failure = error  # DuckDB would only keep its words
                raise
            self._kept.close()
            self._malformed_lines.close()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def _offer(self, reader: pa.RecordBatchReader | None = None) -> None:
        """Let the relation `arrived` be the rows, as they come or again from the first on."""
        try:
            self._connection.register("arrived", reader or self._kept.reader())
        except duckdb.Error as error:
            raise self._unreadable(error) from error

    def _fetch(self, statement: str | exp.Expr) -> list[tuple[Any, ...]]:
        sql = statement if isinstance(statement, str) else self._with_values(statement)
        self._offer()
        return self._ask(sql)

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self._own_errors():
            return self._connection.execute(sql).fetchall()

    def _stream(self, statement: exp.Expr, fields: Sequence[pa.Field]) -> Iterator[pa.RecordBatch]:
        """The statement's rows in batches, in the types in which they arrived."""
        schema = pa.schema(fields)
        sql = self._with_values(statement)
        self._offer()
        with self._own_errors():
            for batch in self._connection.sql(sql).to_arrow_reader(_ROWS):
                columns = [
                    column if column.type == field.type else column.cast(field.type)
                    for column, field in zip(batch.columns, schema, strict=True)
                ]
                yield pa.record_batch(columns, schema)

    def _without_odd_ranks(self, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same rows without their last column, in which odd ranks are marked and counted."""
        for batch in rows:
            self._warnings["rank"] += batch.columns[-1].true_count
            fields = list(batch.schema)[:-1]
            yield pa.record_batch(batch.columns[:-1], pa.schema(fields))

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        """DuckDB's errors in our words, and those of the feed in its own."""
        try:
            yield
        except duckdb.Error as error:
            if self._failure:
                raise self._failure from None
            if isinstance(error, duckdb.OutOfMemoryException):
                raise UsageError(
                    f"--memory-limit: there is not enough of it: {error}", hint="give it more"
                ) from error
            if isinstance(error, duckdb.NotImplementedException):
                raise self._unreadable(error) from error
            raise
        except pa.ArrowNotImplementedError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> DataError:
        words = str(error).partition("\n")[0]
        return DataError(
            f"{self._feed.name}: a column has a type that cannot be read: {words}",
            hint="leave that column out of the input, or write it as text there",
            check="MP-DAT-018",
        )


def _connect(workspace: Path, memory_limit: int | None) -> duckdb.DuckDBPyConnection:
    """A database in memory, which sorts in the workspace what does not fit."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(workspace),
        "autoinstall_known_extensions": "false",
    }
    if memory_limit:
        config["memory_limit"] = f"{memory_limit}B"
    try:
        connection = duckdb.connect(config=config)
        # DuckDB would draw its progress on standard output, among the results.
        connection.execute("SET enable_progress_bar = false")
        for macro in MACROS:
            connection.execute(f"CREATE MACRO {macro}")
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"--memory-limit: {memory_limit} bytes do not work: {reason}",
            hint="for instance 2GB",
        ) from error
    return connection


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, each fetched while the one before it is worked on."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = beside.submit(next, batches, None)
            yield batch
