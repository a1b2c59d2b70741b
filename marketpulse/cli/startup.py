"""What happens around the commands of a process: streams, signals, the garbage collector."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

from marketpulse.cli import console
from marketpulse.cli.app import app
from marketpulse.cli.errors import interrupted
from marketpulse.cli.pandas_blocker import block_pandas

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def main() -> None:
    """Run the command line and exit with its code."""
    console.prepare_streams()
    # A shell starts background jobs with SIGINT ignored. That must stay so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _interrupt_again
    if sys.platform == "linux":
        # Arrow's default allocator returns memory to the system and requests it again all the time.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    # Loading modules allocates many objects and drops few: collecting then is wasted time.
    gc.set_threshold(50_000)
    block_pandas()
    try:
        app(prog_name="marketpulse")
    except KeyboardInterrupt:  # before a command started
        console.say("interrupted")
        sys.exit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the result is complete: exit undisturbed
        console.finish()
        _leave_waiting_threads()


def _leave_waiting_threads() -> None:
    """Exit now if a command that failed has left threads: Python would wait for their answers."""
    error = sys.exc_info()[1]
    code = error.code if isinstance(error, SystemExit) else None
    if isinstance(code, int) and code and threading.active_count() > 1:
        os._exit(code)


def _interrupt_again(unraisable: UnraisableHookArgs) -> None:
    """Interrupt the command again if Python has dropped the first interrupt, in a `__del__`."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.01, _thread.interrupt_main)  # at once, it would be dropped here
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    interrupted.set()
    raise KeyboardInterrupt
