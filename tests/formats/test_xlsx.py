"""XLSX: values of cells, formulas and their results, and what a sheet has no room for."""

import csv
import io
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from format_files import (
    HEADER,
    NUMBERS,
    Formula,
    parse_exactly,
    read,
    read_independently,
    write,
    write_sheet,
)
from hypothesis import given
from hypothesis import strategies as st
from support import COLORS

from marketpulse import ColorsRun, run_colors
from marketpulse.errors import DataError, UsageError
from marketpulse.formats.encode import LogicalType, to_text


@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ("007.50", 7.5, "000.00"),
        ("-0.25", -0.25, "0.00"),
        ("-12", -12, "0"),
        ("+5", 5, "0"),
        ("-007", -7, "000"),
        ("0.000000000000012", 1.2e-14, "0.000000000000000"),
        ("-1.23456789012345", -1.23456789012345, "0.00000000000000"),
        ("1.234567890123456", "1.234567890123456", "General"),  # 16 digits
        *(
            (text, text, "General")
            for text in ("98.5-", "--5", "5+", "+-5", "1.2.3", "-", ".", "\u0663")
        ),
    ],
)
def test_a_number_in_a_sheet(text: str, value: object, code: str, tmp_path: Path) -> None:
    """It shows the zeros and the decimals of its text; a text that is no number stays text."""
    path = write(tmp_path / "number.xlsx", pa.table({"P": [text]}), numbers=["P"])
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    assert (sheet["A2"].value, sheet["A2"].number_format) == (value, code)
    assert not sheet["A2"].font.bold


def test_numbers_in_a_sheet_are_numbers_where_they_are_asked_for(tmp_path: Path) -> None:
    """Number columns have numbers that show their decimals; long ones are text."""
    table = pa.table(
        {
            "ID": pa.array([17700000000000001, 7], pa.int64()),
            "P": ["101.700", "1E5"],
            "Q": ["1234567890123456", " 98.5 "],
            "R": ["NaN", "-0.25"],
            "S": ["007", "+5"],
            "T": ["1.", ".5"],
        }
    )
    path = write(tmp_path / "numbers.xlsx", table, numbers=["P", "Q", "R", "S", "T"])
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert rows == [
        ["17700000000000001", 101.7, "1234567890123456", "NaN", 7, 1],
        ["7", "1E5", 98.5, -0.25, 5, 0.5],
    ]
    assert sheet["B2"].number_format == "0.000"
    assert sheet["A2"].data_type == "s"


def test_dates_in_a_sheet_are_dates_where_nothing_is_lost(tmp_path: Path) -> None:
    """Date columns have dates that show what the text says; any other spelling stays text."""
    dates = ["2026-03-13", "2026-03-13 14:05:09", "1900-03-01"]
    spelled = [
        *dates,
        "2026-03-13 00:00:00",
        "2026-03-13T14:05:09Z",
        "1900-02-28",
        "2026-02-30",
        None,
    ]
    hours = [datetime.fromisoformat(f"2026-03-13 0{hour}:00:00") for hour in range(8)]
    table = pa.table({"D": spelled, "T": pa.array(hours, pa.timestamp("us"))})
    path = write(tmp_path / "dates.xlsx", table, dates=["D", "T"])

    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    columns = list(zip(*sheet.iter_rows(min_row=2, values_only=True), strict=True))
    assert columns[0] == (*map(datetime.fromisoformat, dates), *spelled[len(dates) :])
    assert columns[1] == tuple(hours)
    codes = [sheet[cell].number_format for cell in ("A2", "A3", "B2")]
    assert codes == ["yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd hh:mm:ss"]
    back = read(path).table.select(["D"]).combine_chunks()
    assert to_text(back.column(0).chunk(0), back.schema.field(0)).to_pylist() == spelled


def test_a_sheet_is_made_to_be_read(tmp_path: Path) -> None:
    """It has the name of its table, a header that stays and filters, and wide columns."""
    table = pa.table({"ID": ["1", "2"], "TICKER": ["ABCLO 2022-9A ER", None]})
    path = write(tmp_path / "sheet.xlsx", table, title="DESK: [COLORS] of a long, long name")

    sheet = openpyxl.load_workbook(path).active

    assert sheet is not None
    assert sheet.title == "DESK_ _COLORS_ of a long, long "
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:B3"
    assert [sheet[place].font.bold for place in ("A1", "A2", "B2")] == [True, False, False]
    assert sheet.column_dimensions["B"].width > len("ABCLO 2022-9A ER")


