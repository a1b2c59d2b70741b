"""`--where` and `--order-by`: which rows, in which order, without a change of any value."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.formats.encode import LogicalType, logical_field
from marketpulse.model import MalformedLine
from marketpulse.sources import open_files, open_source
from marketpulse.sources.base import RowRequest
from marketpulse.sources.selection import now, select_rows


def select(
    folder: Path, table: pa.Table, where: str | None = None, order: str | None = None
) -> list[object]:
    """Return the first cell of each selected row."""
    request = RowRequest(where=where, order=order)
    reader = table.to_reader(max_chunksize=2)
    selected = select_rows(reader, request, workspace=folder, now=now()).read_all()
    assert selected.schema.equals(table.schema, check_metadata=True)
    return list(selected.column(0).to_pylist())


@pytest.mark.parametrize(
    ("where", "expected"),
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
def test_text_compared_with_numbers(where: str, expected: list[str], tmp_path: Path) -> None:
    """Text is compared as a number, and not rounded to the digits of the other number."""
    cells = ["1", "1.04", "1.00", "17700000000000001", "-3", None]
    assert select(tmp_path, pa.table({"n": cells}), where) == expected


def test_numbers_as_text(tmp_path: Path) -> None:
    """A column of the logical type number is compared and sorted by value."""
    schema = pa.schema([logical_field("n", LogicalType.NUMBER)])
    table = pa.table({"n": ["10", None, "9.5", "-1"]}, schema)
    assert select(tmp_path, table, "n * 2 > 18.9") == ["10", "9.5"]
    assert select(tmp_path, table, order="n desc") == ["10", "9.5", "-1", None]


def test_mixed_columns(tmp_path: Path) -> None:
    """The tag of a mixed value does not take part in conditions and orders."""
    schema = pa.schema([logical_field("n", LogicalType.MIXED)])
    table = pa.table({"n": ["tb", "n10", "fa", None]}, schema)
    assert select(tmp_path, table, "n = 'b'") == ["tb"]
    assert select(tmp_path, table, "n LIKE '1%'") == ["n10"]
    assert select(tmp_path, table, order="n") == ["n10", "fa", "tb", None]


def test_text_that_is_not_a_number(tmp_path: Path) -> None:
    """A value that cannot be compared is an error that shows it; its row is not skipped."""
    with pytest.raises(UsageError, match="n/a"):
        select(tmp_path, pa.table({"n": ["1", "n/a"]}), "n > 0")


@pytest.mark.parametrize(
    "data_type", [pa.decimal256(60, 2), pa.binary(2), pa.time64("ns"), pa.timestamp("s", "UTC")]
)
def test_other_columns(data_type: pa.DataType, tmp_path: Path) -> None:
    """Columns that the condition does not use may have types that DuckDB does not have."""
    values = [Decimal("0.10"), None] if pa.types.is_decimal(data_type) else None
    odd = pa.array(values, data_type) if values else pa.nulls(2, data_type)
    assert select(tmp_path, pa.table({"n": [1, 2], "odd": odd}), "n = 1", "n") == [1]


def test_oracle_functions() -> None:
    """NVL, TRUNC and TO_DATE mean what they mean in Oracle."""
    with open_source("demo", rows=200) as market:
        where = "NVL(CONFIDENCE, 0) >= 0 AND TRUNC(DATE_1) <= TO_DATE('2100-01-01', 'YYYY-MM-DD')"
        assert len(market.scan("COLORS", where=where).read_all()) > 0


def test_the_order_is_stable(tmp_path: Path) -> None:
    """Rows that are equal in the order keep their order, across many batches."""
    table = pa.table({"n": range(200_000), "same": [number % 3 for number in range(200_000)]})
    request = RowRequest(order="same DESC")
    reader = table.to_reader(max_chunksize=1000)
    result = select_rows(reader, request, workspace=tmp_path, now=now()).read_all()
    assert result.equals(table.sort_by([("same", "descending"), ("n", "ascending")]))


def test_keys_come_one_after_the_other(tmp_path: Path) -> None:
    """Rows that are equal in a key, and be it in value, are in the order of the next one."""
    table = pa.table({"n": [0, 1, 2, 3], "x": ["1.00", "1", None, "0.5"], "y": [1, 1, 3, 2]})
    schema = pa.schema([table.field("n"), logical_field("x", LogicalType.NUMBER), table.field("y")])
    table = table.cast(schema)
    assert select(tmp_path, table, order="x, n DESC") == [3, 1, 0, 2]
    assert select(tmp_path, table, order="y DESC, x, n DESC") == [2, 3, 1, 0]
    assert select(tmp_path, table, order="x NULLS FIRST, n") == [2, 3, 0, 1]
    assert select(tmp_path, table, order="x DESC NULLS FIRST, n") == [2, 0, 1, 3]
    assert select(tmp_path, table.slice(1), order="x NULLS FIRST") == [2, 3, 1]


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    """Of columns that differ only in case, the name means the one with the same spelling."""
    table = pa.table({"a": [1, 2], "A": [2, 1]})
    assert select(tmp_path, table, '"A" = 1') == [2]
    assert select(tmp_path, table, "a = 1") == [1]


def test_malformed_lines(tmp_path: Path) -> None:
    """Malformed lines are reported also if rows are selected."""
    (tmp_path / "a.csv").write_text("n,m\n1,2\n3\n4,5\n")
    malformed_lines: list[MalformedLine] = []
    with open_files([tmp_path / "a.csv"]) as source:
        table = source.scan("a", ["m"], None, malformed_lines.append, "n > 1", "m").read_all()
    assert (table["m"].to_pylist(), len(malformed_lines)) == (["5"], 1)
