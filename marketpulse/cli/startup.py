"""What happens around the commands of a process: streams, signals, the garbage collector."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from pathlib import Path

from marketpulse.cli import console
from marketpulse.cli.app import app
from marketpulse.cli.errors import wants_json
from marketpulse.cli.interrupts import handle_signals, interruption, release_signals
from marketpulse.cli.pandas_blocker import block_pandas
from marketpulse.errors import UsageError


def main() -> None:
    """Run the command line and exit with its code."""
    console.prepare_streams()
    handle_signals()
    if sys.platform == "linux":
        # Arrow's default allocator returns memory to the system and requests it again all the time.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    # Threads of numpy's linear algebra, which nothing here uses, would spin for 30 ms each.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    block_pandas()
    _refuse_lost_folder()
    try:
        app(prog_name="marketpulse")
    except KeyboardInterrupt:  # before a command started
        console.say(interruption.text)
        sys.exit(interruption.exit_code)
    finally:
        release_signals()
        console.finish()
        _end_process()


def _refuse_lost_folder() -> None:
    """Exit if the working folder has been removed: no name of a file has a meaning there."""
    try:
        Path.cwd()
    except OSError:
        error = UsageError("the working folder is gone", hint="go to another one with cd")
        console.show_error(error, as_json=wants_json(sys.argv))
        sys.exit(error.exit_code)


def _end_process() -> None:
    """Exit now, unless the command has left threads that still work: Python waits for them.

    Threads of a command that failed only wait for answers.
    """
    error = sys.exc_info()[1]
    code = error.code if isinstance(error, SystemExit) else None
    if not isinstance(code, int):
        return
    # Each thread of DuckDB that has asked Python for rows is a daemon here.
    if not [thread for thread in threading.enumerate() if not thread.daemon][1:]:
        # Python would first look through all modules for garbage. Without that search, DuckDB
        # reports its own types as leaks when the interpreter ends.
        atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing ends a process
        os._exit(code)
    if code:
        os._exit(code)
