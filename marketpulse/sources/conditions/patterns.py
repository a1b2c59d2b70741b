"""LIKE and REGEXP_LIKE: Oracle's patterns as regular expressions of Python.

Of Oracle's regular expressions the constructs are understood that mean one thing in both. Others
are refused by their name: back references, collating elements, a backslash in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from unicodedata import name as name_of

from marketpulse.sources.conditions.tokens import ConditionError

# Spelled out: Python's \w and \d also match other scripts, POSIX classes only what they list.
_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}


# Which letters beyond ASCII belong to a class.
_ADDED: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("alpha", "alnum", "print", "graph"), str.isalpha),
    "upper": str.isupper,
    "lower": str.islower,
}
_ESCAPES = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[a-zA-Z0-9_]",
    "W": "[^a-zA-Z0-9_]",
    "s": r"[ \t\n\r\f\v]",
    "S": r"[^ \t\n\r\f\v]",
}
_REPEAT = re.compile(r"(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})\??")


# A pattern may come from a column. Most columns have few distinct values.
@lru_cache(maxsize=1000)
def like(pattern: str, escape: str | None = None) -> re.Pattern[str]:
    """Return the regular expression of a LIKE pattern. Raises `ConditionError`."""
    if escape is not None and len(escape) != 1:
        raise ConditionError(repr(escape), "ESCAPE takes one character")
    expression, is_escaped = "", False
    for mark in pattern:
        if is_escaped and mark not in {"%", "_", escape}:
            raise ConditionError(repr(pattern), f"{escape} stands before {mark} in it, not % or _")
        if not is_escaped and mark == escape:
            is_escaped = True
            continue
        wildcard = {"%": ".*", "_": "."}.get(mark) if not is_escaped else None
        expression += wildcard or re.escape(mark)
        is_escaped = False
    if is_escaped:
        raise ConditionError(repr(pattern), f"nothing follows {escape} in it")
    return re.compile(expression, re.DOTALL)  # % and _ match a line end, too


@lru_cache(maxsize=1000)
def regexp_like(pattern: str, options: str = "") -> Callable[[str], bool]:
    """Return a function that tells whether a text has a match. Raises `ConditionError`."""
    flags, is_ignoring_case = 0, False
    for option in options:
        if option not in "icnm":
            raise ConditionError(repr(options), "the options are i, c, n and m")
        if option in "ic":
            is_ignoring_case = option == "i"
        flags |= {"n": re.DOTALL, "m": re.MULTILINE}.get(option, 0)
    if is_ignoring_case and not pattern.isascii():
        raise ConditionError(repr(pattern), "the option i is for ASCII letters alone")
    flags |= re.ASCII | re.IGNORECASE if is_ignoring_case else 0
    is_multiline = "m" in options
    # Compiled at once, so that a wrong pattern is refused before the first row.
    expression = _compile(pattern, flags, is_multiline, "")
    has_classes = _Translation(pattern, "", is_multiline=is_multiline).has_classes

    def matches(text: str) -> bool:
        if text.isascii() or not has_classes:
            return expression.search(text) is not None
        # The classes have to list the text's own letters: Python cannot be told to add them.
        letters = _letters_beyond_ascii(text)
        return _compile(pattern, flags, is_multiline, letters).search(text) is not None

    return matches


@lru_cache(maxsize=1000)
def _compile(pattern: str, flags: int, is_multiline: bool, letters: str) -> re.Pattern[str]:
    return re.compile(_Translation(pattern, letters, is_multiline=is_multiline).expression, flags)


def _letters_beyond_ascii(text: str) -> str:
    """Return the letters of a text that the classes do not list.

    Raises `ConditionError` for marks of other scripts: what they are depends on the database.
    """
    marks = sorted({mark for mark in text if not mark.isascii()})
    for mark in marks:
        if not (mark.isalpha() and name_of(mark, "").startswith("LATIN")):
            raise ConditionError(repr(text), f"the class of {mark!r} in it is not certain")
    return "".join(marks)


class _Translation:
    """A pattern of Oracle, part by part as one of Python."""

    def __init__(self, pattern: str, letters: str, *, is_multiline: bool) -> None:
        """`letters` are those of the text that are not ASCII."""
        self._pattern = pattern
        self._letters = letters
        self._place = 0
        self._is_multiline = is_multiline
        self.has_classes = False
        self.expression = self._alternatives()
        if self._place < len(pattern):
            self._refuse(")")

    def _refuse(self, part: str) -> None:
        raise ConditionError(repr(self._pattern), f"{part!r} in it is not understood")

    @property
    def _mark(self) -> str:
        return self._pattern[self._place : self._place + 1]

    def _alternatives(self) -> str:
        """Translate until the end, or until the parenthesis that closes a group."""
        pieces: list[str] = []
        can_repeat = False
        while self._mark and self._mark != ")":
            if repeat := _REPEAT.match(self._pattern, self._place):
                if not can_repeat:
                    self._refuse(repeat[0])
                pieces.append(repeat[0])
                self._place = repeat.end()
                can_repeat = False
                continue
            mark = self._mark
            pieces.append(self._atom())
            can_repeat = mark not in "|^$"
        return "".join(pieces)

    def _atom(self) -> str:
        mark = self._mark
        if mark == "[":
            return self._bracket()
        self._place += 1
        match mark:
            case "(":
                if self._mark in {"?", "*", "+"}:  # (?: and (?= are Python's alone
                    self._refuse(f"({self._mark}")
                inner = self._alternatives()
                if self._mark != ")":
                    self._refuse("(")
                self._place += 1
                return f"(?:{inner})"
            case "\\":
                return self._escape()
            case "^":
                return "^"
            case "$":
                # In Python $ alone also stands before a line end at the end of the text.
                return "$" if self._is_multiline else r"\Z"
            case "." | "|":
                return mark
            case "{" | "}" | "]":
                self._refuse(mark)
        return re.escape(mark)

    def _escape(self) -> str:
        mark = self._mark
        self._place += 1
        if mark in _ESCAPES:
            self.has_classes = True
            escape = _ESCAPES[mark]
            return f"{escape[:-1]}{self._letters}]" if mark in "wW" else escape
        if not mark or mark.isalnum():  # \1 refers back; \b and \n are Python's alone
            self._refuse(f"\\{mark}")
        return re.escape(mark)

    def _bracket(self) -> str:
        """Translate [...]. A backslash in it is an ordinary character to POSIX: refused."""
        start = self._place
        self._place += 1
        opening = "["
        if self._mark == "^":
            opening, self._place = "[^", self._place + 1
        pieces: list[str] = []
        while not (self._mark == "]" and pieces):
            if not self._mark or self._mark == "\\":
                self._refuse(self._pattern[start : self._place + 1])
            if self._pattern.startswith(("[:", "[.", "[="), self._place):
                pieces.append(self._named_class())
                continue
            mark = self._mark
            self._place += 1
            # A - at the end is itself.
            is_range = mark == "-" and pieces and self._mark not in {"]", ""}
            pieces.append("-" if is_range else re.escape(mark))
        self._place += 1
        return self._check(f"{opening}{''.join(pieces)}]")

    def _check(self, bracket: str) -> str:
        try:
            re.compile(bracket)
        except re.error:
            self._refuse(bracket)
        return bracket

    def _named_class(self) -> str:
        closing = self._pattern.find(":]", self._place)
        name = self._pattern[self._place + 2 : closing]
        if self._pattern[self._place + 1] != ":" or closing < 0 or name not in _CLASSES:
            self._refuse(self._pattern[self._place : self._place + 4])
        self._place = closing + 2
        self.has_classes = True
        added = _ADDED.get(name)
        return _CLASSES[name] + ("".join(filter(added, self._letters)) if added else "")
