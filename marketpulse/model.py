"""The model that all parts share: tables, their columns and keys, malformed lines, progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

FIRST_ROWS = 20  # as many as `FileNotes` has at most


@dataclass(frozen=True)
class SourceInfo:
    """What a source is, without credentials."""

    kind: str
    name: str
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """A SELECT of the user's, and the names of its bind variables."""

    text: str
    binds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table in a list.

    `rows` is None if only reading the table would tell. It is an estimate from the day
    `rows_as_of`, or exact if that is empty; `bytes` is always an estimate. `schema` is the owner,
    `target` the table that a synonym refers to.
    """

    name: str
    kind: str = "table"
    rows: int | None = None
    comment: str = ""
    schema: str = ""
    rows_as_of: str = ""
    bytes: int | None = None
    changed: str = ""
    target: str = ""


@dataclass(frozen=True)
class Part:
    """A part of a nested type: a list's element, a struct's field, a map's key or value."""

    name: str
    arrow_type: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column: `type` is the source's name of its type, `arrow_type` the type of its values here.

    If no Arrow type holds every value, `arrow_type` is text, and `logical_type` says what the text
    is: `number`, `json`, ... `default` is SQL. `unreadable` is the reason why the column cannot be
    read, or empty. `mask` is the kind of the mask that its values have, and of which key, or empty.
    """

    name: str
    type: str
    arrow_type: str
    nullable: bool = True
    comment: str = ""
    logical_type: str = ""
    parts: tuple[Part, ...] = ()
    default: str = ""
    unreadable: str = ""
    mask: str = ""


def masks_of(columns: Sequence[Column]) -> dict[str, str]:
    """Return the masks of columns by their names."""
    return {column.name: column.mask for column in columns if column.mask}


class CellKind(StrEnum):
    """What the text cells of a file's column mean, if the caller knows it.

    A condition compares a cell as such a value. A cell that is not one counts as missing.
    """

    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    TEXT = "text"  # a blank is missing
    IDENTIFIER = "identifier"  # without outer blanks, in capitals


@dataclass(frozen=True, kw_only=True)
class CellReading:
    """How a condition reads the cells of a file's column.

    `translate` turns another spelling that an option permits into the one that `kind` knows; any
    other cell stays as it is. A source that has types reads only identifiers this way.
    """

    kind: CellKind
    translate: Callable[[pa.Array], pa.Array] | None = None


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that refer to columns of another."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """An index on columns, or on expressions of them."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class TableSchema:
    """A table, its columns in order, its keys and its indexes."""

    table: Table
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RandomRows:
    """Rows of a table at random, the same for the same seed, from 0 to 4294967295.

    `columns` are those that a database hashes: a key, or all that it can hash.
    """

    seed: int
    columns: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NewestRows:
    """The first `count` rows of each key in an order as in `--order-by`, in that order."""

    key: tuple[str, ...]
    count: int
    order: str


@dataclass(frozen=True, kw_only=True)
class KeyRows:
    """The rows with these values in the columns of a key; there are at most `MOST_KEYS` values.

    `changes` is what `Source.changes` was before: the scan counts on from there.
    """

    key: tuple[str, ...]
    values: Sequence[tuple[object, ...]]
    changes: Mapping[str, int] = field(default_factory=dict)


MOST_KEYS = 1000  # Oracle allows no longer list
RowChoice = RandomRows | NewestRows | KeyRows


@dataclass(frozen=True)
class MalformedLine:
    """A line of a text file with too few or too many fields.

    `after` is the number of complete rows before it. `text` is the line as in the file, with its
    quotes, without its line end.
    """

    after: int
    fields: int
    expected: int
    text: str

    @property
    def reason(self) -> str:
        """The text of the column REASON."""
        return f"{format_count(self.fields, 'field')} instead of {self.expected}"


@dataclass(frozen=True, kw_only=True)
class FileNotes:
    """What you should know about a file, beside its rows.

    `hidden_rows` are hidden in a spreadsheet, by a filter or by hand, and are read all the same.
    `nameless_columns` have no name and hold nothing, so they are left out.
    `index_columns` are the numbers of rows that pandas has written beside them, left out, too.
    `unused_folders` are folders such as `DATE=2026-03-13` of files with such a column. `first_rows`
    are the first rows below the header, each with its number in the file: one of them is the header
    if the file begins with a title.
    `undecided_rows` were left out by the condition of the last scan, because a cell that it
    compares is not a value of its column; `undecided_cell` is the first such cell and its column.
    """

    hidden_rows: int = 0
    nameless_columns: int = 0
    index_columns: int = 0
    unused_folders: tuple[str, ...] = ()
    first_rows: tuple[tuple[int, tuple[str, ...]], ...] = ()
    undecided_rows: int = 0
    undecided_cell: str = ""

    def counts(self) -> dict[str, int]:
        """Return what is to be warned of, by its name in `run_summary.json`."""
        counts = {
            "hidden_rows": self.hidden_rows,
            "nameless_columns": self.nameless_columns,
            "index_columns": self.index_columns,
            "unused_folders": len(self.unused_folders),
            "undecided_rows": self.undecided_rows,
        }
        return {name: count for name, count in counts.items() if count}

    def remarks(self, *, quote: bool = True) -> list[str]:
        """Return the notes as sentences; `quote` allows them cells and names of folders."""
        remarks = []
        if count := self.hidden_rows:
            rows = format_count(count, "row is hidden", "rows are hidden")
            remarks.append(f"{rows} in the workbook, by a filter or by hand, and read all the same")
        if count := self.nameless_columns:
            columns = format_count(count, "column without a name is", "columns without names are")
            remarks.append(f"{columns} left out: no cell there has a value")
        if self.index_columns:
            remarks.append("the index of pandas (__index_level_0__) is left out")
        if self.unused_folders:
            folder = f" {self.unused_folders[0]}" if quote else ""
            remarks.append(
                f"the name of the folder{folder} is not used, because its files have that column"
            )
        if count := self.undecided_rows:
            rows = format_count(count, "row")
            example = f", such as {self.undecided_cell}" if quote else ""
            remarks.append(
                f"--where leaves out {rows} with a cell that is not a value{example}; run-colors "
                "without --where rejects them, and says why"
            )
        return remarks


OnMalformedLine = Callable[[MalformedLine], None]


def format_count(count: int, noun: str, plural: str = "") -> str:
    """`1 row`, `3 rows`. `plural` is for words that take more than an s: `rows are`."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


class Progress(Protocol):
    """Receives the progress of a long job, in rows or in bytes."""

    def begin(self, name: str, total: int | None) -> None:
        """Start a part of the job; `total` is None if it is unknown."""

    def advance(self, more: int) -> None:
        """Add to what is done."""

    def end(self) -> None:
        """End the part, whether it succeeded or failed."""


class _NoProgress:
    """Shows nothing."""

    def begin(self, name: str, total: int | None) -> None:
        """Start a part of the job."""

    def advance(self, more: int) -> None:
        """Add to what is done."""

    def end(self) -> None:
        """End the part."""


NO_PROGRESS: Progress = _NoProgress()


@contextmanager
def progress_stage(progress: Progress, name: str, total: int | None = None) -> Iterator[None]:
    """Show a part of a job while the context lasts."""
    progress.begin(name, total)
    try:
        yield
    finally:
        progress.end()
