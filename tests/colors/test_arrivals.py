"""The engine reads an input, or says why it cannot."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from color_tables import three_colors

from marketpulse import run_colors
from marketpulse.colors.arrivals import connect_engine
from marketpulse.errors import DataError


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1.0], [2.0], None], pa.list_(pa.float16())),
        pa.array([[Decimal(1)], None, None], pa.list_(pa.decimal256(50, 3))),
    ],
    ids=lambda values: str(values.type).split("[", maxsplit=1)[0],
)
def test_a_type_that_the_engine_cannot_read_is_an_error(values: pa.Array) -> None:
    """A column that cannot be read is a data error, not a traceback."""
    with pytest.raises(DataError, match="a column has a type that cannot be read"):
        run_colors(three_colors(NOTE=values))


def test_what_does_not_fit_is_sorted_in_the_workspace(tmp_path: Path) -> None:
    """DuckDB writes nothing beside it."""
    with connect_engine(tmp_path) as engine:
        setting = engine.sql("SELECT current_setting('temp_directory')").fetchall()
    assert setting == [(str(tmp_path),)]