def test_a_title_that_excel_reserves(tmp_path: Path) -> None:
    """Excel opens no workbook with a sheet named History."""
    path = write(tmp_path / "sheet.xlsx", pa.table({"A": ["x"]}), title="History")
    assert openpyxl.load_workbook(path).sheetnames == ["History_"]


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=20))
def test_any_number_in_a_sheet_keeps_its_value(numbers: list[Decimal], folder: Path) -> None:
    """Every digit of a number is kept, in a number or in text."""
    texts = [f"{number:f}" for number in numbers]
    table = pa.table({"K": [str(place) for place in range(len(texts))], "N": texts})
    path = write(folder / "any.xlsx", table, numbers=["N"])
    for text, (_, cell) in zip(texts, read_independently(path), strict=True):
        assert isinstance(cell, int | float | str)
        assert Decimal(repr(cell) if isinstance(cell, float) else cell) == Decimal(text)
        digits = re.sub("[^0-9]", "", text).lstrip("0")
        assert isinstance(cell, str) == (len(digits) > 15)
    file = read(path)
    kinds = {LogicalType.TEXT, LogicalType.FLOAT, LogicalType.MIXED}
    assert file.kind("N") in kinds


def replaced(path: Path, old: str, new: str) -> Path:
    """Replace something in the XML of a sheet, for what XlsxWriter does not write."""
    changed = path.with_name(f"changed_{path.name}")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(changed, "w") as after:
        for name in before.namelist():
            data = before.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert old.encode() in data
                data = data.replace(old.encode(), new.encode())
            after.writestr(name, data)
    return changed


def test_a_sheet_is_read_for_its_values(tmp_path: Path) -> None:
    """Numbers, text, booleans and dates keep their kind; dates show a time except midnight."""
    path = write_sheet(
        tmp_path / "sheet.xlsx",
        ["007", 101.7, 5, datetime.fromisoformat("2026-03-13"), True, "x"],
        ["a", 0.1, 1e22, datetime.fromisoformat("2026-03-13 10:30"), False, "#N/A"],
        ["b", -2.0, 2**53 + 1, datetime.fromisoformat("2026-03-12 23:59:59.500000"), None, None],
        header=["T", "N", "M", "D", "B", "X"],
    )
    file = read(path)
    assert file.rows() == [
        ["007", "101.7", "5", "2026-03-13", True, "x"],
        ["a", "0.1", "10000000000000000000000", "2026-03-13 10:30:00", False, "#N/A"],
        ["b", "-2", "9007199254740992", "2026-03-12 23:59:59.5", None, None],
    ]
    kinds = [file.kind(name) for name in "TNMDBX"]
    floats = LogicalType.FLOAT
    assert kinds == [LogicalType.TEXT, floats, floats, LogicalType.DATE, None, LogicalType.TEXT]


def test_cells_of_different_kinds_stay_different(tmp_path: Path) -> None:
    """Text, numbers, booleans and dates of one column stay different."""
    path = write_sheet(
        tmp_path / "mixed.xlsx", ["5"], [5], [True], [date(2026, 3, 13)], header=["A"]
    )
    file = read(path)
    assert file.kind("A") is LogicalType.MIXED
    assert parse_exactly(f"[{write(tmp_path / 'a.json', file.table).read_text()}]")[0] == [
        {"A": "5"},
        {"A": 5},
        {"A": True},
        {"A": "2026-03-13"},
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("</sheetData>", ""),
        ('<c r="B2"', '<c r="??"'),
        ("<v>98.5</v>", "<v>a half</v>"),
        ('t="s"><v>0</v>', 't="s"><v>99</v>'),
    ],
)
def test_a_workbook_that_is_damaged_inside(tmp_path: Path, old: str, new: str) -> None:
    """Whatever openpyxl raises, the user sees that the file is damaged."""
    path = write_sheet(tmp_path / "sheet.xlsx", ["1", "A", 1, "2026-03-13", 98.5, "x"])
    with pytest.raises(DataError, match="damaged"):
        run_colors(replaced(path, old, new))


