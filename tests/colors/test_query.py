"""Queries of published colors: filters on the Parquet file of a run."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from color_tables import write_colors

from marketpulse import run_colors
from marketpulse.colors.query import Filter, query_colors
from marketpulse.errors import NotFoundError

HEADER = "MESSAGE_ID,CUSIP,RANK,DATE,MID,SECTOR,SOURCE"
ROWS = (
    "17700000000000001,037833100,2,2026-03-13 23:30:00-02:00,98.50,2.0_Mezz,DB",
    "17700000000000002, 037833100,1,2026-03-13,99, 2.0_mezz ,GS",
    "17700000000000003,594918104,1,2026-03-14,97,MM-CLO,DB",
)
MAPPING = {"PX": "MID"}


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """The processed colors of a run."""
    path = write_colors(tmp_path / "in.csv", *ROWS, header=HEADER)
    run_colors(path, mapping={"price": "MID"}, output=tmp_path / "out", formats=["parquet"])
    return tmp_path / "out/processed_colors.parquet"


def query(path: Path, **conditions: Any) -> list[int]:
    """The last digits of the matching messages."""
    rows = json.loads(query_colors(path, MAPPING, Filter(**conditions)))
    return [int(row["MESSAGE_ID"]) % 10 for row in rows]


@pytest.mark.parametrize(
    ("conditions", "messages"),
    [
        ({}, [2, 1, 3]),
        ({"cusip": " 037833100 "}, [2, 1]),
        ({"sector": "2.0_MEZZ"}, [2, 1]),
        ({"dealer": "db"}, [1, 3]),
        ({"dealer": "d%"}, []),
        ({"date": date(2026, 3, 14)}, [1, 3]),
        ({"date": date(2026, 3, 13)}, [2]),
        ({"parents": True}, [2, 3]),
        ({"dealer": "DB", "parents": True}, [3]),
        ({"limit": 1}, [2]),
        ({"limit": 1, "offset": 1}, [1]),
        ({"limit": 0}, []),
    ],
)
def test_conditions_select_rows_in_their_order(
    conditions: dict[str, Any], messages: list[int], parquet: Path
) -> None:
    """Text ignores case and outer blanks; a day is a day in UTC; conditions are joined by and."""
    assert query(parquet, **conditions) == messages


def test_cells_keep_their_spelling(parquet: Path) -> None:
    """The JSON has every column of the file, with all digits."""
    (row,) = json.loads(query_colors(parquet, MAPPING, Filter(limit=1, offset=1)))
    assert row["MESSAGE_ID"] == "17700000000000001"
    assert row["MID"] == "98.50"
    assert (row["IS_PARENT"], row["GROUP_POSITION"]) == (False, 2)


def test_a_missing_column_is_an_error(parquet: Path) -> None:
    """A filter on a column that the file lacks raises `NotFoundError`."""
    with pytest.raises(NotFoundError, match="no column SOURCE") as error:
        query_colors(parquet, {"SOURCE": "DEALER_NAME"}, Filter(dealer="DB"))
    assert error.value.check == "MP-SRC-009"


@pytest.mark.parametrize("text", ["'", "' OR 1=1 --", '"', "$path", "\x00"])
def test_values_are_never_sql(text: str, parquet: Path) -> None:
    """A value is a bind, whatever it looks like."""
    assert query(parquet, dealer=text) == []
