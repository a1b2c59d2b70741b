"""The time limit: results and errors pass through, late calls are left behind."""

import threading

import pytest

from marketpulse.sources.oracle.timeouts import call_within


def test_result_and_error() -> None:
    """A call in time returns its result, or raises its error."""
    assert call_within(5, lambda: 42, TimeoutError) == 42
    with pytest.raises(ZeroDivisionError):
        call_within(5, lambda: 1 // 0, TimeoutError)


def test_a_late_call() -> None:
    """A late call raises the given error, and its thread does not keep the process alive."""
    release = threading.Event()
    with pytest.raises(TimeoutError):
        call_within(0.05, release.wait, TimeoutError)
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.endswith("(call)"))
    release.set()
