"""The session of Spark beside the errors of a run."""

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from support import posix

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@posix
def test_a_signal_leaves_no_traceback(
    session: "SparkSession", caplog: pytest.LogCaptureFixture
) -> None:
    """Py4J logs the traceback of a call that a signal has met: nobody sees it."""
    from marketpulse.colors.spark.session import quiet  # noqa: PLC0415 - Java may be missing

    virtual_machine = session.sparkContext._jvm  # noqa: SLF001 - for a call that lasts
    assert virtual_machine

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def wait_in_java() -> None:
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            virtual_machine.java.lang.Thread.sleep(3000)
        timer.join()

    earlier = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with quiet():
            wait_in_java()
            logging.getLogger().warning("anything else")
        assert [record.message for record in caplog.records] == ["anything else"]
        caplog.clear()
        wait_in_java()
        assert caplog.records  # what Py4J logs otherwise
    finally:
        signal.signal(signal.SIGUSR1, earlier)
