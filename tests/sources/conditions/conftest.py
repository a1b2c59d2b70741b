"""Fixtures: the rows of the examples in an Oracle database that the tests serve themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest
from condition_examples import CHAR_ROWS, cells
from oracle_server.answers import Answer, EngineSession, Timestamp, Value
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD
from oracle_server.engine import DuckEngine
from oracle_server.server import OracleServer

_TYPES = {
    "MESSAGE_ID": "NUMBER(9)",
    "RANK": "NUMBER(2)",
    "CONFIDENCE": "NUMBER(2)",
    "PX": "NUMBER",
    "DATE": "DATE",
    "DATE_1": "DATE",
}
_TEXT = "VARCHAR2(40 CHAR)"


@dataclass
class _WithoutConditions:
    """A session that answers with all rows: DuckDB does not understand all of Oracle's words."""

    session: EngineSession

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        """Run a statement without its condition, if it reads the examples."""
        everything = sql.partition(" WHERE ")[0] if '"EXAMPLES"' in sql else sql
        return self.session.execute(everything, binds)

    def close(self) -> None:
        """End the session."""
        self.session.close()


class _Engine(DuckEngine):
    def open_session(self, user: str, time_zone_minutes: int = 0) -> EngineSession:  # type: ignore[override]  # the server asks for no more
        return _WithoutConditions(super().open_session(user, time_zone_minutes))


def _timestamp(cell: str) -> Value:
    date, _, time = cell.partition(" ")
    year, month, day = map(int, date.split("-"))
    hour, minute, second = map(int, time.split(":")) if time else (0, 0, 0)
    return Timestamp(year, month, day, hour, minute, second)


def _value(cell: str | None, words: str) -> Value:
    convert: dict[str, Callable[[str], Value]] = {"NUMBER": Decimal, "DATE": _timestamp}
    return None if cell is None else convert.get(words.partition("(")[0], str)(cell)


@pytest.fixture(scope="session")
def examples_server() -> Iterator[OracleServer]:
    """A database with the tables EXAMPLES and CHARS."""
    with OracleServer(DuckEngine(_catalog()), users={"ANALYST": PASSWORD}) as server:
        yield server


@pytest.fixture(scope="session")
def listening_server() -> Iterator[OracleServer]:
    """The same, but each condition is true: what counts is what is sent."""
    with OracleServer(_Engine(_catalog()), users={"ANALYST": PASSWORD}) as server:
        yield server


def _catalog() -> Catalog:
    types = {name: _TYPES.get(name, _TEXT) for name in cells()[0]}
    rows = [tuple(_value(cell, types[name]) for name, cell in row.items()) for row in cells()]
    columns = tuple(Column(name, words) for name, words in types.items())
    chars = (Column("MESSAGE_ID", "NUMBER(9)"), Column("CODE", "CHAR(6)"), Column("NOTE", _TEXT))
    return Catalog(
        [
            Table("EXAMPLES", columns, rows, schema="MARKET"),
            Table("CHARS", chars, CHAR_ROWS, schema="MARKET"),
        ]
    )
