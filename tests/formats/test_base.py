"""Options of writers: misspelt ones and those of another format are errors."""

import threading
from collections.abc import Iterator
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
from marketpulse.formats.base import read_ahead
from marketpulse.formats.xlsx import XlsxBook

SCHEMA = pa.schema([("A", pa.string())])
BATCHES = [pa.record_batch([[number]], ["PX"]) for number in range(3)]


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


def test_batches_are_read_ahead() -> None:
    """They come in their order, and the next one is fetched before the caller asks for it."""
    fetched: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(BATCHES):
            fetched.append(number)
            yield batch

    reader = read_ahead(batches())
    assert next(reader) == BATCHES[0]
    reader.close()  # waits for the second
    assert fetched == [0, 1]
    assert [*read_ahead(iter(BATCHES))] == BATCHES


def test_an_error_comes_in_its_place() -> None:
    """After the batches before it."""

    def batches() -> Iterator[pa.RecordBatch]:
        yield BATCHES[0]
        raise ValueError("broken")

    reader = read_ahead(batches())
    assert next(reader) == BATCHES[0]
    with pytest.raises(ValueError, match="broken"):
        next(reader)
