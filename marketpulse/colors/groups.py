"""Groups of a security in sorted rows: where one ends, and what marks parents and children.

The rows come sorted by CUSIP, so a group is a run of equal CUSIPs:

    CUSIP          A   A   A   B   C   C
    group starts   0           3   4
    position       1   2   3   1   1   2
    parent         yes         yes yes
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.formats.arrays import from_numpy

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt


def whole_groups(batches: Iterator[pa.RecordBatch], key: int) -> Iterator[pa.RecordBatch]:
    """The same rows in other batches, so that no group is cut; `key` is the sorted column."""
    held: list[pa.RecordBatch] = []  # it ends with a group that the next batch may continue
    for batch in batches:
        if not len(batch):
            continue
        column = batch.column(key)
        whole = int(_group_starts(column)[-1])  # rows before the last group
        if held and (whole or column[0] != held[-1].column(key)[-1]):
            yield pa.concat_batches([*held, batch[:whole]])
            held = []
        elif whole:
            yield batch[:whole]
        held.append(batch[whole:])
    if held:
        yield pa.concat_batches(held)


def group_marks(cusips: pa.Array, message_ids: pa.Array) -> list[pa.Array]:
    """IS_PARENT, PARENT_MESSAGE_ID, CHILDREN_COUNT and GROUP_POSITION of whole groups."""
    starts = _group_starts(cusips)
    sizes = np.diff(starts, append=len(cusips))
    parents = np.repeat(starts, sizes)
    positions = np.arange(len(cusips)) - parents + 1
    is_parent = positions == 1
    return [
        from_numpy(is_parent),
        message_ids.take(from_numpy(parents, is_parent)),
        from_numpy(np.where(is_parent, np.repeat(sizes, sizes) - 1, 0)),
        from_numpy(positions),
    ]


def _group_starts(key: pa.Array) -> npt.NDArray[np.int64]:
    """The places at which a new value of the sorted key begins."""
    changes = pc.not_equal(key[1:], key[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate(([0], np.flatnonzero(changes) + 1))
