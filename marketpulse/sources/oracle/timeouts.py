"""The deadline of a command, and the end of a connection that outlives it."""

from __future__ import annotations

import gc
import math
import socket
import threading
import time
from contextlib import suppress

from marketpulse.errors import UnreachableError

GRACE_SECONDS = 0.3  # after a deadline, for an answer to the driver's break and for the log-off
_DEPTH = 6  # of the driver's objects that refer to each other, from the connection to its socket


class Deadline:
    """The time by which a command is done with the database at an address; None is no limit."""

    def __init__(self, seconds: float | None, address: object) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._end = time.monotonic() + self._seconds
        self._address = address

    @property
    def left(self) -> float:
        """The seconds until then; less than 0 if it is past."""
        return self._end - time.monotonic()

    def limit(self, seconds: float) -> float:
        """Return how long a wait of this length may take. Raises `UnreachableError` if past."""
        left = self.left
        if left <= 0:
            raise self.error()
        return min(seconds, left)

    def error(self, detail: str = "") -> UnreachableError:
        """Return the error that says that the time is past."""
        return UnreachableError(
            f"{self._address}: the deadline of {self._seconds:g} s has passed{detail}",
            hint="raise --deadline",
            check="MP-NET-007",
        )


def end_later(connection: object, seconds: float) -> threading.Timer:
    """Close the socket of a thin connection after this time, unless the timer is cancelled.

    The driver's own limit counts for each packet, and again for the answer to its break. Its
    functions must not be called from another thread either: if the connection is lost meanwhile,
    the process ends. A socket can be closed at any time, which wakes its reader.
    """
    timer = threading.Timer(seconds, _end_socket, [_find_socket(connection)])
    timer.daemon = True
    timer.start()
    return timer


def _find_socket(connection: object) -> socket.socket | None:
    """Return the socket that the driver's objects hold, but do not show; None in thick mode."""
    objects = [connection]
    for _ in range(_DEPTH):
        objects = gc.get_referents(*objects)
        for found in objects:
            if isinstance(found, socket.socket):
                return found
        objects = [
            found
            for found in objects
            if isinstance(found, dict) or type(found).__module__.startswith("oracledb")
        ]
    return None


def _end_socket(connection: socket.socket | None) -> None:
    if connection is not None:
        with suppress(OSError):  # it is closed already
            # Not the method of a TLS socket, which a reader in another thread does not survive.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
