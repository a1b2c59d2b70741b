"""The files of a finished run that are read again."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse import run_colors
from marketpulse.artifacts import PROCESSED
from marketpulse.colors.finished_run import (
    find_file,
    options_again,
    prepare_again,
    read_summary,
)
from marketpulse.colors.run import run
from marketpulse.errors import DataError, NotFoundError

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
        (["xlsx", "json"], True, 0, None),
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


def test_a_file_that_has_changed(tmp_path: Path) -> None:
    """One with other bytes than the summary says is not read, nor is a missing one."""
    run_colors(pa.Table.from_pylist([ROW]), output=tmp_path)
    summary = read_summary(tmp_path)
    path = find_file(tmp_path, summary, PROCESSED)
    path.write_bytes(path.read_bytes() + b"\n")
    for _ in range(2):
        with pytest.raises(DataError, match="it is missing, or not as the run wrote it"):
            find_file(tmp_path, summary, PROCESSED)
        path.unlink(missing_ok=True)


def test_colors_are_ranked_again_as_they_were(tmp_path: Path) -> None:
    """Spellings that an option has permitted are permitted again, and so the order stays."""
    rows = [ROW, {**ROW, "MESSAGE_ID": "1.7E+3", "DATE": "3/14/2026", "NOTE": 7}]
    rows = [{**row, "MESSAGE_ID": str(row["MESSAGE_ID"])} for row in rows]
    first = run_colors(
        rows,
        output=tmp_path,
        hierarchy="date,rank,price",
        types={"NOTE": "integer"},
        date_formats="DATE=M/D/YYYY",
        accept_rounded_ids=True,
    )
    summary = read_summary(tmp_path)
    options = options_again(summary)
    again = run(find_file(tmp_path, summary, PROCESSED), options)
    assert (first.counts, again.counts.rejected) == (again.counts, 0)
    assert (again.hierarchy, again.types) == (first.hierarchy, first.types)
    assert again.processed is not None
    assert again.processed["MESSAGE_ID"].to_pylist() == ["1.7E+3", "1"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hierarchy": ["ranks", "date", "price"]}, "'ranks' is not a key, did you mean rank?"),
        ({"mapping": {"PX": "MID"}}, "the input has no column 'MID'"),
        ({"types": {"NOTE": "money"}}, "NOTE: 'money' is not a type"),
        ({"date_formats": {"DATE": "dots"}}, "'dots' is not a format of dates"),
    ],
)
def test_a_summary_with_damaged_options(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    """The error is about the file: nobody has given the option."""
    run_colors([ROW], output=tmp_path)
    path = tmp_path / "run_summary.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(DataError) as caught, prepare_again(tmp_path, read_summary(tmp_path)):
        pass
    assert caught.value.message.startswith(f"{path}: it does not say how the run ranked: {reason}")
