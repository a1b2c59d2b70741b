"""The progress of a run on Spark, as the tracker of its context tells it: nothing is collected."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from py4j.protocol import Py4JError
from pyspark import SparkContext

from marketpulse.model import NO_PROGRESS, Progress

_SECONDS = 0.5  # between two questions


@contextmanager
def stage_progress(
    context: SparkContext, progress: Progress, name: str, total: int | None = None
) -> Iterator[None]:
    """Show a part of a run while the block lasts: the partitions that Spark has done.

    `total` counts the partitions of all its stages; None if it is unknown.
    """
    if progress is NO_PROGRESS:
        yield
        return
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=[context, progress, ended], daemon=True)
    progress.begin(name, total)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
        progress.end()


def _watch(context: SparkContext, progress: Progress, ended: threading.Event) -> None:
    """Tell the progress of all stages from the first one on that is seen at work."""
    tracker = context.statusTracker()
    stages, done = range(0), 0
    running = True
    while running:
        running = not ended.wait(_SECONDS)  # what ended last is counted, too
        # Without an answer Java has ended, and the run itself says so.
        with suppress(Py4JError, OSError):
            if active := tracker.getActiveStageIds():
                stages = range(stages.start if stages else active[0], active[-1] + 1)
            known = [stage for number in stages if (stage := tracker.getStageInfo(number))]
            completed = sum(stage.numCompletedTasks for stage in known)
            progress.advance(completed - done)
            done = completed
