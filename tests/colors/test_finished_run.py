"""The files of a finished run that are read again."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse import run_colors
from marketpulse.artifacts import PROCESSED
from marketpulse.colors.finished_run import find_file, read_summary
from marketpulse.errors import NotFoundError

ROW = {"MESSAGE_ID": 1, "CUSIP": "037833100", "RANK": 1, "DATE": "2026-03-13", "PX": 1}


@pytest.mark.parametrize(
    ("formats", "workbook", "rows", "found"),
    [
        (["json", "csv"], False, 1, "csv"),
        (["xlsx"], False, 1, "xlsx"),
        (["xlsx"], True, 1, None),  # the workbook has all tables
        (["xlsx", "json"], True, 1, "json"),
        (["json", "ndjson"], False, 0, None),  # without rows, they have no columns
        (["csv", "ndjson"], False, 0, "csv"),
    ],
)
def test_the_file_of_a_table(
    tmp_path: Path, formats: list[str], workbook: bool, rows: int, found: str | None
) -> None:
    """It is one that has the columns of this table and no other; if there is none, a hint helps."""
    run_colors(
        pa.Table.from_pylist([ROW]).slice(0, rows),
        output=tmp_path / "run",
        formats=formats,
        workbook=workbook,
    )
    summary = read_summary(tmp_path / "run")
    if found:
        assert find_file(tmp_path / "run", summary, PROCESSED).name == f"{PROCESSED}.{found}"
        return
    with pytest.raises(NotFoundError, match="with the columns of processed_colors alone") as caught:
        find_file(tmp_path / "run", summary, PROCESSED)
    assert "csv among the --formats" in caught.value.hint
