"""The shared model."""

from marketpulse.model import MalformedLine


def test_the_reason_of_a_malformed_line() -> None:
    """The reason has the number of fields and the expected number."""
    line = MalformedLine(after=3, fields=5, expected=4, text="a,b,c,d,e")
    assert line.reason == "5 fields instead of 4"
