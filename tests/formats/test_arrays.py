"""Arrays of numpy as Arrow arrays."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.formats.arrays import from_numpy


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.booleans())))
def test_they_are_what_pyarrow_makes(rows: list[tuple[int, bool]]) -> None:
    """The same type, values and nulls, however many there are."""
    values = np.array([value for value, _ in rows], np.int64)
    flags = np.array([flag for _, flag in rows], np.bool_)

    for array in (values, flags, values[::2], values.astype(np.int32), values / 3):
        assert from_numpy(array).equals(pa.array(array))
    assert from_numpy(values, flags).equals(pa.array(values, mask=flags))


@pytest.mark.parametrize("size", [0, 1, 8, 9])
def test_they_outlive_the_array_of_numpy(size: int) -> None:
    """Arrow keeps the memory."""
    column = from_numpy(np.arange(size), np.arange(size) < 0)

    column.validate(full=True)
    assert column.to_pylist() == [*range(size)]
