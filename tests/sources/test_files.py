"""The source of files: globs and folders, files as one table, and invalid files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from samples import CELLS, COLORS, write_lines, write_table

from marketpulse.errors import DataError, NotFoundError, UsageError
from marketpulse.formats import FORMATS
from marketpulse.formats.encode import to_text
from marketpulse.model import MalformedLine
from marketpulse.sources import Source, open_files


def read(
    source: Source, *, columns: Sequence[str] | None = None, limit: int | None = None
) -> dict[str, list[object]]:
    """Return the columns of the only table."""
    return dict(source.scan(source.find_table(), columns, limit).read_all().to_pydict())


def read_texts(source: Source) -> dict[str, list[str | None]]:
    """Return the columns of the only table, with each value as text."""
    table = source.scan(source.find_table()).read_all().combine_chunks()
    return {
        field.name: to_text(table[field.name].chunk(0), field).to_pylist() for field in table.schema
    }


def test_glob(tmp_path: Path) -> None:
    """A glob means its files, in the order of their names."""
    for name in ("b", "a", "c"):
        write_lines(tmp_path / f"day-{name}.csv", "PX", name)
    write_lines(tmp_path / "other.csv", "PX", "other")
    with open_files([tmp_path / "day-*.csv"]) as source:
        assert read(source)["PX"] == ["a", "b", "c"]
        assert source.tables()[0].kind == "files"
        assert [Path(path).name for path in source.info().details.values()] == [
            *("day-a.csv", "day-b.csv", "day-c.csv")
        ]


def test_pattern_as_name(tmp_path: Path) -> None:
    """A file with a name like a glob is only that file."""
    write_lines(tmp_path / "[ab].csv", "PX", "itself")
    write_lines(tmp_path / "a.csv", "PX", "matched")
    with open_files([tmp_path / "[ab].csv"]) as source:
        assert read(source)["PX"] == ["itself"]


def test_folder(tmp_path: Path) -> None:
    """A folder means its files with known suffixes, in any case."""
    write_lines(tmp_path / "b.csv", "PX", "3")
    write_lines(tmp_path / "A.CSV", "PX", "1", "2")
    write_lines(tmp_path / "notes.txt", "no", "color")
    (tmp_path / "deeper.csv").mkdir()
    with open_files([tmp_path]) as source:
        assert read(source)["PX"] == ["1", "2", "3"]


def test_ignored_files(tmp_path: Path) -> None:
    """Hidden files and lock files of spreadsheets are ignored."""
    write_table(tmp_path / "day.xlsx")
    for ignored in ("~$day.xlsx", "._day.xlsx", ".hidden.csv"):
        (tmp_path / ignored).write_bytes(b"\0\5another program's")
    for name in (tmp_path, tmp_path / "*.xlsx"):
        with open_files([name]) as source:
            assert len(read(source)["PX"]) == 3


def test_order_of_names(tmp_path: Path) -> None:
    """Several names are read in the given order."""
    paths = [write_lines(tmp_path / f"{name}.csv", "PX", name) for name in "cab"]
    with open_files(paths) as source:
        assert read(source)["PX"] == ["c", "a", "b"]
        assert read(source, limit=2)["PX"] == ["c", "a"]


def test_order_of_columns(tmp_path: Path) -> None:
    """Columns match by name, without case and outer blanks; the first file has the spelling."""
    write_lines(tmp_path / "1.csv", "CUSIP,PX", "a,1")
    write_lines(tmp_path / "2.csv", " px ,cusip", "2,b")
    with open_files([tmp_path]) as source:
        assert read(source) == {"CUSIP": ["a", "b"], "PX": ["1", "2"]}
        assert read(source, columns=["PX"]) == {"PX": ["1", "2"]}


def test_types_that_differ(tmp_path: Path) -> None:
    """A column with different types becomes mixed text, which says what each value was."""
    names_only = ["MESSAGE_ID", "PX", "NOTE"]
    floats = COLORS.select(names_only).set_column(1, "PX", pa.array([1e-7, None, 2.0]))
    write_table(tmp_path / "1.parquet", COLORS.select(names_only))
    write_table(tmp_path / "2.parquet", floats)
    with open_files([tmp_path]) as source:
        schema = source.describe(source.tables()[0].name)
        assert [column.arrow_type for column in schema.columns] == ["int64", "string", "string"]
        columns = read(source)
    assert columns["PX"] == ["n101.7000", None, "n-0.5000", "f0.0000001", None, "f2.0"]
    assert columns["MESSAGE_ID"] == COLORS["MESSAGE_ID"].to_pylist() * 2


@pytest.mark.parametrize("name", FORMATS)
def test_values(tmp_path: Path, name: str) -> None:
    """Every value arrives as it was written, in every format."""
    with open_files([write_table(tmp_path / f"day.{name}")]) as source:
        assert read_texts(source) == CELLS


def test_formats_that_differ(tmp_path: Path) -> None:
    """The same rows in different formats become the same text."""
    with open_files([write_table(tmp_path / f"day.{name}") for name in FORMATS]) as source:
        columns = read_texts(source)
    assert columns == {name: cells * len(FORMATS) for name, cells in CELLS.items()}


def test_malformed_lines(tmp_path: Path) -> None:
    """Malformed lines are reported with their positions in the rows of all files."""
    write_lines(tmp_path / "1.csv", "CUSIP,PX", "a,1", "short", "b,2")
    write_lines(tmp_path / "2.csv", "CUSIP,PX", "c,3", 'x,"y, z",1', "", "d,4", "end")
    malformed_lines: list[MalformedLine] = []
    with open_files([tmp_path]) as source:
        name = source.tables()[0].name
        table = source.scan(name, on_malformed_line=malformed_lines.append).read_all()
    assert table["PX"].to_pylist() == ["1", "2", "3", "4"]
    assert malformed_lines == [
        MalformedLine(1, 1, 2, "short"),
        MalformedLine(3, 3, 2, 'x,"y, z",1'),
        MalformedLine(4, 1, 2, "end"),
    ]


def test_malformed_row_of_a_sheet(tmp_path: Path) -> None:
    """A row of a sheet with more cells than its header is malformed, too."""
    book = openpyxl.Workbook()
    for row in (["CUSIP", "PX"], ["a", 1.5], ["b", 2.5, "x"], ["c"]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "day.xlsx")
    malformed_lines: list[MalformedLine] = []
    with open_files([tmp_path / "day.xlsx"]) as source:
        table = source.scan("day", on_malformed_line=malformed_lines.append).read_all()
    assert table.to_pydict() == {"CUSIP": ["a", "c"], "PX": ["1.5", None]}
    assert malformed_lines == [MalformedLine(1, 3, 2, "b,2.5,x")]


def test_malformed_line_without_a_handler(tmp_path: Path) -> None:
    """Without a handler, a malformed line is an error that says where the line is."""
    path = write_lines(tmp_path / "day.csv", "CUSIP,PX", "a,1", "b,2,x")
    message = r"day\.csv: after 1 row: 3 fields instead of 2: 'b,2,x'"
    with open_files([path]) as source, pytest.raises(DataError, match=message) as caught:
        read(source)
    assert caught.value.check == "MP-DAT-012"


@pytest.mark.parametrize("header", ["CUSIP,cusip ", "PX,PX", "A,A", 'B,"b"'])
def test_duplicate_columns(
    tmp_path: Path, header: str, leftovers: Callable[[], list[Path]]
) -> None:
    """Two columns with the same name are an error, also if their spelling differs."""
    path = write_lines(tmp_path / "day.csv", header, "1,2" + ",3" * (header.count(",") - 1))
    with pytest.raises(DataError, match="two columns with the same name") as caught:
        open_files([path])
    assert caught.value.check == "MP-DAT-008"
    assert leftovers() == []


@pytest.mark.parametrize("name", ["day.xls", "DAY.XLSB", "day.ods"])
def test_spreadsheets_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    """The message says how to save them; in a folder they are not skipped."""
    path = tmp_path / name
    path.write_bytes(b"")
    write_lines(tmp_path / "day.csv", "A", "1")
    for place in (path, tmp_path):
        with pytest.raises(NotFoundError, match="cannot be read") as caught:
            open_files([place])
        assert caught.value.check == "MP-SRC-003"
        assert ".xlsx" in caught.value.hint


def test_a_workbook_with_macros_is_a_workbook(tmp_path: Path) -> None:
    """The name .xlsm changes nothing."""
    path = write_table(tmp_path / "day.xlsx", pa.table({"A": ["1"]})).rename(tmp_path / "day.xlsm")
    with open_files([path]) as source:
        assert read(source) == {"A": ["1"]}


def test_remarks_about_files(tmp_path: Path) -> None:
    """Columns without a name are counted over all files."""
    paths = [write_lines(tmp_path / f"{name}.csv", "A,", "1,") for name in "ab"]
    with open_files(paths) as source:
        assert source.remarks(source.find_table()) == [
            "2 columns without names are left out: no cell there has a value"
        ]


@pytest.mark.parametrize("name", ["ndjson", "json", "parquet", "xlsx"])
def test_duplicate_columns_in_other_formats(tmp_path: Path, name: str) -> None:
    """Two columns with the same name are an error in every format."""
    table = pa.table([["1"], ["2"]], names=["A", "A"])
    with pytest.raises(DataError, match="two columns") as caught:
        open_files([write_table(tmp_path / f"day.{name}", table)])
    assert caught.value.check == "MP-DAT-008"


def test_other_columns(tmp_path: Path) -> None:
    """Files with different columns are an error that names the columns."""
    write_lines(tmp_path / "1.csv", "CUSIP,PX", "a,1")
    write_lines(tmp_path / "2.csv", "CUSIP,PRICE", "b,2")
    with pytest.raises(DataError, match="'price', 'px'") as caught:
        open_files([tmp_path])
    assert caught.value.check == "MP-DAT-011"


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is an error that suggests a similar name."""
    write_table(tmp_path / "colors.csv")
    with pytest.raises(NotFoundError, match=r"colour\.csv: no such file") as caught:
        open_files([tmp_path / "colour.csv"])
    assert caught.value.hint == "did you mean: colors.csv"


