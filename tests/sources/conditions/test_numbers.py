"""Oracle's numbers: their text, their digits, and what is computed with them."""

from decimal import Decimal

import pytest

from marketpulse.sources.conditions import numbers
from marketpulse.sources.conditions.tokens import ConditionError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(("100", "100"), ("1.50", "1.5"), ("0.5", ".5"), ("-0.50", "-.5"), ("0.0", "0")),
        *(("-0", "0"), ("1E+3", "1000"), ("7.00", "7"), ("1E+39", "1" + "0" * 39)),
    ],
)
def test_the_text_of_a_number(value: str, text: str) -> None:
    """No zero stands before the point or at the end."""
    assert numbers.format_number(Decimal(value)) == text


def test_text_that_is_too_long() -> None:
    """Oracle would write an exponent."""
    with pytest.raises(ConditionError, match="more than 40 digits"):
        numbers.format_number(Decimal("1E+40"))
    with pytest.raises(ConditionError, match="it has no text"):
        numbers.format_number(Decimal("Infinity"))


def test_20_digits_of_base_100() -> None:
    """They are 40 decimal digits where the first pair has two, else 39; half is rounded up."""
    assert numbers.divide(Decimal(1), Decimal(3)) == Decimal("0." + "3" * 40)
    assert numbers.divide(Decimal(10), Decimal(3)) == Decimal("3." + "3" * 38)
    assert numbers.divide(Decimal(100), Decimal(3)) == Decimal("33." + "3" * 38)
    assert numbers.divide(Decimal(2), Decimal(3)) == Decimal("0." + "6" * 39 + "7")
    digits = Decimal("1234567890" * 3 + "1234567895")
    assert numbers.add(digits, Decimal(0)) == digits
    tenfold = Decimal("1234567890" * 3 + "123456790E2")
    assert numbers.multiply(digits, Decimal(10)) == tenfold


def test_arithmetic() -> None:
    """Exact; the remainder has the sign of the first number."""
    assert numbers.subtract(Decimal("98.5"), Decimal("98.50")) == 0
    assert numbers.modulo(Decimal(-7), Decimal(3)) == -1
    assert numbers.modulo(Decimal(7), Decimal(-3)) == 1
    assert numbers.modulo(Decimal(7), Decimal(0)) == 7
    with pytest.raises(ConditionError, match="divided by zero"):
        numbers.divide(Decimal(1), Decimal(0))


@pytest.mark.parametrize(
    ("value", "places", "rounded", "cut"),
    [
        *(("2.5", 0, "3", "2"), ("-2.5", 0, "-3", "-2"), ("98.449", 1, "98.4", "98.4")),
        *(("98.45", 1, "98.5", "98.4"), ("155", -1, "160", "150"), ("50", -2, "100", "0")),
        *(
            ("1.5", 500, "1.5", "1.5"),
            ("1.5", -500, "0", "0"),
            ("Infinity", 0, "Infinity", "Infinity"),
        ),
    ],
)
def test_places(value: str, places: int, rounded: str, cut: str) -> None:
    """Half is rounded away from zero; negative places are left of the point."""
    number = Decimal(value)
    assert numbers.round_half_up(number, Decimal(places)) == Decimal(rounded)
    assert numbers.truncate(number, Decimal(places)) == Decimal(cut)


@pytest.mark.parametrize("text", ["98.5", " 98.50 ", "+9.85E1", "985e-01", "098.5"])
def test_text_that_is_a_number(text: str) -> None:
    """Blanks around it, a sign and an exponent belong to a number."""
    assert numbers.parse_number(text) == Decimal("98.5")


@pytest.mark.parametrize("text", ["", " ", "1 0", "1,5", "n/a", "NaN", "1e", "1e1234", ".", "--1"])
def test_text_that_is_no_number(text: str) -> None:
    """It is refused, not null."""
    with pytest.raises(ConditionError, match="is compared as a number, and is not one"):
        numbers.parse_number(text)
