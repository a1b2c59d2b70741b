"""A query of the user's: its text, its name, the values of its bind variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marketpulse.errors import UsageError

CHECK = "MP-USE-004"


@dataclass(frozen=True, kw_only=True)
class SelectQuery:
    """A SELECT that may be sent, as its author wrote it; `name` is that of the table it becomes.

    `text` has no semicolon at its end, and begins at `start`, a line and a column of its
    file, whose name messages show. `binds` are the values of its bind variables, by name.
    """

    name: str
    text: str
    start: tuple[int, int] = (1, 1)
    file: str = "the query"
    binds: Mapping[str, str] = field(default_factory=dict, repr=False)  # may be confidential


def parse_binds(pairs: Sequence[str]) -> dict[str, str]:
    """Parse the values of `--bind NAME=VALUE`. Raises `UsageError`."""
    binds: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().removeprefix(":")
        if not equals or not name:
            # The text may be a value that was meant to be secret.
            raise UsageError("--bind: there is no NAME=VALUE", hint="for instance --bind DAY=5")
        if _fold(name) in map(_fold, binds):
            raise UsageError(f"--bind: {name} has two values", hint="leave out one of them")
        binds[name] = value
    return binds


def match_binds(query: SelectQuery, variables: Sequence[str]) -> dict[str, str]:
    """Return the values of a statement's bind variables by their names there.

    Raises `UsageError` if one has no value, or a value has no variable.
    """
    values = {_fold(name): value for name, value in query.binds.items()}
    known = {_fold(name): name for name in variables}
    if missing := [name for folded, name in known.items() if folded not in values]:
        raise UsageError(
            f"{query.name}: the bind variable :{missing[0]} has no value",
            hint=f"add --bind {missing[0]}=VALUE",
            check=CHECK,
        )
    if unknown := [name for name in query.binds if _fold(name) not in known]:
        listed = ", ".join(f":{name}" for name in variables)
        raise UsageError(
            f"{query.name}: there is no bind variable :{unknown[0]}",
            hint=f"it has {listed}" if listed else "it has none: leave out --bind",
            check=CHECK,
        )
    return {name: values[folded] for folded, name in known.items()}


def _fold(name: str) -> str:
    return name.strip('"').upper()
