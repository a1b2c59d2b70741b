"""The progress of stages that Spark runs, as its tracker tells it."""

import time
from typing import TYPE_CHECKING

from marketpulse.model import NO_PROGRESS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Recording:
    """What a display is given."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.counts: list[int] = []

    def begin(self, name: str, total: int | None) -> None:
        """Keep the name and the total."""
        self.events += [name, total]

    def advance(self, more: int) -> None:
        """Keep what is not nothing."""
        self.counts += [more] if more else []

    def end(self) -> None:
        """Keep that the part has ended."""
        self.events.append("end")


def test_partitions_are_counted_while_they_end(session: "SparkSession") -> None:
    """Two stages of four partitions each: they are counted while the block lasts."""
    from marketpulse.colors.spark.progress import stage_progress  # noqa: PLC0415 - Java may be missing

    context, display = session.sparkContext, Recording()
    partitions = context.parallelize(range(4), 4)
    with stage_progress(context, display, "ranking", 8):
        for _ in range(2):
            partitions.foreach(lambda number: time.sleep(0.7 + number % 2))
    assert display.events == ["ranking", 8, "end"]
    assert len(display.counts) > 1
    assert 4 < sum(display.counts) <= 8
    with stage_progress(context, NO_PROGRESS, "ranking"):
        assert partitions.count() == 4
