"""What every source promises: `Source`."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from marketpulse.errors import NotFoundError
from marketpulse.model import OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.names import capitals

if TYPE_CHECKING:
    import pyarrow as pa


class Source(Protocol):
    """A database, or what stands in for one. A context manager: leaving it closes everything."""

    def info(self) -> SourceInfo:
        """Say what this is, without credentials."""

    def tables(self) -> Sequence[Table]:
        """All tables, by name."""

    def named(self, name: str | None = None) -> str:
        """The table meant by `name`, as `tables` spells it, or the only one there is.

        A name in double quotes is spelled to the letter, any other in capitals; where there is no
        such table, it is the one whose name differs in case alone. Raises `NotFoundError`, which
        names the nearest tables.
        """
        tables = [table.name for table in self.tables()]
        if name is None:
            if len(tables) == 1:
                return tables[0]
            raise NotFoundError(
                f"{self.info().name} has {len(tables)} tables, and none was named",
                hint=f"name one: {', '.join(tables[:10])}",
            )
        in_quotes = len(name) > 2 and name[0] == name[-1] == '"'
        meant = name[1:-1].replace('""', '"') if in_quotes else capitals(name)
        for spelled in (meant, name):
            if spelled in tables:
                return spelled
        same = [it for it in tables if '"' not in name and capitals(it) == capitals(name)]
        if len(same) == 1:
            return same[0]
        raise unknown("table", name, tables)

    def listed(self, table: str) -> str:
        """The table that `tables` lists by just this name, else the one that `named` finds."""
        known = any(it.name == table for it in self.tables())
        return table if known else self.named(table)

    def describe(self, table: str) -> TableSchema:
        """The table's columns and keys; `table` as for `listed`. Raises what `named` raises."""

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        """Several tables, by as few questions as a source needs."""
        return [self.describe(table) for table in tables]

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        """The table's rows, in its order, in batches; `table` as for `listed`.

        `where` is a condition of SQL, `order` a list of columns, each with ASC or DESC; of the
        rows that remain `limit` are the first. Where either is nonsense, `UsageError` is raised.
        Lines that are no row go to `on_malformed_line`, each before the end of the rows that
        follow it; without it they raise `DataError`. Raises `NotFoundError` for an unknown
        table or column.
        """

    def remarks(self, table: str) -> Sequence[str]:  # noqa: ARG002 - most have none
        """What the last scan of this table had to change in values, to be told to the user."""
        return ()

    def count(self, table: str) -> int:
        """How many rows the table has, counted."""
        return sum(len(batch) for batch in self.scan(table))

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def unknown(what: str, name: str, known: Sequence[str]) -> NotFoundError:
    """The error for a name that is not there, with the names nearest to it."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where something went wrong

    folded = dict.fromkeys(one.casefold() for one in known)
    matches = get_close_matches(name.casefold(), folded, cutoff=0.7)
    near = [one for match in matches for one in known if one.casefold() == match]
    listed = ", ".join(near or list(known)[:10])
    return NotFoundError(
        f"there is no {what} {name!r}",
        hint=f"{'did you mean' if near else 'there is'}: {listed}" if listed else "",
    )
