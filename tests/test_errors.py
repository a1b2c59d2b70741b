"""Errors: what they say to the user, and commands in their hints."""

import os
import subprocess
import sys

import pytest

from marketpulse.errors import UserNote, command_line, user_notes

WORDS = ["push-s3", "a b", "it's", 'say "x"', "$HOME", "DATE 1=M/D/YYYY"]


def test_notes_of_python_are_not_for_the_user() -> None:
    """Since Python 3.12 an interrupt while a class is made has a note that names its attribute."""
    error = KeyboardInterrupt()
    assert user_notes(error) == []
    error.add_note("Error calling __set_name__ on 'x' instance 'X' in 'Y'")
    error.add_note(UserNote("the rows are kept"))
    assert user_notes(error) == ["the rows are kept"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such shell")
def test_a_shell_reads_the_words_of_a_command_back() -> None:
    """Blanks, quotes and dollars survive the shell."""
    script = command_line([sys.executable, "-c", "import sys; print(sys.argv[1:])", *WORDS])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORDS}\n"
