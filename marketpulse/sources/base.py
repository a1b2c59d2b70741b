"""The promise of every source: `Source`."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.model import (
    CellReading,
    FileNotes,
    OnMalformedLine,
    Query,
    RowChoice,
    SourceInfo,
    Table,
    TableSchema,
    format_count,
)
from marketpulse.sources.names import capitals, fold_identifier

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """How files are found and read.

    delimiter      the character between the fields of CSV; None is what the file itself says in a
                   first line `sep=;`, or a comma
    sheet          the sheet of XLSX; None is the only one that holds data
    header_row     the row of XLSX that names the columns, from 1; None is the first with content
    region         the AWS region of objects in S3; None is what boto3 finds
    endpoint_url   the address of an S3-compatible store other than AWS
    ends           the `time.monotonic()` at which reading from the store is given up
    """

    delimiter: str | None = None
    sheet: str | None = None
    header_row: int | None = None
    region: str | None = None
    endpoint_url: str | None = None
    ends: float | None = None

    @property
    def seconds(self) -> float | None:
        """How many seconds are left until `ends`."""
        return None if self.ends is None else max(0.1, self.ends - time.monotonic())


def standard_input() -> BinaryIO:
    """The bytes of standard input. Raises `UsageError` if it is closed."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="give a file: `COMMAND < FILE`")
    return sys.stdin.buffer


def refuse_file_options(options: FileOptions, name: str, formats: Collection[str] = ()) -> None:
    """Raise `UsageError` for an option about a format that none of the files has."""
    for option, value, wanted in (
        ("--delimiter", options.delimiter, "csv"),
        ("--sheet", options.sheet, "xlsx"),
        ("--header-row", options.header_row, "xlsx"),
    ):
        if value is not None and wanted not in formats:
            raise UsageError(
                f"{option}: {name} is not {wanted.upper()}", hint=f"leave out {option}"
            )


@dataclass
class UndecidedRows:
    """Rows that a condition leaves out because of a cell that is no value, and the first cell."""

    count: int = 0
    cell: str = ""


class SnapshotError(Exception):
    """A table cannot be read as it was at the instant of the snapshot; the message says why."""


@dataclass(frozen=True, kw_only=True)
class RowRequest:
    """What a scan reads of a table; `Source.scan` says what each part means."""

    columns: Sequence[str] | None = None
    limit: int | None = None
    on_malformed_line: OnMalformedLine | None = None
    where: str | None = None
    order: str | None = None
    cell_readings: Mapping[str, CellReading] = field(default_factory=dict)
    choice: RowChoice | None = None


@dataclass(frozen=True, kw_only=True)
class KeyPosition:
    """Where a scan in the order of a key begins: after the row with these values, or at the start.

    `changes` is what `Source.changes` was at that row.
    """

    key: tuple[str, ...]
    after: tuple[object, ...] | None = None
    changes: Mapping[str, int]


