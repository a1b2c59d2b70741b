"""A job that can be given up: at Ctrl-C and at a deadline, whatever it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL = 0.2  # seconds; on Windows a wait without end hides Ctrl-C


def run_stoppable(
    job: Callable[[threading.Event], T],
    seconds: float | None,
    timeout_error: Callable[[], Exception],
) -> T:
    """Return what `job` returns, or raise what it raises.

    After `seconds` raises `timeout_error()`, and at Ctrl-C `KeyboardInterrupt`, at once. Requests
    to a silent store, `getaddrinfo` and some calls of Oracle's driver cannot be cancelled, so the
    job stays behind in a thread that does not keep the process alive. Then the event that it got is
    set. It sends nothing more when it sees that.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def call() -> None:
        try:
            results.append(job(stop))
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            errors.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    deadline = None if seconds is None else time.monotonic() + seconds
    try:
        while thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            left = _POLL if deadline is None else deadline - time.monotonic()
            thread.join(max(0.0, min(_POLL, left)))
    finally:
        stop.set()  # a job that has ended looks at it no more
    if errors:
        raise errors[0]
    if not results:
        raise timeout_error()
    return results[0]
