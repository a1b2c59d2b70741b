"""Commands of hints: a shell reads back the words that they were made of."""

import os
import shlex
import subprocess
import sys

import pytest

from marketpulse.shell import command_line, pip_command

WORDS = ["push-s3", "a b", "it's", 'say "x"', "$HOME", "DATE 1=M/D/YYYY"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such shell")
def test_a_shell_reads_the_words_back() -> None:
    """Blanks, quotes and dollars survive the shell."""
    script = command_line([sys.executable, "-c", "import sys; print(sys.argv[1:])", *WORDS])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORDS}\n"


def test_an_extra_goes_into_this_python() -> None:
    """The command names this interpreter, and no single quotes, which Windows keeps."""
    command = pip_command("report")
    assert shlex.split(command)[1:] == ["-m", "pip", "install", "marketpulse[report]"]
    assert "'marketpulse" not in command
