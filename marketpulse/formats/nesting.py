"""JSON that comes from outside: parsed with one limit on its depth, the same on every Python."""

from __future__ import annotations

import json
import re

MAX_NESTING = 500  # arrays and objects inside one another
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[][{}]")


def parse_json(text: str | bytes) -> object:
    """Parse a JSON document. Raises `ValueError` if it is broken or nested too deeply."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    check_nesting(text)
    document: object = json.loads(text.removeprefix("\ufeff"))
    return document


def check_nesting(text: str) -> None:
    """Raise `ValueError` if JSON text has more than `MAX_NESTING` levels.

    Python's own limit depends on its version and on the depth of the stack. Where the parser
    passes, code that walks the value afterwards may still fail with a `RecursionError`.
    """
    if text.count("[") + text.count("{") <= MAX_NESTING:  # true for almost every document
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_NESTING:
            raise ValueError(f"it is nested more than {MAX_NESTING} levels deep")
