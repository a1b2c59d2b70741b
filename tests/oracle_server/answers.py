"""What the engine says to the session: described columns and rows, or an error as Oracle words it.

The protocol's layers know nothing of SQL, the engine nothing of bytes; both know this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True)
class Moment:
    """A DATE or TIMESTAMP, wider than Python's: years before 1, nanoseconds, an offset.

    The fields are local to `offset_minutes`, where there is one. Year 0 does not exist; -44 is
    44 BC.
    """

    year: int
    month: int = 1
    day: int = 1
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0
    offset_minutes: int | None = None


@dataclass(frozen=True)
class DayInterval:
    """INTERVAL DAY TO SECOND; all parts carry the one sign."""

    days: int
    seconds: int
    nanoseconds: int = 0


@dataclass(frozen=True)
class MonthInterval:
    """INTERVAL YEAR TO MONTH."""

    months: int


# NUMBER: Decimal or int. BINARY_*: float. Character types, LOBs of them, LONG, ROWID: str.
# RAW, LONG RAW, BLOB: bytes. BOOLEAN: bool. None is NULL.
# In str, U+10FF80 to U+10FFFF stand for the single bytes 0x80 to 0xFF sent as they are: text that
# is broken in the database's character set.
Value = None | bool | int | Decimal | float | str | bytes | Moment | DayInterval | MonthInterval


@dataclass(frozen=True)
class OracleType:
    """A column's type; `name` is the dictionary's word without its figures.

    So NUMBER, TIMESTAMP, TIMESTAMP WITH LOCAL TIME ZONE, INTERVAL DAY TO SECOND, VARCHAR2.
    `precision` and `scale` None are unconstrained; a TIMESTAMP's fraction is its `scale`; `length`
    counts characters where `by_character`, else bytes.
    """

    name: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    by_character: bool = False


@dataclass(frozen=True)
class Described:
    """A column of an answer."""

    name: str
    type: OracleType
    nullable: bool = True


@dataclass(frozen=True)
class Answer:
    """What a statement gives; no columns where it is no query."""

    columns: Sequence[Described] = ()
    rows: Iterable[Sequence[Value]] = ()


class OracleError(Exception):
    """An error as Oracle gives it: `text` begins with `ORA-nnnnn: `, `position` is in the SQL."""

    def __init__(self, code: int, text: str, position: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.position = position


class Conversation(Protocol):
    """The engine's side of one session."""

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        """Run a statement; binds by position, one per occurrence of a placeholder.

        Raises `OracleError`.
        """

    def close(self) -> None:
        """End it."""


class Engine(Protocol):
    """What runs SQL."""

    def converse(self, user: str, time_zone_minutes: int = 0) -> Conversation:
        """Begin a session of this user, named as the dictionary spells it."""
