"""The command line.

Importing the package loads none of its modules: the function uses `cli.console` alone.
"""


def main() -> None:
    """Run the command line of this process. The console script starts here."""
    from marketpulse.cli import startup  # noqa: PLC0415 - keeps typer out of the function

    startup.main()
