"""The desk's table of conditions and right answers, see `fixtures/conditions/README.md`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
from support import TESTS

FOLDER = TESTS / "fixtures/conditions"
ROWS = FOLDER / "rows.csv"
# A table with a column of a fixed length: CODE is CHAR(6).
CHAR_ROWS = [(1, "ab    ", "ab"), (2, "AB    ", "AB"), (3, "ab c  ", "x"), (4, "abcdef", "abcdef")]


@dataclass(frozen=True)
class Example:
    """A condition, and the rows of which it is true; or the word that the refusal names."""

    condition: str
    rows: tuple[int, ...] = ()
    refused: str = ""


def examples(*names: str) -> list[Example]:
    """Return the examples of these files."""
    return [example for name in names for example in _read(name)]


def _read(name: str) -> Iterator[Example]:
    for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        condition, _, answer = line.rpartition(" => ")
        if answer.startswith("refused "):
            yield Example(condition, refused=answer.removeprefix("refused "))
        else:
            numbers = () if answer == "none" else tuple(map(int, answer.split()))
            yield Example(condition, numbers)


ANSWERED = ("comparisons", "nulls", "text", "numbers", "dates")


def cells() -> list[dict[str, str | None]]:
    """Return the rows of `rows.csv` as text; an empty cell is None."""
    with ROWS.open(encoding="utf-8", newline="") as file:
        return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]


def typed_rows() -> pa.Table:
    """Return the rows in the types that a database has."""
    columns: dict[str, pa.Array] = {}
    rows = cells()
    for name in rows[0]:
        column = [row[name] for row in rows]
        if name in {"MESSAGE_ID", "RANK", "CONFIDENCE"}:
            columns[name] = pa.array([None if cell is None else int(cell) for cell in column])
        elif name == "PX":
            prices = [None if cell is None else Decimal(cell) for cell in column]
            columns[name] = pa.array(prices, pa.decimal128(12, 4))
        elif name in {"DATE", "DATE_1"}:
            dates = [None if cell is None else datetime.fromisoformat(cell) for cell in column]
            columns[name] = pa.array(dates, pa.timestamp("s"))
        else:
            columns[name] = pa.array(column, pa.string())
    return pa.table(columns)


TAKEN_AT = datetime(2026, 3, 13, tzinfo=UTC)
