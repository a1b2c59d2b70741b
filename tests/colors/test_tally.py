"""The counts of a run."""

import pyarrow as pa
import pytest

from marketpulse.artifacts import EXCLUDED, PROCESSED, REJECTED
from marketpulse.colors.tally import Tally
from marketpulse.errors import DataError


def rejected(*reasons: str) -> Tally:
    """A tally of rows that were rejected for these reasons."""
    tally = Tally()
    for _ in tally.counted(REJECTED, [pa.record_batch({"REASON": reasons})]):
        pass
    return tally


def test_batches_add_up() -> None:
    """The rows of all batches of an output count, and all rows of their rules."""
    tally = Tally(["1", "2"])
    parents = [
        pa.record_batch({"IS_PARENT": marks}) for marks in ([True, False], [], [True, False])
    ]
    assert [*tally.counted(PROCESSED, parents)] == parents
    rules = [pa.record_batch({"RULE_ID": ids}) for ids in (["2", "2"], ["2"])]
    assert [*tally.counted(EXCLUDED, rules)] == rules
    later = Tally(["2", "1"])
    assert len([*later.counted(EXCLUDED, rules)]) == 2
    assert len([*later.counted(PROCESSED, parents[:1])]) == 1
    tally.merge(later)
    counts = tally.counts(12)
    assert (counts.parents, counts.children, counts.excluded) == (3, 3, 6)
    assert tally.excluded == {"1": 0, "2": 6}


def test_a_thousand_reasons_are_listed() -> None:
    """Each reason quotes a cell, so there may be millions: the others are counted together."""
    reasons = [f"PX: '{number}x' is not a number" for number in range(1002)]
    tally = rejected(*reasons[:999], *reasons[:2])
    tally.merge(rejected(*reasons[999:], reasons[0]))
    assert len(tally.rejected) == 1001
    assert tally.rejected[reasons[0]] == 3
    assert tally.rejected[reasons[999]] == 1
    assert tally.rejected["other reasons"] == 2


def test_counts_that_do_not_balance() -> None:
    """A run whose rows are not all accounted for fails."""
    tally = rejected("PX: 'x' is not a number")
    assert tally.counts(1).rejected == 1
    with pytest.raises(DataError, match="the rows do not balance"):
        tally.counts(2)
