"""Conditions of Oracle on other sources: they mean the same, or they are refused."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.sources.base import RowRequest
from marketpulse.sources.selection import now, select_rows


def select(
    folder: Path, table: pa.Table, where: str | None = None, order: str | None = None
) -> list[object]:
    """Return the first cell of each selected row."""
    reader = table.to_reader(max_chunksize=2)
    request = RowRequest(where=where, order=order)
    selected = select_rows(reader, request, workspace=folder, now=now()).read_all()
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
        ("n > 0 AND (n = 1 OR substring(name, 1, 1) = 'a')", "substring: "),
        ("TRUNC(day, 'DAY') = DATE '2026-03-01'", "TRUNC: "),
        ("n = 'few'", "'few': "),
        ("n > 2.5e-1D", "2.5e-1D: BINARY_DOUBLE"),
        ("n IN (1, 2f)", "2f: BINARY_DOUBLE and BINARY_FLOAT are not understood in files"),
        ("instant = 'today'", "'today': "),
        ("nested = 1", "NULL alone"),
        ("nested || 'x' = 'x'", "nested"),
        ("UPPER(nested) = 'X'", "UPPER: "),
    ],
)
def test_unsupported(where: str, part: str, tmp_path: Path) -> None:
    """What may mean something else is refused; the error names the part and what is understood."""
    table = TABLE.append_column("nested", pa.array([[1], [], None, None]))
    with pytest.raises(UsageError) as raised:
        select(tmp_path, table, where)
    assert part in raised.value.message.partition(f"{where!r}: ")[2]
    assert (raised.value.exit_code, raised.value.check) == (2, "MP-USE-003")
    assert "BETWEEN" in raised.value.hint
    assert select(tmp_path, table, "nested IS NULL") == [3, None]


@pytest.mark.parametrize(
    ("values", "where", "expected"),
    [
        (pa.array([0.1, float("nan"), None, float("inf")]), "x = 0.1", [0]),
        (pa.array([0.1, float("nan"), None, float("inf")]), "x * 3 = 0.3", [0]),
        (pa.array([0.1, float("nan"), None, float("inf")]), "x > 1", [3]),
        (pa.array([0.1, float("nan"), None, float("inf")]), "x IS NULL", [1, 2]),
        (pa.array([0.1, 2.5], pa.float32()), "x IN (0.1, 2.5)", [0, 1]),
        (pa.array([Decimal("1E+40"), None], pa.decimal256(60, 2)), "x = 1e40", [0]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "x = 'a'", [0, 2]),
        (pa.array(["a", "b", "a"], pa.large_string()), "x LIKE 'a'", [0, 2]),
        (pa.array([1, 10**19], pa.uint64()), "x = 10000000000000000000", [1]),
        (pa.array([1, -1], pa.timestamp("ns")), "x < TIMESTAMP '1970-01-01 00:00:00'", [1]),
        (pa.array([86_400_000, 0], pa.date64()), "x = DATE '1970-01-01'", [1]),
        (pa.nulls(2), "x = 1 OR x = 'a' OR x IS NULL", [0, 1]),
        (pa.array([True, None]), "x IS NOT NULL", [0]),
        (pa.array([b"a", None]), "x IS NULL", [1]),
    ],
)
def test_types(values: pa.Array, where: str, expected: list[int], tmp_path: Path) -> None:
    """Each type of Arrow has Oracle's meaning; floats are the numbers that they are written as."""
    table = pa.table({"row": range(len(values)), "x": values})
    assert select(tmp_path, table, where) == expected


def test_parts_that_are_not_asked(tmp_path: Path) -> None:
    """A row that is decided asks no further part, so its text need not be a number."""
    table = pa.table({"n": [1, 2, 3], "kind": ["n", "t", "n"], "x": ["5", "few", None]})
    assert select(tmp_path, table, "kind = 'n' AND TO_NUMBER(x) > 4") == [1]
    assert select(tmp_path, table, "kind <> 'n' OR x > 4") == [1, 2]
    with pytest.raises(UsageError, match="'few'"):
        select(tmp_path, table, "x > 4 AND kind = 'n'")


def test_three_valued_logic(tmp_path: Path) -> None:
    """AND, OR and NOT of unknown, across columns and within one."""
    values = [True, False, None]
    pairs = [(left, right) for left in values for right in values]
    numbers = {True: 1, False: 0, None: None}
    table = pa.table(
        {
            "row": range(9),
            "x": pa.array([numbers[left] for left, _ in pairs], pa.int8()),
            "y": pa.array([numbers[right] for _, right in pairs], pa.int8()),
        }
    )
    assert select(tmp_path, table, "x = 1 AND y = 1") == [0]
    assert select(tmp_path, table, "NOT (x = 1 AND y = 1)") == [1, 3, 4, 5, 7]
    assert select(tmp_path, table, "x = 1 OR y = 1") == [0, 1, 2, 3, 6]
    assert select(tmp_path, table, "NOT (x = 1 OR y = 1)") == [4]


def test_sysdate(tmp_path: Path) -> None:
    """SYSDATE is the same moment for all rows, in UTC, without a fraction of a second."""
    table = pa.table({"x": pa.array([0, 1_500, 2_000], pa.timestamp("ms"))})
    for where, expected in (("x < SYSDATE", [0]), ("x >= SYSDATE + 1/86400", [2])):
        request, now = RowRequest(where=where), 1_250_000_000
        rows = select_rows(table.to_reader(), request, workspace=tmp_path, now=now).read_all()
        assert rows["x"].cast(pa.int64()).to_pylist() == [[0, 1_500, 2_000][n] for n in expected]
