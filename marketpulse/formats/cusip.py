"""CUSIPs: nine characters, the last of which is a check digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.arrays import from_numpy

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt

_CHARACTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#"  # the value of each is its place
_VALUES = np.zeros(256, np.int64)
_VALUES[list(_CHARACTERS)] = range(len(_CHARACTERS))


def are_valid_cusips(cells: pa.Array) -> npt.NDArray[np.bool_]:
    """Which of the cells, trimmed and in upper case, are CUSIPs with the right check digit."""
    valid = pc.match_substring_regex(cells, "^[0-9A-Z*@#]{8}[0-9]$").to_numpy(zero_copy_only=False)
    text = "".join(cells.filter(from_numpy(valid)).to_pylist())
    characters = np.frombuffer(text.encode(), np.uint8).reshape(-1, 9)
    valid[valid] = check_digits(characters[:, :8]) == characters[:, 8] - ord("0")
    checked: npt.NDArray[np.bool_] = valid
    return checked


def check_digits(characters: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The check digit of each row of eight characters, in upper case."""
    # Every second value is doubled, the digits of all are summed, and the check digit completes
    # the sum to a multiple of ten.
    doubled = _VALUES[characters] * np.array([1, 2] * 4)
    sums = (doubled // 10 + doubled % 10).sum(axis=1)
    digits: npt.NDArray[np.int64] = (10 - sums % 10) % 10
    return digits
