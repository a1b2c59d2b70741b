"""Commands of hints: a shell reads back the words that they were made of."""

import os
import subprocess
import sys

import pytest

from marketpulse.shell import command_line

WORDS = ["push-s3", "a b", "it's", 'say "x"', "$HOME", "DATE 1=M/D/YYYY"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such shell")
def test_a_shell_reads_the_words_back() -> None:
    """Blanks, quotes and dollars survive the shell."""
    script = command_line([sys.executable, "-c", "import sys; print(sys.argv[1:])", *WORDS])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{WORDS}\n"
