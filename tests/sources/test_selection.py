"""Conditions and orders that users write, about rows of any source."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.formats.encode import LogicalType, logical_field
from marketpulse.sources import open_files, open_source
from marketpulse.sources.selection import Selection


def chosen(
    folder: Path, table: pa.Table, where: str | None = None, order: str | None = None
) -> list[Any]:
    """The first cell of each row that is chosen."""
    reader = table.to_reader(max_chunksize=2)
    found = Selection(where, order, None, folder).apply(reader).read_all()
    assert found.schema.equals(table.schema, check_metadata=True)
    cells: list[Any] = found.column(0).to_pylist()
    return cells


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("n = 1.0", ["1", "1.00"]),
        ("n > 1", ["1.04", "17700000000000001"]),
        ("n >= 17700000000000001", ["17700000000000001"]),
        ("n IN (1, 2)", ["1", "1.00"]),
        ("n BETWEEN -5 AND 0", ["-3"]),
        ("-5 < n AND n < 1", ["-3"]),
        ("n <> 1", ["1.04", "17700000000000001", "-3"]),
        ("n = '1'", ["1"]),
        ("n IS NULL", [None]),
        ("n LIKE '1%' AND NOT n = 1", ["1.04", "17700000000000001"]),
    ],
)
def test_text_that_meets_a_number_counts_as_one(
    where: str, found: list[str], tmp_path: Path
) -> None:
    """No digit is rounded away to fit the number that the user wrote."""
    cells = ["1", "1.04", "1.00", "17700000000000001", "-3", None]
    assert chosen(tmp_path, pa.table({"n": cells}), where) == found


def test_numbers_that_travel_as_text(tmp_path: Path) -> None:
    """A column whose text stands for numbers is compared and sorted as numbers."""
    schema = pa.schema([logical_field("n", LogicalType.NUMBER)])
    table = pa.table({"n": ["10", None, "9.5", "-1"]}, schema)
    assert chosen(tmp_path, table, "n * 2 > 18.9") == ["10", "9.5"]
    assert chosen(tmp_path, table, order="n desc") == ["10", "9.5", "-1", None]


def test_a_column_of_several_kinds_is_its_text(tmp_path: Path) -> None:
    """The letter that tells a cell's kind is nothing that anybody compares or sorts by."""
    schema = pa.schema([logical_field("n", LogicalType.MIXED)])
    table = pa.table({"n": ["tb", "n10", "fa", None]}, schema)
    assert chosen(tmp_path, table, "n = 'b'") == ["tb"]
    assert chosen(tmp_path, table, "n LIKE '1%'") == ["n10"]
    assert chosen(tmp_path, table, order="n") == ["n10", "fa", "tb", None]


def test_text_is_no_number(tmp_path: Path) -> None:
    """A cell that is no number is named where it meets one, not passed over."""
    with pytest.raises(UsageError, match="n/a"):
        chosen(tmp_path, pa.table({"n": ["1", "n/a"]}), "n > 0")


@pytest.mark.parametrize(
    "data_type", [pa.decimal256(60, 2), pa.binary(2), pa.time64("ns"), pa.timestamp("s", "UTC")]
)
def test_cells_pass_by(data_type: pa.DataType, tmp_path: Path) -> None:
    """Columns that the condition is not about keep types that no SQL engine has."""
    values = [Decimal("0.10"), None] if pa.types.is_decimal(data_type) else None
    odd = pa.array(values, data_type) if values else pa.nulls(2, data_type)
    assert chosen(tmp_path, pa.table({"n": [1, 2], "odd": odd}), "n = 1", "n") == [1]


def test_words_of_oracle() -> None:
    """What is written for Oracle is understood."""
    with open_source("demo", rows=200) as market:
        asked = "NVL(CONFIDENCE, 0) >= 0 AND TRUNC(DATE_1) <= TO_DATE('2100-01-01', 'YYYY-MM-DD')"
        assert len(market.scan("COLORS", where=asked).read_all()) > 0


MOMENTS = pa.table(
    {
        "n": [1, 2, 3, None],
        "text": ["2026-03-13", "2026-03-13 10:00", "2026-03-14T00:00:00+02:00", None],
        "day": pa.array([20525, 20526, 20527, None], pa.int32()).cast(pa.date32()),
        "instant": pa.array([0, 36_000, 79_200, None], pa.int64()).cast(pa.timestamp("s", "UTC")),
        "name": ["a_b", "A%b", "", None],
    }
)


@pytest.mark.parametrize(
    ("where", "found"),
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
        (" OR ".join(f"n = {it}" for it in range(2, 900)), [2, 3]),
    ],
)
def test_what_means_the_same(where: str, found: list[int | None], tmp_path: Path) -> None:
    """Of these the rows are chosen that Oracle would choose; an empty text is NULL."""
    assert chosen(tmp_path, MOMENTS, where) == found


@pytest.mark.parametrize(
    ("where", "word"),
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
def test_what_may_mean_something_else_is_refused(where: str, word: str, tmp_path: Path) -> None:
    """What DuckDB lacks, or may understand in another way, is named; no row is dropped."""
    with pytest.raises(UsageError) as raised:
        chosen(tmp_path, MOMENTS, where)
    assert word.casefold() in raised.value.message.partition(f"{where!r}: ")[2].casefold()
    assert (raised.value.exit_code, raised.value.check) == (2, "MP-USE-003")
    assert "BETWEEN" in raised.value.hint


def test_the_demo_refuses_it_too() -> None:
    """The built-in market understands as much as files do."""
    with open_source("demo", rows=20) as market, pytest.raises(UsageError, match="TO_CHAR"):
        market.scan("COLORS", where="TO_CHAR(DATE_1, 'YYYY') = '2026'")


def test_equal_rows_keep_their_order(tmp_path: Path) -> None:
    """Rows that the order does not tell apart stay as they came, over many batches."""
    table = pa.table({"n": range(200_000), "same": [place % 3 for place in range(200_000)]})
    reader = table.to_reader(max_chunksize=1000)
    found = Selection(None, "same DESC", None, tmp_path).apply(reader).read_all()
    assert found.equals(table.sort_by([("same", "descending"), ("n", "ascending")]))


def test_one_name_in_two_cases(tmp_path: Path) -> None:
    """Of columns that differ in case only, the one is meant that is spelled so."""
    table = pa.table({"a": [1, 2], "A": [2, 1]})
    assert chosen(tmp_path, table, '"A" = 1') == [2]
    assert chosen(tmp_path, table, "a = 1") == [1]


def test_files_with_lines_that_are_no_rows(tmp_path: Path) -> None:
    """Such lines are told while rows are chosen, too."""
    (tmp_path / "a.csv").write_text("n,m\n1,2\n3\n4,5\n")
    malformed_lines: list[Any] = []
    with open_files([tmp_path / "a.csv"]) as source:
        found = source.scan("a", ["m"], None, malformed_lines.append, "n > 1", "m").read_all()
    assert (found["m"].to_pylist(), len(malformed_lines)) == (["5"], 1)
