"""Names as SQL and Oracle have them."""

from __future__ import annotations


def capitals(name: str) -> str:
    """Return the name in capitals, letter by letter: Oracle does not make STRASSE of straße."""
    return "".join(upper if len(upper := letter.upper()) == 1 else letter for letter in name)


def quoted(name: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
