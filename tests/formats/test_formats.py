"""What all formats promise: cells and column names come back, and bytes are repeatable."""

import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from format_files import (
    ADJACENT_ESCAPES,
    TEXTS,
    TYPED,
    read,
    read_independently,
    write,
    write_sheet,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from marketpulse.errors import DataError, UsageError
from marketpulse.formats import (
    FORMATS,
    CsvOptions,
    estimate_rows,
    open_writer,
    parse_delimiter,
    parse_formats,
    read_back,
    write_behind,
)
from marketpulse.formats.encode import LogicalType


def check_text(suffix: str, cells: Sequence[str | None], folder: Path) -> None:
    """Check that our reader and another one find the same cells."""
    numbered = [str(number) for number in range(len(cells))]
    table = pa.table({"K": numbered, "T": pa.array(cells, pa.string())})
    path = write(folder / f"text.{suffix}", table, batch_rows=7)
    # Text of CSV has no empty string: what is empty is null.
    expected = [cell or None for cell in cells] if suffix == "csv" else list(cells)
    file = read(path)
    assert file.column("T") == expected
    assert file.column("K") == numbered
    assert file.kind("T") is LogicalType.TEXT
    elsewhere = read_independently(path)
    assert elsewhere == [list(row) for row in zip(numbered, expected, strict=True)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_text_that_programs_like_to_change_comes_back(suffix: str, tmp_path: Path) -> None:
    """Identifiers, zeros, formulas, line ends and control characters stay as they are."""
    check_text(suffix, TEXTS, tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
@given(
    cells=st.lists(st.one_of(st.none(), st.text(), st.sampled_from(TEXTS)), min_size=1, max_size=20)
)
def test_any_text_comes_back(suffix: str, cells: list[str | None], folder: Path) -> None:
    """Any text that UTF-8 can encode comes back exactly from every format."""
    assume(not any(ADJACENT_ESCAPES.search(cell or "") for cell in cells) or suffix != "xlsx")
    check_text(suffix, cells, folder)


@pytest.mark.parametrize("suffix", FORMATS)
def test_names_of_columns_come_back(suffix: str, tmp_path: Path) -> None:
    """A column name may have quotes, commas, line ends and percent signs."""
    names = ["K", 'a "b", c', "l1\nl2", "100%s", "東京", " x "]
    table = pa.table({name: ["1"] for name in names})
    assert read(write(tmp_path / f"names.{suffix}", table)).table.schema.names == names


def test_a_table_without_rows_is_written(tmp_path: Path) -> None:
    """A file without rows has its columns, except in JSON."""
    table = pa.table({"A": pa.array([], pa.string()), "B": pa.array([], pa.string())})
    for suffix in FORMATS:
        path = write(tmp_path / f"empty.{suffix}", table)
        if suffix == "ndjson":
            assert path.read_bytes() == b""
        elif suffix == "json":
            assert path.read_bytes() == b"[]\n"
        else:
            assert read(path).table.schema.names == ["A", "B"]
        if suffix != "ndjson":
            assert read(path).rows() == []


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_rows_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    """Files of the same rows are equal, however the rows were divided into batches."""
    table = pa.table(
        {
            "T": [text or "x" for text in TEXTS] * 3,
            "N": pa.array(range(3 * len(TEXTS)), pa.int64()),
            "D": pa.array([Decimal("101.70")] * 3 * len(TEXTS), pa.decimal128(9, 2)),
        }
    )
    one = write(tmp_path / f"one.{suffix}", table, numbers=["D"])
    other = write(tmp_path / f"other.{suffix}", table, numbers=["D"])
    assert one.read_bytes() == other.read_bytes()
    if suffix != "parquet":  # there a batch is a row group
        cut = write(tmp_path / f"cut.{suffix}", table, numbers=["D"], batch_rows=10)
        assert cut.read_bytes() == one.read_bytes()


def test_files_of_other_formats_are_refused(tmp_path: Path) -> None:
    """The message says what the file is, or that it is not what its name says."""
    sheet = write_sheet(tmp_path / "sheet.xlsx", ["x"], header=["A"]).read_bytes()
    parquet = write(tmp_path / "table.parquet", pa.table({"A": ["x"]})).read_bytes()
    for suffix, data, words in (
        ("csv", sheet, "an XLSX file or a zip, not CSV"),
        ("csv", parquet, "a Parquet file, not CSV"),
        ("xlsx", parquet, "not an XLSX workbook"),
        ("xlsx", sheet[:-200], "not an XLSX workbook"),
        ("xlsx", sheet[:50] + sheet[200:], "not an XLSX workbook"),
        ("parquet", sheet, "not Parquet"),
        ("parquet", parquet[:-20], "not Parquet"),
        ("parquet", parquet[:4] + bytes(len(parquet) - 12) + parquet[-8:], "not Parquet"),
        ("parquet", b"", "not Parquet"),
        ("json", sheet, "broken JSON"),
    ):
        path = tmp_path / f"other.{suffix}"
        path.write_bytes(data)
        with pytest.raises(DataError, match=words):
            read(path)


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "json", "parquet"])
def test_our_own_files_come_back_in_their_types(suffix: str, tmp_path: Path) -> None:
    """Each value is the same; the file has to have the columns that were written."""
    expected = TYPED.drop_columns(["F"]) if "json" in suffix else TYPED  # JSON has no NaN
    path = write(tmp_path / f"typed.{suffix}", expected)
    text = pa.field("T", pa.string())
    schema = expected.schema.set(expected.schema.get_field_index("T"), text)
    table = pa.Table.from_batches(read_back(path, schema, tmp_path), schema)
    assert str(table.to_pylist()) == str(expected.to_pylist())  # as text NaN is NaN
    if suffix == "csv":  # its header is not read
        return
    other = schema.set(0, pa.field("other", pa.int64()))
    with pytest.raises(DataError) as caught:
        list(read_back(path, other, tmp_path))
    assert str(path) in caught.value.message


def test_a_file_for_spreadsheets_comes_back(tmp_path: Path) -> None:
    """The marks before cells that a spreadsheet would change are taken off again."""
    table = pa.table({"A": ["=1+1", "'x", "007", "", None]})
    path = tmp_path / "excel.csv"
    writer = open_writer("csv", path, table.schema, CsvOptions(excel=True))
    writer.write(table.to_batches()[0])
    writer.close()
    for excel in (True, False):
        batches = list(read_back(path, table.schema, tmp_path, excel=excel))
        assert (pa.Table.from_batches(batches) == table) is excel
    with pytest.raises(ValueError, match="cannot be read back"):
        read_back(tmp_path / "a.xlsx", table.schema, tmp_path)


def test_names_of_formats() -> None:
    """Any case and blanks, each once; an unknown one is an error that lists the known ones."""
    assert parse_formats([" CSV", "json", "csv", ""]) == ("csv", "json")
    for names, message in (
        (["csv", "toml", "x"], "--formats: unknown format 'toml', 'x'"),
        ([" "], "--formats: no format is given"),
    ):
        with pytest.raises(UsageError) as caught:
            parse_formats(names)
        assert (caught.value.message, caught.value.hint) == (
            message,
            "the formats are csv, ndjson, json, parquet, xlsx",
        )


def test_names_of_delimiters() -> None:
    """A word or one character of ASCII that no number and no name consists of."""
    named = {" Comma": ",", "semicolon": ";", "TAB": "\t", "\\t": "\t", "pipe": "|", "\t": "\t"}
    assert {text: parse_delimiter(text) for text in (*named, "^", "|")} == {
        **named, "^": "^", "|": "|",
    }  # fmt: skip
    for text in ("", "ab", "7", "x", '"', "'", ".", "+", "-", "_", "\r", "\n", "\0"):
        with pytest.raises(UsageError, match="cannot separate fields"):
            parse_delimiter(text)
    with pytest.raises(UsageError, match="is not a character of ASCII"):
        parse_delimiter("\u00a6")


@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_what_was_made_before_an_error_is_written(name: str) -> None:
    """All batches in their order; the error follows them. Only XLSX is written by this thread."""
    written: list[int] = []
    threads: set[int] = set()

    def write_number(number: int) -> None:
        written.append(number)
        threads.add(threading.get_ident())

    def numbers() -> Iterator[int]:
        yield from (1, 2, 3)
        raise ValueError("the end")

    with pytest.raises(ValueError, match="the end"):
        write_behind(write_number, numbers(), [name])
    assert written == [1, 2, 3]
    write_behind(write_number, [4, 5], [name])
    assert written == [1, 2, 3, 4, 5]
    assert (threads == {threading.get_ident()}) is (name == "xlsx")


def test_the_number_of_rows_is_estimated(tmp_path: Path) -> None:
    """Lines are counted in the beginning of a text file; XLSX and JSON would have to be read."""
    for suffix in ("csv", "ndjson"):
        path = tmp_path / f"a.{suffix}"
        path.write_text("12345\n" * 3)
        assert estimate_rows(path) == 3
        path.write_bytes(b"1234567\n" * 100_000)  # more than is looked at
        assert estimate_rows(path) == 100_000
        path.write_bytes(b"")
        assert estimate_rows(path) == 0
    assert [estimate_rows(tmp_path / name) for name in ("a.json", "a.xlsx")] == [None, None]
