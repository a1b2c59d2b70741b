"""The session of Spark beside the errors of a run."""

import logging
import os
import signal
import threading
from subprocess import DEVNULL

import pytest
from support import posix


@posix
def test_a_signal_leaves_no_traceback(java: str, caplog: pytest.LogCaptureFixture) -> None:
    """Py4J logs the traceback of a call that a signal has met: nobody sees it."""
    assert java
    from pyspark.java_gateway import launch_gateway  # noqa: PLC0415 - loads slowly

    from marketpulse.colors.spark.session import quiet  # noqa: PLC0415 - Java may be missing

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGUSR1, interrupt)
    # A Java of its own, because Py4J may repeat a call that follows an interrupted one.
    gateway = launch_gateway(popen_kwargs={"stdout": DEVNULL, "stderr": DEVNULL})  # type: ignore[no-untyped-call]  # PySpark's own
    try:
        with quiet():
            timer = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                gateway.jvm.java.lang.Thread.sleep(10_000)
            logging.getLogger().warning("anything else")
        assert [record.message for record in caplog.records] == ["anything else"]
    finally:
        signal.signal(signal.SIGUSR1, earlier)
        gateway.shutdown()
        with gateway.proc:  # closes its pipe
            gateway.proc.kill()
