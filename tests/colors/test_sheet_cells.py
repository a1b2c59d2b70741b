"""Cells of a spreadsheet in Run Colors: errors, and what became of a CUSIP."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xlsxwriter
from color_tables import column, reasons, three_colors, where, write_colors
from format_files import read

from marketpulse import run_colors
from marketpulse.errors import DataError

HEADER = ["MESSAGE_ID", "CUSIP", "RANK", "DATE", "PX", "SOURCE", "SPREAD"]
ERRORS = ("#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!")


def write_book(path: Path, *colors: dict[str, Any], header: list[str] = HEADER) -> Path:
    """A workbook: of each color the cells that differ from a good one.

    A pair is a number and its format, `#N/A` and the like are errors.
    """
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, header)
        for number, color in enumerate(colors, 1):
            good = {"MESSAGE_ID": str(number), "CUSIP": "594918104", "RANK": 1, "PX": 98.5}
            cells = {**good, "DATE": "2026-03-13", "SOURCE": "A", "SPREAD": number, **color}
            for index, name in enumerate(header):
                cell = cells[name]
                if isinstance(cell, tuple):
                    code = book.add_format({"num_format": cell[1]})
                    sheet.write_number(number, index, cell[0], code)
                elif cell in ERRORS:
                    sheet.write_formula(number, index, "=NA()", None, cell)
                elif isinstance(cell, str):
                    sheet.write_string(number, index, cell)
                else:
                    sheet.write(number, index, cell)
    return path


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_cell_rejects_its_row(error: str, tmp_path: Path) -> None:
    """In any column of the contract; two failed look-ups are no security."""
    path = write_book(
        tmp_path / "a.xlsx",
        {"CUSIP": error},
        {"CUSIP": error},
        {"RANK": error},
        {"DATE": error},
        {"PX": error},
        {"SOURCE": error},
        {"MESSAGE_ID": error},
        {},
    )
    run = run_colors(path)
    assert column(run.processed, "MESSAGE_ID") == ["8"]
    assert reasons(run) == [
        f"CUSIP: '{error}' is not a value: the cell has an error",
        f"CUSIP: '{error}' is not a value: the cell has an error",
        f"RANK: '{error}' is not an integer",
        f"DATE: '{error}' is not a date",
        f"PX: '{error}' is not a number",
        f"SOURCE: '{error}' is not a value: the cell has an error",
        f"MESSAGE_ID: '{error}' is not an integer",
    ]


def test_the_same_words_as_text_are_text(tmp_path: Path) -> None:
    """A cell that holds the text `#N/A` is no error, nor is one of CSV."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for index, cell in enumerate(["1", "#N/A", "1", "2026-03-13", "98.5", "#N/A", "5"]):
            sheet.write_string(1, index, cell)
    run = run_colors(path)
    assert column(run.processed, "CUSIP") == ["#N/A"]
    assert column(run.processed, "SOURCE") == ["#N/A"]


def test_an_error_in_another_column_is_no_value(tmp_path: Path) -> None:
    """The row stays; rules find no value there, and the column's numbers stay numbers."""
    path = write_book(tmp_path / "a.xlsx", {"SPREAD": 10}, {"SPREAD": "#N/A"}, {"SPREAD": 9})
    run = run_colors(path)
    # The tie is broken by MESSAGE_ID: the later message comes first.
    assert column(run.processed, "SPREAD") == ["9", "#N/A", "10"]
    for operator, value, found in (("is_null", None, ["2"]), ("less_than", 10, ["3"])):
        excluded = run_colors(path, rules=where("SPREAD", operator, value)).excluded
        assert column(excluded, "MESSAGE_ID") == found
    for condition, found in (("SPREAD IS NULL", ["2"]), ("SPREAD < 10", ["3"])):
        assert column(run_colors(path, where=condition).processed, "MESSAGE_ID") == found
    path = write_book(tmp_path / "b.xlsx", {"SPREAD": "x"}, {"SPREAD": "#N/A"})
    excluded = run_colors(path, rules=where("SPREAD", "is_null", None)).excluded
    assert column(excluded, "MESSAGE_ID") == ["2"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        (date(2026, 3, 1), "2026-03-01"),
        ((0.5, "hh:mm"), "12:00:00"),
        (True, "true"),
        (37833.5, "37833.5"),
        (-5, "-5"),
        ((123456700, "0.00E+00"), "123456700"),
        (1e17, "100000000000000000"),
        (1e-5, "0.00001"),
    ],
)
def test_a_cusip_that_a_spreadsheet_has_changed(cell: Any, shown: str, tmp_path: Path) -> None:
    """It is rejected, whether it is alone in its column or not."""
    reason = f"CUSIP: '{shown}' is not a CUSIP: a spreadsheet has changed it"
    run = run_colors(write_book(tmp_path / "a.xlsx", {}, {"CUSIP": cell}))
    assert reasons(run) == [reason]
    alone = write_book(tmp_path / "b.xlsx", {"CUSIP": cell})
    with pytest.raises(DataError, match="the only row cannot be used") as caught:
        run_colors(alone)
    assert reason in str(caught.value)
    assert "format Text" in caught.value.hint
    good = write_colors(tmp_path / "c.csv", "7,594918104,1,2026-03-13,98.5,x")
    names = [*HEADER[:5], "NOTE"]
    beside = write_book(tmp_path / "d.xlsx", {"CUSIP": cell, "NOTE": "y"}, header=names)
    for files in ([good, beside], [beside, good]):
        assert reasons(run_colors(files)) == [reason]


