"""The funnel counts what each rule matches, takes and leaves."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import color_tables
import colors_model as model
from color_tables import book
from hypothesis import given
from strategies import Case, cases, few
from support import COLORS, NUMBERS, RULES

from marketpulse.colors import funnel
from marketpulse.colors.options import RunOptions


@few
@given(case=cases(rules=True))
def test_any_funnel_adds_up(case: Case, folder: Path) -> None:
    """Each rule matches rows on its own, takes those that no earlier rule took, leaves the rest."""
    path = folder / "funnel.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    mapping = [f"{key}={own}" for key, own in case.layout.mapping.items()]
    counted = funnel.try_rules(path, RunOptions(rules=book(*case.rules), mapping=mapping))
    outcome = case.expected()
    header, rows = case.rows()
    columns = model.columns_of(header, case.layout.mapping)
    read = [model.read_row(row, columns) for row in rows]
    usable = [row for row in read if isinstance(row, model.Row)]
    assert counted.rejected == len(outcome.rejected)
    assert counted.read - counted.rejected == len(usable)
    left = len(usable)
    active = [rule for rule in case.rules if rule["is_active"]]
    by_rule = Counter(row[-1] for row in outcome.excluded)
    for rule, stage in zip(active, counted.stages, strict=True):
        left -= by_rule[str(rule["id"])]
        assert stage.matches == sum(model.takes(rule, row, columns) for row in usable)
        assert (stage.id, stage.takes, stage.left) == (str(rule["id"]), by_rule[stage.id], left)
    assert left == len(outcome.processed)


@few
@given(case=cases(rules=True, strange=False, plain=True))
def test_any_comparison_lists_the_rows_whose_fate_differs(case: Case, folder: Path) -> None:
    """Rows are listed if, and only if, the first rule that takes them is another one."""
    path = folder / "compared.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    other_rules = [*reversed(case.rules)][:-1]
    comparison = funnel.try_rules(
        path, RunOptions(rules=book(*case.rules)), book(*other_rules)
    ).comparison
    assert comparison is not None
    header, rows = case.rows()
    columns = model.columns_of(header, case.layout.mapping)

    def fate(rules: Sequence[Any], row: model.Row) -> str:
        for rule in rules:
            if rule["is_active"] and model.takes(rule, row, columns):
                return f"excluded by rule {rule['id']} ({rule['name']!r})"
        return "kept"

    expected = []
    for line in rows:
        row = model.read_row(line, columns)
        if isinstance(row, model.Row):
            fates = (fate(case.rules, row), fate(other_rules, row))
            if fates[0] != fates[1]:
                expected.append((list(line), *fates))
    listed = [
        ([cell or "" for cell in row.cells.values()], row.fate, row.other_fate)
        for row in comparison.rows
    ]
    assert listed == expected
    assert comparison.differing == len(expected)
    changes = {(change.fate, change.other_fate): change.rows for change in comparison.changes}
    assert changes == Counter(row[1:] for row in expected)


def test_a_comparison_may_be_cut() -> None:
    """With a limit the first rows are listed; the counts are those of all rows."""
    options = RunOptions(rules=RULES)
    whole = funnel.try_rules(COLORS, options, []).comparison
    part = funnel.try_rules(COLORS, options, [], limit=5).comparison
    assert whole is not None
    assert part is not None
    assert len(whole.rows) == whole.differing == part.differing == NUMBERS["excluded"]
    assert part.rows == whole.rows[:5]
    assert {change.other_fate for change in part.changes} == {"kept"}
    assert funnel.try_rules(COLORS, options).as_json().keys() == {
        *("read", "rejected", "stages", "warnings")
    }


def test_changes_are_in_the_order_of_their_rows() -> None:
    """Then by the rule, and what is kept is last."""
    notes = ["a", "b", "b", "c", "d"]
    rows = [
        {"MESSAGE_ID": place, "CUSIP": "A", "RANK": 1, "DATE": None, "PX": 1, "NOTE": note}
        for place, note in enumerate(notes)
    ]

    def rules(*lists: str) -> dict[str, Any]:
        """Rules 1, 2 and so on, which exclude these notes."""
        conditions = [{"column": "NOTE", "operator": "in", "value": values} for values in lists]
        return book(
            *(color_tables.rule(condition, number=n) for n, condition in enumerate(conditions, 1))
        )

    comparison = funnel.try_rules(
        rows, RunOptions(rules=rules("a,d", "b")), rules("x", "c,d")
    ).comparison
    assert comparison is not None
    changes = [
        (change.rows, change.fate[:18], change.other_fate[:18]) for change in comparison.changes
    ]
    assert changes == [
        (2, "excluded by rule 2", "kept"),
        (1, "excluded by rule 1", "excluded by rule 2"),
        (1, "excluded by rule 1", "kept"),
        (1, "kept", "excluded by rule 2"),
    ]
