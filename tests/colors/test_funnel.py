"""The funnel counts what each rule matches, takes and leaves."""

from collections import Counter
from pathlib import Path

import colors_model as model
from color_tables import book
from hypothesis import given
from strategies import Case, cases, few

from marketpulse.colors import funnel
from marketpulse.colors.options import RunOptions


@few
@given(case=cases(rules=True))
def test_any_funnel_adds_up(case: Case, folder: Path) -> None:
    """Each rule matches rows on its own, takes those that no earlier rule took, leaves the rest."""
    path = folder / "funnel.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    mapping = [f"{key}={own}" for key, own in case.layout.mapping.items()]
    counted = funnel.test_rules(path, RunOptions(rules=book(*case.rules), mapping=mapping))
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
