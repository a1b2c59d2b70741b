"""Values of a rules file that are no operands."""

from decimal import Decimal

import pytest

from marketpulse.colors.rules.values import parse_id, show_value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((" a ", "a"), (7, "7"), (Decimal("7.0"), "7"), ("07", "07")),
        *((" ", None), (Decimal("7.5"), None), (Decimal("1e999999"), None), (7.0, None)),
        *((None, None), (True, None), ([], None)),
    ],
)
def test_an_id_is_text_or_a_whole_number(value: object, expected: str | None) -> None:
    """An id becomes text; anything else, or a number of absurd length, is none."""
    assert parse_id(value) == expected


def test_a_value_in_a_message_is_short() -> None:
    """A value is quoted and cut; null counts as missing, and a list or an object says so."""
    assert show_value(None) == "missing"
    assert (show_value([Decimal(2)]), show_value({"a": 1})) == ("a list", "an object")
    assert show_value(True) == "'true'"
    assert show_value(5) == "'5'"
    assert len(show_value("word " * 100)) <= 80
