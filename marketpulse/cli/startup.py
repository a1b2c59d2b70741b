"""What happens around the commands of a process: streams, signals, the garbage collector."""

from __future__ import annotations

import gc
import os
import sys
import threading

from marketpulse.cli import console
from marketpulse.cli.app import app
from marketpulse.cli.interrupts import handle_signals, interruption, release_signals
from marketpulse.cli.pandas_blocker import block_pandas


def main() -> None:
    """Run the command line and exit with its code."""
    console.prepare_streams()
    handle_signals()
    if sys.platform == "linux":
        # Arrow's default allocator returns memory to the system and requests it again all the time.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    # Loading modules allocates many objects and drops few: collecting then is wasted time.
    gc.set_threshold(50_000)
    block_pandas()
    try:
        app(prog_name="marketpulse")
    except KeyboardInterrupt:  # before a command started
        console.say(interruption.text)
        sys.exit(interruption.exit_code)
    finally:
        release_signals()
        console.finish()
        _leave_waiting_threads()
        # Python would look through all modules for garbage before it ends. DuckDB says on standard
        # error what of its own is then left.
        if "duckdb" not in sys.modules:
            gc.freeze()


def _leave_waiting_threads() -> None:
    """Exit now if a command that failed has left threads: Python would wait for their answers."""
    error = sys.exc_info()[1]
    code = error.code if isinstance(error, SystemExit) else None
    if isinstance(code, int) and code and threading.active_count() > 1:
        os._exit(code)
