"""The C library's allocator: numpy's arrays and DuckDB's results get their memory from it."""

from __future__ import annotations

import sys

# Of malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let the C library keep a few MB of freed memory for what comes next, if it is glibc.

    It would return each array of a batch to the system and request it again, which takes a
    twentieth of a run.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - not for --help

    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, 4 << 20)
        mallopt(_TRIM_THRESHOLD, 8 << 20)
