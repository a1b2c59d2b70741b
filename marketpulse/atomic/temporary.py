"""Folders of temporary files, which go with their process, or else with the next one.

A process that ends by itself, by an error or by a signal removes its folders. One that is killed
(`kill -9`, no memory, no power) cannot. The lock that it held tells the next process that a folder
is nobody's any more.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from marketpulse.atomic.lock import lock_descriptor

_PREFIX = "marketpulse-"
_NAME = re.compile(rf"{_PREFIX}[a-z0-9_]{{8}}")  # as `tempfile` makes them
_LOCK_FILE = ".temporary.lock"  # not the lock of an output: that folder is never removed
_YOUNGEST = 60.0  # seconds; a lock file that was just created may not be locked yet


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """A folder for temporary files, as `tempfile.TemporaryDirectory` makes it.

    The first of a process also removes the folders of processes that were killed.
    """

    def __init__(self, *, ignore_cleanup_errors: bool = False) -> None:
        _remove_abandoned(tempfile.gettempdir())
        super().__init__(prefix=_PREFIX, ignore_cleanup_errors=ignore_cleanup_errors)
        self._descriptor: int | None = None
        with suppress(OSError):  # without the lock, nobody takes the folder for abandoned
            self._descriptor = _create_lock(Path(self.name))

    def cleanup(self) -> None:
        """Remove the folder."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)  # first: Windows removes no open file
        super().cleanup()


def _create_lock(folder: Path) -> int:
    descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        lock_descriptor(descriptor)
        # On a disk that several machines share, a lock may hold on one of them alone.
        os.write(descriptor, socket.gethostname().encode())
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@cache  # once for each place is enough
def _remove_abandoned(place: str) -> None:
    with suppress(OSError):
        for entry in os.scandir(place):
            if _NAME.fullmatch(entry.name):
                with suppress(OSError):
                    if _is_abandoned(Path(entry.path)):
                        shutil.rmtree(entry.path, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether a process of this user and machine has made a folder, and lives no more."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (os.name != "nt" and found.st_uid != os.getuid()):
        return False
    descriptor = os.open(folder / _LOCK_FILE, os.O_RDWR)
    try:
        if time.time() - os.fstat(descriptor).st_mtime < _YOUNGEST:
            return False
        lock_descriptor(descriptor)
        return os.read(descriptor, 300).decode() == socket.gethostname()
    finally:
        os.close(descriptor)
