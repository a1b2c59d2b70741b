"""Errors: what they say to the user, and commands in their hints."""

import os
import subprocess
import sys
import traceback

import pytest

from marketpulse.errors import NotFoundError, UserNote, command_line, user_notes

WORDS = ["push-s3", "a b", "it's", 'say "x"', "$HOME", "DATE 1=M/D/YYYY"]


def test_notes_of_python_are_not_for_the_user() -> None:
    """Since Python 3.12 an interrupt while a class is made has a note that names its attribute."""
    error = KeyboardInterrupt()
    assert user_notes(error) == []
    error.add_note("Error calling __set_name__ on 'x' instance 'X' in 'Y'")
    error.add_note(UserNote("the rows are kept"))
    assert user_notes(error) == ["the rows are kept"]


def test_a_traceback_shows_the_hint() -> None:
    """In Python and notebooks nobody else shows it."""
    shown = traceback.format_exception(NotFoundError("no such file", hint="check the name"))
    assert shown[-1] == "hint: check the name\n"
    assert user_notes(NotFoundError("no such file", hint="check the name")) == []


def test_a_hint_that_grows_is_in_the_traceback() -> None:
    """What a command adds to the hint, such as how to resume, is there for Python, too."""
    error = NotFoundError("no such file", hint="check the name")
    error.add_hint("or name a folder")
    assert error.hint == "check the name; or name a folder"
    shown = traceback.format_exception(error)
    assert shown[-2:] == ["hint: check the name\n", "hint: or name a folder\n"]
    error = NotFoundError("no such file")
    error.add_hint("name a folder")
    assert error.hint == "name a folder"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such shell")
def test_a_shell_reads_the_words_of_a_command_back() -> None:
    """Blanks, quotes and dollars survive the shell."""
    script = command_line([sys.executable, "-c", "import sys; print(sys.argv[1:])", *WORDS])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORDS}\n"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://desk:pa/ss@word@host/day.csv", "https://desk:***@host/day.csv"),
        ("s3a:/key:secret@bucket", "s3a:/key:***@bucket"),
        ("https://desk:8080@host", "https://desk:***@host"),
        ("https://host:8080/day.csv", "https://host:8080/day.csv"),
        ("https://host:8080/days@noon.csv", "https://host:8080/days@noon.csv"),
        ("https://[::1]:8080/days@noon.csv", "https://[::1]:8080/days@noon.csv"),
        ("C:/days/a@b.csv", "C:/days/a@b.csv"),
    ],
)
def test_an_error_does_not_repeat_the_password_of_an_address(address: str, shown: str) -> None:
    """An address that is refused may have been copied with user and password."""
    error = NotFoundError(f"{address}: no such file")
    assert (error.message, str(error)) == (f"{shown}: no such file",) * 2
