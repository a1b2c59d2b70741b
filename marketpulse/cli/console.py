"""Text and tables for people, JSON for programs: the only module that prints.

Results go to standard output, everything else to standard error. Meaning never depends on colour.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from marketpulse.errors import MarketPulseError, OutputError, command_line
from marketpulse.model import NO_PROGRESS, Progress

if TYPE_CHECKING:
    import rich.progress

_STAGE_SECONDS, _LINE_SECONDS, _BAR_SECONDS = 1.0, 10.0, 0.2  # between displays of progress

# Control characters in a cell could command the terminal: they are shown as escapes. Line feeds and
# tabs are allowed.
_ESCAPES = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}


# "warning: ...", or "2026-03-13: error: ..." of one of several days.
_LEVEL = re.compile(r"((?:\S+: )?)(warning|error): (.*)", re.DOTALL)


class MessageFormat:
    """How messages are printed on standard error: as text, or as one JSON object in a line."""

    as_json = False


message_format = MessageFormat()


def prepare_streams() -> None:
    """Make streams safe: a missing console swallows the output, an unknown character is escaped."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish() -> None:
    """Flush standard output. A failure was reported when the text was printed."""
    try:
        sys.stdout.flush()
    except OSError:
        close_quietly()


def close_quietly(stream: TextIO | None = None) -> None:
    """Discard all further output to a stream (standard output by default): its reader has left.

    Python would otherwise fail again when it flushes the stream at exit.
    """
    # The descriptor, not sys.stdout: text that is still buffered goes there as well.
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, (stream or sys.stdout).fileno())


def show_json(data: object) -> None:
    """Print a result as JSON."""
    _put(_json(data, sys.stdout, indent=2))


def show_text(text: str) -> None:
    """Print a result that is text."""
    _put(text.translate(_ESCAPES))


def show_code(text: str) -> None:
    """Print a result that a program reads, in UTF-8. Only a terminal gets it escaped."""
    if sys.stdout.isatty():
        _put(text.translate(_ESCAPES))
        return
    # Windows would encode it as for a console, and what that lacks would not come back.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    _put(text)


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as a table: with lines on a terminal, in plain columns elsewhere."""
    cells = [
        ["" if cell is None else str(cell).translate(_ESCAPES) for cell in row] for row in rows
    ]
    if sys.stdout.isatty():
        _draw(headers, cells)
    else:
        header, *lines = _columns([[*headers], *cells])
        if _is_style_forced():
            header = f"\x1b[1m{header}\x1b[0m"
        _put("\n".join([header, *lines]))


def _is_style_forced() -> bool:
    """Whether a table off a terminal has its header in bold; its columns stay as they are."""
    by_cli_color = os.environ.get("CLICOLOR_FORCE", "") not in {"", "0"}
    is_forced = by_cli_color or bool(os.environ.get("FORCE_COLOR"))
    return is_forced and not os.environ.get("NO_COLOR")


def _draw(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    # Imported lazily: rich takes longer to load than most commands take to run.
    from rich import box  # noqa: PLC0415 - see above
    from rich.console import Console  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415 - see above
    from rich.text import Text  # noqa: PLC0415 - see above

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as Text: [brackets] in a string would be markup
    Console(highlight=False).print(table)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table in plain columns. No cell is cut: a program may read them."""
    cells = [[cell.splitlines() or [""] for cell in row] for row in rows]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*cells, strict=True)
    ]
    for row in cells:
        for line in zip_longest(*row, fillvalue=""):
            yield "  ".join(map(str.ljust, line, widths)).rstrip()


