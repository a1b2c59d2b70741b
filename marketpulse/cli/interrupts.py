"""Ctrl-C and the signals that end a process: the command stops, cleans up and exits."""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_BREAK_SECONDS = 1.0  # for the database to answer an interrupt
_START_SECONDS = 0.02  # after which an interrupt at the start of a library is sent again
_CLEANUP_SECONDS = 5.0  # in which no second signal to end the process counts
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interruption:
    """Whether a signal has interrupted the command, and which was the first."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.began = 0.0  # `time.monotonic()`
        self.is_lost = False  # the command did not see the interrupt, which is sent again

    @property
    def is_young(self) -> bool:
        """Whether the command may still be cleaning up."""
        return time.monotonic() < self.began + _CLEANUP_SECONDS

    @property
    def exit_code(self) -> int:
        """What a shell reports of a process that the signal has ended."""
        return 128 + (self.signal or signal.SIGINT)

    @property
    def text(self) -> str:
        """What the message says."""
        if self.signal in {None, signal.SIGINT}:
            return "interrupted"
        return f"ended by {signal.Signals(self.signal or 0).name}"


interruption = Interruption()


def handle_signals() -> None:
    """Let signals interrupt the command, except those that this process was told to ignore.

    A shell starts background jobs with SIGINT ignored, and `nohup` any program with SIGHUP.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
    sys.unraisablehook = interrupt_again
    atexit.register(_exit_as_interrupted)  # the first to register is the last to be called


def release_signals() -> None:
    """Let the process exit undisturbed by Ctrl-C: the result is complete."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _ENDING:
        if signal.getsignal(number) is interrupt:
            signal.signal(number, signal.SIG_DFL)


def _exit_as_interrupted() -> None:
    """Exit with the code of the signal. After an interrupted import, Python says SIGINT of any."""
    if interruption.signal is not None:
        os._exit(interruption.exit_code)


def interrupt_again(unraisable: UnraisableHookArgs) -> None:
    """Interrupt the command again if Python has dropped the first interrupt, in a `__del__`."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _start_timer(0.01, _send_interrupt)  # at once, it would be dropped here
    else:
        sys.__unraisablehook__(unraisable)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Interrupt the command: the handler of the signals."""
    if interruption.signal is None:
        interruption.signal, interruption.began = number, time.monotonic()
    elif number in _ENDING and not interruption.is_lost and interruption.is_young:
        return  # a closed terminal sends several; the next would interrupt the cleaning up
    interruption.is_lost = False
    if _would_be_lost(frame):
        _start_timer(_START_SECONDS, _send_interrupt)
        return
    if _is_in_driver(frame):
        _start_timer(_BREAK_SECONDS, _interrupt_driver)
    raise KeyboardInterrupt


def _interrupt_driver() -> None:
    """Interrupt the driver again: it waits until the server, perhaps dead, answers the first."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, and for debuggers only by its name
    if _is_in_driver(frames.get(threading.main_thread().ident or 0)):
        _send_interrupt()


def _would_be_lost(frame: FrameType | None) -> bool:
    """Whether an exception would end the process or be dropped.

    So it is while a library in C++ starts, and in the hook for dropped exceptions.
    """
    while frame is not None:
        is_library_start = isinstance(frame.f_locals.get("self"), ExtensionFileLoader)
        if is_library_start or frame.f_code is interrupt_again.__code__:
            return True
        frame = frame.f_back
    return False


def _is_in_driver(frame: FrameType | None) -> bool:
    return frame is not None and "oracledb" in Path(frame.f_code.co_filename).parts


def _send_interrupt() -> None:
    """Send the signal to the main thread again, which may be in a call of the system."""
    interruption.is_lost = True
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, interruption.signal or signal.SIGINT)
    else:  # on Windows
        _thread.interrupt_main()


def _start_timer(seconds: float, function: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
