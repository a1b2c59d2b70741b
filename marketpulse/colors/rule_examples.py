"""Run the examples of rules files: each is a row, and what should happen to it."""

from __future__ import annotations

from collections.abc import Sequence

from marketpulse.colors.columns import CONTRACT
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare
from marketpulse.colors.ranking import excluding_rule
from marketpulse.colors.rules import Example, RuleBook, RuleFault
from marketpulse.errors import MarketPulseError

# The cells of an example that cannot be missing in a row, unless the example has its own.
_ALWAYS = {"MESSAGE_ID": "1", "CUSIP": "037833100"}


def run_examples(book: RuleBook, types: Sequence[str]) -> list[RuleFault]:
    """A fault for each example that does not come true; `types` as in `RunOptions`."""
    rows = _rows(book)
    known = [pair for pair in types if pair.rpartition("=")[0].strip().upper() in rows[0]]
    try:
        with prepare(rows, RunOptions(rules=book, types=known)) as prepared:
            prepared.engine.profile()
            rule = excluding_rule(prepared.rules, prepared.engine.cells)
            statement = f"SELECT reason, {rule} AS rule FROM valued ORDER BY n"
            results = prepared.engine.table(statement).to_pylist()
    except MarketPulseError as error:
        return [RuleFault("examples", error.message)]
    places = {rule.id: rule.place for rule in book.rules}
    return [
        RuleFault(example.place, f"the row is {actual}, not {_expected(example, places)}")
        for example, result in zip(book.examples, results, strict=True)
        if (actual := _mismatch(example, result["reason"], result["rule"], places))
    ]


def _rows(book: RuleBook) -> list[dict[str, object]]:
    """The rows of the examples, with every column of the contract and of the rules."""
    columns = [condition.column for rule in book.rules for condition in rule.conditions]
    names = dict.fromkeys([*CONTRACT, *(column.strip().upper() for column in columns)])
    return [
        {**names, **_ALWAYS, **{name.strip().upper(): cell for name, cell in example.row.items()}}
        for example in book.examples
    ]


def _mismatch(
    example: Example, reason: str | None, rule: str | None, places: dict[str, str]
) -> str:
    """What happens to the row instead of what the example says; nothing if it comes true."""
    if reason is not None:
        return "" if example.outcome == "rejected" else f"rejected ({reason})"
    if rule is not None:
        as_expected = example.outcome == "excluded" and example.rule in {None, rule}
        return "" if as_expected else f"excluded by {places[rule]}"
    return "" if example.outcome == "kept" else "kept"


def _expected(example: Example, places: dict[str, str]) -> str:
    if example.rule is None:
        return example.outcome
    return f"excluded by {places.get(example.rule, f'rule {example.rule}')}"
