"""What the cells of a workbook are: errors, zeros that a format shows, dates, formulas."""

import zipfile
from collections.abc import Callable
from datetime import date, time, timedelta
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from format_files import read, write_sheet

from marketpulse.errors import DataError
from marketpulse.formats.encode import LogicalType
from marketpulse.formats.workbook import Workbook


def tagged(path: Path) -> list[list[str | None]]:
    """The cells of the first sheet."""
    with Workbook(path) as workbook:
        return [row.cells for row in workbook.rows(workbook.sheets()[0])]


def with_formats(path: Path, *cells: tuple[float, str]) -> Path:
    """A sheet of one column: numbers, each with its number format."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, (number, code) in enumerate(cells):
            sheet.write_number(row, 0, number, book.add_format({"num_format": code}))
    return path


@pytest.mark.parametrize(
    ("number", "code", "cell"),
    [
        (37833100, "000000000", "f037833100"),
        (37833100, '000000000;-000000000;"-"', "f037833100"),
        (37833100, "000-000-000", "f037833100"),
        (5, "[Red]#000", "f005"),
        (123456, "000", "f123456"),
        (5, "0", "f5"),
        (5, "General", "f5"),
        (5, "0.000", "f5"),
        (5, '"000"0', "f5"),
        (5, "#,##0", "f5"),
        (5.5, "000", "f5.5"),
        (-5, "000", "f-5"),
        (123456700, "0.00E+00", "s123456700"),
        (12345e10, "##0.0E+0", "s123450000000000"),
        (5, '0"E+"', "f5"),
        (0.5, "0.00E+00", "f0.5"),
        (2**53 - 1, "0.00E+00", "s9007199254740991"),
        (2**53, "0.00E+00", "f9007199254740992"),
        (1e-7, "General", "f0.0000001"),
        (46094, "yyyy-mm-dd", "d2026-03-13"),
        (46094.5, "yyyy-mm-dd", "d2026-03-13 12:00:00"),
        (0.5, "hh:mm", "c12:00:00"),
        (1.5, "[h]:mm", "c36:00:00"),
        (-1.5, "[h]:mm", "c-36:00:00"),
        (0, "[h]:mm", "c00:00:00"),
        (0.5 / 86_400, "[h]:mm:ss", "c00:00:00.5"),
        (1e9, "yyyy-mm-dd", "e1000000000"),
    ],
)
def test_a_number_is_what_its_format_makes_of_it(
    number: float, code: str, cell: str, tmp_path: Path
) -> None:
    """Leading zeros are digits; an exponent is noted for whole numbers; a day must exist."""
    assert tagged(with_formats(tmp_path / "a.xlsx", (number, code))) == [[cell]]


def test_what_other_programs_write(tmp_path: Path) -> None:
    """Openpyxl writes errors, inline text, ISO dates and missing references of cells."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["A", "#N/A", "=1/0", True, date(2026, 3, 13), time(10, 30), timedelta(hours=30)])
    sheet["A3"] = "x"
    sheet.row_dimensions[3].hidden = True
    book.iso_dates = True
    book.save(tmp_path / "a.xlsx")
    with Workbook(tmp_path / "a.xlsx") as workbook:
        first, second = workbook.rows(workbook.sheets()[0])
    assert first.cells[:5] == ["tA", "e#N/A", "u=1/0", "btrue", "d2026-03-13"]
    assert [cell and cell[0] for cell in first.cells[5:]] == ["c", "c"]
    assert (second.number, second.cells[0], second.is_hidden) == (3, "tx", True)


