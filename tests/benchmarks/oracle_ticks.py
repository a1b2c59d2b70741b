"""A database with one long table, for benchmarks: python oracle_ticks.py ROWS.

The first line of its output is its port. The rows repeat every 20,000, and are encoded once.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from decimal import Decimal

from oracle_server.answers import Answer, EngineSession, RepeatedRows, Timestamp, Value
from oracle_server.catalog import Catalog, Column, Table
from oracle_server.client import PASSWORD
from oracle_server.engine import DuckEngine
from oracle_server.server import OracleServer

DIFFERENT_ROWS = 20_000
COLUMNS = (
    Column("MESSAGE_ID", "NUMBER(17,0)", nullable=False),
    Column("TICKER", "VARCHAR2(40)"),
    Column("SECTOR", "VARCHAR2(20)"),
    Column("CUSIP", "CHAR(9)", nullable=False),
    Column("DAY", "DATE"),
    *(Column(name, "NUMBER(9,4)") for name in ("PRICE_LEVEL", "BID", "ASK")),
    Column("PX", "NUMBER"),
    Column("SOURCE", "VARCHAR2(12)"),
    Column("BIAS", "VARCHAR2(12)"),
    Column("RANK", "NUMBER(3,0)"),
    Column("COV_PRICE", "NUMBER(9,4)"),
    Column("PERCENT_DIFF", "BINARY_DOUBLE"),
    Column("CONFIDENCE", "NUMBER(3,0)"),
    Column("SENT", "TIMESTAMP(6)"),
    Column("DIFF_STATUS", "VARCHAR2(30)"),
    Column("NOTE", "VARCHAR2(60)"),
)


class LongTable(DuckEngine):
    """The table repeats its rows up to `total`; all else is as in its base class."""

    def __init__(self, total: int) -> None:
        table = Table("TICKS", COLUMNS, _rows(), primary_key=("MESSAGE_ID",), num_rows=total)
        super().__init__(Catalog([table]))
        self.total = total
        self.answers: dict[str, Answer] = {}

    def open_session(self, user: str, time_zone_minutes: int = 0) -> _Session:  # type: ignore[override]  # a session all the same
        """Open a session."""
        return _Session(self, super().open_session(user, time_zone_minutes))


class _Session:
    def __init__(self, engine: LongTable, inner: EngineSession) -> None:
        self._engine, self._inner = engine, inner

    def execute(self, sql: str, binds: Sequence[Value]) -> Answer:
        if '"TICKS"' not in sql:
            return self._inner.execute(sql, binds)
        if sql not in self._engine.answers:
            answer = self._inner.execute(sql, binds)
            rows = RepeatedRows([*answer.rows], self._engine.total)
            self._engine.answers[sql] = Answer(answer.columns, rows)
        return self._engine.answers[sql]

    def close(self) -> None:
        self._inner.close()


def _rows() -> list[tuple[Value, ...]]:
    draw = random.Random(7)
    rows: list[tuple[Value, ...]] = []
    for number in range(DIFFERENT_ROWS):
        price = Decimal(draw.randrange(950_000, 1_050_000)).scaleb(-4)
        rows.append((
            17_700_000_000_000_001 + number * 1009, f"ABCLO 2022-{number % 977}A ER",
            ("2.0_Mezz", "2.0_AAA", "MM-CLO")[number % 3], f"{draw.randrange(90_000):08}5",
            Timestamp(2026, 3, 1 + number % 14, 8 + number % 9), price, price - 1, price + 1,
            price.normalize(), ("TD", "BNP", "HSBC")[number % 3],
            ("BID", "OFFER", "BWIC, TALK")[number % 3], number % 6 + 1,
            price if number % 5 else None, number % 90 / 128, number % 11,
            Timestamp(2026, 3, 13, 17, 0, number % 60, number * 1000),
            "Small Difference" if number % 2 else None, None if number % 4 else 'said "firm"',
        ))  # fmt: skip
    return rows


if __name__ == "__main__":
    with OracleServer(LongTable(int(sys.argv[1])), users={"ANALYST": PASSWORD}) as server:
        print(server.port, flush=True)
        sys.stdin.read()
