"""Names and comments made fit for files and for code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping


def make_distinct(
    wishes: Mapping[str, str], fold: Callable[[str], Hashable], reserved: Collection[str] = ()
) -> dict[str, str]:
    """Give each key a unique name: the name it wishes, with a number if that is taken.

    Names are equal if `fold` maps them to equal values. No key gets a name in `reserved`, or a
    name that equals another key.
    """
    owners: dict[Hashable, str] = {}
    for key in wishes:
        owners.setdefault(fold(key), key)
    taken = {fold(name) for name in reserved}
    names = {}
    for key, wish in wishes.items():
        name, number = wish, 1
        while fold(name) in taken or owners.get(fold(name), key) != key:
            number += 1
            name = f"{wish}_{number}"
        taken.add(fold(name))
        names[key] = name
    return names


def one_line(text: str) -> str:
    """Return the text with escapes for all characters that are not printable, such as newlines."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
