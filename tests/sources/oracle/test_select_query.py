"""Queries of users: the names and values of their binds."""

import pytest

from marketpulse.errors import UsageError
from marketpulse.sources.oracle.select_query import (
    SelectQuery,
    match_binds,
    parse_binds,
)


def test_binds() -> None:
    """Values go to the variables of a statement by name, whatever their case."""
    query = SelectQuery(name="feed", text="", binds=parse_binds(["day=2026-03-13", ":n=a=b"]))

    assert match_binds(query, ["DAY", "N"]) == {"DAY": "2026-03-13", "N": "a=b"}
    assert "2026" not in repr(query)
    with pytest.raises(UsageError, match=":RANK has no value"):
        match_binds(query, ["DAY", "N", "RANK"])
    with pytest.raises(UsageError, match="there is no bind variable :n"):
        match_binds(query, ["DAY"])


@pytest.mark.parametrize("pairs", [["day"], ["=5"], ["day=1", "DAY=2"]])
def test_wrong_binds(pairs: list[str]) -> None:
    """Without a name, without a value or with two it is wrong usage."""
    with pytest.raises(UsageError, match="--bind"):
        parse_binds(pairs)
