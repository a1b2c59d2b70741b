"""The words of a condition, after Oracle's lexical rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class ConditionError(Exception):
    """A part of a condition cannot be used. `word` is that part as the user wrote it."""

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(f"{word}: {reason}" if word else reason)
        self.word = word


def add_word(word: str, error: ConditionError) -> ConditionError:
    """Return the error with the word that names the part before its reason."""
    return error if error.word == word else ConditionError(word, str(error))


class TokenKind(StrEnum):
    """What a token is."""

    NAME = "name"
    QUOTED_NAME = "quoted name"
    NUMBER = "number"
    TEXT = "text"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, kw_only=True)
class Token:
    """A word of a condition: `value` is its meaning, `start` and `end` are its place in the text.

    The value of a name is in capitals, a quoted name and a text have theirs without quotes.
    """

    kind: TokenKind
    value: str
    start: int
    end: int


# q'[it's]' ends with the other bracket of a pair, q'!it's!' with the same mark.
_PAIRS = {"[": "]", "{": "}", "<": ">", "(": ")"}
_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/)+", re.DOTALL)
_QUOTE = re.compile(r"[nN]?[qQ]'(.)", re.DOTALL)
# In this order: as a later kind, n'x' would begin with a name and .5 with a symbol.
_PATTERNS = {
    TokenKind.TEXT: re.compile(r"[nN]?'((?:[^']|'')*)'", re.DOTALL),
    TokenKind.QUOTED_NAME: re.compile(r'"([^"\0]+)"'),
    # 12AB is no number, and Oracle reads 1.5.2 as none. 1.5D and 1.5F are binary ones.
    TokenKind.NUMBER: re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[dDfF]?)(?![\w$#.])"),
    TokenKind.NAME: re.compile(r"([^\W\d_][\w$#]*)"),
    TokenKind.SYMBOL: re.compile(r"(\(\+\)|<=|>=|<>|!=|\^=|~=|\|\||[-+*/=<>(),.@:;])"),
}


def tokenize(text: str) -> list[Token]:
    """Split a condition into tokens; the last one is its END. Raises `ConditionError`."""
    return list(_tokens(text))


def tokenize_statement(text: str) -> list[Token]:
    """Split a whole statement into tokens; the last one is its END.

    A character that no condition has is a symbol of its own. Raises `ConditionError` if a text, a
    quoted name or a comment has no end.
    """
    return list(_tokens(text, any_symbol=True))


def _tokens(text: str, *, any_symbol: bool = False) -> Iterator[Token]:
    place = 0
    while True:
        blank = _BLANK.match(text, place)
        place = blank.end() if blank else place
        if place >= len(text):
            yield Token(kind=TokenKind.END, value="", start=place, end=place)
            return
        # Before names: q begins one, too.
        token = _quoted_text(text, place) or _match(text, place)
        if text.startswith("/*", place):
            raise ConditionError("/*", "the comment has no end")
        if token is None and any_symbol and text[place] not in "'\"":
            symbol = text[place]
            token = Token(kind=TokenKind.SYMBOL, value=symbol, start=place, end=place + 1)
        if token is None:
            word = text[place:].split(maxsplit=1)[0]
            is_quote = text[place] in "'\""
            reason = "its end is missing" if is_quote else "no word of a condition starts like this"
            raise ConditionError(word, reason)
        yield token
        place = token.end


def _quoted_text(text: str, place: int) -> Token | None:
    """Return the text q'[...]', if there is one here."""
    match = _QUOTE.match(text, place)
    if match is None:
        return None
    closing = text.find(_PAIRS.get(match[1], match[1]) + "'", match.end())
    if closing < 0:
        raise ConditionError(match[0], "its end is missing")
    value = text[match.end() : closing]
    return Token(kind=TokenKind.TEXT, value=value, start=place, end=closing + 2)


def _match(text: str, place: int) -> Token | None:
    for kind, pattern in _PATTERNS.items():
        if match := pattern.match(text, place):
            value = match[1].replace("''", "'") if kind is TokenKind.TEXT else match[1]
            value = value.upper() if kind is TokenKind.NAME else value
            return Token(kind=kind, value=value, start=place, end=match.end())
    return None
