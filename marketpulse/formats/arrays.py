"""Arrays of numpy as Arrow arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt


def from_numpy(
    values: npt.NDArray[Any], is_null: npt.NDArray[np.bool_] | None = None
) -> pa.Array:  # `Any`: of booleans or numbers
    """Return these booleans or numbers. `pa.array` would load numpy.ma for it, which takes 6 ms."""
    data_type = pa.from_numpy_dtype(values.dtype)
    data = _bits(values) if values.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(values))
    valid = None if is_null is None else _bits(~is_null)
    return pa.Array.from_buffers(data_type, len(values), [valid, data])


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
