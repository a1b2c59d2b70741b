"""The command that prints the password, and the folder where refused passwords are kept."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from marketpulse.errors import SettingsError
from marketpulse.model import format_count

PASSWORD_COMMAND = "ORACLE_PASSWORD_COMMAND"  # noqa: S105 - a setting's name
_SECONDS = 60.0  # for the command: it may ask for a second factor
_CHECK = "MP-SET-003"


def run_password_command(command: str) -> str:
    """Run the command and return the password that it prints, without the line end.

    It runs without a shell. Its standard input and standard error are those of this process, so
    it can ask questions. Raises `SettingsError`, which repeats neither the command nor its output.
    """
    if not command.strip():
        raise _error("it is empty", "name a program, or leave it out")
    try:
        # Windows gives a program its whole command line; elsewhere the words are split here.
        words = command if os.name == "nt" else shlex.split(command)
        output = subprocess.check_output(words, timeout=_SECONDS)  # noqa: S603 - the user's own command
    except ValueError:
        # `from None` here and below: the errors of Python repeat the command or its output.
        raise _error("a quote in it is not closed", "close the quote") from None
    except OSError as error:
        raise _error(
            f"it cannot be started: {error.strerror}", "check the program's path"
        ) from None
    except subprocess.CalledProcessError as error:
        raise _error(
            f"it ended with exit code {error.returncode}", "run it by hand; it says why there"
        ) from None
    except subprocess.TimeoutExpired:
        raise _error(
            f"it did not end within {_SECONDS:g} s", "run it by hand to see what it waits for"
        ) from None
    try:
        # One line end only: a password may end with a blank.
        password = output.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise _error("its output is not UTF-8", "make it print only the password") from None
    if not password or "\n" in password:
        lines = format_count(password.count("\n") + 1 if password else 0, "line")
        raise _error(f"it printed {lines}", "make it print only the password, on one line")
    return password


def state_folder(environment: Mapping[str, str]) -> Path | None:
    """The folder for what MarketPulse remembers of a user; None if the user has no home."""
    if folder := environment.get("XDG_STATE_HOME"):
        return Path(folder) / "marketpulse"
    if folder := environment.get("LOCALAPPDATA"):
        return Path(folder) / "marketpulse"
    home = environment.get("HOME")
    return Path(home) / ".local" / "state" / "marketpulse" if home else None


def _error(reason: str, hint: str) -> SettingsError:
    return SettingsError(f"{PASSWORD_COMMAND}: {reason}", hint=hint, check=_CHECK)
