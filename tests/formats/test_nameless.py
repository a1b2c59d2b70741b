"""Columns without a name, in every format but XLSX."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_files import read, write_text

from marketpulse import run_colors
from marketpulse.errors import DataError
from marketpulse.formats import Scan
from marketpulse.formats.nameless import drop_nameless, likely_header
from marketpulse.model import FileNotes


def parquet(path: Path, cells: list[int | None]) -> Path:
    """A Parquet file with a column of the name ''."""
    pq.write_table(pa.table([["1", "2"], cells], names=["A", ""]), path)
    return path


def test_columns_that_hold_nothing_are_left_out(tmp_path: Path) -> None:
    """Nulls and blanks are nothing, in any number of columns."""
    files = [
        write_text(tmp_path / "a.csv", 'A,, ,B,""\n1,,  ,2,\n3,\t,,4, \n'),
        write_text(tmp_path / "a.ndjson", '{"A": "1", "": null, "B": "2"}\n{"A": "3", "B": "4"}\n'),
        write_text(tmp_path / "a.json", '[{" ": " ", "A": "1", "B": "2"}, {"A": "3", "B": "4"}]'),
    ]
    for path in files:
        file = read(path)
        assert file.table.to_pylist() == [{"A": "1", "B": "2"}, {"A": "3", "B": "4"}]
        assert file.notes.nameless_columns == (3 if path.suffix == ".csv" else 1)
    assert read(parquet(tmp_path / "a.parquet", [None, None])).table.column_names == ["A"]


def test_columns_that_hold_something_are_refused(tmp_path: Path) -> None:
    """The error says where: which column, and which row."""
    files = [
        write_text(tmp_path / "a.csv", "A,B,\n1,2,\n3,4,0\n"),
        write_text(tmp_path / "a.ndjson", '{"A": "1", "B": "2"}\n{"A": "3", "B": "4", "": 0}\n'),
    ]
    for path in files:
        with pytest.raises(
            DataError, match=r"column 3, after 'B', has no name, but row 2"
        ) as caught:
            read(path)
        assert caught.value.check == "MP-DAT-021"
    with pytest.raises(DataError, match=r"column 2, after 'A', has no name, but row 1 .* '5'"):
        read(parquet(tmp_path / "a.parquet", [5, None]))
    with pytest.raises(DataError, match=r"column 1 has no name, but row 1 below .* 'x'"):
        read(write_text(tmp_path / "b.csv", ",A\nx,1\n"))


def test_a_data_frame_may_have_one_too() -> None:
    """It is left out, or refused, as in a file."""
    color = {"MESSAGE_ID": 1, "CUSIP": "A", "RANK": 1, "DATE": "2026-03-13", "PX": 1.5, "": None}
    frame = pd.DataFrame([color])
    run = run_colors(frame)
    assert run.counts.parents == 1
    assert run.warnings["nameless_columns"] == 1
    with pytest.raises(DataError, match="DataFrame: column 6, after 'PX', has no name"):
        run_colors(frame.assign(**{"": ["x"]}))


def test_a_title_in_csv(tmp_path: Path) -> None:
    """Whether the title has commas or not, the hint names the row that looks like the header."""
    for title in ("Colors of 13 March\n\n", "Colors of 13 March,,,,\n,,,,\n"):
        text = f"{title}MESSAGE_ID,CUSIP,RANK,DATE,PX\n1,A,1,2026-03-13,98.5\n"
        path = write_text(tmp_path / "a.csv", text)
        with pytest.raises(DataError) as caught:
            run_colors(path)
        assert caught.value.hint.startswith(
            "row 3 looks like the header: delete the 2 rows above it"
        )
        with pytest.raises(DataError) as caught:
            run_colors(path, mapping={"cusip": "PX", "message_id": "DATE"})
        assert "row 3" in caught.value.hint


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        ([], None),
        ([(2, ("A", "B")), (3, ("C", "D"))], 2),
        ([(2, ("A", "1x")), (3, ("A", "x1"))], 3),
        ([(2, ("A",)), (4, ("A", "a ")), (5, ("A", "")), (6, ("A", "1")), (7, ("A", "B"))], 7),
    ],
)
def test_the_row_that_looks_like_the_header(
    rows: list[tuple[int, tuple[str, ...]]], number: int | None
) -> None:
    """It has more cells than the first row, and all are different texts."""
    assert likely_header(1, rows) == number


def test_index_of_pandas(tmp_path: Path) -> None:
    """The numbers of rows that pandas writes are no column; an index with a name is one."""
    frame = pd.DataFrame(
        {"MESSAGE_ID": [1, 2, 9], "CUSIP": ["037833100"] * 3, "DATE": "2026-03-13", "PX": 99.5},
    )
    frame["RANK"] = [2, 1, 3]
    plain = run_colors(pa.Table.from_pandas(frame, preserve_index=False))
    frame.to_parquet(tmp_path / "day.parquet", index=True)
    assert "__index_level_0__" in pq.read_schema(tmp_path / "day.parquet").names
    table = pa.Table.from_pandas(frame, preserve_index=True)
    for data in (tmp_path / "day.parquet", table):
        run = run_colors(data)
        assert run.run_id == plain.run_id
        assert run.warnings["index_columns"] == 1
        assert run.remarks == ("the index of pandas (__index_level_0__) is left out",)
    frame.set_index("MESSAGE_ID").to_parquet(tmp_path / "named.parquet")
    assert run_colors(tmp_path / "named.parquet").counts.parents == 1


def test_the_place_of_a_cell_below_many_rows() -> None:
    """Rows are counted through all batches; the hint names the likely header."""
    table = pa.table({"A": ["1", "2", "3", "4"], "": [None, " ", None, "x"]})
    notes = FileNotes(first_rows=((2, ("CUSIP", "PX")),))
    rows = table.to_reader(max_chunksize=1)
    with pytest.raises(DataError) as caught:
        drop_nameless("in.csv", Scan(lambda _: rows, notes))(lambda _: None).read_all()
    assert caught.value.message == (
        "in.csv: column 2, after 'A', has no name, but row 4 below the header holds 'x'"
    )
    assert caught.value.hint == (
        "row 2 looks like the header: delete the rows above it, or name it, in XLSX, with "
        "--header-row 2; otherwise give the column a name, or clear its cells"
    )
    with pytest.raises(DataError) as caught:
        drop_nameless("in.csv", Scan(lambda _: table.to_reader()))(lambda _: None).read_all()
    assert caught.value.hint == "give the column a name, or clear its cells"
