"""What the parts tell one another: tables and their columns, lines that fit no table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class SourceInfo:
    """Which source this is, without credentials."""

    kind: str
    name: str
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table as a list shows it; `rows` is None where only reading it would tell.

    `rows_as_of` is the day of which the number of rows is an estimate, empty where it is exact;
    `bytes` an estimate, too. `schema` is whose table it is, `target` what a synonym stands for.
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
    """What a nested type is made of: a list's element, a field, a map's key or value."""

    name: str
    arrow_type: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column: `type` in its source's words, `arrow_type` as the Arrow type its values arrive in.

    Where that is text for want of a type that keeps every digit, `logical_type` says what the text
    is: `number`, `json`, ... `default` is SQL. `unreadable` says why the values cannot be had.
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


@dataclass(frozen=True)
class ForeignKey:
    """Columns of a table that point to columns of another."""

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
    """A table, its columns in order, and its keys."""

    table: Table
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True)
class MalformedLine:
    """A line of a text file with too few or too many fields.

    `after` counts the whole rows that stand before it; `text` is the line as it is in the file,
    quotes included, without its line end.
    """

    after: int
    fields: int
    expected: int
    text: str

    @property
    def reason(self) -> str:
        """The words that stand in REASON."""
        return f"{self.fields} fields instead of {self.expected}"


OnMalformedLine = Callable[[MalformedLine], None]


class Progress(Protocol):
    """Is told how far a long job is, in rows or in bytes."""

    def begin(self, name: str, total: int | None) -> None:
        """Something of this name begins, of so many where that is known."""

    def advance(self, more: int) -> None:
        """So many more are done."""

    def end(self) -> None:
        """It is done, or given up."""
