"""Reads several tables at the same time, each in a session of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Lock, Thread
from typing import Generic, TypeVar

from marketpulse.errors import MarketPulseError
from marketpulse.model import Progress
from marketpulse.sources import Source

_LOG = logging.getLogger("marketpulse.extraction")
_POLL = 0.2  # seconds: on Windows, Ctrl-C does not end a longer wait
_PATIENCE = 2.0  # seconds for threads to end after an error

T = TypeVar("T")


def open_sessions(source: Source, count: int) -> list[Source]:
    """Return the source, and others like it so that they are `count`, if it has more sessions.

    The others log in when they read: the source itself has logged in before them.
    """
    siblings = (source.sibling() for _ in range(count - 1))
    return [source, *(sibling for sibling in siblings if sibling is not None)]


class SharedProgress:
    """Shows the rows of tables that are read at the same time as one part of a job."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = Lock()

    def begin(self, name: str, total: int | None) -> None:
        """Begin a table. The part that is shown has begun already."""

    def advance(self, more: int) -> None:
        """Count more rows, of any table."""
        with self._lock:
            self._progress.advance(more)

    def end(self) -> None:
        """End a table."""


class SessionPool(Generic[T]):
    """Threads that read tables, one for each session. The first session is open already."""

    def __init__(
        self, sessions: Sequence[Source], tables: Sequence[T], read: Callable[[Source, T], None]
    ) -> None:
        self._sessions = sessions
        self._tables = iter(tables)
        self._left = len(tables)  # that are not read to their end
        self._read = read
        self._lock = Lock()
        self._is_over = False
        self._unopened = [*sessions[1:]]
        self._errors: list[BaseException] = []
        self._refusals: list[MarketPulseError] = []

    def run(self) -> None:
        """Read all tables; they begin in their order.

        A session that cannot log in is left out, with a warning. When all tables are read, it waits
        for no more logins. Raises the first error of `read`, or `KeyboardInterrupt`, when it has
        ended the other threads.
        """
        threads = [
            Thread(target=self._work, args=[session], daemon=True) for session in self._sessions
        ]
        for thread in threads:
            thread.start()
        try:
            while self._left and not self._errors:
                next(filter(Thread.is_alive, threads), threads[0]).join(_POLL)
        finally:
            # What is cancelled now may fail, which says nothing.
            errors, refusals = [*self._errors], [*self._refusals]
            is_done = not (self._left or errors)
            self._end(threads, self._unopened if is_done else self._sessions)
        if errors:
            raise errors[0]
        if refusals:
            opened = len(self._sessions) - len(refusals)
            reason = refusals[0].message
            _LOG.warning("%s of %s sessions read: %s", opened, len(self._sessions), reason)

    def _work(self, session: Source) -> None:
        try:
            with ExitStack() as stack:
                if session is not self._sessions[0]:
                    try:
                        stack.enter_context(session)
                    except MarketPulseError as error:
                        self._refusals.append(error)
                        return
                    self._unopened.remove(session)
                while (table := self._next_table()) is not None:
                    self._read(session, table)
                    with self._lock:
                        self._left -= 1
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self._errors.append(error)

    def _next_table(self) -> T | None:
        with self._lock:
            return None if self._errors or self._is_over else next(self._tables, None)

    def _end(self, threads: Sequence[Thread], cancelled: Sequence[Source]) -> None:
        """Let no thread begin a table, and cancel some sessions; wait a moment for the threads."""
        self._is_over = True
        for session in [*cancelled]:
            session.cancel()
        limit = time.monotonic() + _PATIENCE
        for thread in threads:
            thread.join(max(limit - time.monotonic(), 0))
