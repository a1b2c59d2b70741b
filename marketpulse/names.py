"""Names and comments as somebody gave them, made fit for a place that has rules of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping


def distinct(
    wanted: Mapping[str, str], same: Callable[[str], Hashable], taken: Collection[str] = ()
) -> dict[str, str]:
    """For each name the one that it wants, with a number where that is another's.

    Names of one `same` are one; `taken` belong to nobody. What is somebody's name as it stands is
    not given to others.
    """
    owners: dict[Hashable, str] = {}
    for name in wanted:
        owners.setdefault(same(name), name)
    used = {same(name) for name in taken}
    given = {}
    for name, wish in wanted.items():
        own, number = wish, 1
        while same(own) in used or owners.get(same(own), name) != name:
            number += 1
            own = f"{wish}_{number}"
        used.add(same(own))
        given[name] = own
    return given


def capitals(name: str) -> str:
    """The name in capitals, letter by letter: `STRASSE` is not what `straße` means."""
    return "".join(upper if len(upper := it.upper()) == 1 else it for it in name)


def quoted(name: str) -> str:
    """The name as an identifier of SQL, to the letter."""
    return '"' + name.replace('"', '""') + '"'


def one_line(text: str) -> str:
    """The text with an escape for whatever does not show, line ends above all."""
    return "".join(
        it if it.isprintable() else it.encode("unicode_escape").decode("ascii") for it in text
    )
