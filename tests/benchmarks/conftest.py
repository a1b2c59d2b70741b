"""What the benchmarks share."""

import compileall

import pytest
from support import ROOT


@pytest.fixture(scope="session", autouse=True)
def _bytecode() -> None:
    """Compile the package, as an installation does: else each process may do it again."""
    compileall.compile_dir(ROOT / "marketpulse", quiet=1)
