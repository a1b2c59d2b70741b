"""Names: unique names, printable text."""

from marketpulse.extraction.names import make_distinct, one_line


def test_distinct() -> None:
    """Equal names get numbers; a key's own name is not given to another key."""
    wishes = {"A/B": "A_B", "A:B": "a_b", "a_b": "a_b", "class": "class"}
    names = make_distinct(wishes, str.casefold, reserved=("class",))
    assert names == {"A/B": "A_B_2", "A:B": "a_b_3", "a_b": "a_b", "class": "class_2"}


def test_one_line() -> None:
    """Characters that are not printable are escaped."""
    assert one_line("a\nb\tc é\u202e") == "a\\nb\\tc é\\u202e"
