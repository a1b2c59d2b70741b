"""Columns are found by name, case and blanks ignored, after the mapping."""

from pathlib import Path

import pytest
from color_tables import HEADER, column, reasons, where, write_colors

from marketpulse import run_colors
from marketpulse.errors import DataError


def test_columns_are_mapped_by_role_or_name(tmp_path: Path) -> None:
    """`price` and `date` name what the hierarchy names; a rule finds a column by either name."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,1,98.5,2026-03-12,DB",
        "2,A,1,99,2026-03-12,DB",
        "3,A,1,97,2026-03-13,DB",
        "4,A,1,98,x,DB",
        header="MESSAGE_ID,CUSIP,RANK,Mid_Price,CREATED_DATE, dealer ",
    )
    mapping = {"price": "MID_PRICE", "date": "created_date", "SOURCE": "Dealer"}
    for data in (mapping, [f"{key}={own}" for key, own in mapping.items()]):
        run = run_colors(path, mapping=data)
        assert column(run.processed, "MESSAGE_ID") == ["3", "2", "1"]
        assert reasons(run) == ["CREATED_DATE: 'x' is not a date"]
        assert run.mapping == {"PX": "MID_PRICE", "DATE": "created_date", "SOURCE": "Dealer"}
    for name in ("PX", "mid_price"):
        run = run_colors(path, mapping=mapping, rules=where(name, "lt", 98))
        assert column(run.excluded, "MESSAGE_ID") == ["3"]


@pytest.mark.parametrize(
    ("header", "mapping", "words"),
    [
        ("MESSAGE_ID,CUSIP,RANK,DATE", {}, "no column PX"),
        ("MESSAGE_ID,RANK,DATE,PX", {}, "no column CUSIP"),
        (f"{HEADER}, px ", {}, "one name|same name"),
        (f"{HEADER},MID", {"price": "MID"}, "have the same name"),
        (f"{HEADER},run_id", {}, "reserved for the output"),
        (f"{HEADER},Rule_ID", {}, "reserved for the output"),
        (HEADER, {"price": "MID"}, "no column 'MID'"),
    ],
)
def test_columns_that_are_missing_double_or_reserved_are_errors(
    header: str, mapping: dict[str, str], words: str, tmp_path: Path
) -> None:
    """The columns are checked before any row is read, and the message names them."""
    path = write_colors(tmp_path / "in.csv", "1,A", header=header)
    with pytest.raises(DataError, match=words):
        run_colors(path, mapping=mapping)
