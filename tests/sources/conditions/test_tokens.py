"""The words of conditions: where each begins and ends, and what has no end."""

import pytest

from marketpulse.sources.conditions.tokens import ConditionError, TokenKind, tokenize


def values(text: str) -> list[str]:
    """The tokens without the END."""
    *tokens, end = tokenize(text)
    assert (end.kind, end.start) == (TokenKind.END, len(text))
    return [token.value for token in tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q'[it's]'", ["it's"]),
        ("Q'!a!!'", ["a!"]),
        ("nq'(a)'||q'(b)'", ["a", "||", "b"]),
        ("q'aba'", ["b"]),
        ("N'it''s'||'b'", ["it's", "||", "b"]),
        ('"px" px', ["px", "PX"]),
        ("1.5.2", None),
        ("a--b\n/*c*/<=.5", ["A", "<=", ".5"]),
    ],
)
def test_words(text: str, expected: list[str] | None) -> None:
    """A text in quotes ends at the first end of its kind; names are in capitals without quotes."""
    if expected is None:
        with pytest.raises(ConditionError):
            tokenize(text)
    else:
        assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        ("px = q'[a]", "q'[", "its end is missing"),
        ("px = 'a b", "'a", "its end is missing"),
        ('"px', '"px', "its end is missing"),
        ("px /* = 1", "/*", "the comment has no end"),
        ("px = $1 a", "$1", "no word of a condition starts like this"),
    ],
)
def test_what_is_not_finished_is_named(text: str, word: str, message: str) -> None:
    """The error has the word, and says what is wrong with it."""
    with pytest.raises(ConditionError) as caught:
        tokenize(text)
    assert (caught.value.word, str(caught.value)) == (word, f"{word}: {message}")