def test_a_whole_number_is_its_digits_with_the_zeros_that_are_shown(tmp_path: Path) -> None:
    """They are one security with the same CUSIP as text, in the results and for rules."""
    path = write_book(
        tmp_path / "a.xlsx",
        {"CUSIP": (37833100, "000000000")},
        {"CUSIP": "037833100"},
        {"CUSIP": (378331009, "0")},
        {"CUSIP": 37833100},
    )
    run = run_colors(path)
    assert reasons(run) == []
    assert column(run.processed, "CUSIP") == ["037833100", "037833100", "37833100", "378331009"]
    assert column(run.processed, "PARENT_MESSAGE_ID")[:2] == [None, "2"]
    excluded = run_colors(path, rules=where("CUSIP", "equals", "037833100")).excluded
    assert column(excluded, "CUSIP") == ["037833100", "037833100"]
    alone = run_colors(write_book(tmp_path / "b.xlsx", {"CUSIP": (37833100, "000000000")}))
    assert column(alone.processed, "CUSIP") == ["037833100"]
    assert alone.warnings["cusip"] == 0


def test_zeros_that_are_shown_survive_every_format(tmp_path: Path) -> None:
    """JSON has no number with zeros in front, and XLSX shows them again."""
    cells = {"CUSIP": (37833100, "000000000"), "SPREAD": (7, "000")}
    path = write_book(tmp_path / "a.xlsx", cells)
    formats = ("csv", "json", "xlsx")
    run_colors(path, rules=where("RANK", "gt", 5), output=tmp_path / "out", formats=formats)
    assert '"CUSIP": "037833100"' in (tmp_path / "out/processed_colors.json").read_text()
    assert '"SPREAD": 7' in (tmp_path / "out/processed_colors.json").read_text()
    rules = where("RANK", "equals", 1)
    run_colors(path, rules=rules, output=tmp_path / "excluded", formats=formats)
    assert '"CUSIP": 37833100' in (tmp_path / "excluded/excluded_colors.json").read_text()
    for folder, name in (("out", "processed"), ("excluded", "excluded")):
        text = (tmp_path / folder / f"{name}_colors.csv").read_text()
        assert "037833100" in text
        assert "007" in text
        sheet = tmp_path / folder / f"{name}_colors.xlsx"

        back = read(sheet)
        assert back.column("CUSIP") == ["037833100"]
        assert back.column("SPREAD") == ["007"]


@pytest.mark.parametrize(
    ("values", "found", "wrong"),
    [
        ([37833100.0, None, 1.5], ["37833100"], ["missing", "'1.5' is not a CUSIP"]),
        ([37833100.0, float("nan"), 2.0**53], ["37833100"], ["missing", "'9007199254740992' is"]),
        ([Decimal("7.0"), Decimal("7.5"), None], ["7"], ["'7.5' is not a CUSIP", "missing"]),
        ([date(2026, 3, 1), None, None], [], []),
        ([True, False, None], [], []),
        ([37833100, 7, -7], ["37833100", "7"], ["'-7' is not a CUSIP"]),
    ],
)
def test_typed_columns_of_cusips(values: list[Any], found: list[str], wrong: list[str]) -> None:
    """Whole numbers of data frames and Parquet are digits; nothing else is a CUSIP."""
    array = pa.array(values, from_pandas=False)
    table = three_colors(CUSIP=array)
    if not found:
        with pytest.raises(DataError, match="none of the 3 rows can be used"):
            run_colors(table)
        return
    run = run_colors(table)
    assert column(run.processed, "CUSIP") == found
    starts = [reason.removeprefix("CUSIP: ") for reason in reasons(run)]
    assert [start.startswith(word) for start, word in zip(starts, wrong, strict=True)] == [
        True
    ] * len(wrong)
