"""Samples: every cell comes back from every format, and the notes say what does not."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bundles import (
    AWKWARD_TABLES,
    TAKEN_AT,
    extract,
    file_of,
    flip_byte,
    manifest_of,
    run,
)
from format_files import Formula, write_sheet
from support import Tool

import marketpulse
from marketpulse.errors import DataError, NotFoundError, OutputError, UsageError
from marketpulse.extraction.catalog import describe
from marketpulse.extraction.sample_options import (
    SampleOptions,
    parse_column_names,
    parse_row_count,
    plan_sample,
)
from marketpulse.extraction.verify import verify_bundle
from marketpulse.formats.encode import to_text
from marketpulse.sources import open_source


@pytest.mark.parametrize("table", AWKWARD_TABLES)
@pytest.mark.parametrize("place", ["folder", "zip"])
def test_every_cell_comes_back(awkward_bundle: Path, place: str, table: str) -> None:
    """`load` gives what the source has, to the last digit."""
    path = awkward_bundle if place == "folder" else awkward_bundle.with_name("sample_data.zip")
    loaded = marketpulse.load(path)
    with open_source("demo") as market:
        expected = market.scan(table).read_all()
        columns = market.describe(table).columns
    numbers = {column.name for column in columns if column.logical_type == "number"}
    actual = loaded.arrow(table)
    assert actual.column_names == expected.column_names
    for name in expected.column_names:
        cells = expected[name]
        if name in numbers:
            decimals = [cell and Decimal(cell) for cell in cells.to_pylist()]
            assert actual[name].to_pylist() == decimals
        else:
            # Python's own types have no nanoseconds.
            cells = cells.cast(pa.string()) if pa.types.is_temporal(cells.type) else cells
            assert repr(actual[name].cast(cells.type).to_pylist()) == repr(cells.to_pylist())
    assert loaded[table].shape == actual.shape


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_an_independent_reader_finds_every_cell(awkward_bundle: Path, suffix: str) -> None:
    """With the schema file, other readers of each format find every cell, nulls included."""
    path = file_of(awkward_bundle, "ALL_TYPES", suffix)
    with open_source("demo") as market:
        expected = market.scan("ALL_TYPES").read_all().combine_chunks()
    schema = json.loads((awkward_bundle / "ALL_TYPES_schema.json").read_text("utf-8"))
    assert [column["name"] for column in schema["columns"]] == expected.column_names
    for index, column in enumerate(schema["columns"]):
        field = expected.schema.field(index)
        texts = to_text(expected.column(index).chunk(0), field).to_pylist()
        if suffix == "parquet":
            cells = pq.read_table(path).column(index).combine_chunks()
            assert to_text(cells.cast(field.type), field).to_pylist() == texts
        elif suffix == "csv":
            assert read_csv_columns(path)[index] == texts
        else:
            rows = json.loads(path.read_text("utf-8"), parse_float=Decimal)
            check_json_column([row[column["name"]] for row in rows], texts, column)


def check_json_column(
    cells: list[object], texts: list[str | None], column: dict[str, object]
) -> None:
    """Compare the cells of a JSON column with their text; NaN and infinities are null."""
    is_text = column["name"] == "A_VARCHAR"
    assert [cell is None for cell in cells] == [
        text is None or (text in {"NaN", "inf", "-inf"} and not is_text) for text in texts
    ]
    exact = str(column["arrow_type"]).startswith(("int", "uint", "decimal"))
    for cell, text in zip(cells, texts, strict=True):
        if (cell is not None and exact) or (column["logical_type"] == "number" and cell):
            assert text is not None
            assert cell == Decimal(text)
        elif isinstance(cell, str):
            assert cell == text


def read_csv_columns(path: Path) -> list[list[str | None]]:
    """Read a CSV file by hand: an empty cell is null, two quotes are empty text."""
    text = path.read_bytes().decode("utf-8")
    rows: list[list[str | None]] = [[]]
    position = 0
    while position < len(text):
        if text[position] == '"':
            end = position + 1
            while text[end] != '"' or text[end : end + 2] == '""':
                end += 2 if text[end] == '"' else 1
            rows[-1].append(text[position + 1 : end].replace('""', '"'))
            position = end + 1
        else:
            ends = (text.find(",", position), text.find("\n", position))
            end = min(end for end in ends if end >= 0)
            rows[-1].append(text[position:end] or None)
            position = end
        if text[position] == "\n":
            rows.append([])
        position += 1
    return [list(column) for column in zip(*rows[1:-1], strict=True)]


def test_ndjson_has_an_object_a_line(tmp_path: Path) -> None:
    """NDJSON has all rows, JSON the first ones; the notes count numbers that become null."""
    options = SampleOptions(formats=("ndjson", "json"), json_rows=1)
    (table,) = extract(tmp_path / "out", "ALL_TYPES", options=options).manifest.tables
    lines = file_of(tmp_path / "out", "ALL_TYPES", "ndjson").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert table.rows is not None
    assert len(rows) == table.rows > 1
    path = file_of(tmp_path / "out", "ALL_TYPES", "json")
    assert json.loads(path.read_text("utf-8")) == rows[:1]
    assert any("NaN or infinite" in note for note in table.notes)
    assert verify_bundle(tmp_path / "out").faults == ()


def test_notes_count_cells_of_a_sheet_that_become_text(tmp_path: Path) -> None:
    """Formulas without a result and rounded numbers are text in the files; the notes say so."""
    sheet = write_sheet(
        tmp_path / "b.xlsx",
        ["7", "A", 1, "2026-03-13", 98.5, "x"],
        [17700000000000001, "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
    )
    assert extract(tmp_path / "out", source=sheet).manifest.tables[0].notes == (
        "NOTE: 1 formula without a result: written as text",
        "MESSAGE_ID: 1 number has more digits than a spreadsheet keeps",
    )


def test_malformed_lines_are_counted(tmp_path: Path) -> None:
    """Lines that fit no row are skipped, and the notes count them."""
    (tmp_path / "day.csv").write_text("A,B\n1,2\n3\n4,5,6\n")
    (table,) = extract(tmp_path / "out", source=tmp_path / "day.csv").manifest.tables
    assert (table.rows, table.notes) == (
        1,
        ("2 lines with too few or too many fields were skipped",),
    )


def test_columns_are_chosen(tmp_path: Path) -> None:
    """Columns come in the order of their names given, each once; unknown ones are an error."""
    options = SampleOptions(columns=("px", "CUSIP", "PX"), limit=2, where="PX > 0", order="PX")
    (table,) = extract(tmp_path / "out", "COLORS", options=options).manifest.tables
    assert [column.name for column in table.columns] == ["PX", "CUSIP"]
    assert table.statement == (
        "SELECT px, CUSIP, PX FROM COLORS WHERE PX > 0 ORDER BY PX FETCH FIRST 2 ROWS ONLY"
    )
    with pytest.raises(NotFoundError, match="'PXX'"):
        extract(tmp_path / "none", "COLORS", options=SampleOptions(columns=("PXX",)))


def test_options_are_checked() -> None:
    """Unknown formats and profiles, and a profile without effect, are wrong usage."""
    assert SampleOptions(formats=(" CSV ", "csv", "xlsx")).output_formats() == ("csv", "xlsx")
    assert SampleOptions(profile="excel").output_formats() == ("csv", "json", "xlsx")
    assert SampleOptions(profile="excel", formats=("xlsx",)).profile == "excel"
    for formats, profile, message in (
        (("cvs",), "lossless", "unknown format 'cvs'"),
        ((" ",), "lossless", "no format is given"),
        (("csv",), "exel", "unknown profile 'exel'"),
        (("ndjson",), "excel", "changes nothing in ndjson"),
    ):
        with pytest.raises(UsageError, match=message):
            SampleOptions(formats=formats, profile=profile)


def test_values_of_options_are_parsed() -> None:
    """Names are split at commas outside of quotes; a number of rows may be `all`."""
    assert parse_column_names('A, "b,c" , A,, d') == ("A", "b,c", "d")
    for nothing in ("", " , "):
        with pytest.raises(UsageError, match="names no column"):
            parse_column_names(nothing)
    assert (parse_row_count("100"), parse_row_count("ALL")) == (100, None)
    with pytest.raises(UsageError, match="--json-rows: '-1' is not a number of rows"):
        parse_row_count("-1")


def test_a_plan_is_what_is_done(tmp_path: Path) -> None:
    """The plan has the statement, the files and, where it is known, the number of rows."""
    options = SampleOptions(limit=5, formats=("csv", "xlsx"))
    with open_source("demo") as market:
        schemas = describe(market, ["COLORS"])
        (planned,) = plan_sample(schemas, options, TAKEN_AT)
    (table,) = extract(tmp_path / "out", "COLORS", options=options).manifest.tables
    assert (planned.table, planned.rows, planned.statement) == (
        table.name,
        table.rows,
        table.statement,
    )
    assert planned.files == tuple(file.name for file in table.files)
    assert SampleOptions(where="PX > 1").expected_rows(schemas.tables[0]) is None


def test_the_zip_of_an_earlier_sample_is_noticed(bundle: Path, tool: Tool) -> None:
    """A zip beside the folder that this run did not write may be sent by mistake."""
    words = ("sample", "COLORS", "--source", "demo", "--limit", "1", "--output", bundle)
    for more, is_noticed in (((), False), (("--zip",), False), (("--columns", "CUSIP"), True)):
        result = tool.run(*words, *more)
        assert result.code == 0
        assert ("sample_data.zip holds an earlier sample" in result.err) == is_noticed


def test_a_table_that_cannot_be_read_is_missing(bundle: Path, tool: Tool) -> None:
    """The other tables are written, the manifest lists it, and the exit code is 9."""
    flip_byte(file_of(bundle, "COLORS", "csv"))
    words = ("sample", "COLORS", "DEALERS", "--source", bundle, "--output", "part")
    assert "COLORS is missing" in run(tool, *words, code=9)
    manifest = manifest_of(tool.folder / "part")
    assert (manifest["complete"], [gap["table"] for gap in manifest["missing"]]) == (
        False,
        ["COLORS"],
    )
    assert set(marketpulse.load(tool.folder / "part")) == {"DEALERS"}


def test_without_any_table_there_is_no_bundle(bundle: Path, tmp_path: Path) -> None:
    """If no table can be read, the error is raised and the folder is not made."""
    flip_byte(file_of(bundle, "COLORS", "csv"))
    with pytest.raises(DataError):
        extract(tmp_path / "none", "COLORS", source=bundle)
    assert not (tmp_path / "none").exists()


def test_a_sample_does_not_replace_its_own_source(awkward_bundle: Path) -> None:
    """The folder that is read, and the zip beside it, are refused as output."""
    for name in ("sample_data", "sample_data.zip"):
        source = awkward_bundle.with_name(name)
        with pytest.raises(OutputError, match="would replace the bundle"):
            extract(awkward_bundle, "COLORS", source=source, taken_at=TAKEN_AT + timedelta(days=1))
    assert verify_bundle(awkward_bundle).faults == ()


def test_the_excel_profile_in_a_sheet(tmp_path: Path) -> None:
    """Openpyxl finds whole identifiers as text, negative numbers as numbers, and no formula."""
    options = SampleOptions(profile="excel", formats=("csv", "json", "xlsx"))
    folder = extract(tmp_path / "out", "ALL_TYPES", "COLORS", options=options).folder
    assert verify_bundle(folder).faults == ()
    with open_source("demo") as market:
        colors = market.scan("COLORS", limit=1000).read_all().to_pylist()
        texts = market.scan("ALL_TYPES").read_all()["A_VARCHAR"].to_pylist()
    header, *rows = openpyxl.load_workbook(file_of(folder, "COLORS", "xlsx")).worksheets[0]
    names = [cell.value for cell in header]
    for row, color in zip(rows, colors, strict=True):
        cells = dict(zip(names, row, strict=True))
        assert all(cell.data_type != "f" for cell in row)
        assert cells["MESSAGE_ID"].value == str(color["MESSAGE_ID"])
        assert cells["CUSIP"].value == color["CUSIP"]
        assert cells["PX"].value is None or cells["PX"].data_type == "n"
    assert marketpulse.load(folder).arrow("ALL_TYPES")["A_VARCHAR"].to_pylist() == texts


def test_the_excel_profile_as_csv(tool: Tool) -> None:
    """Cells that a spreadsheet would change are marked, negative numbers are not."""
    run(tool, "sample", "ALL_TYPES", "--source", "demo", "--profile", "excel")
    text = file_of(tool.folder / "sample_data", "ALL_TYPES", "csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(text.decode("utf-8-sig").splitlines(keepends=True)))
    assert [row["A_VARCHAR"] for row in rows if "1" in row["A_VARCHAR"]] == [
        "'=1+1",
        "'0012",
        "'1E5",
    ]
    assert [row["A_DATE"] for row in rows][:4] == [
        "'0001-01-01",
        "9999-12-31",
        "2024-02-29",
        "1969-12-31",
    ]
    assert "-128" in [row["A_TINYINT"] for row in rows]
    assert "'17700000000000001" in [row["A_BIGINT"] for row in rows]


def test_a_table_that_the_limit_cut_says_so(tool: Tool) -> None:
    """Output, manifest and verify have the rows that the source counted; a condition has none."""
    where = ("--where", "PX > 0", "--output", "chosen")
    cut = tool.run("sample", "COLORS", "DEALERS", "--source", "demo", "--limit", 30)
    chosen = tool.run("sample", "COLORS", "--source", "demo", "--limit", 30, *where)

    assert "30 of 2000" in cut.out
    assert "30 of 2000" in tool.run("verify", "sample_data").out
    assert "17 of" not in cut.out
    assert " of " not in chosen.out.splitlines()[1]