def show_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a result as CSV."""
    lines = io.StringIO()
    csv.writer(lines, lineterminator="\n").writerows([headers, *rows])
    show_code(lines.getvalue().rstrip("\n"))


def say(text: str) -> None:
    """Print a message on standard error. A reader that has left does not stop the job.

    Commands in backticks are printed as they can be typed here. A terminal gets lines that break
    between words. As JSON it is one line, with the level that the text begins with.
    """
    if "`marketpulse " in text:
        text = text.replace("`marketpulse ", f"`{program()} ")
    text = text.translate(_ESCAPES)
    if message_format.as_json:
        match = _LEVEL.fullmatch(text)
        level, message = (match[2].upper(), match[1] + match[3]) if match else ("INFO", text)
        text = _json({"level": level, "message": message.strip()}, sys.stderr)
    elif sys.stderr.isatty():
        text = "\n".join(map(_wrapped, text.split("\n")))
    _put_message(text)


def _put_message(text: str) -> None:
    try:
        print(text, file=sys.stderr)  # noqa: T201 - this is the output
    except OSError:
        close_quietly(sys.stderr)


def program() -> str:
    """The words that start this program in the working folder."""
    path = Path(sys.argv[0])
    # `python -m marketpulse`, a test or another program that calls us.
    if path.stem != "marketpulse" or not path.is_file():
        return "marketpulse"
    found = shutil.which("marketpulse")
    if found and path.samefile(found):
        return "marketpulse"
    inside = path.is_relative_to(Path.cwd())
    return command_line([str(path.relative_to(Path.cwd()) if inside else path)])


def _wrapped(line: str) -> str:
    """The line, broken between words where the terminal ends; what follows is indented."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    width = max(shutil.get_terminal_size().columns, 40)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def is_interactive() -> bool:
    """Whether questions can be asked: a terminal shows them and gives the answers."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, default: str = "") -> str:
    """Ask on the terminal; return the answer without outer blanks."""
    import typer  # noqa: PLC0415 - for questions alone

    # On standard error, because standard output may go to a file or a program.
    answer: str = typer.prompt(question, default=default, show_default=bool(default), err=True)
    return answer.strip()


def ask_password(username: str) -> str:
    """Ask for the password of a user, without showing it."""
    import typer  # noqa: PLC0415 - for questions alone

    password: str = typer.prompt(f"Password of {username}", hide_input=True, err=True)
    return password


def confirm(question: str) -> bool:
    """Ask a question that is answered by yes or no; an empty answer is yes."""
    import typer  # noqa: PLC0415 - for questions alone

    return typer.confirm(question, default=True, err=True)


def progress(*, quiet: bool, unit: str = "rows") -> Progress:
    """A progress display: none, a bar on a terminal, or lines elsewhere.

    It appears when the job has taken two seconds.
    """
    if quiet:
        return NO_PROGRESS
    is_drawn = sys.stderr.isatty() and not message_format.as_json
    return Bar(unit) if is_drawn else Lines(unit)


class _Display:
    """Shows the stage of a job from a thread of its own, so that a silent stage is shown, too."""

    def __init__(self, unit: str, quiet_seconds: float = 2.0) -> None:
        self._unit = unit
        self._quiet_until = self._next = time.monotonic() + quiet_seconds

    def begin(self, name: str, total: int | None) -> None:
        """Begin a stage; `total` is None if it is unknown, and often an estimate."""
        self._name, self._total, self._done = name, total, 0
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=[self._ended], daemon=True)
        self._thread.start()

    def advance(self, more: int) -> None:
        """Count more."""
        self._done += more

    def end(self) -> None:
        """End the stage."""
        self._ended.set()
        self._thread.join()

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(max(self._next - time.monotonic(), 0)):
            self._next = time.monotonic() + self._show()

    def _show(self) -> float:
        """Show the stage; return after how many seconds to do it again."""
        raise NotImplementedError

    def _rate(self) -> float:
        return self._done / max(time.monotonic() - self._started, 0.001)


class Lines(_Display):
    """Lines on standard error: stage, count, rate, seconds left."""

    def begin(self, name: str, total: int | None) -> None:
        """Begin a stage. Its first line comes a second later, if none comes before."""
        soon = min(self._next, time.monotonic() + _STAGE_SECONDS)
        self._next = max(soon, self._quiet_until)
        super().begin(name, total)

    def _show(self) -> float:
        done, rate = self._done, self._rate()
        if not done:
            say(f"{self._name}: {time.monotonic() - self._started:.0f} s so far")
            return _LINE_SECONDS
        total = left = ""
        if self._total and done < self._total:
            total = f" of {self._total:,}"
            left = f", {(self._total - done) / rate:.0f} s left"
        say(f"{self._name}: {done:,}{total} {self._unit}, {rate:,.0f}/s{left}")
        return _LINE_SECONDS


class Bar(_Display):
    """A bar on a terminal's standard error. It disappears at the end of the stage."""

    _bar: rich.progress.Progress | None = None

    def _show(self) -> float:
        if self._bar is None:
            self._bar = self._draw()
        rate = f"{self._rate():,.0f} {self._unit}/s" if self._done else ""
        self._bar.update(self._task, completed=self._done, rate=rate)
        return _BAR_SECONDS

    def end(self) -> None:
        """End the stage."""
        super().end()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self) -> rich.progress.Progress:
        from rich.console import Console  # noqa: PLC0415 - rich loads slowly
        from rich.progress import (  # noqa: PLC0415 - rich loads slowly
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        shown = self._name.translate(_ESCAPES).replace("[", r"\[")
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = bar.add_task(shown, total=self._total, rate="")
        bar.start()
        return bar


def show_error(error: MarketPulseError, *, as_json: bool) -> None:
    """Print what happened and what to do, on standard error.

    With `as_json` it is what a command with `--format json` prints instead of its result.
    """
    if as_json or message_format.as_json:
        content = error.as_json()
        entry = {"error": content} if as_json else {"level": "ERROR", **content}
        _put_message(_json(entry, sys.stderr))
        return
    say(f"error: {error.message}")
    if error.hint:
        say(f"  hint: {error.hint}")


def _json(data: object, stream: TextIO, indent: int | None = None) -> str:
    """JSON in the characters that the stream can encode; others become JSON's own escapes."""
    ascii_only = (stream.encoding or "").lower().replace("-", "") != "utf8"
    return json.dumps(data, indent=indent, ensure_ascii=ascii_only)


def _put(text: str) -> None:
    """Print to standard output and flush it, so that a full disk is reported here.

    Raises `BrokenPipeError` if the reader has left, `OutputError` for any other failure.
    """
    try:
        print(text, flush=True)  # noqa: T201 - this is the output
    except BrokenPipeError:
        raise
    except OSError as error:
        close_quietly()
        raise OutputError(
            f"standard output cannot be written: {error.strerror or error}",
            hint="free some disk space, or write to another place",
        ) from error
