"""The errors that users see: one class for each exit code, each with a message and a remedy."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

# As in https://user:password@host/. A Path has lost a slash. What follows the port of a host,
# https://host:8080/a@b, is a path.
_PASSWORD = re.compile(r"(?<=:/)(/?(?!\[)[^\s/:@]*:)(?!\d{1,5}/)\S*@")


class MarketPulseError(Exception):
    """An error that the user can mend. `message` says what happened and where, `hint` what to do.

    `check` is the stable id of the error, the same in every release; `exit_code` belongs to the
    class. The message does not repeat the password of an address.
    """

    exit_code: ClassVar[int] = 1
    check: str = "MP-BUG-001"

    def __init__(self, message: str, *, hint: str = "", check: str = "") -> None:
        self.message = hide_password(message)
        super().__init__(self.message)
        self.hint = ""
        self.check = check or type(self).check
        if hint:
            self.add_hint(hint)

    def add_hint(self, text: str) -> None:
        """Say what else to do. Python and notebooks show it below the traceback, too."""
        self.hint = f"{self.hint}; {text}" if self.hint else text
        self.add_note(f"hint: {text}")

    def __str__(self) -> str:
        return self.message

    def as_json(self) -> dict[str, object]:
        """The error as `--format json`, the log of the function and HTTP show it."""
        return {
            "check": self.check,
            "message": self.message,
            "hint": self.hint,
            "exit_code": self.exit_code,
        }


def hide_password(text: str) -> str:
    """The text with asterisks for the password of an address, https://user:***@host/."""
    return _PASSWORD.sub(r"\1***@", text)


class UserNote(str):
    """A note for the user, to be added to an error that is not ours by `add_note`."""

    __slots__ = ()


def user_notes(error: BaseException) -> list[str]:
    """Return the notes for the user. Python and libraries add others, in their own words."""
    return [note for note in getattr(error, "__notes__", ()) if isinstance(note, UserNote)]


@contextmanager
def shown_as(path: str | Path, label: str) -> Iterator[None]:
    """Let errors name a file as the user knows it; its path may be that of a temporary copy."""
    try:
        yield
    except MarketPulseError as error:
        error.message = error.message.replace(str(path), label)
        raise


def command_line(words: Iterable[str]) -> str:
    """Return a command that a hint prints, as it can be typed on this system.

    Windows' Command Prompt knows no single quotes.
    """
    if sys.platform != "win32":
        return shlex.join(words)
    from subprocess import list2cmdline  # noqa: PLC0415 - only Windows needs it

    return list2cmdline([*words])


def address_hint(place: object) -> str:
    """The remedy for an address that was taken for a path, Path("s3://...") too; "" for a path."""
    # Two letters or more before the colon: C:\ is a drive of Windows.
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):[/\\]", str(place))
    if match is None:
        return ""
    if match[1].lower() == "s3":
        return (
            "write an address as text, s3://bucket/prefix/ in small letters: a Path loses a slash"
        )
    return "files and addresses such as s3://bucket/prefix/ are read: download this first"


class UsageError(MarketPulseError):
    """The options, or the arguments of a call, are invalid or do not fit together."""

    exit_code = 2
    check = "MP-USE-001"


class OutputError(UsageError):
    """The output cannot be written: no permission, a full disk, a file in the way."""

    check = "MP-USE-002"


class SettingsError(MarketPulseError):
    """A setting or a credential that the command needs is missing or invalid."""

    exit_code = 3
    check = "MP-SET-001"


class UnreachableError(MarketPulseError):
    """The database or the cluster cannot be reached, does not answer, or closes the connection."""

    exit_code = 4
    check = "MP-NET-006"


class ConnectionLostError(UnreachableError):
    """The connection broke after the login. A new one may succeed."""


class LoginError(MarketPulseError):
    """The database answers, and refuses the login or the access to a table."""

    exit_code = 5
    check = "MP-LOG-001"


class NotFoundError(MarketPulseError):
    """A file, a folder, a table or a run does not exist, or cannot be opened."""

    exit_code = 6
    check = "MP-SRC-001"


class DataError(MarketPulseError):
    """The input does not match its format, or the columns do not match the contract."""

    exit_code = 7
    check = "MP-DAT-001"


class RulesError(DataError):
    """The exclusion rules are invalid, or do not fit the columns of the input."""

    check = "MP-RUL-001"


class AwsError(MarketPulseError):
    """AWS, or a store with the API of S3, refuses a request, fails or does not answer."""

    exit_code = 8
    check = "MP-AWS-005"


def is_network_error(error: MarketPulseError) -> bool:
    """Return whether the network failed, not the statement or the object."""
    return error.check.startswith(("MP-NET-", "MP-TNS-"))
