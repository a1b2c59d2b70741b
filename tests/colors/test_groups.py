"""Groups of sorted rows: no batch cuts one, and the marks follow from the places."""

from itertools import groupby

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.colors.groups import group_marks, whole_groups


def batch(cusips: list[str], first: int = 0) -> pa.RecordBatch:
    """Rows of these securities, numbered."""
    numbers = range(first, first + len(cusips))
    return pa.record_batch(
        [pa.array(cusips, pa.string()), pa.array(numbers, pa.int64())], ["c", "n"]
    )


@given(st.lists(st.integers(1, 7), max_size=8), st.lists(st.integers(0, 5), max_size=30))
def test_batches_are_cut_only_between_groups(sizes: list[int], lengths: list[int]) -> None:
    """However the rows are cut, all come out in order, and no group is in two batches."""
    cusips = [f"C{number}" for number, size in enumerate(sizes) for _ in range(size)]
    batches, start = [], 0
    for length in [*lengths, len(cusips)]:
        batches.append(batch(cusips[start : start + length], start))
        start = min(start + length, len(cusips))
    results = list(whole_groups(iter(batches), 0))

    assert [number for result in results for number in result.column("n").to_pylist()] == list(
        range(len(cusips))
    )
    securities = [set(result.column("c").to_pylist()) for result in results]
    assert sum(map(len, securities)) == len(set(cusips))


@given(st.lists(st.integers(1, 7), min_size=1, max_size=8))
def test_marks_of_whole_groups(sizes: list[int]) -> None:
    """The first row is the parent with the number of the others; these name its message."""
    cusips = [f"C{number}" for number, size in enumerate(sizes) for _ in range(size)]
    ids = list(range(100, 100 + len(cusips)))
    marks = group_marks(pa.array(cusips), pa.array(ids))
    expected: list[tuple[bool, int | None, int, int]] = []
    for _, group in groupby(zip(cusips, ids, strict=True), key=lambda row: row[0]):
        members = [message_id for _, message_id in group]
        expected.append((True, None, len(members) - 1, 1))
        expected += [(False, members[0], 0, place) for place in range(2, len(members) + 1)]
    columns = [mark.to_pylist() for mark in marks]
    assert list(zip(*columns, strict=True)) == expected
