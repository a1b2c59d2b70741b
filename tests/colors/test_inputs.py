"""Inputs: files, lists of files, readers and tables."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from color_tables import column, three_colors, write_colors
from support import COLORS

from marketpulse import MarketPulseError, run_colors
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare
from marketpulse.errors import DataError, NotFoundError, OutputError

TWO_DAYS = ("1,A,2,2026-03-12,98.5,x", "2,A,1,2026-03-13,99,x"), ("3,A,1,2026-03-14,97,x",)


@pytest.fixture
def two_files(tmp_path: Path) -> tuple[Path, Path]:
    """Two days of one security, in two files."""
    first, second = (
        write_colors(tmp_path / f"day_{number}.csv", *lines)
        for number, lines in enumerate(TWO_DAYS)
    )
    return first, second


def test_many_files_are_one_input(two_files: tuple[Path, Path]) -> None:
    """A list of paths, a glob and a folder are read as one input."""
    folder = two_files[0].parent
    for data in (list(two_files), tuple(map(str, two_files)), str(folder / "day_*.csv"), folder):
        run = run_colors(data)
        assert column(run.processed, "MESSAGE_ID") == ["3", "2", "1"]
        assert run.counts.read == 3


def test_a_bundle_is_neither_read_beside_files_nor_written_into(
    two_files: tuple[Path, Path],
) -> None:
    """Its files would count twice, and with the results in its folder nobody could verify it."""
    bundle = two_files[0].parent / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="this is a bundle, which cannot be read beside"):
        run_colors([bundle, *two_files])
    with pytest.raises(OutputError, match="this folder holds a bundle"):
        run_colors(two_files, output=bundle)
    assert [path.name for path in bundle.iterdir()] == ["manifest.json"]


def test_files_of_different_types_meet_as_text(two_files: tuple[Path, Path]) -> None:
    """A column that is text in one file and typed in another becomes canonical text."""
    folder = two_files[0].parent
    table = three_colors(NOTE=["x", "y", "z"]).set_column(0, "Message_id", pa.array([4, 5, 6]))
    pq.write_table(table, folder / "more.parquet")
    run = run_colors([*two_files, folder / "more.parquet"])
    assert column(run.processed, "MESSAGE_ID") == ["6", "5", "4", "3", "2", "1"]
    assert column(run.processed, "PX")[0] == "98.5"
    assert column(run.processed, "DATE")[0] == "2026-03-13"


def test_a_reader_is_read_once() -> None:
    """Every row of a stream of batches is read once."""
    table = three_colors()
    schema = table.schema
    batches = (pa.record_batch(batch.columns, schema) for batch in table.to_batches(1))
    run = run_colors(pa.RecordBatchReader.from_batches(schema, batches))
    assert run.counts.read == 3
    assert run.input == "reader"


class Rows:
    """Counts the rows of a job."""

    count = 0

    def begin(self, name: str, total: int | None) -> None: ...
    def end(self) -> None: ...

    def advance(self, more: int) -> None:
        """Add rows."""
        self.count += more


def test_rows_are_counted_as_they_are_read() -> None:
    """Progress has all of them at the end."""
    rows = Rows()
    with prepare(three_colors(), RunOptions(), progress=rows) as prepared:
        assert rows.count == 0
        prepared.engine.profile()
    assert rows.count == 3


def test_every_error_names_what_to_do(tmp_path: Path) -> None:
    """Data that is not a table, and a missing file, raise our errors, with an exit code."""
    for data in (5, object(), pd.DataFrame({"MESSAGE_ID": [1, "x"]})):
        with pytest.raises(MarketPulseError):
            run_colors(data)
    with pytest.raises(NotFoundError):
        run_colors(tmp_path / "none.csv")
    with pytest.raises(NotFoundError):
        run_colors(COLORS, rules=tmp_path / "none.json")
