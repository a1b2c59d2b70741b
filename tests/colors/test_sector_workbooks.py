"""A run as one workbook for each sector: the rows and the cells of the run's own workbook."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from support import COLORS, PROCESSED_AT

from marketpulse import run_colors
from marketpulse.colors.sector_workbooks import write_sector_workbooks
from marketpulse.errors import NotFoundError, UsageError

COLUMNS = ("MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX", "SECTOR")


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """The cells of a workbook's only sheet, with its header."""
    book = openpyxl.load_workbook(path)
    return list(book.worksheets[0].iter_rows(values_only=True))


def rank(folder: Path, *sectors: str | None) -> Path:
    """A run of a color for each sector."""
    rows = [
        dict(zip(COLUMNS, (number, f"{number:09}", 1, "2026-03-13", 99.5, name), strict=True))
        for number, name in enumerate(sectors, 1)
    ]
    run_colors(pa.Table.from_pylist(rows), output=folder, processed_at=PROCESSED_AT[1])
    return folder


def test_the_day(tmp_path: Path) -> None:
    """Each row is in the workbook of its sector, in the order of the run, cell by cell."""
    run = tmp_path / "run"
    done = run_colors(
        COLORS, output=run, formats=["xlsx", "csv"], where="RANK = 3", processed_at=PROCESSED_AT[1]
    )
    write_sector_workbooks(run, tmp_path / "out")

    header, *rows = rows_of(run / "processed_colors.xlsx")
    expected = defaultdict(list)
    for row in rows:
        expected[str(row[header.index("SECTOR")]).strip().casefold()].append(row)
    folder = tmp_path / f"out/date=2026-03-13/run={done.run_id}"
    found = {}
    for path in folder.iterdir():
        top, *inside = rows_of(path)
        assert top == header
        found[str(inside[0][header.index("SECTOR")]).strip().casefold()] = inside
    assert found == expected
    assert len(found) > 3


def test_names(tmp_path: Path) -> None:
    """Case and blanks make no difference; what no file may be named is changed."""
    run = rank(
        tmp_path / "run", "CLO", " clo ", "2.0_AAA", "A/B", "A:B", None, "  ", "Con", "aux.1", "Com"
    )
    write_sector_workbooks(run, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").rglob("*.xlsx"))
    assert [name.partition("~")[0] for name in names] == [
        "2.0_AAA.xlsx", "A_B", "A_B", "CLO.xlsx", "Com.xlsx", "Con", "aux.1", "no sector.xlsx"
    ]  # fmt: skip
    books = {path.name: path for path in (tmp_path / "out").rglob("*.xlsx")}
    assert len(rows_of(books["CLO.xlsx"])) == len(rows_of(books["no sector.xlsx"])) == 3


def test_runs_without_such_workbooks(tmp_path: Path) -> None:
    """Too many sectors, and no column of them, are refused. A run without colors has none."""
    many = rank(tmp_path / "many", *(f"S{number}" for number in range(201)))
    with pytest.raises(UsageError, match="201 sectors, too many"):
        write_sector_workbooks(many, tmp_path / "out")
    rows = [{"MESSAGE_ID": 1, "CUSIP": "037833100", "RANK": 1, "DATE": "2026-03-13", "PX": 1}]
    run_colors(pa.Table.from_pylist(rows), output=tmp_path / "none")
    with pytest.raises(NotFoundError, match="no column SECTOR"):
        write_sector_workbooks(tmp_path / "none", tmp_path / "other")
    run_colors(pa.Table.from_pylist(rows).slice(1), output=tmp_path / "empty")
    write_sector_workbooks(tmp_path / "empty", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
