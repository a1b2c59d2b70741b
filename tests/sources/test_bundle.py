"""Bundles as a source, and `load`: types, decimals, incomplete and damaged files."""

import datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import marketpulse
from marketpulse.cli.console import progress
from marketpulse.errors import DataError, NotFoundError
from marketpulse.extraction.sample import write_sample
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.sources import open_source
from marketpulse.sources.demo import DemoSource


def build(folder: Path, formats: tuple[str, ...], json_rows: int | None = None) -> Path:
    """Create a bundle of COLORS and ALL_TYPES with thirty colors."""
    tables = ["COLORS"] if "json" in formats else ["ALL_TYPES", "COLORS"]
    with DemoSource(30) as market:
        write_sample(
            *(market, tables, SampleOptions(limit=None, formats=formats, json_rows=json_rows)),
            output=folder,
            taken_at=datetime.datetime(2026, 3, 13, tzinfo=datetime.UTC),
            progress=progress(quiet=True),
        )
    return folder


def test_load(tmp_path: Path) -> None:
    """`load` is a mapping of the tables; data frames have Arrow types."""
    loaded = marketpulse.load(build(tmp_path / "bundle", ("parquet",)))
    assert list(loaded) == ["ALL_TYPES", "COLORS"]
    assert len(loaded) == 2
    frame = loaded["COLORS"]
    assert len(frame) == 30
    assert frame["MESSAGE_ID"].dtype == pd.ArrowDtype(pa.int64())
    with pytest.raises(KeyError):
        loaded.arrow("colors")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_numbers_become_decimals(tmp_path: Path, suffix: str) -> None:
    """A number without a fixed precision becomes a decimal with all its digits."""
    loaded = marketpulse.load(build(tmp_path / "bundle", (suffix,)))
    numbers = loaded.arrow("ALL_TYPES")
    assert numbers["A_HUGEINT"].type == pa.decimal256(39, 0)
    assert numbers["A_HUGEINT"].to_pylist()[:2] == [Decimal(-(2**127)), Decimal(2**127 - 1)]
    assert numbers["A_BIGNUM"].type == pa.decimal256(61, 0)


def test_incomplete_rows(tmp_path: Path) -> None:
    """A bundle with only some rows of a table, as --json-rows makes it, cannot be scanned."""
    folder = build(tmp_path / "bundle", ("json",), json_rows=10)
    with (
        open_source(str(folder)) as source,
        pytest.raises(NotFoundError, match="it holds only the first 10 rows as json") as caught,
    ):
        source.scan("COLORS")
    assert caught.value.check == "MP-BND-007"


def test_an_invalid_schema_file(tmp_path: Path) -> None:
    """A schema file that is not one is an error that names the file."""
    folder = build(tmp_path / "bundle", ("csv",))
    (folder / "COLORS_schema.json").write_text("[]")
    with open_source(str(folder)) as source, pytest.raises(DataError, match="COLORS_schema"):
        source.describe("COLORS")
