"""The interface between the protocol and the engine: values, columns, answers, errors.

The protocol's layers do not know SQL, the engine does not know bytes. Both use this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import cycle, islice
from typing import Protocol


@dataclass(frozen=True)
class Timestamp:
    """A DATE or TIMESTAMP with a wider range than Python's: years BC, nanoseconds, an offset.

    The fields are local to `offset_minutes`, if there is one. Year -44 is 44 BC, there is no 0.
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
    """INTERVAL DAY TO SECOND; all parts have the same sign."""

    days: int
    seconds: int
    nanoseconds: int = 0


@dataclass(frozen=True)
class MonthInterval:
    """INTERVAL YEAR TO MONTH."""

    months: int


@dataclass(frozen=True)
class BadValue:
    """A value that the server cannot compute: reading it fails with this code."""

    code: int


# NUMBER: Decimal or int. BINARY_*: float. Character types, LOBs of them, LONG, ROWID: str.
# RAW, LONG RAW, BLOB: bytes. BOOLEAN: bool. None is NULL.
# In str, U+10FF80 to U+10FFFF stand for the single bytes 0x80 to 0xFF: text that is invalid in the
# database's character set.
Value = (
    None
    | bool
    | int
    | Decimal
    | float
    | str
    | bytes
    | Timestamp
    | DayInterval
    | MonthInterval
    | BadValue
)


@dataclass(frozen=True)
class OracleType:
    """A column's type; `name` is the dictionary's name without arguments.

    For example NUMBER, VARCHAR2, TIMESTAMP WITH LOCAL TIME ZONE, INTERVAL DAY TO SECOND. None as
    `precision` or `scale` means no limit; `scale` is also the fraction of a TIMESTAMP. `length`
    counts characters if `by_character`, else bytes.
    """

    name: str
    precision: int | None = None
    scale: int | None = None
    length: int | None = None
    by_character: bool = False


@dataclass(frozen=True)
class ColumnInfo:
    """A column of a result."""

    name: str
    type: OracleType
    nullable: bool = True


@dataclass
class RepeatedRows:
    """The same rows again and again, `total` in all: they are encoded once."""

    rows: Sequence[Sequence[Value]]
    total: int
    encoded: list[bytes] = field(default_factory=list)

    def __iter__(self) -> Iterator[Sequence[Value]]:
        return islice(cycle(self.rows), self.total)


@dataclass(frozen=True)
class Answer:
    """The result of a statement; without columns if it is not a query."""

    columns: Sequence[ColumnInfo] = ()
    rows: Iterable[Sequence[Value]] = ()


class OracleError(Exception):
    """An error of Oracle: `text` begins with `ORA-nnnnn: `, `position` is an offset in the SQL."""

    def __init__(self, code: int, text: str, position: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.position = position

    def place_in(self, sql: str) -> int:
        """Return the offset of the error in bytes: that of a wrong name, if it is one."""
        name = re.match(r'ORA-00904: "(.*?)"', self.text)
        if name is None:
            return self.position
        return len(sql[: max(sql.upper().find(name[1].upper()), 0)].encode())


class EngineSession(Protocol):
    """The engine's side of one session."""

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        """Run a statement with binds by position, one per placeholder. Raises `OracleError`."""

    def close(self) -> None:
        """End the session."""


class Engine(Protocol):
    """Runs SQL."""

    def open_session(self, user: str, time_zone_minutes: int = 0) -> EngineSession:
        """Open a session of this user; the name is as the dictionary spells it."""
