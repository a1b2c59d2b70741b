"""Words and tables for people, JSON for programs.

Results go to standard output, all else to standard error; meaning never depends on colour.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from marketpulse.errors import MarketPulseError


def prepare_streams() -> None:
    """Let no character crash a console that cannot show it; write line feeds everywhere."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def close_quietly() -> None:
    """The reader of standard output has gone: nothing more is to be said to it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


def show_json(data: Any) -> None:
    """Print a result as JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False))  # noqa: T201 - this is the output


def show_text(text: str) -> None:
    """Print a result that is text."""
    print(text)  # noqa: T201 - this is the output


def show_table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = ""
) -> None:
    """Print a result as a table: drawn on a terminal, in plain columns elsewhere."""
    from rich import box  # noqa: PLC0415 - rich costs more than most commands
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = _console()
    drawn = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(title=title or None, title_justify="left", box=drawn, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console.print(table)


def say(text: str) -> None:
    """Words beside the result, on standard error."""
    print(text, file=sys.stderr)  # noqa: T201 - this is the output


def show_error(error: MarketPulseError, *, as_json: bool) -> None:
    """Print what happened and what to do, on standard error."""
    if as_json:
        fault = {
            "check": error.check,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        say(json.dumps({"error": fault}, ensure_ascii=False))
        return
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - rich costs more than most commands

    # Off a terminal lines are as long as their words: a program may be reading.
    width = None if sys.stdout.isatty() else 10_000
    return Console(width=width, highlight=False, soft_wrap=False)
