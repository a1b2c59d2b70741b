"""Names: unique names, capitals, quoted identifiers, printable text."""

import pytest

from marketpulse.names import capitals, distinct, one_line, quoted


def test_distinct() -> None:
    """Equal names get numbers; a key's own name is not given to another key."""
    wishes = {"A/B": "A_B", "A:B": "a_b", "a_b": "a_b", "class": "class"}
    names = distinct(wishes, str.casefold, reserved=("class",))
    assert names == {"A/B": "A_B_2", "A:B": "a_b_3", "a_b": "a_b", "class": "class_2"}


@pytest.mark.parametrize(
    ("name", "expected"), [("colors", "COLORS"), ("é_1", "É_1"), ("straße", "STRAßE")]
)
def test_capitals(name: str, expected: str) -> None:
    """Each letter becomes one letter, as in Oracle."""
    assert capitals(name) == expected


def test_quoted() -> None:
    """Double quotes in a name are doubled."""
    assert quoted('say "x"') == '"say ""x"""'


def test_one_line() -> None:
    """Characters that are not printable are escaped."""
    assert one_line("a\nb\tc é\u202e") == "a\\nb\\tc é\\u202e"
