"""Reads a relation, a table or a query: the statement, then its rows, whatever its values are.

The driver or the server may be unable to read some value. Then the statement is sent again, with
dates as text, or without the column that holds the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from marketpulse.errors import (
    ConnectionLostError,
    DataError,
    MarketPulseError,
    UsageError,
    is_network_error,
)
from marketpulse.model import KeyRows, NewestRows, RandomRows, RowChoice
from marketpulse.sources.base import KeyPosition, SnapshotError, unknown_name_error
from marketpulse.sources.names import quoted
from marketpulse.sources.oracle.columns import (
    ColumnDef,
    RowDecoder,
    SelectItem,
    batch_rows,
    project,
)
from marketpulse.sources.oracle.connection import (
    DateRangeError,
    OracleDatabase,
    unreadable_value_error,
)
from marketpulse.sources.oracle.errors import add_place
from marketpulse.sources.oracle.keys import Condition, key_condition, values_condition

if TYPE_CHECKING:
    from marketpulse.sources.oracle.select_query import SelectQuery

_CODES = re.compile(r"\b(?:ORA|DPY)-\d+")
_STATEMENT_CHECK = "MP-USE-003"  # of errors of a statement
_OBJECT_CHECK = "MP-ORA-004"
_MEASURED_ROWS = 1000
_MOST_GIVEN_UP = 5  # columns: with more the table itself is at fault


@dataclass(frozen=True, kw_only=True)
class RowSet:
    """What stands after FROM, and the columns that it has.

    `name` is for messages. `query` is the user's SELECT, if it is one, `binds` the values for it.
    """

    name: str
    sql: str
    columns: Sequence[ColumnDef]
    query: SelectQuery | None = None
    binds: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class SelectStatement:
    """Which rows of a relation to read, to be rendered as a statement.

    With `scn` as they were then, with a `position` those after it, in the order of its key.
    """

    relation: RowSet
    columns: Sequence[str] | None = None
    where: str | None = None
    order: str | None = None
    limit: int | None = None
    max_lob: int | None = None
    scn: str = ""
    position: KeyPosition | None = None
    choice: RowChoice | None = None

    @property
    def binds(self) -> Mapping[str, object]:
        """The values of the query's binds, and of the keys that the rows have or follow."""
        return {**self.relation.binds, **self._on_keys[1]}

    @property
    def selected(self) -> Sequence[ColumnDef]:
        """The definitions of the columns to read."""
        definitions = self.relation.columns
        if self.columns is None:
            return definitions
        return [definition for definition in definitions if definition.name in self.columns]

    def fetch_rows(self, lob_lengths: Mapping[str, int]) -> int:
        """Return the rows to fetch in each round trip; LOBs have these average lengths."""
        rows = batch_rows(self.selected, self.max_lob, lob_lengths)
        # With one row more than the limit the first answer also says that there are no others.
        return max(rows if self.limit is None else min(rows, self.limit + 1), 2)

    def measurement(self) -> tuple[Sequence[str], str]:
        """Return LOBs of unknown length, and the statement that measures some rows of them.

        There are none where LOBs are cut. A query is not run twice.
        """
        lobs = [definition.name for definition in self.selected if definition.is_unmeasured_lob]
        if not lobs or self.max_lob is not None or self.relation.query:
            return (), ""
        rows = _MEASURED_ROWS if self.limit is None else min(self.limit, _MEASURED_ROWS)
        first = replace(self, columns=lobs, order=None, position=None, choice=None, limit=rows)
        lengths = ", ".join(f"AVG(NVL(DBMS_LOB.GETLENGTH({quoted(name)}), 0))" for name in lobs)
        return lobs, f"SELECT {lengths} FROM ({first.render(first.items(), {})})"  # noqa: S608 - names of the dictionary

    @property
    def has_user_text(self) -> bool:
        """Whether the user wrote a part of the statement, and may have made a mistake there."""
        is_ordered = self.order is not None or isinstance(self.choice, NewestRows)
        return self.relation.query is not None or self.where is not None or is_ordered

    def items(self, *, old_dates: bool = False) -> list[SelectItem]:
        """Return the SELECT list. Raises `NotFoundError` for an unknown column."""
        items = {
            definition.name: project(definition, self.max_lob, old_dates=old_dates)
            for definition in self.relation.columns
        }
        readable = {name: item for name, item in items.items() if not item.column.unreadable}
        for column in self.columns or ():
            if column not in readable:
                raise unknown_name_error("column", column, list(readable))
        return [readable[name] for name in (readable if self.columns is None else self.columns)]

    def render(self, items: Sequence[SelectItem], without: Mapping[str, str]) -> str:
        """Return the statement; the columns `without` stay empty.

        Raises `NotFoundError` for an unknown column, `UsageError` for a wrong condition or order.
        """
        is_plain = all(item.expression == quoted(item.field.name) for item in items)
        if self.relation.query and is_plain and not without and not self._is_restricted:
            return self.relation.query.text
        # No aliases: ORDER BY would find a number's text by its alias, and sort 10 before 9.
        select_list = ", ".join(
            "NULL" if item.field.name in without else item.expression for item in items
        )
        if isinstance(self.choice, NewestRows):
            return f"SELECT {select_list} FROM {self._newest(self.choice)}{self._fetch_first}"  # noqa: S608 - see below
        return f"SELECT {select_list} FROM {self.relation.sql}{self._clauses}"  # noqa: S608 - names of the dictionary, or the user's own query

    @property
    def _is_restricted(self) -> bool:
        return any(
            part is not None
            for part in (self.columns, self.where, self.order, self.limit, self.choice)
        )

    @property
    def _names(self) -> list[str]:
        return [definition.name for definition in self.relation.columns]

    @cached_property
    def _on_keys(self) -> Condition:
        if isinstance(self.choice, KeyRows):
            return values_condition(self.choice, self.relation.columns)
        if self.position is not None:
            return key_condition(self.position, self.relation.columns)
        return "", {}

    @cached_property
    def _rows(self) -> str:
        """The clauses that say which rows match, without an order."""
        clauses = f" AS OF SCN {int(self.scn):d}" if self.scn else ""
        conditions = []
        if self.where is not None:
            from marketpulse.sources.clauses import condition_in_oracle  # noqa: PLC0415 - 0.05 s

            conditions.append(condition_in_oracle(self.where, self._names))
        conditions += filter(None, [self._on_keys[0]])
        return f"{clauses} WHERE {' AND '.join(conditions)}" if conditions else clauses

    @cached_property
    def _clauses(self) -> str:
        order = ""
        if self.position is not None:
            order = ", ".join(map(quoted, self.position.key))
        elif isinstance(self.choice, KeyRows):
            order = ", ".join(map(quoted, self.choice.key))
        elif isinstance(self.choice, RandomRows):
            from marketpulse.sources.clauses import random_order_in_oracle  # noqa: PLC0415 - 0.05 s

            order = random_order_in_oracle(self.choice)
        elif self.order is not None:
            order = self._sort_keys(self.order)
        return self._rows + (f" ORDER BY {order}" if order else "") + self._fetch_first

    @property
    def _fetch_first(self) -> str:
        # Oracle allows no FETCH FIRST with LONG columns; `first_rows` limits the rows anyway.
        has_long = any("LONG" in definition.type for definition in self.selected)
        if self.limit is None or has_long:
            return ""
        return f" FETCH FIRST {self.limit:d} ROWS ONLY"

    def _sort_keys(self, order: str) -> str:
        from marketpulse.sources.clauses import order_in_oracle  # noqa: PLC0415 - 0.05 s

        return order_in_oracle(order, self._names)

    def _newest(self, choice: NewestRows) -> str:
        """Return the first rows of each key as a subquery, its condition and its order."""
        order = self._sort_keys(choice.order)
        place = "ROW_OF_KEY"
        while place in self._names:
            place += "_"
        items = replace(self, columns=None, choice=None).items()
        names = ", ".join(quoted(item.field.name) for item in items)
        key = ", ".join(map(quoted, choice.key))
        return (
            f"(SELECT {names}, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order}) "  # noqa: S608 - names of the dictionary, and the user's own condition
            f"AS {quoted(place)} FROM {self.relation.sql}{self._rows}) "
            f"WHERE {quoted(place)} <= {choice.count:d} ORDER BY {order}"
        )


