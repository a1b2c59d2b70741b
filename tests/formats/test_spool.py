"""Rows of formats without typed columns."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.formats.encode import LogicalType, logical_type
from marketpulse.formats.spool import Spool
from marketpulse.model import MalformedLine


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["tx", "t", None], LogicalType.TEXT, ["x", "", None]),
        (["n1", "n2.50"], LogicalType.NUMBER, ["1", "2.50"]),
        (["f1.5", None], LogicalType.FLOAT, ["1.5", None]),
        (["d2026-03-13"], LogicalType.DATE, ["2026-03-13"]),
        (["btrue", "bfalse"], None, [True, False]),
        (["u=A1"], LogicalType.MIXED, ["u=A1"]),
        (["n1", "t1"], LogicalType.MIXED, ["n1", "t1"]),
        ([None, None], LogicalType.TEXT, [None, None]),
    ],
)
def test_the_type_of_a_column_follows_from_its_cells(
    tmp_path: Path, cells: list[str | None], kind: LogicalType | None, values: list[object]
) -> None:
    """Cells of one kind make a column of it; different kinds and bare formulas stay tagged."""
    spool = Spool(tmp_path, ("A",))
    for cell in cells:
        spool.append({"A": cell})
    table = spool.scan(lambda _: None).read_all()

    assert logical_type(table.schema.field("A")) is kind
    assert table.column("A").to_pylist() == values


def test_many_rows_and_late_columns(tmp_path: Path) -> None:
    """A column that appears in a later file of rows is null in the earlier ones."""
    spool = Spool(tmp_path)
    for number in range(20_001):
        spool.append({"A": f"n{number}"} if number < 20_000 else {"B": "tx"})
    table = spool.scan(lambda _: None).read_all()

    assert table.column("A").to_pylist() == [*map(str, range(20_000)), None]
    assert table.column("B").null_count == 20_000
    assert table.schema.field("B").type == pa.string()


def test_malformed_lines_know_the_rows_before_them(tmp_path: Path) -> None:
    """Each scan reports every malformed line again."""
    spool = Spool(tmp_path, ("A",))
    spool.append({"A": "tx"})
    spool.add_malformed_line(2, 1, "1,2")
    for _ in range(2):
        lines: list[MalformedLine] = []
        spool.scan(lines.append)
        assert lines == [MalformedLine(1, 2, 1, "1,2")]
