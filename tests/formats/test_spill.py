"""Rows that are read several times, from memory or from disk."""

from pathlib import Path

import pyarrow as pa
import pytest

from marketpulse.formats.spill import Spill

BATCH = pa.record_batch({"n": pa.array([1, 2, None], pa.int64())})


@pytest.mark.parametrize("memory_limit", [0, BATCH.nbytes, 2 * BATCH.nbytes, 1 << 20])
@pytest.mark.parametrize("batches", [0, 1, 3])
def test_rows_come_back_as_often_as_asked(tmp_path: Path, memory_limit: int, batches: int) -> None:
    """Every reader gives all batches; the file exists only if they exceed the limit."""
    path = tmp_path / "rows.arrow"
    spill = Spill(path, BATCH.schema, memory_limit)
    for _ in range(batches):
        spill.add(BATCH)
    spill.close()

    for _ in range(2):
        assert list(spill.reader()) == [BATCH] * batches
    assert spill.reader().schema == BATCH.schema
    assert path.exists() == (batches * BATCH.nbytes > memory_limit)


def test_rows_on_disk_are_compressed(tmp_path: Path) -> None:
    """What a hundred million rows need has to fit on the disk of a laptop."""
    batch = pa.record_batch({"SECTOR": pa.array(["2.0_AAA_Senior"] * 1000)})
    spill = Spill(tmp_path / "rows.arrow", batch.schema, 0)
    spill.add(batch)
    spill.close()

    assert list(spill.reader()) == [batch]
    assert (tmp_path / "rows.arrow").stat().st_size < batch.nbytes / 2
