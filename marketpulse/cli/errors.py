"""The error boundary: the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import typer

from marketpulse.cli import console
from marketpulse.cli.interrupts import interruption
from marketpulse.errors import (
    MarketPulseError,
    OutputError,
    UsageError,
    hide_password,
    user_notes,
)
from marketpulse.version import __version__


@contextmanager
def error_boundary(arguments: Sequence[str], *, verbose: Callable[[], bool]) -> Iterator[None]:
    """Show an error as one message on standard error and raise `typer.Exit` with its code.

    With `--format json` among the arguments the message is JSON. A reader that closes the pipe
    early (`| head`) is no error: exit code 0. `verbose` says whether to add the traceback of a bug.
    """
    as_json = wants_json(arguments)
    try:
        yield
    except typer.Exit:
        raise
    except BrokenPipeError:
        console.close_quietly()
        raise typer.Exit(0) from None
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, typer.TyperException):
            error.message = _plain_words(error.message)
            if not as_json and not console.message_format.as_json:
                raise  # Typer shows the usage beside its own message
        code = _show(error, as_json=as_json, verbose=verbose())
        _release_frames(error)
        raise typer.Exit(code) from None


# Typer lets pydantic read the values of options, and passes its words on.
_WORDS = (
    (r"Value error, (.*) is not one of (.*)\.$", r"\1 is not one of \2"),
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be greater than or equal to (.*)", r"must be \1 or more"),
    (r"Input should be less than or equal to (.*)", r"must be \1 or less"),
    (
        r"('(?:csv|ndjson|parquet|xlsx)' is not one of 'table', .*)",
        r"\1; --formats is for files",
    ),
)


def _plain_words(message: str) -> str:
    """What is wrong with an option, in our words."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return hide_password(message)


def _show(error: BaseException, *, as_json: bool, verbose: bool) -> int:
    """Show the message of an error. Returns the exit code."""
    # DuckDB turns a KeyboardInterrupt into an error of its own: what was received counts.
    # Typer makes an Abort of Ctrl-C and of Ctrl-D at a question, whose line is not finished.
    if isinstance(error, typer.Abort):
        console.say("")
    if isinstance(error, KeyboardInterrupt | typer.Abort) or interruption.signal is not None:
        console.say(interruption.text)
        for note in user_notes(error):
            console.say(note)
        return interruption.exit_code
    shown = _translate(error)
    if shown is not error and verbose:
        console.say("".join(traceback.format_tb(error.__traceback__)).rstrip())
    console.show_error(shown, as_json=as_json)
    return shown.exit_code


def _release_frames(error: BaseException | None) -> None:
    """Clear the frames of an error: DuckDB prints a warning for every object alive at exit."""
    cleared: set[int] = set()
    # Errors of SQLAlchemy and of the driver refer to each other.
    while error and id(error) not in cleared:
        cleared.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def wants_json(arguments: Sequence[str], option: str = "--format") -> bool:
    """Whether an option asks for JSON, on a command line that is not parsed yet."""
    return f"{option}=json" in arguments or (option, "json") in pairwise(arguments)


def _translate(error: BaseException) -> MarketPulseError:
    """The error as a `MarketPulseError`. Any unknown error is a bug, named with its line."""
    if isinstance(error, MarketPulseError):
        return error
    if isinstance(error, typer.TyperException):
        return UsageError(error.format_message(), hint="see --help")
    if isinstance(error, OSError):
        message = f"{error.filename}: " if error.filename else ""
        message += error.strerror or str(error)
        if error.errno == errno.ENOSPC:
            return OutputError(message, hint="free some space, also for temporary files (TMPDIR)")
        return UsageError(message, hint="check the name and the permissions")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = f"{Path(frame.filename).name}:{frame.lineno}"
    first_line = str(error).partition("\n")[0]
    return MarketPulseError(
        f"a bug in MarketPulse {__version__}: {type(error).__name__} in {line}: {first_line}",
        hint="please report this line; `marketpulse -v COMMAND` shows more",
    )
