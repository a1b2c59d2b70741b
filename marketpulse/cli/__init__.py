"""The command line.

Importing the package loads none of its modules: the function uses `cli.console` alone.
"""

import gc


def main() -> None:
    """Run the command line of this process. The console script starts here."""
    # Loading modules allocates many objects and drops few: collecting then is wasted time.
    gc.set_threshold(100_000)
    from marketpulse.cli import startup  # noqa: PLC0415 - keeps typer out of the function

    startup.main()
