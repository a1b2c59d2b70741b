"""The one retry loop for the network.

The libraries for this (stamina, tenacity) log each retry through hooks that are set for the whole
process. MarketPulse is imported by other programs, too: it must not change their hooks, and no hook
may print the arguments of a login. So this is a loop without arguments.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from marketpulse.errors import ConnectionLostError, MarketPulseError

_LOG = logging.getLogger("marketpulse.oracle")

T = TypeVar("T")


def retry_in_new_session(action: Callable[[], T]) -> T:
    """Run an action up to three times, again each time that its connection is lost."""
    return retry(
        action,
        is_transient=lambda error: isinstance(error, ConnectionLostError),
        waits=(0.0, 0.0),  # connecting has its own waits
    )


def retry(
    action: Callable[[], T],
    *,
    is_transient: Callable[[MarketPulseError], bool],
    waits: Sequence[float],
) -> T:
    """Return what `action` returns; run it again after each transient error.

    `waits` are the seconds before each further attempt, varied by up to 30 % so that many clients
    do not come back at once. Raises the error of the last attempt, and any other error at once.
    """
    for wait in waits:
        try:
            return action()
        except MarketPulseError as error:
            if not is_transient(error):
                raise
            _LOG.info("%s; trying again", error.message)
            time.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311 - not for cryptography
    return action()
