"""The CUSIP check against CUSIPs that exist, and against the rule written out."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.formats.cusip import are_valid_cusips

CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*@#"


def check_digit(cusip: str) -> str:
    """The check digit of the first eight characters, one character at a time."""
    total = 0
    for place, character in enumerate(cusip[:8]):
        value = CHARACTERS.index(character) * (2 if place % 2 else 1)
        total += sum(map(int, str(value)))
    return str(-total % 10)


@pytest.mark.parametrize(
    ("cusip", "valid"),
    [
        ("037833100", True),
        ("594918104", True),
        ("1TEKH3IR5", True),
        ("00077TAA2", True),
        ("037833101", False),
        ("03783310", False),
        ("0378331000", False),
        ("1tekh3ir5", False),
        (" 37833100", False),
        ("03783310X", False),
        ("", False),
    ],
)
def test_nine_characters_and_the_right_check_digit(cusip: str, valid: bool) -> None:
    """A cell of another length, in lower case or with a wrong digit is not a CUSIP."""
    assert are_valid_cusips(pa.array([cusip])).tolist() == [valid]


@given(st.lists(st.text(CHARACTERS, min_size=8, max_size=8), max_size=20), st.data())
def test_every_check_digit_is_the_one_of_the_rule(stems: list[str], data: st.DataObject) -> None:
    """Of the ten digits just one is right, in any mixture of cells."""
    digits = [data.draw(st.sampled_from("0123456789")) for _ in stems]
    cells = [stem + digit for stem, digit in zip(stems, digits, strict=True)]
    valid = [check_digit(stem) == digit for stem, digit in zip(stems, digits, strict=True)]
    assert are_valid_cusips(pa.array(cells, pa.string())).tolist() == valid
