"""Masks of values: equal ones stay equal, different ones different, and their form stays."""

import re
import unicodedata
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.extraction.masks.cells import mask_bytes, mask_numbers, mask_texts
from marketpulse.extraction.masks.key import MaskKey
from marketpulse.formats.cusip import are_valid_cusips

KEY = MaskKey("a-secret-of-the-tests-alone")
ISSUE = st.from_regex("[0-9A-Z*@#]{8}", fullmatch=True).filter(lambda text: text.strip("*@#"))
TEXTS = st.one_of(
    st.text(max_size=12),
    st.text("0123456789.-+ eE", max_size=9),
    st.from_regex(r"[0-9]{8,10}", fullmatch=True),
    st.from_regex(r" ?[0-9A-Za-z*@#]{8}[0-9]", fullmatch=True),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: format(number, "f")[:30]),
)


def mask(*texts: str | None) -> list[str | None]:
    """Return the masks of texts."""
    masked: list[str | None] = mask_texts(pa.array(texts, pa.string()), KEY.permutation).to_pylist()
    return masked


def shape(text: str) -> str:
    """A text with 9 for each digit, a and A for letters."""
    return re.sub("[a-z]", "a", re.sub("[A-Z]", "A", re.sub("[0-9]", "9", text)))


@given(st.lists(TEXTS, max_size=30))
def test_different_values_have_different_masks(texts: list[str]) -> None:
    """Of any kind, in any order, whatever is beside them."""
    masked = mask(*texts)
    assert len({*masked}) == len({*texts})
    assert masked == [mask(text)[0] for text in texts]


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_the_form_stays(text: str) -> None:
    """Letters stay letters of their case, digits digits; all else stays, and the value does not."""
    (masked,) = mask(text)
    assert masked is not None
    assert shape(masked) == shape(text)
    has_content = re.search("[A-Za-z1-9]", text) or (re.search("0", text) and not _is_zero(text))
    assert (masked != text) == bool(has_content)


def _is_zero(text: str) -> bool:
    """Whether a text has no digits but zeros at its ends, which stay."""
    return re.fullmatch(r"\s*[+-]?(0+\.?0*|\.0+)\s*", text, re.ASCII) is not None


@pytest.mark.parametrize("text", ["000000007", " 000000009 ", "********5", "*@#*@#*@0"])
def test_a_last_digit_alone(text: str) -> None:
    """It changes, although it is where the check digit of a CUSIP is."""
    (masked,) = mask(text)
    assert masked != text
    assert str(masked)[:-2] == text[:-2]


@given(ISSUE, st.sampled_from(["{}", "{} ", " {}"]), st.booleans())
def test_a_cusip_stays_one(issue: str, padding: str, lower: bool) -> None:
    """A valid one stays valid, any other does not become valid; blanks and case change nothing."""
    cusips = [f"{issue}{digit}" for digit in range(10)]
    plain = mask(*cusips)
    assert are_valid_cusips(pa.array(plain)).tolist() == are_valid_cusips(pa.array(cusips)).tolist()
    assert len({*plain}) == 10
    written = [padding.format(cusip.lower() if lower else cusip) for cusip in cusips]
    expected = [padding.format(str(cusip).lower() if lower else cusip) for cusip in plain]
    assert mask(*written) == expected


@pytest.mark.parametrize(
    "spellings",
    [["7", "7.0", "07.00", " 7 ", "+7", "-7"], ["101.7", "101.70", "0101.700"],
     ["123456789", "123456789.00"], [".5", "0.5", "00.50"], ["100", "100.0"]],
)  # fmt: skip
def test_equal_numbers_have_equal_masks(spellings: list[str]) -> None:
    """Sources write different zeros, signs and types."""
    magnitudes = {abs(Decimal(str(text))) for text in mask(*spellings)}
    assert len(magnitudes) == 1
    assert magnitudes != {abs(Decimal(spellings[0]))}


