"""A lock on a folder: of several runs, one at a time writes there.

The system holds the lock for the process, so it ends when the process does, however that dies. Only
the empty file `.marketpulse.lock` may then be left. The next run takes it over and removes it.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marketpulse.errors import OutputError

if sys.platform == "win32":
    import msvcrt

    def lock_descriptor(descriptor: int) -> None:
        """Lock an open file for this process. Raises `OSError` if another one has the lock."""
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def lock_descriptor(descriptor: int) -> None:
        """Lock an open file for this process. Raises `OSError` if another one has the lock."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK_FILE = ".marketpulse.lock"
PATIENCE = 60.0  # seconds to wait for another run
_POLL = 0.05  # seconds between two tries
# Another process has the lock. Windows reports it as a missing permission.
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
# The file system has no locks: some network drives.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}

_log = logging.getLogger(__name__)


@contextmanager
def folder_lock(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it does not exist.

    Waits up to `patience` seconds for another run, and says so in the log. Raises `OutputError` if
    the other run still writes then, and `OSError` if the folder cannot be made or written. On a
    file system without locks it holds nothing.
    """
    descriptor = _acquire(folder, patience)
    try:
        yield
    finally:
        _release(folder, descriptor)


def _acquire(folder: Path, patience: float) -> int:
    """Open and lock the file. Returns its descriptor."""
    deadline = time.monotonic() + patience
    waiting = False
    while (descriptor := _try_to_acquire(folder)) is None:
        if time.monotonic() >= deadline:
            raise OutputError(
                f"{folder}: another run is writing there; waited {patience:g} s",
                hint="run it again when the other run has ended, or name another folder with "
                "--output",
            )
        if not waiting:
            _log.warning(
                "%s: another run is writing there: waiting up to %g s for it", folder, patience
            )
            waiting = True
        time.sleep(_POLL)
    return descriptor


def _try_to_acquire(folder: Path) -> int | None:
    """The descriptor of the locked file; None if another run has the lock."""
    # A run that failed may remove the folder that it made, at any time.
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK_FILE
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        return None
    except PermissionError:
        if path.exists() and os.access(folder, os.W_OK):
            return None  # Windows: the other run is removing the file
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder)) from None
    try:
        lock_descriptor(descriptor)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return descriptor
        os.close(descriptor)
        if error.errno in _BUSY:
            return None
        raise
    if _is_current(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY)  # left by a dead run of another user


def _is_current(path: Path, descriptor: int) -> bool:
    """Whether the path still names this file: the run before may have removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _release(folder: Path, descriptor: int) -> None:
    path = folder / LOCK_FILE
    if os.name == "nt":
        # Windows removes no open file, and none that the next run has opened already.
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
    else:
        # First remove, then unlock: nobody can lock the file in between.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)
