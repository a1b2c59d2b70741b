"""JSON that comes from outside: parsed with one limit on its depth, the same on every Python."""

from __future__ import annotations

import json
import re

MAX_NESTING = 500  # arrays and objects inside one another
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[][{}]")


def parse_json(text: str | bytes, *, is_handwritten: bool = False) -> object:
    """Parse a JSON document; in a handwritten one each key of an object appears once.

    Raises `ValueError` if it is broken or nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    check_nesting(text)
    hook = refuse_repeated_keys if is_handwritten else None
    document: object = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=hook)
    return document


def refuse_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON, for `object_pairs_hook`. Raises `ValueError` for a repeated key.

    Python keeps the last of two equal keys: what users wrote would vanish without a word.
    """
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the key {name!r} appears twice in one object")
    return dict(pairs)


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
