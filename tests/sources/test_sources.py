"""`open_source`: which source a name means."""

from pathlib import Path

import pytest
from samples import write_table

from marketpulse.errors import NotFoundError
from marketpulse.sources import open_source


def test_demo() -> None:
    """`demo` means the demo market, with the requested number of colors."""
    with open_source("demo", rows=3) as source:
        assert source.info().details == {"rows": "3", "seed": "7"}
    with open_source("demo") as source:
        assert source.info().details == {"rows": "2000", "seed": "7"}


def test_file(tmp_path: Path) -> None:
    """Any other name means a file, a glob or a folder."""
    write_table(tmp_path / "day.csv")
    for name in ("day.csv", "*.csv", ""):
        with open_source(str(tmp_path / name)) as source:
            assert source.find_table() == "day"


def test_missing() -> None:
    """A name of nothing is an error."""
    with pytest.raises(NotFoundError, match="no such file"):
        open_source("nothing of this name")