def test_missing_folder(tmp_path: Path) -> None:
    """If the folder is missing, the error says so."""
    with pytest.raises(NotFoundError) as caught:
        open_files([tmp_path / "nowhere" / "colors.csv"])
    assert caught.value.hint == f"there is no folder {tmp_path / 'nowhere'}"


def test_missing_file_in_an_empty_folder(tmp_path: Path) -> None:
    """In an empty folder there is no name to suggest: the hint names the folder."""
    with pytest.raises(NotFoundError, match="no such file") as caught:
        open_files([tmp_path / "a-b.csv"])
    assert caught.value.hint == f"the folder {tmp_path.resolve()} is empty"


def test_pattern_without_files(tmp_path: Path) -> None:
    """A glob without files is an error, not an empty table."""
    with pytest.raises(NotFoundError, match="no such file"):
        open_files([tmp_path / "*.csv"])


def test_folder_without_files(tmp_path: Path) -> None:
    """A folder without a file of a known format is an error that lists the formats."""
    write_lines(tmp_path / "notes.txt", "no color")
    with pytest.raises(NotFoundError, match=r"holds no \.csv, \.ndjson") as caught:
        open_files([tmp_path])
    assert caught.value.check == "MP-SRC-002"


def test_a_file_that_is_named_twice(tmp_path: Path) -> None:
    """The rows of a file never count twice, however its name is spelled; a twin has its own."""
    day = write_lines(tmp_path / "day.csv", "CUSIP,PX", "A,1")
    twin = write_lines(tmp_path / "twin.csv", "CUSIP,PX", "A,1")
    with open_files([day, twin]) as source:
        assert read(source) == {"CUSIP": ["A", "A"], "PX": ["1", "1"]}
    for again in (day, tmp_path, tmp_path / "*.csv", tmp_path / "." / "day.csv"):
        with pytest.raises(UsageError, match=r"day\.csv is named twice"):
            open_files([day, again])


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    """Half of a day is no day: the rows that were read are not all of them."""
    day = write_lines(tmp_path / "day.csv", "CUSIP,PX", "A,1")
    with open_files([day]) as source:
        with day.open("a", encoding="utf-8") as file:
            file.write("B,2\n")
        with pytest.raises(DataError, match=r"day\.csv: it has changed while it was read"):
            read(source)


def test_unknown_suffix(tmp_path: Path) -> None:
    """A file with an unknown suffix is an error."""
    with pytest.raises(NotFoundError, match=r"colors\.dat: .* one of \.csv") as caught:
        open_files([write_lines(tmp_path / "colors.dat", "PX", "1")])
    assert caught.value.check == "MP-SRC-003"


def test_header_alone(tmp_path: Path) -> None:
    """A file with only a header is a table without rows."""
    with open_files([write_lines(tmp_path / "day.csv", "CUSIP,PX")]) as source:
        assert read(source) == {"CUSIP": [], "PX": []}
