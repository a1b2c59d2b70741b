"""Names: capitals, quoted identifiers."""

import pytest

from marketpulse.sources.names import capitals, quoted


@pytest.mark.parametrize(
    ("name", "expected"), [("colors", "COLORS"), ("é_1", "É_1"), ("straße", "STRAßE")]
)
def test_capitals(name: str, expected: str) -> None:
    """Each letter becomes one letter, as in Oracle."""
    assert capitals(name) == expected


def test_quoted() -> None:
    """Double quotes in a name are doubled."""
    assert quoted('say "x"') == '"say ""x"""'
