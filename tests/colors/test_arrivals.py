"""The engine reads an input, or says why it cannot."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from color_tables import three_colors

from marketpulse import run_colors
from marketpulse.errors import DataError


@pytest.mark.parametrize(
    "values",
    [
        pa.array(np.array([1, 2, 3], np.float16)),
        pa.array([Decimal(1), Decimal(2), None], pa.decimal256(50, 3)),
        pa.array([timedelta(1), None, None]),
    ],
    ids=lambda values: str(values.type).split("[", maxsplit=1)[0],
)
def test_a_type_that_the_engine_cannot_read_is_an_error(values: pa.Array) -> None:
    """A column that cannot be read is a data error, not a traceback."""
    with pytest.raises(DataError, match="a column has a type that cannot be read"):
        run_colors(three_colors(NOTE=values))
