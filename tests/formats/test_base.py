"""Options of writers: misspelt ones and those of another format are errors."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketpulse.formats import (
    CsvOptions,
    JsonOptions,
    WriterOptions,
    XlsxOptions,
    close_at_end,
    open_writer,
    write_behind,
)
from marketpulse.formats.xlsx import XlsxBook

SCHEMA = pa.schema([("A", pa.string())])


@pytest.mark.parametrize("options", [CsvOptions, JsonOptions, XlsxOptions])
def test_a_misspelt_option_is_an_error(options: Any) -> None:
    """An option that does not exist is refused, by mypy and at run time."""
    with pytest.raises(TypeError, match="exel"):
        options(exel=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("csv", XlsxOptions(number_columns=frozenset("A"))),
        ("xlsx", CsvOptions(excel=True)),
        ("json", CsvOptions()),
        ("ndjson", JsonOptions(pretty=True)),
        ("parquet", JsonOptions()),
        ("toml", None),
    ],
)
def test_options_of_another_format_are_an_error(
    name: str, options: WriterOptions | None, tmp_path: Path
) -> None:
    """A writer takes its own options only, and leaves no file behind."""
    with pytest.raises(TypeError, match=f"{name} cannot be written with"):
        open_writer(name, tmp_path / f"a.{name}", SCHEMA, options)
    assert not list(tmp_path.iterdir())


def test_options_change_the_file(tmp_path: Path) -> None:
    """Each option has its effect."""
    table = pa.table({"A": ["007"]})
    contents = {}
    choices: list[tuple[str, WriterOptions]] = [
        ("csv", CsvOptions(excel=True)),
        ("json", JsonOptions(pretty=True)),
    ]
    for name, options in choices:
        path = tmp_path / f"a.{name}"
        writer = open_writer(name, path, table.schema, options)
        writer.write(table.to_batches()[0])
        writer.close()
        contents[name] = path.read_bytes()
    assert contents == {
        "csv": b"\xef\xbb\xbfA\n'007\n",
        "json": b'[\n  {\n    "A": "007"\n  }\n]\n',
    }


def test_an_interrupted_workbook_is_not_packed(tmp_path: Path) -> None:
    """Packing all rows takes seconds. No file is left, of XlsxWriter neither."""
    path = tmp_path / "day.xlsx"
    book = XlsxBook(path)
    batch = pa.record_batch({"A": ["1", "2"]})
    stack = ExitStack()
    close_at_end(stack, book)
    book.add_sheet(batch.schema, XlsxOptions()).write(batch)
    rows = book.row_files()
    assert all(file.exists() for file in rows)
    with pytest.raises(KeyboardInterrupt), stack:
        raise KeyboardInterrupt
    assert len(rows) == 1
    assert not any(file.exists() for file in (*rows, path))


@pytest.mark.parametrize(("formats", "same"), [(["csv", "xlsx"], True), (["csv"], False)])
def test_xlsx_is_written_in_the_thread_that_ctrl_c_interrupts(
    formats: list[str], same: bool
) -> None:
    """All else is written by a second thread, while this one makes the next batch."""
    threads = set()
    write_behind(lambda _: threads.add(threading.get_ident()), [1, 2], formats)
    assert (threads == {threading.get_ident()}) == same