@pytest.mark.parametrize(
    ("data_type", "values"),
    [
        (pa.int8(), range(-128, 128)),
        (pa.uint8(), range(256)),
        (pa.int64(), [-(2**63), 2**63 - 1, 17_700_000_000_000_001, 0, 5]),
        (pa.uint64(), [2**64 - 1, 2**63]),
        (pa.decimal128(38, 2), [Decimal("9" * 36 + ".99"), Decimal("-0.01"), Decimal("12.50")]),
        (pa.float64(), [1.5, -0.25, 1e300, 1.7e308, 0.0]),
        (pa.float32(), [1.5, 3e38]),
    ],
)
def test_numbers_stay_in_their_type(data_type: pa.DataType, values: list[object]) -> None:
    """They keep sign, digits and places, and their masks are those of the same text."""
    texts = pa.array(values, data_type).cast(pa.string())
    masked = mask_numbers(texts, data_type, KEY.permutation)
    assert masked.type == data_type
    assert len(masked.unique()) == len(values)
    for value, other in zip(values, masked.to_pylist(), strict=True):
        assert (other == value) == (value == 0)
        assert (other < 0) == (value < 0)  # type: ignore[operator]  # numbers
    (seven,) = mask("7")
    assert mask_numbers(pa.array(["7"]), data_type, KEY.permutation)[0].as_py() == Decimal(
        seven or ""
    )


def test_what_has_no_digits_stays() -> None:
    """Nulls, empty texts, punctuation; NaN and infinities of a column of numbers."""
    assert mask(None, "", "--", "0", "000.00") == [None, "", "--", "0", "000.00"]
    texts = pa.array(["NaN", "inf", "-inf", None])
    cells = mask_numbers(texts, pa.float64(), KEY.permutation)
    assert cells.cast(pa.string()).to_pylist() == ["nan", "inf", "-inf", None]


def test_letters_of_other_scripts() -> None:
    """They become letters of the same script; what is no letter stays."""
    texts = ["Ünal", "東京", "Ωμέγα", "Тест", "ẞ🙂", "\U00031350"]
    for text, masked in zip(texts, map(str, mask(*texts)), strict=True):
        assert len(masked) == len(text)
        assert masked != text
        scripts = [[unicodedata.name(letter, "").partition(" ")[0] for letter in word]
                   for word in (text, masked)]  # fmt: skip
        if text not in texts[-2:]:  # the old Unicode does not know these
            assert scripts[0] == scripts[1]
            assert [letter.isupper() for letter in masked] == [c.isupper() for c in text]
    assert str(mask("a–b…")[0])[1::2] == "–…"


@given(st.lists(st.binary(max_size=6), max_size=12))
def test_bytes(values: list[bytes]) -> None:
    """They keep their length, and different ones stay different."""
    masked = mask_bytes(pa.array(values, pa.binary()), KEY.permutation).to_pylist()
    assert len({*masked}) == len({*values})
    for value, other in zip(values, masked, strict=True):
        assert len(other) == len(value)
        assert other != value or not value


def test_text_that_ends_in_a_zero_byte() -> None:
    """Its length stays, too."""
    assert str(mask("ab\0")[0])[2:] == "\0"


def test_a_key() -> None:
    """All that follows from it is the same again, and shows it nowhere."""
    again, other = MaskKey("a-secret-of-the-tests-alone"), MaskKey("another-secret-of-the-tests")
    assert again.fingerprint == KEY.fingerprint == "e44333ad705d95a3"
    assert again.days == KEY.days
    assert other.fingerprint != KEY.fingerprint
    assert KEY.days % 7 == 0
    assert -4000 < KEY.days <= -364
    assert "secret" not in repr(vars(KEY))
    assert again.decrypt(KEY.encrypt(b"x")) == b"x"
    with pytest.raises(ValueError, match="another key"):
        other.decrypt(KEY.encrypt(b"x"))


def test_long_texts() -> None:
    """Alone, a long text takes another way through the cipher, to the same mask."""
    texts = [f"{number:0150}x" for number in range(40)]
    assert mask(*texts) == [mask(text)[0] for text in texts]
