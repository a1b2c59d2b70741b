"""The permutation: each domain is one cycle, and rows do not depend on those beside them."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.extraction.masks.permutation import Digits, KeyedPermutation

KEY = bytes(range(32))
RADICES = st.lists(st.integers(1, 12), max_size=9)


def apply(rows: Sequence[tuple[int, ...]], radices: list[int], key: bytes = KEY) -> Digits:
    """Permute rows that all have the same radices."""
    digits = np.array(rows, np.uint32).reshape(len(rows), -1)
    wide = np.broadcast_to(np.array(radices, np.uint32), digits.shape)
    return KeyedPermutation(key).apply(digits, wide)


@pytest.mark.parametrize(
    "radices", [[2], [10], [300], [2, 2], [10, 9], [3, 1, 1, 5, 2], [1, 1, 4], [9, 10, 1, 26]]
)
def test_a_domain_is_one_cycle(radices: list[int]) -> None:
    """So every row of digits has another one, and no two the same."""
    domain = list(product(*map(range, radices)))
    following = dict(zip(domain, map(tuple, apply(domain, radices).tolist()), strict=True))
    row, seen = domain[0], set()
    while row not in seen:
        seen.add(row)
        row = following[row]
    assert len(seen) == len(domain)


@given(st.lists(st.tuples(RADICES, st.integers(0)), min_size=1, max_size=20))
def test_a_row_does_not_depend_on_others(rows: list[tuple[list[int], int]]) -> None:
    """Beside rows of other radices and lengths it comes out as it does alone."""
    width = max(len(radices) for radices, _ in rows)
    wide = [radices + [1] * (width - len(radices)) for radices, _ in rows]
    digits = [[seed // (7**place) % radix for place, radix in enumerate(radices)]
              for radices, (_, seed) in zip(wide, rows, strict=True)]  # fmt: skip
    together = KeyedPermutation(KEY).apply(
        *(np.array(part, np.uint32).reshape(len(rows), width) for part in (digits, wide))
    )
    for line, numbers, radices in zip(together.tolist(), digits, wide, strict=True):
        assert line == apply([tuple(numbers)], radices)[0].tolist()
        assert (line != numbers) == any(radix > 1 for radix in radices)


def test_another_key_is_another_permutation() -> None:
    """And one key gives the same for ever: bundles of different days join."""
    rows, radices = [(1, 2, 3, 4, 5, 6, 7)], [10, 10, 26, 10, 9, 10, 26]
    assert apply(rows, radices).tolist() == [[2, 8, 9, 9, 4, 9, 4]]
    assert apply(rows, radices, bytes(32)).tolist() != apply(rows, radices).tolist()


def test_long_rows() -> None:
    """A text of 4,000 letters is permuted in whole: its first letter changes the last."""
    first, second = [0] * 4000, [1] + [0] * 3999
    result = apply([tuple(first), tuple(second)], [26] * 4000)
    differing = (result[0] != result[1]).mean()
    assert 0.9 < differing < 1
    # All letters are about as frequent.
    assert np.bincount(result[0], minlength=26).min() > 100
