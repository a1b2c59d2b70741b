"""The command line.

Importing the package loads none of its modules: the function uses `cli.console` alone.
"""

import gc
import signal


def main() -> None:
    """Run the command line of this process. The console script starts here."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        # While modules load, Ctrl-C ends the process quietly. Python would print where it was.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Loading modules allocates many objects and drops few: collecting then is wasted time.
    gc.set_threshold(100_000)
    from marketpulse.cli import startup  # noqa: PLC0415 - keeps typer out of the function

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    startup.main()
