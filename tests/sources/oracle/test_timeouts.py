"""The deadline of a command."""

import pytest

from marketpulse.errors import UnreachableError
from marketpulse.sources.oracle.timeouts import Deadline


def test_time_that_is_left() -> None:
    """A wait lasts no longer than the command, and none begins after its end."""
    assert Deadline(None, "db").limit(7) == 7
    assert 0 < Deadline(1, "db").limit(7) <= 1
    with pytest.raises(UnreachableError, match="db: the deadline of 0 s has passed"):
        Deadline(0, "db").limit(7)
