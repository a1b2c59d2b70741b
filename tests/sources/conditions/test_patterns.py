"""The patterns of LIKE and REGEXP_LIKE: Oracle's meaning, or a refusal."""

import pytest

from marketpulse.sources.conditions.patterns import like, regexp_like
from marketpulse.sources.conditions.tokens import ConditionError


@pytest.mark.parametrize(
    ("pattern", "options", "found", "missed"),
    [
        ("^b", "", ["ba"], ["ab", "a\nb"]),
        ("^b", "m", ["ba", "a\nb"], ["ab"]),
        ("a$", "", ["ba"], ["ab", "a\nb", "a\n"]),
        ("a$", "m", ["ba", "a\nb"], ["ab"]),
        ("a.b", "", ["axb"], ["a\nb", "ab"]),
        ("a.b", "n", ["axb", "a\nb"], ["ab"]),
        ("AB", "i", ["xab"], ["ba"]),
        ("ab", "c", ["ab"], ["AB"]),
        ("[[:digit:]]", "", ["a1"], ["a"]),
        ("^[[:alpha:]_]+$", "", ["a_b", "é"], ["a1", ""]),
        ("^[^[:digit:]x-z]$", "", ["a", "w"], ["1", "y", "z"]),
        ("^[]a]$", "", ["]", "a"], ["b"]),
        ("^[a-]$", "", ["a", "-"], ["b"]),
        ("^[-a]$", "", ["a", "-"], ["b"]),
        ("^[a-c]{2}$", "", ["ab", "cc"], ["a", "abc", "ad"]),
        ("^a{1,2}$", "", ["a", "aa"], ["", "aaa"]),
        ("^a{2,}$", "", ["aa", "aaa"], ["a"]),
        (r"^\d\w\W\s\S\D$", "", ["1a- xx", "1_- xx"], ["aa- xx", "1-- xx", "1aa xx"]),
        (r"^a\.b$", "", ["a.b"], ["axb"]),
        ("^(ab|c)+d?$", "", ["abc", "cd", "ababd"], ["d", "abdd"]),
        ("^a*b+?c$", "", ["bc", "aabbc"], ["ac"]),
    ],
)
def test_a_regular_expression(
    pattern: str, options: str, found: list[str], missed: list[str]
) -> None:
    """Texts in which the pattern is found, and texts in which it is not."""
    matches = regexp_like(pattern, *([options] if options else []))
    assert [text for text in found if not matches(text)] == []
    assert [text for text in missed if matches(text)] == []


@pytest.mark.parametrize(
    "pattern", ["a)", "(a", "[a", "[[:digits:]]", "*a", "[[:digit:]", "a**", "a]", "a}", "{a"]
)
def test_a_wrong_expression_is_refused(pattern: str) -> None:
    """What Oracle refuses, or reads in a way of its own, is not guessed."""
    with pytest.raises(ConditionError):
        regexp_like(pattern)("a")


def test_like_with_an_escape() -> None:
    """A mark after the escape stands for itself."""
    assert like("a%").fullmatch("a\nb")
    assert not like("a_").fullmatch("a")
    assert like("50!%", "!").fullmatch("50%")
    assert not like("50!%", "!").fullmatch("500")
    for pattern in ("50!", "5!0"):
        with pytest.raises(ConditionError):
            like(pattern, "!")