class Source(Protocol):
    """A database, or something that can be read like one.

    A context manager: leaving it closes connections and deletes temporary files.
    """

    def info(self) -> SourceInfo:
        """Return what this source is, without credentials."""

    @property
    def warnings(self) -> Sequence[str]:
        """What users have to know about this source before they rely on it, as sentences."""
        return ()

    def tables(self) -> Sequence[Table]:
        """Return all tables, in the order of their names."""

    def find_table(self, name: str | None = None) -> str:
        """Return the listed name of the table that a user names; None means the only table.

        A name in double quotes is exact, any other is in capitals. If there is no such table, the
        one whose name differs only in case is meant. Raises `NotFoundError`, which suggests
        similar names.
        """
        tables = [table.name for table in self.tables()]
        if name is not None:
            return match_table(name, tables)
        if len(tables) == 1:
            return tables[0]
        shown = ", ".join([*tables[:10], "..."] if len(tables) > 10 else tables)
        raise NotFoundError(
            f"{self.info().name} has {format_count(len(tables), 'table')}, and none was named",
            hint=f"name one, in run-colors with --table: {shown}",
        )

    def find_listed_table(self, name: str) -> str:
        """Return the name if `tables` lists it exactly so, else what `find_table` finds.

        For names that come from `tables`: a user writes "Colors" in quotes, a list does not.
        """
        is_listed = any(table.name == name for table in self.tables())
        return name if is_listed else self.find_table(name)

    def describe(self, table: str) -> TableSchema:
        """Return the table's columns and keys; `table` as for `find_listed_table`."""

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        """Describe several tables, in as few queries as the source needs."""
        return [self.describe(table) for table in tables]

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,
        where: str | None = None,
        order: str | None = None,
        cell_readings: Mapping[str, CellReading] | None = None,
        choice: RowChoice | None = None,
    ) -> pa.RecordBatchReader:
        """Read the table's rows, in its order, in batches; `table` as for `find_listed_table`.

        `where` is a condition in Oracle's words, `order` a list of columns, each with ASC or DESC;
        `limit` keeps the first rows of the result. `cell_readings` says, by column in lower case,
        as what values `where` and `order` compare the text cells of files. Bundles and the demo
        have types, and take from it which columns are identifiers; Oracle compares what it stores.
        `choice` picks some of the rows that match, in an order of its own instead of `order`.

        Each line of a text file that does not fit the columns goes to `on_malformed_line`, before
        the batch of the rows that follow it is complete; without it such a line raises
        `DataError`. Raises `NotFoundError` for an unknown table or column, `UsageError` for an
        invalid condition or order.
        """
        request = RowRequest(
            columns=columns,
            limit=limit,
            on_malformed_line=on_malformed_line,
            where=where,
            order=order,
            cell_readings=cell_readings or {},
            choice=choice,
        )
        return self.read_rows(self.find_listed_table(table), request)

    def read_rows(self, table: str, request: RowRequest) -> pa.RecordBatchReader:
        """Do what `scan` promises, for a table as it is listed."""

    def query_of(self, table: str) -> Query | None:  # noqa: ARG002 - most sources have no queries
        """Return the query that the table is the result of; None for a stored table."""
        return None

    @property
    def is_distant(self) -> bool:
        """Whether reading again takes long, so that an interrupted job keeps what it has."""
        return False

    def scan_options(self) -> Mapping[str, object]:
        """Return the options of this source that decide what its scans give."""
        return {}

    def read_snapshot(self, name: str = "") -> str:  # noqa: ARG002 - most sources have no snapshots
        """Read one instant from now on, where that is allowed, and return its name.

        In another session `name` reads the same instant. Empty if there is no such thing.
        """
        return ""

    def is_at_snapshot(self, table: str) -> bool:  # noqa: ARG002 - most sources have no snapshots
        """Return whether scans of this table read the snapshot."""
        return False

    def scan_in_key_order(
        self,
        table: str,  # noqa: ARG002 - most sources have no snapshots
        columns: Sequence[str],  # noqa: ARG002 - see above
        position: KeyPosition,  # noqa: ARG002 - see above
        limit: int | None,  # noqa: ARG002 - see above
        where: str | None,  # noqa: ARG002 - see above
    ) -> pa.RecordBatchReader | None:
        """Read rows of the snapshot in the order of a key; None if that cannot be done.

        Scans from several positions give each row once. The first batch raises `SnapshotError` if
        the snapshot cannot be read.
        """
        return None

    def sibling(self) -> Source | None:
        """Return the same source with a session of its own, which another thread may read.

        It reads the snapshot of this one, if there is one. None if the source has no sessions.
        """
        return None

    def cancel(self) -> None:
        """End what another thread reads here: it raises there, as all later reads do."""
        return

    def changes(self, table: str) -> Mapping[str, int]:  # noqa: ARG002 - most sources change nothing
        """Return how often the last scan of this table changed values, by kinds of its own."""
        return {}

    def remarks(self, table: str, *, quote: bool = True) -> Sequence[str]:  # noqa: ARG002 - most sources change nothing
        """Return, as sentences for the user, how the last scan of this table changed values.

        `quote` allows them to show a value.
        """
        return ()

    def file_notes(self) -> FileNotes:
        """Return what you should know about the files of this source, if it has any."""
        return FileNotes()

    def count(self, table: str) -> int:
        """Return the exact number of rows of the table."""
        return sum(len(batch) for batch in self.scan(table))

    def estimate_rows(self, table: str) -> int | None:
        """Return about how many rows the table has, for a progress display; None if unknown."""
        return next((listed.rows for listed in self.tables() if listed.name == table), None)

    def close(self) -> None:
        """Close connections and delete temporary files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def match_table(name: str, tables: Sequence[str]) -> str:
    """Return the one of these tables that a user names, see `Source.find_table`."""
    # Second as it is: the quotes may be a part of a listed name.
    for spelling in (fold_identifier(name), name):
        if spelling in tables:
            return spelling
    if '"' not in name:
        similar = [table for table in tables if capitals(table) == capitals(name)]
        if len(similar) == 1:
            return similar[0]
    raise unknown_name_error("table", name, tables)


def unknown_name_error(kind: str, name: str, known: Sequence[str]) -> NotFoundError:
    """Return the error for an unknown name; its hint lists similar names, else the first ten.

    `kind` is what the name should be: a table, a column, a file.
    """
    from difflib import get_close_matches  # noqa: PLC0415 - needed only for an error

    folded = dict.fromkeys(candidate.casefold() for candidate in known)
    matches = get_close_matches(name.casefold(), folded, cutoff=0.7)
    similar = [
        candidate for match in matches for candidate in known if candidate.casefold() == match
    ]
    listed = ", ".join(similar or list(known)[:10])
    intro = "did you mean" if similar else "there is"
    return NotFoundError(
        f"there is no {kind} {name!r}", hint=f"{intro}: {listed}" if listed else ""
    )
