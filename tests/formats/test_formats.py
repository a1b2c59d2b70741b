"""What all formats promise: cells and column names come back, and bytes are repeatable."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from format_files import ADJACENT_ESCAPES, TEXTS, read, read_independently, write, write_sheet
from hypothesis import assume, given
from hypothesis import strategies as st

from marketpulse.errors import DataError
from marketpulse.formats import FORMATS
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
