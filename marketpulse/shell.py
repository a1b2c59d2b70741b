"""Commands that a hint prints, as they can be typed on this system."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable


def command_line(words: Iterable[str]) -> str:
    """Return the words as one line for a shell: Windows' Command Prompt knows no single quotes."""
    if sys.platform != "win32":
        return shlex.join(words)
    from subprocess import list2cmdline  # noqa: PLC0415 - only Windows needs it

    return list2cmdline([*words])