@dataclass
class _Workarounds:
    """What a relation needs, found by reading it: dates as text, columns that stay empty."""

    old_dates: bool = False
    given_up: dict[str, str] = field(default_factory=dict)  # the reasons by column


class RowReader:
    """Reads scans. It remembers what it has found out about each relation."""

    def __init__(self, database: OracleDatabase) -> None:
        self._database = database
        self._workarounds: dict[str, _Workarounds] = {}
        self._refusals: dict[str, str] = {}
        self._lob_lengths: dict[str, dict[str, int]] = {}  # by relation and column

    def refusal(self, relation: str) -> str:
        """Return why the relation cannot be read at an SCN; empty if that is not known."""
        return self._refusals.get(relation, "")

    def remarks(self, relation: str, *, quote: bool = True) -> list[str]:
        """Return a sentence for each column that could not be read.

        Oracle's own text, which may quote a value, is in it only if `quote` is true.
        """
        given_up = self._workarounds.get(relation, _Workarounds()).given_up
        return [
            f"{name} is left empty: {reason if quote else ', '.join(_CODES.findall(reason))}"
            for name, reason in given_up.items()
        ]

    def batches(self, scan: SelectStatement, decoder: RowDecoder) -> Iterator[pa.RecordBatch]:
        """Yield the rows; select again with a workaround if a value cannot be read.

        Only if no batch was yielded before: the caller may have written its rows already. Else
        raises `ConnectionLostError`, after which the caller reads from the start. Without an SCN,
        if the first answer at the SCN is an error. Raises `SnapshotError` if the rows cannot be
        read in the order of a key.
        """
        relation = scan.relation
        workarounds = self._workarounds.setdefault(relation.name, _Workarounds())
        has_rows = False
        while True:
            items = scan.items(old_dates=workarounds.old_dates)
            statement = scan.render(items, workarounds.given_up)
            fetched = pa.schema([(item.field.name, item.fetched) for item in items])
            fetch_rows = scan.fetch_rows(self._lengths_of_lobs(scan))
            rows = self._database.batches(statement, fetched, fetch_rows, scan.binds)
            try:
                with add_place(statement, relation.query):
                    for batch in decoder.decode(rows, items):
                        has_rows = True
                        yield batch
            except DateRangeError as error:
                if workarounds.old_dates:
                    raise unreadable_value_error(relation.name) from error
                workarounds.old_dates = True
                reason = "dates that Python cannot represent"
            except MarketPulseError as error:
                if scan.scn and not has_rows and not is_network_error(error):
                    scan = self._without_scn(scan, error)
                    continue
                reason = self._give_up_column(scan, items, workarounds, error)
            else:
                return
            if has_rows:
                raise ConnectionLostError(
                    f"{relation.name} holds {reason}",
                    hint="read it again from the start",
                    check="MP-ORA-003",
                )

    def _lengths_of_lobs(self, scan: SelectStatement) -> Mapping[str, int]:
        """Return the average lengths of LOBs: the driver holds all those of an answer at once."""
        known = self._lob_lengths.setdefault(scan.relation.name, {})
        names, statement = scan.measurement()
        if names and not known.keys() >= {*names}:
            try:
                (lengths,) = self._database.rows(statement)
            except MarketPulseError as error:
                if is_network_error(error):
                    raise
                return {}  # if the table itself is at fault, reading it says so
            known.update(zip(names, (int(length or 0) for length in lengths), strict=True))
        return known

    def _without_scn(self, scan: SelectStatement, error: MarketPulseError) -> SelectStatement:
        """Return the statement for the session's own instant: any other error comes again."""
        self._refusals[scan.relation.name] = error.message
        if scan.position is not None:
            raise SnapshotError(error.message) from error
        return replace(scan, scn="")

    def _give_up_column(
        self,
        scan: SelectStatement,
        items: Sequence[SelectItem],
        workarounds: _Workarounds,
        error: MarketPulseError,
    ) -> str:
        """Find the column that fails, and give it up. Returns what the relation holds.

        Raises the error if the user's own text may be its cause, or no single column is.
        """
        if not isinstance(error, DataError | UsageError):
            raise error
        if scan.position is not None:
            raise SnapshotError(error.message) from error
        if scan.has_user_text or error.check not in {_STATEMENT_CHECK, "MP-ORA-001"}:
            raise own_error(scan, error)
        if len(workarounds.given_up) < _MOST_GIVEN_UP:
            for item in items:
                name = item.field.name
                if name not in workarounds.given_up and (reason := self._fault(scan, item)):
                    workarounds.given_up[name] = reason
                    return f"a value in {name} that cannot be read"
        raise own_error(scan, error)

    def _fault(self, scan: SelectStatement, item: SelectItem) -> str:
        """Return why a column cannot be read; empty if it can."""
        name = quoted(item.field.name)
        is_long = pa.types.is_large_string(item.fetched) or pa.types.is_large_binary(item.fetched)
        if is_long and item.expression == name:
            return ""  # nothing is computed, and Oracle counts no LONG
        limit = "" if scan.limit is None else f" FETCH FIRST {scan.limit:d} ROWS ONLY"
        rows = f"(SELECT {name} FROM {scan.relation.sql}{limit})"  # noqa: S608 - names of the dictionary
        try:
            self._database.rows(f"SELECT COUNT({item.expression}) FROM {rows}")  # noqa: S608 - the same
        except (DataError, UsageError) as error:
            return re.sub(r"^.*?: (?=ORA-)", "", error.message)
        return ""


def own_error(scan: SelectStatement, error: MarketPulseError) -> MarketPulseError:
    """Return the error of a statement; without any text of the user's it is the table's own."""
    if scan.has_user_text or error.check != _STATEMENT_CHECK:
        return error
    return table_error(scan.relation.name, error)


def table_error(name: str, error: MarketPulseError) -> MarketPulseError:
    """Return the error of a statement that holds nothing of the user's."""
    if error.check != _STATEMENT_CHECK:
        return error
    reason = re.sub(r"^.*?: (?=ORA-)", "", error.message)
    return DataError(
        f"{name}: the table or view itself cannot be read: {reason}",
        hint="show this line to its owner; it fails in every program",
        check=_OBJECT_CHECK,
    )
