"""Fixtures of the sources: a folder for temporary files, the demo market."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from marketpulse.sources.demo import DemoSource


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Callable[[], list[Path]]]:
    """Return a function that lists the folder for temporary files, which only this test uses."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield lambda: list(folder.iterdir())
    tempfile.tempdir = before


@pytest.fixture(scope="package")
def demo() -> Iterator[DemoSource]:
    """The demo market of the default size."""
    with DemoSource() as source:
        yield source
