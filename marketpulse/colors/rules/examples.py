"""The examples of a rules file: rows, and what has to happen to each."""

from __future__ import annotations

from collections.abc import Mapping

from marketpulse.colors.rules.model import Example, RuleFault
from marketpulse.colors.rules.values import parse_id, show_value

_OUTCOMES = ("kept", "excluded", "rejected")


def parse_examples(written: object) -> tuple[tuple[Example, ...], tuple[RuleFault, ...]]:
    """The examples of a document, and the faults of their shape."""
    if written is None:
        return (), ()
    if not isinstance(written, list):
        return (), (RuleFault("examples", '"examples" must be a list'),)
    results = [_parse_example(document, f"example {n}") for n, document in enumerate(written, 1)]
    return (
        tuple(result for result in results if isinstance(result, Example)),
        tuple(result for result in results if isinstance(result, RuleFault)),
    )


def _parse_example(written: object, place: str) -> Example | RuleFault:
    if not isinstance(written, Mapping):
        return RuleFault(place, 'an example is an object with "row" and "outcome"')
    row, outcome, rule = written.get("row"), written.get("outcome"), written.get("rule")
    if not isinstance(row, Mapping) or not row or not all(isinstance(name, str) for name in row):
        return RuleFault(place, '"row" must be an object of columns and their cells')
    names = [name.strip().upper() for name in row]
    for name in names:
        if names.count(name) > 1:
            return RuleFault(place, f"the row has the column {name!r} twice")
    if outcome not in _OUTCOMES:
        choice = ", ".join(map(repr, _OUTCOMES))
        return RuleFault(place, f'"outcome" is {show_value(outcome)}, expected one of {choice}')
    identity = parse_id(rule)
    if rule is not None and (identity is None or outcome != "excluded"):
        return RuleFault(place, '"rule" must be the id of a rule, and "outcome" \'excluded\'')
    return Example(place=place, row=row, outcome=str(outcome), rule=identity)
