"""What happens around the commands of a process: streams, signals, the garbage collector."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from marketpulse.cli import console
from marketpulse.cli.app import app
from marketpulse.cli.errors import interrupted
from marketpulse.cli.pandas_blocker import block_pandas

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_BREAK_SECONDS = 1.0  # for the database to answer an interrupt


def main() -> None:
    """Run the command line and exit with its code."""
    console.prepare_streams()
    # A shell starts background jobs with SIGINT ignored. That must stay so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = interrupt_again
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


def interrupt_again(unraisable: UnraisableHookArgs) -> None:
    """Interrupt the command again if Python has dropped the first interrupt, in a `__del__`."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _start_timer(0.01, _send_interrupt)  # at once, it would be dropped here
    else:
        sys.__unraisablehook__(unraisable)


def interrupt(_signal: int, frame: FrameType | None) -> None:
    """Interrupt the command: the handler of Ctrl-C."""
    interrupted.set()
    if _is_in_driver(frame):
        _start_timer(_BREAK_SECONDS, _interrupt_driver)
    raise KeyboardInterrupt


def _interrupt_driver() -> None:
    """Interrupt the driver again: it waits until the server, perhaps dead, answers the first."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, and for debuggers only by its name
    if _is_in_driver(frames.get(threading.main_thread().ident or 0)):
        _send_interrupt()


def _is_in_driver(frame: FrameType | None) -> bool:
    return frame is not None and "oracledb" in Path(frame.f_code.co_filename).parts


def _send_interrupt() -> None:
    """Send Ctrl-C to the main thread, which may be in a call of the system."""
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, signal.SIGINT)
    else:  # on Windows
        _thread.interrupt_main()


def _start_timer(seconds: float, function: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
