"""Jobs that can be given up: their results, their errors and their deadline."""

import threading

import pytest

from marketpulse.stopping import run_stoppable


def test_results_and_errors_pass_through() -> None:
    """A job that ends in time has its result, or its error."""
    assert run_stoppable(lambda stop: stop.is_set(), 5, TimeoutError) is False
    with pytest.raises(ZeroDivisionError):
        run_stoppable(lambda _: 1 // 0, None, TimeoutError)


def test_a_late_job() -> None:
    """A late job raises the given error; its thread learns it, and keeps no process alive."""
    has_seen = threading.Event()
    threads = []

    def job(stop: threading.Event) -> None:
        threads.append(threading.current_thread())
        if stop.wait(30):
            has_seen.set()

    with pytest.raises(TimeoutError):
        run_stoppable(job, 0.05, TimeoutError)
    assert has_seen.wait(30)
    assert [thread.daemon for thread in threads] == [True]
