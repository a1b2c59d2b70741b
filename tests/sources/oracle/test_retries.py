"""Retries: only transient errors, only so many attempts, and nothing but the message in the log."""

import logging

import pytest

from marketpulse.errors import ConnectionLostError, LoginError, MarketPulseError
from marketpulse.sources.oracle.retries import retry_in_new_session


class Attempts:
    """Fails with these errors, one an attempt, then succeeds."""

    def __init__(self, *errors: MarketPulseError) -> None:
        self.errors = list(errors)
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def test_transient_errors(caplog: pytest.LogCaptureFixture) -> None:
    """The action runs again after a transient error, and the log says why."""
    attempts = Attempts(ConnectionLostError("lost"), ConnectionLostError("lost again"))
    with caplog.at_level(logging.INFO):
        result = retry_in_new_session(attempts)
    assert (result, attempts.count) == ("done", 3)
    assert caplog.messages == ["lost; trying again", "lost again; trying again"]


def test_other_errors() -> None:
    """Any other error is raised at once."""
    attempts = Attempts(LoginError("refused"))
    with pytest.raises(LoginError):
        retry_in_new_session(attempts)
    assert attempts.count == 1


def test_the_last_error() -> None:
    """After the last attempt its error is raised."""
    attempts = Attempts(*(ConnectionLostError(f"lost {number}") for number in range(3)))
    with pytest.raises(ConnectionLostError, match="lost 2"):
        retry_in_new_session(attempts)
    assert attempts.count == 3
