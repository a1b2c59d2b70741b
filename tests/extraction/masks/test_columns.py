"""Masks of columns: dates of all types, and cells that can have no mask."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from marketpulse.errors import DataError
from marketpulse.extraction.masks.columns import mask_column
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.extraction.masks.rules import MaskKind
from marketpulse.formats.encode import LogicalType, logical_field, mixed_field

KEY = MaskKey("a-secret-of-the-tests-alone")


def shift(values: list[object], data_type: pa.DataType) -> list[object]:
    """Shift the values of a column D."""
    field = pa.field("D", data_type)
    cells = mask_column(pa.array(values).cast(data_type), field, MaskKind.SHIFT, True, KEY)
    assert cells.type == data_type
    shifted: list[object] = cells.to_pylist()
    return shifted


def test_dates_move_by_the_same_days() -> None:
    """Of whatever type, and as text with a time and an offset; null stays null."""
    day = date(1987, 6, 1)
    earlier = day + timedelta(KEY.days)
    assert shift([day, None], pa.date32()) == [earlier, None]
    assert shift([day], pa.date64()) == [earlier]
    for unit in ("s", "ms", "us"):
        timestamp = datetime(1987, 6, 1, 9, 30, tzinfo=UTC)
        assert shift([timestamp], pa.timestamp(unit, "UTC")) == [timestamp + timedelta(KEY.days)]
    texts = ["1987-06-01", "1987-06-01 09:30", "1987-06-01T09:30:01.000000002+02:00", None]
    assert shift([*texts], pa.string()) == [
        text and text.replace("1987-06-01", str(earlier)) for text in texts
    ]


def test_dates_of_spreadsheets_move_beside_text() -> None:
    """Those that a sheet cannot show are text; errors stay, numbers are refused."""
    dates = (LogicalType.DATE, LogicalType.TEXT, LogicalType.ERROR, LogicalType.NUMBER)
    field = mixed_field("D", dates)
    earlier = date(1987, 6, 1) + timedelta(KEY.days)
    cells = ["d1987-06-01", "t1987-06-01 09:30:00.25", f"{LogicalType.ERROR.tag}#N/A", None]
    moved = mask_column(pa.array(cells), field, MaskKind.SHIFT, True, KEY).to_pylist()
    assert moved == [cell and cell.replace("1987-06-01", str(earlier)) for cell in cells]
    number = pa.array([f"{LogicalType.NUMBER.tag}31929"])
    with pytest.raises(DataError, match="a cell that is not a date such as"):
        mask_column(number, field, MaskKind.SHIFT, True, KEY)


@pytest.mark.parametrize(
    ("values", "data_type", "message"),
    [
        (["1987-06-01", "Planted"], pa.string(), "a cell that is not a date such as"),
        (["1987-06-01 Planted"], pa.string(), "a cell that is not a date such as"),
        (["06/01/1987"], pa.string(), "a cell that is not a date such as"),
        ([""], pa.string(), "a cell that is not a date such as"),
        (["1987-06-31"], pa.string(), "a date that does not exist"),
        (["0001-06-01"], pa.string(), "too early"),
        ([date(1, 6, 1)], pa.date32(), "too early"),
        ([date(1, 6, 1)], pa.timestamp("us"), "too early"),
        ([date(1678, 1, 1)], pa.timestamp("ns"), "too early"),
    ],
)
def test_cells_that_cannot_move(values: list[object], data_type: pa.DataType, message: str) -> None:
    """The message names the column and quotes no cell."""
    with pytest.raises(DataError, match=message) as caught:
        shift(values, data_type)
    assert "'D'" in caught.value.message
    assert "1987" not in caught.value.message
    assert "Planted" not in caught.value.message
    assert caught.value.hint


def test_an_exponent_beside_text() -> None:
    """A number has the mask of its digits: with a letter for its `e`, it would be no number."""
    field = mixed_field("A", [LogicalType.NUMBER, LogicalType.TEXT])
    cells = pa.array(["n1e3", "n1000", "t1e3", "n1E-2"])
    exponent, plain, text, small = mask_column(cells, field, MaskKind.HMAC, True, KEY).to_pylist()
    assert exponent == plain
    assert text.startswith("t")
    assert not text[2].isdigit()
    assert all(cell[1:].replace(".", "").isdigit() for cell in (plain, small))


@pytest.mark.parametrize("cells", [["1e2000", "7"], ["n1e-2000", "tA"]])
def test_an_exponent_of_too_many_zeros(cells: list[str]) -> None:
    """Such a number keeps its exponent. It is refused: it would show, or become no number."""
    kinds = [LogicalType.NUMBER, LogicalType.TEXT]
    is_mixed = cells[0].startswith("n")
    field = mixed_field("A", kinds) if is_mixed else logical_field("A", LogicalType.NUMBER)
    with pytest.raises(DataError, match="'A' has a number with more than 1,000 zeros") as caught:
        mask_column(pa.array(cells), field, MaskKind.HMAC, True, KEY)
    assert "redact" in caught.value.hint
