"""A time limit for calls that cannot be cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def call_within(
    seconds: float, function: Callable[[], T], timeout_error: Callable[[], Exception]
) -> T:
    """Return what `function` returns, or raise what it raises.

    Raises `timeout_error()` if the call takes more than `seconds`.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            errors.append(error)

    # Some calls of the system (getaddrinfo) and of the driver have no timeout. A late call stays
    # behind in its thread. The thread is a daemon, so it does not keep the process alive.
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise timeout_error()
    return results[0]
