"""Names as SQL and Oracle have them."""

from __future__ import annotations


def capitals(name: str) -> str:
    """Return the name in capitals, letter by letter: Oracle does not make STRASSE of straße."""
    return "".join(upper if len(upper := letter.upper()) == 1 else letter for letter in name)


def fold_name(name: str) -> str:
    """Return the name of a column as it is compared: without outer blanks, in any case."""
    return name.strip().casefold()


def fold_identifier(text: str) -> str:
    """Return the dictionary's spelling: exact in double quotes, else in capitals."""
    if len(text) > 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return capitals(text)


def quoted(name: str) -> str:
    """Return the name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
