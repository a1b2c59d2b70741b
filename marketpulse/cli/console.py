"""Words and tables for people, JSON for programs.

Results go to standard output, all else to standard error; meaning never depends on colour.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, TextIO

from marketpulse.errors import MarketPulseError, OutputError

# What a terminal would obey instead of showing; line feeds and tabs are ours.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}


def prepare_streams() -> None:
    """Let no character crash a console that cannot show it, nor a console that is not there."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123 - so too
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish() -> None:
    """Let nothing wait for standard output; if that fails, it has been said."""
    try:
        sys.stdout.flush()
    except OSError:
        close_quietly()


def close_quietly(stream: TextIO | None = None) -> None:
    """Whoever read this, or standard output, has gone: nothing more is to be said to it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, (stream or sys.stdout).fileno())


def show_json(data: Any) -> None:
    """Print a result as JSON."""
    _put(_json(data, sys.stdout, indent=2))


def show_text(text: str) -> None:
    """Print a result that is text."""
    _put(text.translate(_CONTROLS))


def show_code(text: str) -> None:
    """Print a result that a program reads, to the letter where no terminal would obey it."""
    _put(text.translate(_CONTROLS) if sys.stdout.isatty() else text)


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as a table: drawn on a terminal, in plain columns elsewhere."""
    cells = [
        ["" if cell is None else str(cell).translate(_CONTROLS) for cell in row] for row in rows
    ]
    if sys.stdout.isatty():
        _draw(headers, cells)
    else:
        _put("\n".join(_columns([[*headers], *cells])))


def _draw(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - rich costs more than most commands
    from rich.console import Console  # noqa: PLC0415 - so too
    from rich.table import Table  # noqa: PLC0415 - so too
    from rich.text import Text  # noqa: PLC0415 - so too

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines as long as their words: a program may be reading."""
    broken = [[cell.splitlines() or [""] for cell in row] for row in rows]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*broken, strict=True)
    ]
    for row in broken:
        for line in zip_longest(*row, fillvalue=""):
            yield "  ".join(map(str.ljust, line, widths)).rstrip()


def show_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as CSV."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([headers, *rows])
    _put(lines.getvalue().rstrip("\n"))


def say(text: str) -> None:
    """Words beside the result, on standard error; no job ends because nobody reads them."""
    try:
        print(text.translate(_CONTROLS), file=sys.stderr)  # noqa: T201 - this is the output
    except OSError:
        close_quietly(sys.stderr)


def progress(*, quiet: bool, unit: str = "rows") -> Quiet | Bar | Lines:
    """Who shows how far a long job is: nobody, a bar on a terminal, or a line now and then."""
    if quiet:
        return Quiet()
    return Bar() if sys.stderr.isatty() else Lines(unit)


class Quiet:
    """Shows nothing."""

    def begin(self, table: str, rows: int | None) -> None:
        """A table begins."""

    def advance(self, rows: int) -> None:
        """More rows are written."""

    def end(self) -> None:
        """The table is written."""


class Lines:
    """A line on standard error every ten seconds: rows, rows a second, seconds left."""

    def __init__(self, unit: str) -> None:
        self._unit = unit

    def begin(self, table: str, rows: int | None) -> None:
        """A table begins."""
        self._table, self._of, self._rows = table, rows, 0
        self._began = self._told = time.monotonic()

    def advance(self, rows: int) -> None:
        """More rows are written."""
        self._rows += rows
        now = time.monotonic()
        if now - self._told < 10:
            return
        self._told = now
        rate = self._rows / (now - self._began)
        left = ""
        if self._of and 0 < self._rows < self._of:  # what a database expects is often too few
            left = f", {(self._of - self._rows) / rate:.0f} s left"
        say(f"{self._table}: {self._rows:,} {self._unit}, {rate:,.0f}/s{left}")

    def end(self) -> None:
        """The table is written."""


class Bar:
    """A bar on a terminal's standard error, gone when the table is written."""

    def begin(self, table: str, rows: int | None) -> None:
        """A table begins."""
        from rich.console import Console  # noqa: PLC0415 - rich costs more than most commands
        from rich.progress import (  # noqa: PLC0415 - so too
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        shown = table.translate(_CONTROLS).replace("[", r"\[")
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(shown, total=rows, rate="")
        self._rows, self._began = 0, time.monotonic()
        self._bar.start()

    def advance(self, rows: int) -> None:
        """More rows are written."""
        self._rows += rows
        rate = self._rows / max(time.monotonic() - self._began, 0.001)
        self._bar.update(self._task, advance=rows, rate=f"{rate:,.0f}/s")

    def end(self) -> None:
        """The table is written."""
        self._bar.stop()


def show_error(error: MarketPulseError, *, as_json: bool) -> None:
    """Print what happened and what to do, on standard error."""
    if as_json:
        say(_json({"error": error.as_json()}, sys.stderr))
        return
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")


def _json(data: Any, stream: TextIO, indent: int | None = None) -> str:
    """JSON in the characters that the stream can write; it stays JSON where they are few."""
    plain = (stream.encoding or "").lower().replace("-", "") != "utf8"
    return json.dumps(data, indent=indent, ensure_ascii=plain)


def _put(text: str) -> None:
    """Print to standard output, at once: an output that takes nothing more is known here."""
    try:
        print(text, flush=True)  # noqa: T201 - this is the output
    except BrokenPipeError:
        raise
    except OSError as error:
        close_quietly()
        raise OutputError(
            f"standard output cannot be written: {error.strerror or error}", hint="make room"
        ) from error


def log(level: int, *, as_json: bool, anew: bool = False) -> None:
    """Write the log to standard error, a line of text or of JSON for each entry.

    `anew` takes the place of whoever wrote it before.
    """
    text = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if as_json else logging.Formatter(text))
    logging.basicConfig(level=level, handlers=[handler], force=anew)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"time": moment, "level": record.levelname, "logger": record.name}
        told |= {"message": record.getMessage()} | getattr(record, "told", {})
        if record.exc_info and record.exc_info[0]:  # what it says may hold values
            last = traceback.extract_tb(record.exc_info[2])[-1]
            told["error"] = record.exc_info[0].__name__
            told["at"] = f"{Path(last.filename).name}:{last.lineno}"
        return json.dumps(told, ensure_ascii=False)
