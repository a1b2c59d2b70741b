"""The DuckDB engine: profiles the cells, then runs one statement for each output.

    arrivals ──▶ profile: precision of each column, digest, rejected rows
             ├─▶ processed: rows in their total order
             │       ──▶ whole groups ──▶ parents and children marked
             ├─▶ excluded
             └─▶ rejected (and malformed lines)

Everything is streamed in batches, so memory does not grow with the input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.colors.arrivals import Arrivals, Row
from marketpulse.colors.cells import Cell, Precision, literal, trim_once, with_trimmed
from marketpulse.colors.columns import Columns, InputColumn, Kind
from marketpulse.colors.groups import group_marks, whole_groups
from marketpulse.colors.profile import CellProfile, finish_profiles
from marketpulse.colors.ranking import (
    excluding_rule,
    rule_predicate,
    sort_keys,
    tie_breaks,
    with_values,
)
from marketpulse.colors.rules import BoundRule
from marketpulse.colors.spellings import DateForm
from marketpulse.formats.base import read_ahead
from marketpulse.formats.cusip import are_valid_cusips
from marketpulse.formats.encode import to_text

# Columns that the statements add. They are cut off before a batch leaves the engine.
_ODD_RANK = pa.field("odd_rank", pa.bool_())


@dataclass(frozen=True, kw_only=True)
class InputProfile:
    """What is known of an input after it is read once."""

    rows: int  # with malformed lines
    rejected: int  # with malformed lines
    malformed: int  # lines with too few or too many fields
    row_hashes: int = 0  # the sum of the hashes of all rows
    line_hashes: int = 0  # the same of malformed lines

    @property
    def digest(self) -> str:
        """A hash of all rows, the same in any order."""
        complete = self.rows - self.malformed
        identity = (
            f"{complete} {self.row_hashes if complete else None} "
            f"{self.malformed} {self.line_hashes % 2**128:032x}"
        )
        return hashlib.sha256(identity.encode()).hexdigest()

    def __add__(self, other: InputProfile) -> InputProfile:
        """The profile of both inputs together: that of the parts, whatever the parts are."""
        return InputProfile(
            rows=self.rows + other.rows,
            rejected=self.rejected + other.rejected,
            malformed=self.malformed + other.malformed,
            row_hashes=self.row_hashes + other.row_hashes,
            line_hashes=self.line_hashes + other.line_hashes,
        )


@dataclass(frozen=True, kw_only=True)
class DateCensus:
    """The cells of a date column: how many there are, how many are no dates, and which forms fit.

    `forms` are the foreign forms that all cells have that are no dates.
    """

    present: int = 0
    invalid: int = 0
    forms: tuple[DateForm, ...] = tuple(DateForm)

    @property
    def fitting_forms(self) -> tuple[DateForm, ...]:
        """The forms that all cells have, if most are no dates."""
        return self.forms if self.invalid * 2 > self.present else ()

    def __add__(self, other: DateCensus) -> DateCensus:
        """The census of two parts of a column together."""
        return DateCensus(
            present=self.present + other.present,
            invalid=self.invalid + other.invalid,
            forms=tuple(form for form in self.forms if form in other.forms),
        )


class Engine:
    """One run over one input. Call `profile` first, then consume one reader after another."""

    def __init__(
        self,
        arrivals: Arrivals,
        columns: Columns,
        rules: Sequence[BoundRule],
        hierarchy: Sequence[str],
    ) -> None:
        self._arrivals = arrivals
        self._columns = columns
        self._rules = tuple(rules)
        self._hierarchy = tuple(hierarchy)
        self._rejections = 0  # rows that are not malformed lines and yet cannot be used
        self._warnings = {"cusip": 0, "rank": 0}
        self._suspected: set[InputColumn] = set()  # columns that may have invalid cells
        self._permitted: dict[InputColumn, int] = {}
        self.cells: Sequence[Cell] = [Cell(column) for column in columns.all]

    def close(self) -> None:
        """End the database: no reader can be consumed any more."""
        self._arrivals.close()

    def profile(self) -> InputProfile:
        """Read the input, find the precision that each column needs, note the rejected rows.

        Raises `DataError` if the input breaks the rules of its format.
        """
        row = ", ".join(cell.raw for cell in self.cells)
        profiles = [CellProfile(column) for column in self._columns.all]

        def look(batch: Sequence[pa.Array]) -> None:
            for profile, cells in zip(profiles, batch, strict=True):
                profile.add(cells, self._arrivals.ask)

        digest_sql = f"SELECT count(*), sum(hash({row})) FROM arrived"
        ((rows, digest),) = self._arrivals.read(digest_sql, look)
        finish_profiles(profiles, self._arrivals.ask)
        self.cells = [profile.cell for profile in profiles]
        suspected = {profile.column for profile in profiles if profile.suspected}
        self._note_rejections(suspected)
        self._suspected = suspected
        self._count_permitted()
        malformed = self._arrivals.malformed
        return InputProfile(
            rows=rows + malformed.count,
            rejected=self._rejections + malformed.count,
            malformed=malformed.count,
            row_hashes=int(digest or 0),
            line_hashes=malformed.hashes,
        )

    def processed(self, constants: Sequence[tuple[pa.Field, pa.Scalar]]) -> pa.RecordBatchReader:
        """The rows that stay, ranked: the input's columns, the constants, and the marks."""
        cusip, message_id = (self._columns.role(role).place for role in ("CUSIP", "MESSAGE_ID"))
        fields = list(self._arrivals.schema)
        fields[cusip] = pa.field(fields[cusip].name, pa.string())
        marks = [
            pa.field("IS_PARENT", pa.bool_()),
            fields[message_id].with_name("PARENT_MESSAGE_ID"),
            pa.field("CHILDREN_COUNT", pa.int64()),
            pa.field("GROUP_POSITION", pa.int64()),
        ]
        schema = pa.schema([*fields, *(field for field, _ in constants), *marks])

        def batches() -> Iterator[pa.RecordBatch]:
            rows = self._stream(self._ranked(cusip), [*fields, _ODD_RANK])
            for groups in whole_groups(self._without_odd_ranks(read_ahead(rows)), cusip):
                values = [pa.repeat(value, len(groups)) for _, value in constants]
                group_columns = group_marks(groups.column(cusip), groups.column(message_id))
                self._warn_of_cusips(groups.column(cusip), group_columns)
                yield pa.record_batch([*groups.columns, *values, *group_columns], schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def unranked(self, key: str) -> pa.RecordBatchReader:
        """The rows that stay, in no order: they are shuffled next. Every cell is as it arrived.

        The column `key` beside them is the normalised CUSIP: rows with the same are one security.
        """
        cusip = self._columns.role("CUSIP").place
        schema = pa.schema([*self._arrivals.schema, pa.field(key, pa.string())])
        columns = ", ".join([*self._raw_columns(), f"v{cusip} AS security"])
        statement = f"SELECT {columns} FROM {self._staying()}"
        return pa.RecordBatchReader.from_batches(schema, self._stream(statement, [*schema]))

    def unranked_hashes(self) -> int:
        """The sum of the hashes of the rows that stay: their share of `InputProfile.row_hashes`."""
        hashes = f"sum(hash({', '.join(self._raw_columns())}))"
        statement = f"SELECT {hashes} FROM {self._staying()}"
        ((total,),) = self._arrivals.fetch(self._with_values(statement))
        return int(total or 0)

    def excluded(self) -> pa.RecordBatchReader:
        """The rows that rules exclude, every cell as it arrived, and the rule's id."""
        schema = pa.schema([*self._arrivals.schema, pa.field("RULE_ID", pa.string())])
        if not self._rules:
            return schema.empty_table().to_reader()
        columns = ", ".join([*self._raw_columns(), "excluded_by", self._odd_rank()])
        rows = f"{self._usable()} WHERE excluded_by IS NOT NULL"
        statement = f"SELECT {columns} FROM {rows} ORDER BY n"
        cusip = self._columns.role("CUSIP").place

        def batches() -> Iterator[pa.RecordBatch]:
            for rows in self._without_odd_ranks(self._stream(statement, [*schema, _ODD_RANK])):
                text = to_text(rows.column(cusip), schema.field(cusip))
                text = pc.replace_substring_regex(text, r"^([0-9]+)\.0*$", r"\1")
                normal = pc.utf8_upper(pc.utf8_trim_whitespace(text))
                self._warnings["cusip"] += int((~are_valid_cusips(normal)).sum())
                yield rows

        return pa.RecordBatchReader.from_batches(schema, batches())

    def rejected(self) -> pa.RecordBatchReader:
        """The rows that cannot be used, every cell as it arrived, and the malformed lines."""
        schema = pa.schema(
            [
                *self._arrivals.schema,
                pa.field("REASON", pa.string()),
                pa.field("RAW_LINE", pa.string()),
            ]
        )
        if not (self._rejections or self._arrivals.malformed.count):
            return schema.empty_table().to_reader()
        self._arrivals.register_malformed()
        cells = ", ".join(self._raw_columns())
        nulls = ", ".join(f"NULL AS {name}" for name in self._raw_columns())
        unusable = f"SELECT {cells}, reason, NULL AS raw, n, 0 AS line FROM valued"
        malformed = f"SELECT {nulls}, reason, raw, n, line FROM malformed"
        both = f"({unusable} WHERE reason IS NOT NULL UNION ALL {malformed})"
        statement = f"SELECT {cells}, reason, raw FROM {both} ORDER BY n, line"
        return pa.RecordBatchReader.from_batches(schema, self._stream(statement, [*schema]))

    def funnel(self) -> list[tuple[int, int]]:
        """For each active rule: how many rows it matches, and how many it excludes."""
        counts = []
        for rule in self._rules:
            matched = rule_predicate(rule, self.cells)
            is_first = f"excluded_by = {literal(rule.rule.id)}"
            counts += [f"count(*) FILTER ({matched})", f"count(*) FILTER ({is_first})"]
        if not counts:
            return []
        statement = f"SELECT {', '.join(counts)} FROM {self._usable()}"
        (row,) = self._arrivals.fetch(self._with_values(statement))
        return list(zip(row[::2], row[1::2], strict=True))

    def table(self, statement: str) -> pa.Table:
        """The rows of a statement on `valued` with a small result."""
        return self._arrivals.table(self._with_values(statement))

    def warnings(self) -> dict[str, int]:
        """How many doubtful rows were streamed so far: an invalid CUSIP, a rank outside 1 to 6.

        And how many cells are read only because an option permits it, if there are any.
        """
        dates = sum(count for column, count in self._permitted.items() if column.date_form)
        ids = sum(count for column, count in self._permitted.items() if column.rounded_ids)
        permitted = {"foreign_dates": dates, "rounded_ids": ids}
        return self._warnings | {name: count for name, count in permitted.items() if count}

    def permitted(self) -> dict[InputColumn, int]:
        """How many cells of usable rows are read only because an option permits it."""
        return dict(self._permitted)

    def date_census(self, *, suspected_only: bool = True) -> dict[str, DateCensus]:
        """The cells of each date column that is read by its text, by the columns' labels.

        `suspected_only` leaves out the columns in which every cell is a date, and the forms of
        those in which most are.
        """
        census = {}
        for column in self._columns.all:
            suspected = column in self._suspected
            if column.kind is not Kind.DATE or not (suspected or not suspected_only):
                continue
            forms = [replace(column, date_form=form) for form in DateForm]
            cell, *candidates = trim_once(map(Cell, [column, *forms]))
            if not (cell.fault and candidates[0].trimmed):
                continue
            invalid = cell.fault if suspected else "false"
            (present, faults) = self._count_arrived(candidates, f"NOT {cell.missing}", invalid)
            counted = DateCensus(present=present, invalid=faults)
            # To look for the forms takes longer than all else that a run asks about few rows.
            if suspected and (counted.fitting_forms or not suspected_only):
                other = self._count_arrived(candidates, *(str(other.fault) for other in candidates))
                fits = [form for form, count in zip(DateForm, other, strict=True) if not count]
                counted = replace(counted, forms=tuple(fits))
            census[column.label] = counted
        return census

    def _count_arrived(self, cells: Sequence[Cell], *conditions: str) -> Row:
        """How many rows fulfil each of these conditions on the cells."""
        counts = ", ".join(f"count_if({condition})" for condition in conditions)
        (row,) = self._arrivals.fetch(
            f"SELECT {counts} FROM {with_trimmed('arrived', cells, counts)}"
        )
        return tuple(count or 0 for count in row)  # DuckDB counts no row as null

    def _note_rejections(self, suspected: AbstractSet[InputColumn]) -> None:
        """Store each rejected row's first reason, in the order of the input's columns."""
        cells = trim_once(cell for cell in self.cells if cell.column in suspected)
        reasons = [reason for cell in cells if (reason := cell.reason)]
        if reasons:
            reason = f"coalesce({', '.join(reasons)}) AS reason"
            rows = with_trimmed("arrived", cells, reason)
            select = f"FROM (SELECT n, {reason} FROM {rows}) WHERE reason IS NOT NULL"
            ((self._rejections,),) = self._arrivals.fetch(f"CREATE TABLE rejections AS {select}")

    def _count_permitted(self) -> None:
        """Count the cells of usable rows that are read only because an option permits it."""
        cells = {cell.column: cell.permitted for cell in self.cells if cell.permitted}
        if not cells:
            return
        counts = ", ".join(f"count_if({permitted})" for permitted in cells.values())
        usable = "arrived ANTI JOIN rejections USING (n)" if self._rejections else "arrived"
        (row,) = self._arrivals.fetch(f"SELECT {counts} FROM {usable}")
        self._permitted = {column: count for column, count in zip(cells, row, strict=True) if count}

    def _ranked(self, cusip: int) -> str:
        """The rows that stay, sorted by CUSIP and the sort keys, with the columns added."""
        keys = [*sort_keys(self.cells, self._hierarchy), *tie_breaks(self.cells)]
        order = ", ".join([f"v{cusip}", *(key.ordered for key in keys)])
        columns = ", ".join([*self._raw_columns(cusip), self._odd_rank()])
        return f"SELECT {columns} FROM {self._staying()} ORDER BY {order}"

    def _staying(self) -> str:
        """The rows that stay."""
        return f"{self._usable()} WHERE excluded_by IS NULL"

    def _usable(self) -> str:
        """The rows that can be used, and the rule that excludes each."""
        rule = excluding_rule(self._rules, self.cells)
        return f"(SELECT *, {rule} AS excluded_by FROM valued WHERE reason IS NULL)"

    def _raw_columns(self, cusip: int | None = None) -> list[str]:
        """The cells as they arrived; the CUSIP is normalised if its place is given."""
        places = range(len(self.cells))
        return [f"v{place} AS c{place}" if place == cusip else f"c{place}" for place in places]

    def _odd_rank(self) -> str:
        """Whether the rank is outside 1 to 6; null if there is none."""
        cell = self._cell("RANK")
        exact = cell.precision is Precision.EXACT
        value = f"v{cell.column.place}"
        low, high = (f"number_key('{rank}')" if exact else rank for rank in "16")
        return f"({value} < {low} OR {value} > {high}) AS {_ODD_RANK.name}"

    def _without_odd_ranks(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count the odd ranks, and cut off the last column, which marks them."""
        for batch in batches:
            self._warnings["rank"] += batch.columns[-1].true_count
            yield pa.record_batch(batch.columns[:-1], pa.schema(list(batch.schema)[:-1]))

    def _warn_of_cusips(self, cusips: pa.Array, marks: Sequence[pa.Array]) -> None:
        """Count the rows of invalid CUSIPs. Each CUSIP is checked once, at its parent."""
        is_parent, _, children, _ = marks
        invalid = ~are_valid_cusips(cusips.filter(is_parent))
        self._warnings["cusip"] += int((children.filter(is_parent).to_numpy() + 1)[invalid].sum())

    def _cell(self, role: str) -> Cell:
        return self.cells[self._columns.role(role).place]

    def _with_values(self, statement: str) -> str:
        """The statement with the relation `valued` that it reads."""
        reasons = (
            "LEFT JOIN rejections USING (n)"
            if self._rejections
            else ", (SELECT CAST(NULL AS VARCHAR) AS reason)"
        )
        return with_values(statement, self.cells, f"arrived {reasons}")

    def _stream(self, statement: str, fields: Sequence[pa.Field]) -> Iterator[pa.RecordBatch]:
        return self._arrivals.stream(self._with_values(statement), fields)
