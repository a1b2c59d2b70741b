"""What the tests of all formats share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all examples of a property test share."""
    return tmp_path_factory.mktemp("formats")
