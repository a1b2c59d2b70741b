"""Conditions of Oracle on other sources: they mean the same, or they are refused."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.sources import open_source
from marketpulse.sources.selection import Selection


def select(
    folder: Path, table: pa.Table, where: str | None = None, order: str | None = None
) -> list[object]:
    """Return the first cell of each selected row."""
    reader = table.to_reader(max_chunksize=2)
    selected = Selection(where, order, None, folder).apply(reader).read_all()
    assert selected.schema.equals(table.schema, check_metadata=True)
    return list(selected.column(0).to_pylist())


TABLE = pa.table(
    {
        "n": [1, 2, 3, None],
        "text": ["2026-03-13", "2026-03-13 10:00", "2026-03-14T00:00:00+02:00", None],
        "day": pa.array([20525, 20526, 20527, None], pa.int32()).cast(pa.date32()),
        "instant": pa.array([0, 36_000, 79_200, None], pa.int64()).cast(pa.timestamp("s", "UTC")),
        "name": ["a_b", "A%b", "", None],
    }
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("text = DATE '2026-03-13'", [1]),
        ("text > DATE '2026-03-13'", [2, 3]),
        ("text BETWEEN DATE '2026-03-13' AND TIMESTAMP '2026-03-13 10:00:00'", [1, 2]),
        ("text = TO_DATE('2026-03-13 10:00:00', 'YYYY-MM-DD HH24:MI:SS')", [2]),
        ("TRUNC(day) = TO_DATE('2026-03-14', 'YYYY-MM-DD')", [2]),
        ("day IN (DATE '2026-03-13', '2026-03-15')", [1, 3]),
        ("day <> '2026-03-13 00:00:01'", [1, 2, 3]),
        ("instant >= TIMESTAMP '1970-01-01 10:00:00'", [2, 3]),
        ("TRUNC(instant) = DATE '1970-01-01'", [1, 2, 3]),
        ("name LIKE 'a_b'", [1]),
        ("name LIKE '%b'", [1, 2]),
        ("name NOT LIKE 'a%'", [2]),
        ("NOT name LIKE 'a%'", [2]),
        ("name <> 'a_b'", [2]),
        ("name IS NULL", [3, None]),
        ("name IS NOT NULL", [1, 2]),
        ("NVL(name, 'none') = 'none'", [3, None]),
        ("name = q'[a_b]' OR n = '2.0'", [1, 2]),
        ("n BETWEEN 0.5 AND 15e-1 OR (n + 1) * 2 - 1 = 5", [1, 2]),
        ("NOT (n IN (1, 2) AND TRUE)", [3]),
        (" OR ".join(f"n = {number}" for number in range(2, 900)), [2, 3]),
    ],
)
def test_supported(where: str, expected: list[int | None], tmp_path: Path) -> None:
    """These conditions select the rows that Oracle would select; an empty text is NULL."""
    assert select(tmp_path, TABLE, where) == expected


@pytest.mark.parametrize(
    ("where", "part"),
    [
        ("TO_CHAR(day, 'YYYY') = '2026'", "TO_CHAR: "),
        ("n > 0 AND (n = 1 OR substr(name, 1, 1) = 'a')", "substr: "),
        ("day >= TRUNC(SYSDATE)", "TRUNC: "),
        ("TRUNC(day, 'MM') = DATE '2026-03-01'", "TRUNC: "),
        ("TRUNC(n) = 1", "TRUNC: "),
        ("TO_DATE('13/03/26', 'DD/MM/RR') = day", "TO_DATE"),
        ("TO_DATE('2026-03-13') = day", "TO_DATE"),
        ("REGEXP_LIKE(name, 'a')", "REGEXP_LIKE: "),
        ("UPPER(name) = 'A'", "UPPER: "),
        ("DECODE(n, 1, 2) = 2", "DECODE"),
        ("name || 'x' = 'ax'", " || 'x': "),
        ("n / 2 = 1", " / 2: "),
        ("day + 1 > DATE '2026-03-13'", " + 1: "),
        ("day > 5", "a date is compared with a number"),
        ("name = ''", "IS NULL"),
        ("n = NULL", "NULL: "),
        ("n = 'few'", "'few': "),
        ("day = 'today'", "'today': "),
        ("day = DATE '2026-02-30'", "2026-02-30"),
        ("n LIKE '1%'", "LIKE is for text"),
        ("name LIKE 'a!_b' ESCAPE '!'", "ESCAPE"),
        ("name LIKE name", "pattern"),
        ("name(+) = 'a'", "(+)"),
        ("n = " + "1" * 39, "digits"),
        ("NVL(name, 1) = 1", "NVL: "),
        ("CASE WHEN n = 1 THEN 1 END = 1", "CASE"),
        ("(n, name) IN ((1, 'a'))", "): "),
    ],
)
def test_unsupported(where: str, part: str, tmp_path: Path) -> None:
    """What may mean something else in DuckDB is refused; the error names the part."""
    with pytest.raises(UsageError) as raised:
        select(tmp_path, TABLE, where)
    assert part.casefold() in raised.value.message.partition(f"{where!r}: ")[2].casefold()
    assert (raised.value.exit_code, raised.value.check) == (2, "MP-USE-003")
    assert "BETWEEN" in raised.value.hint


def test_unsupported_in_the_demo() -> None:
    """The demo supports the same conditions as files."""
    with open_source("demo", rows=20) as market, pytest.raises(UsageError, match="TO_CHAR"):
        market.scan("COLORS", where="TO_CHAR(DATE_1, 'YYYY') = '2026'")