def test_a_formula_counts_as_its_result(tmp_path: Path) -> None:
    """The stored result of a formula is the cell; without one the row is rejected."""
    path = write_sheet(
        tmp_path / "formulas.xlsx",
        ["1", "A", 1, "2026-03-13", Formula("=50+51.7", 101.7), Formula('="x"', "x")],
        ["2", "A", 1, "2026-03-13", Formula("=1/0", "#DIV/0!"), "y"],
        ["3", "A", 1, "2026-03-13", Formula("=NOW()", ""), "z"],
        ["4", "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
        ["5", "A", 1, "2026-03-13", 97, Formula('=""', "-")],
        ["6", Formula("=UPPER(B2)", ""), 1, "2026-03-13", 97, "u"],
    )
    # A text that a formula gave may be empty: then the cell is, too.
    path = replaced(path, "<v>-</v>", "<v></v>")
    run = run_colors(path)
    assert run.processed is not None
    assert run.rejected is not None
    assert run.processed.select(["MESSAGE_ID", "PX", "NOTE"]).to_pylist() == [
        {"MESSAGE_ID": "1", "PX": "101.7", "NOTE": "x"},
        {"MESSAGE_ID": "5", "PX": "97", "NOTE": None},
    ]
    assert run.rejected.column("REASON").to_pylist() == [
        "PX: '#DIV/0!' is not a number",
        "PX: '=NOW()' is not a number",
        "NOTE: '=NOTE' is not a value: the formula has none",
        "CUSIP: '=UPPER(B2)' is not a value: the formula has none",
    ]


def test_one_formula_in_a_column_of_securities_is_noticed(tmp_path: Path) -> None:
    """A CUSIP formula without a result rejects its row, even if all other cells are text."""
    path = write_sheet(
        tmp_path / "cusip.xlsx",
        ["1", "A", "1", "2026-03-13", "98.5", "x"],
        ["2", Formula("=A1", ""), "1", "2026-03-13", "98.5", "x"],
    )
    run = run_colors(path)
    assert run.rejected is not None
    assert run.rejected.column("REASON").to_pylist() == [
        "CUSIP: '=A1' is not a value: the formula has none"
    ]


def test_identifiers_of_17_digits_must_be_text(tmp_path: Path) -> None:
    """A numeric cell of 2**53 or more in an integer column is rejected: it lost its digits."""
    path = write_sheet(
        tmp_path / "identifiers.xlsx",
        ["17700000000000001", "A", 1, "2026-03-13", 98.5],
        [17700000000000001, "A", 1, "2026-03-13", 98.5],
        [9007199254740991, "A", 1, "2026-03-13", 9007199254740993],
        [9007199254740992, "A", 1, "2026-03-13", 98.5],
        [7, "A", 2.5, "2026-03-13", 98.5],
    )
    run = run_colors(path)
    assert run.processed is not None
    assert run.rejected is not None
    assert run.processed.column("MESSAGE_ID").to_pylist() == [
        "9007199254740991",
        "17700000000000001",
    ]
    assert run.rejected.column("REASON").to_pylist() == [
        "MESSAGE_ID: '17700000000000000' is not exact: its last digits were lost to a spreadsheet",
        "MESSAGE_ID: '9007199254740992' is not exact: its last digits were lost to a spreadsheet",
        "RANK: '2.5' is not an integer",
    ]


def test_other_files_do_not_hide_damaged_cells(tmp_path: Path) -> None:
    """Rounded numbers and formulas are rejected also if another file has text in their column."""
    rows = (
        ["7", "A", 1, "2026-03-13", 98.5, "x"],
        [17700000000000001, "A", 1, "2026-03-13", 98.5, "x"],
        ["8", "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
    )
    sheet = write_sheet(tmp_path / "b.xlsx", *rows)
    plain = write_sheet(tmp_path / "plain.xlsx", *rows[:1])
    text = tmp_path / "a.csv"
    text.write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE\n17700000000000001,B,1,2026-03-13,9,y\n")
    expected = reasons(run_colors(sheet))
    assert len(expected) == 2
    for beside in (text, plain):
        for names in ([beside, sheet], [sheet, beside]):
            run = run_colors(names)
            assert run.processed is not None
            assert reasons(run) == expected
            assert len(run.processed) == 2
    floats = {"MESSAGE_ID": [1.0, 2.0**53], "CUSIP": ["A", "A"], "RANK": [1, 1], "PX": [9.5, 9.5]}
    floats["DATE"] = ["2026-03-13"] * 2
    pq.write_table(pa.table(floats), tmp_path / "floats.parquet")
    pq.write_table(pa.table({**floats, "MESSAGE_ID": [3, 4]}), tmp_path / "integers.parquet")
    run = run_colors([tmp_path / "integers.parquet", tmp_path / "floats.parquet"])
    assert reasons(run) == [
        "MESSAGE_ID: '9007199254740992.0' is not exact: its last digits were lost to a spreadsheet"
    ]


def reasons(run: ColorsRun) -> list[str]:
    """Return why rows were rejected."""
    assert run.rejected is not None
    texts: list[str] = run.rejected.column("REASON").to_pylist()
    return texts


def test_long_and_blank_rows(tmp_path: Path) -> None:
    """A row with cells beyond the header is malformed; a row without text is not a row."""
    path = write_sheet(
        tmp_path / "rows.xlsx",
        [None, " "],
        ["1", "a,b", 'c "d"', "l1\nl2", "l1\rl2"],
        [],
        ["2"],
        ["", "x", None, None, None],
        header=["A", "B"],
    )
    file = read(path)
    assert file.rows() == [["2", None], ["", "x"]]
    (malformed_line,) = file.malformed_lines
    assert (malformed_line.after, malformed_line.fields, malformed_line.expected) == (0, 5, 2)
    assert malformed_line.text == '1,"a,b","c ""d""","l1\nl2","l1\rl2"'
    assert next(csv.reader(io.StringIO(malformed_line.text, newline="")))[4] == "l1\rl2"


def test_escapes_of_a_sheet_are_characters(tmp_path: Path) -> None:
    """`_x000D_` is a carriage return, as in Excel; `_x005F_x0041_` is seven plain characters."""
    path = write_sheet(
        tmp_path / "escapes.xlsx", ["a\rb", "_x0041_", "\x1f", "x_x005F_"], header=list("ABCD")
    )
    assert read(path).rows() == [["a\rb", "_x0041_", "\x1f", "x_x005F_"]]
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["A"])
    sheet.append(["a_x000D_\nb"])
    book.save(tmp_path / "other.xlsx")
    assert read(tmp_path / "other.xlsx").rows() == [["a\r\nb"]]


def test_blanks_at_the_end_are_no_cells_of_a_malformed_row(tmp_path: Path) -> None:
    """They do not count, and the cell before them does."""
    rows = [["1", "x"], ["2", "y", "z", " "], ["3", "y", "z", " ", " "]]
    file = read(write_sheet(tmp_path / "long.xlsx", *rows, header=["A", "B"]))
    assert file.rows() == [["1", "x"]]
    assert [(line.fields, line.text) for line in file.malformed_lines] == [
        (3, "2,y,z"),
        (3, "3,y,z"),
    ]


def test_only_one_sheet_may_hold_data(tmp_path: Path) -> None:
    """Two sheets with data are an error that names them; hidden and empty ones do not count."""
    path = tmp_path / "sheets.xlsx"
    for hidden in (False, True):
        with xlsxwriter.Workbook(path) as book:
            book.add_worksheet("Notes")
            colors, other = book.add_worksheet("Colors"), book.add_worksheet("Other")
            colors.write_column(0, 0, ["A", "x"])
            other.write_column(0, 0, ["B", "y"])
            if hidden:
                other.hide()
        if hidden:
            assert read(path).rows() == [["x"]]
        else:
            with pytest.raises(DataError, match="2 sheets hold data: 'Colors', 'Other'"):
                read(path)


def test_a_hidden_sheet_does_not_stand_in(tmp_path: Path) -> None:
    """If no visible sheet holds data, the first visible one is empty, and none is taken for it."""
    path = tmp_path / "hidden.xlsx"
    with xlsxwriter.Workbook(path) as book:
        hidden, colors = book.add_worksheet("Old"), book.add_worksheet("Colors")
        hidden.write_column(0, 0, ["A", "x"])
        colors.activate()
        hidden.hide()
    with pytest.raises(DataError, match="the sheet 'Colors' is empty: it has no header"):
        read(path)


def test_columns_without_names_are_dropped_if_they_hold_nothing(tmp_path: Path) -> None:
    """Blank cells there are nothing; the other columns keep their places."""
    path = write_sheet(
        tmp_path / "gaps.xlsx",
        ["1", None, "x", " ", None],
        ["2", " ", "y", None, None],
        ["3", None, "z", None, "c", " "],
        header=["A", "", "B", " ", "C"],
    )
    file = read(path)
    assert file.rows() == [["1", "x", None], ["2", "y", None], ["3", "z", "c"]]
    assert file.notes.nameless_columns == 2


@pytest.mark.parametrize(
    ("header", "row", "cell"),
    [
        (["A", "", "B"], ["1", "x", "2"], "column B has no name, but row 3 holds 'x'"),
        (["A", "B", ""], ["1", "2", "x"], "column C has no name, but row 3 holds 'x'"),
        (["A", "", "", "B"], ["1", None, 0, "2"], "column C has no name, but row 3 holds '0'"),
    ],
)
def test_a_column_without_a_name_that_holds_something(
    header: list[str], row: list[object], cell: str, tmp_path: Path
) -> None:
    """It is an error that says where the cell stands."""
    path = write_sheet(tmp_path / "gaps.xlsx", [], row, header=header)
    with pytest.raises(DataError, match=cell) as caught:
        read(path)
    assert caught.value.check == "MP-DAT-021"


def test_a_title_above_the_header_is_told(tmp_path: Path) -> None:
    """The hint names the row that looks like the header."""
    path = tmp_path / "title.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "Colors of 13 March")
        sheet.write_row(2, 0, HEADER)
        sheet.write_row(3, 0, ["1", "A", 1, "2026-03-13", 98.5, "x"])
    with pytest.raises(DataError, match="column F has no name") as caught:
        read(path)
    assert caught.value.hint.startswith("row 3 looks like the header: delete the rows above it")
    path = write_sheet(tmp_path / "names.xlsx", HEADER, header=list("ABCDEF"))
    with pytest.raises(DataError, match="no columns MESSAGE_ID") as caught:
        run_colors(path)
    assert caught.value.hint.endswith(
        "delete the row above it, or name it, in XLSX, with --header-row 2"
    )


def test_a_sheet_and_a_header_row_by_name(tmp_path: Path) -> None:
    """Of several sheets one is named, hidden or not; rows above the header are left out."""
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Notes").write(0, 0, "by hand")
        sheet = book.add_worksheet("Colors")
        sheet.write(0, 0, "Colors of 13 March")
        sheet.write_row(2, 0, HEADER)
        sheet.write_row(3, 0, ["1", "037833100", 1, "2026-03-13", 98.5, "x"])
        sheet.hide()
    for name in ("Colors", " colors"):
        assert run_colors(path, sheet=name, header_row=3).counts.read == 1
    options: dict[str, Any]
    for options, message in (
        ({"sheet": "Color"}, "there is no sheet 'Color'"),
        ({"sheet": "Colors", "header_row": 2}, "the sheet 'Colors': the row 2 is empty"),
        ({"sheet": "Colors", "header_row": 9}, "the row 9 is empty"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            run_colors(path, **options)
        if options["sheet"] == "Color":
            error = caught.value
            assert (error.hint, error.check) == ("the sheets are 'Notes', 'Colors'", "MP-DAT-009")
    with pytest.raises(UsageError, match="--sheet: the input is not XLSX"):
        run_colors(COLORS, sheet="Colors")
    with pytest.raises(UsageError, match="--header-row: this input is not XLSX"):
        run_colors([{"MESSAGE_ID": 1}], header_row=2)


def test_rows_that_are_hidden_are_read_and_counted(tmp_path: Path) -> None:
    """A filter hides rows; they belong to the colors all the same."""
    path = tmp_path / "filter.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        for number in range(1, 5):
            sheet.write_row(number, 0, [str(number), "A", 1, "2026-03-13", 98.5, "x"])
        sheet.autofilter(0, 0, 4, 5)
        for number in (2, 3, 7):  # row 8 is empty
            sheet.set_row(number, None, None, {"hidden": True})
    run = run_colors(path)
    assert run.counts.read == 4
    assert run.warnings["hidden_rows"] == 2
    assert run.remarks == (
        "2 rows are hidden in the workbook, by a filter or by hand, and read all the same",
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [([], "is empty"), ([["A", "A"]], "two columns named 'A'"), ([[None, " "]], "is empty")],
)
def test_a_sheet_needs_a_header_of_different_names(
    rows: list[list[str | None]], words: str, tmp_path: Path
) -> None:
    """A workbook without a header, or with one name twice, is bad data."""
    path = write_sheet(tmp_path / "header.xlsx", *rows[1:], header=rows[0] if rows else [])  # type: ignore[arg-type] # odd on purpose
    with pytest.raises(DataError, match=words):
        read(path)


def test_a_sheet_has_limits(tmp_path: Path) -> None:
    """Text of more than 32,767 UTF-16 units and too many rows are errors; nothing is cut."""
    longest = "x" * 32767
    path = write(tmp_path / "longest.xlsx", pa.table({"A": [longest, "é" * 32767]}))
    assert read(path).column("A") == [longest, "é" * 32767]
    for text in (longest + "x", "\U0001f600" * 16384):
        with pytest.raises(DataError, match="A: a cell has room for 32,767 characters"):
            write(tmp_path / "longer.xlsx", pa.table({"A": [text]}))
    many = pa.table({"A": pa.nulls(1_048_576, pa.string())})
    with pytest.raises(DataError, match="a sheet has room for 1,048,576 rows"):
        write(tmp_path / "rows.xlsx", many, batch_rows=1_048_576)
