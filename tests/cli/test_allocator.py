"""The allocator: memory that is freed is used again, not returned to the system."""

import subprocess
import sys

import pytest

ARRAYS = """
import resource
from marketpulse.cli.allocator import keep_freed_memory
keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    batch = [b"x" * 200_000 for _ in range(20)]
    batch.clear()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's limits")
def test_freed_memory_is_used_again() -> None:
    """Fifty batches of 4 MB take the 1,000 pages of one, and some more, not 50,000."""
    command = [sys.executable, "-c", ARRAYS]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(process.stdout) < 5000
