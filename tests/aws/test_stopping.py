"""Jobs that can be given up: their results, their errors and their deadline."""

import pytest

from marketpulse.aws.stopping import run_stoppable


def test_results_and_errors_pass_through() -> None:
    """A job that ends in time has its result, or its error."""
    assert run_stoppable(lambda stop: stop.is_set(), 5, TimeoutError) is False
    with pytest.raises(ZeroDivisionError):
        run_stoppable(lambda _: 1 // 0, None, TimeoutError)
    with pytest.raises(TimeoutError):
        run_stoppable(lambda stop: stop.wait(30), 0.1, TimeoutError)