def change_parts(before: Path, path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """A copy of a workbook with changed parts; without those that become empty."""
    with zipfile.ZipFile(before) as parts, zipfile.ZipFile(path, "w") as changed:
        for name in parts.namelist():
            if data := change(name, parts.read(name)):
                changed.writestr(name, data)
    return path


def sheet_xml(path: Path, rows: str) -> Path:
    """A workbook whose sheet holds this XML."""

    def change(name: str, data: bytes) -> bytes:
        if name != "xl/worksheets/sheet1.xml":
            return data
        start, end = data.index(b"<sheetData>"), data.index(b"</sheetData>")
        return data[: start + 11] + rows.encode() + data[end:]

    return change_parts(write_sheet(path.with_name("plain.xlsx"), header=["A"]), path, change)


def test_formats_of_other_languages(tmp_path: Path) -> None:
    """A number has a built-in format, such as 30, that depends on the language: it is a number."""
    rows = '<row r="1"><c r="A1"><v>7</v></c></row>'
    path = change_parts(
        sheet_xml(tmp_path / "a.xlsx", rows),
        tmp_path / "b.xlsx",
        lambda name, data: (
            data.replace(b'numFmtId="0"', b'numFmtId="30"') if name == "xl/styles.xml" else data
        ),
    )
    assert tagged(path) == [["f7"]]


def test_sheets_of_charts_are_none(tmp_path: Path) -> None:
    """Only sheets with cells are sheets."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        book.add_worksheet("rows").write_column("A1", ["A", 1])
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=rows!$A$2"})
        book.add_chartsheet("chart").set_chart(chart)
    with Workbook(tmp_path / "a.xlsx") as workbook:
        assert [sheet.title for sheet in workbook.sheets()] == ["rows"]


def test_a_lost_sheet_is_damage(tmp_path: Path) -> None:
    """A sheet that the workbook names and does not hold is not passed over."""
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        for name in ("first", "second"):
            book.add_worksheet(name).write_column("A1", ["A", 1])
    path = change_parts(
        tmp_path / "a.xlsx",
        tmp_path / "b.xlsx",
        lambda name, data: b"" if name == "xl/worksheets/sheet2.xml" else data,
    )
    with pytest.raises(DataError, match="not an XLSX workbook, or it is damaged"):
        read(path)


def test_links_to_other_workbooks_are_not_followed(tmp_path: Path) -> None:
    """A link may lead nowhere."""
    links = b'</sheets><externalReferences><externalReference r:id="rId9"/></externalReferences>'
    path = change_parts(
        write_sheet(tmp_path / "a.xlsx", header=["A"]),
        tmp_path / "b.xlsx",
        lambda name, data: data.replace(b"</sheets>", links) if name == "xl/workbook.xml" else data,
    )
    assert tagged(path) == [["tA"]]


def test_cells_of_unusual_xml(tmp_path: Path) -> None:
    """Cells without a reference follow each other; a shared formula is moved to its cell."""
    rows = (
        '<row><c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c><c><v>5</v></c></row>'
        '<row r="3" hidden="true"><c r="C3"><v>1E2</v></c><c r="B3" t="b"><v>true</v></c></row>'
        '<row r="4"><c r="A4"><f t="shared" ref="A4:A5" si="0">B4+1</f></c></row>'
        '<row r="5"><c r="A5"><f t="shared" si="0"/></c>'
        '<c r="B5" t="str"><f>C5</f><v></v></c></row>'
        '<row r="6"><c r="A6"><f t="shared" si="7"/></c></row>'  # the first of them is missing
    )
    with Workbook(sheet_xml(tmp_path / "a.xlsx", rows)) as workbook:
        found = [*workbook.rows(workbook.sheets()[0])]
    assert [row.cells for row in found] == [
        ["tab", "f5"],
        [None, "btrue", "s100"],
        ["u=B4+1"],
        ["u=B5+1", None],
        ["u="],
    ]
    assert [(row.number, row.is_hidden) for row in found] == [
        (1, False),
        (3, True),
        *((4, False), (5, False), (6, False)),
    ]


@pytest.mark.parametrize("value", ["1E400", "NaN", "x", "-"])
def test_a_number_that_is_none(value: str, tmp_path: Path) -> None:
    """The workbook is damaged."""
    path = sheet_xml(tmp_path / "a.xlsx", f"<row><c><v>{value}</v></c></row>")
    with pytest.raises(DataError, match="damaged"):
        read(path)


def test_an_old_workbook_with_the_new_name(tmp_path: Path) -> None:
    """It begins as .xls does, and so does an XLSX workbook with a password."""
    path = tmp_path / "old.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    with pytest.raises(DataError, match=r"an old \.xls workbook, or one with a password") as caught:
        read(path)
    assert caught.value.check == "MP-DAT-006"


def test_errors_keep_their_column_a_column_of_numbers(tmp_path: Path) -> None:
    """The logical types of the cells are known to those who read a mixed column."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["A", "B"], [1, "#REF!"], ["#N/A", "#N/A"]):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    file = read(tmp_path / "a.xlsx")
    assert file.rows() == [["f1", "e#REF!"], ["e#N/A", "e#N/A"]]
    assert file.kind("A") is file.kind("B") is LogicalType.MIXED


def rewrite_sheet(path: Path, xml: str) -> Path:
    """Put these rows into the first sheet of a workbook."""
    write_sheet(path, header=["x"])
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name).decode() for name in book.namelist()}
    name = "xl/worksheets/sheet1.xml"
    begin, _, rest = parts[name].partition("<sheetData>")
    parts[name] = f"{begin}<sheetData>{xml}</sheetData>{rest.partition('</sheetData>')[2]}"
    with zipfile.ZipFile(path, "w") as book:
        for part, text in parts.items():
            book.writestr(part, text)
    return path


def test_rows_and_cells_without_places(tmp_path: Path) -> None:
    """They follow one another; a place leaves cells and rows out."""
    rows = (
        "<row><c><v>1</v></c><c><v>2</v></c></row><row><c r='C2'><v>3</v></c><c><v>4</v></c></row>"
    )
    path = rewrite_sheet(tmp_path / "bare.xlsx", f"{rows}<row r='7' hidden='1'/><row/>")
    with Workbook(path) as workbook:
        read_rows = list(workbook.rows(workbook.sheets()[0]))
    assert [(row.number, row.is_hidden) for row in read_rows] == [
        (1, False), (2, False), (7, True), (8, False),
    ]  # fmt: skip
    assert [row.cells for row in read_rows] == [["f1", "f2"], [None, None, "f3", "f4"], [], []]


def test_formulas_that_cells_share(tmp_path: Path) -> None:
    """A formula without a result is shown as it is in its own cell."""
    rows = (
        "<row r='1'><c r='A1'><f t='shared' si='0'>C1+1</f></c>"
        "<c r='B1'><f t='shared' si='1'>D1*2</f></c></row>"
        "<row r='2'><c r='A2'><f t='shared' si='0'/></c><c r='B2'><f t='shared' si='1'/></c></row>"
        "<row r='3'><c r='A3'><f>E3</f></c><c r='B3'><f t='shared' si='1'/><v>5</v></c></row>"
    )
    unevaluated = LogicalType.UNEVALUATED.tag
    assert tagged(rewrite_sheet(tmp_path / "shared.xlsx", rows)) == [
        [f"{unevaluated}=C1+1", f"{unevaluated}=D1*2"],
        [f"{unevaluated}=C2+1", f"{unevaluated}=D2*2"],
        [f"{unevaluated}=E3", "f5"],
    ]
