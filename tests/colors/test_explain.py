"""Explanations name the key, the condition or the reason that decided."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import colors_model as model
import pytest
from color_tables import (
    Table,
    book,
    rule,
    write_colors,
)
from hypothesis import given
from strategies import Case, cases, few

from marketpulse.colors import explain
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare
from marketpulse.errors import NotFoundError


@few
@given(case=cases(rules=True, strange=False, plain=True))
def test_any_explanation_names_what_decided(case: Case, folder: Path) -> None:
    """Every row of a security is explained by its key, its conditions or its reason."""
    path = folder / "explained.csv"
    path.write_text(case.text, encoding="utf-8", newline="")
    outcome = case.expected()
    if not outcome.processed:
        return
    columns = model.columns_of(case.layout.header, {})
    place = case.layout.names.index("CUSIP")
    cusip = outcome.processed[len(outcome.processed) // 2][place] or ""
    rows = explain.explain(path, f" {cusip.lower()} ", RunOptions(**case.options())).rows

    def group(lines: Table) -> list[list[str]]:
        return [
            [cell or "" for cell in line]
            for line in lines
            if (line[place] or "").strip().upper() == cusip
        ]

    def cells(row: explain.ExplainedRow) -> list[str]:
        return [cell or "" for cell in row.cells.values()]

    ranked_rows = [row for row in rows if row.position]
    assert [row.position for row in ranked_rows] == list(range(1, len(ranked_rows) + 1))
    normalised = [[*line[:place], cusip, *line[place + 1 :]] for line in map(cells, ranked_rows)]
    width = len(case.layout.names)
    assert normalised == [line[:width] for line in group(outcome.processed)]
    for above, here in pairwise(ranked_rows):
        key = None if here.decided is None else here.decided.key
        assert key == deciding_key(cells(above), cells(here), columns, case.hierarchy)
    excluded = sorted((row.rule or "", cells(row)) for row in rows if row.outcome == "excluded")
    expected = [(f"rule {line[-1]} ('generated')", line[:-1]) for line in group(outcome.excluded)]
    assert excluded == sorted(expected)
    unusable = sorted((row.reason or "", cells(row)) for row in rows if row.outcome == "rejected")
    assert unusable == sorted((line[-2], line[:-2]) for line in group(outcome.rejected))
    for row in rows:
        if row.outcome == "excluded":
            check_answers(row, case, columns)


def check_answers(row: explain.ExplainedRow, case: Case, columns: Sequence[model.Column]) -> None:
    """Check that the conditions of an excluded row are true where the model says so."""
    usable = model.read_row([cell or "" for cell in row.cells.values()], columns)
    assert isinstance(usable, model.Row)
    rule = next(rule for rule in case.rules if row.rule == f"rule {rule['id']} ('generated')")
    assert [answer.true for answer in row.conditions] == [
        model.holds(condition, usable, columns) for condition in rule["conditions"]
    ]


def deciding_key(
    above: list[str], here: list[str], columns: Sequence[model.Column], hierarchy: Sequence[str]
) -> str | None:
    """The name of the first key in which two neighbours differ, by the model's values."""
    first, second = model.read_row(above, columns), model.read_row(here, columns)
    assert isinstance(first, model.Row)
    assert isinstance(second, model.Row)
    keys = {model.ROLES[key]: key for key in hierarchy}
    keys["MESSAGE_ID"] = "the later message wins"
    for column in model.order_columns(columns, hierarchy):
        if first.values[column.place] != second.values[column.place]:
            key = keys.get(column.name)
            return f"{column.own_name} ({key})" if key else column.own_name
    message_id = next(column for column in columns if column.name == "MESSAGE_ID")
    for column in (message_id, *columns):
        if above[column.place] != here[column.place]:
            return f"{column.own_name} (its spelling)"
    return None


def test_an_explanation_says_what_became_of_each_row(tmp_path: Path) -> None:
    """An explanation names the key, the conditions or the reason of each row."""
    path = write_colors(
        tmp_path / "in.csv",
        "4,A,1,2026-03-13,98.5,x",
        "1,a,1,2026-03-13,99,x",
        "2,A,2,2026-03-13,99,x",
        "3,A,1,2026-03-13,98.50,x",
        "3,A,1,2026-03-13,98.5,x",
        "3,A,1,2026-03-13,98.5,x",
        "5,A,1,2026-03-13,10,TALK",
        "6,A,1,2026-03-13,n/a,x",
        "7,B,1,2026-03-13,n/a,x",
    )
    conditions = (
        {"column": "note", "operator": "in", "value": "talk, gossip"},
        {"type": "or", "column": "PX", "operator": "between", "value": 5, "value2": 9.5},
    )
    explanation = explain.explain(path, " a ", RunOptions(rules=book(rule(*conditions))))
    rows = explanation.rows
    assert explanation.cusip == "A"
    assert [row.outcome for row in rows] == ["parent", *["child"] * 5, "excluded", "rejected"]
    assert rows[0].cells["MESSAGE_ID"] == "1"
    assert [row.decided for row in rows] == [
        None,
        explain.Decision(key="PX (price)", above="99", here="98.5"),
        explain.Decision(key="MESSAGE_ID (the later message wins)", above="4", here="3"),
        None,
        explain.Decision(key="PX (its spelling)", above="98.5", here="98.50"),
        explain.Decision(key="RANK (rank)", above="1", here="2"),
        None,
        None,
    ]
    assert [answer.true for answer in rows[6].conditions] == [True, False]
    assert [answer.asked for answer in rows[6].conditions] == ["talk, gossip", "5 and 9.5"]
    assert rows[6].rule == "rule 1 ('rule 1')"
    assert rows[7].reason == "PX: 'n/a' is not a number"
    assert json.loads(json.dumps(explanation.as_json()))["cusip"] == "A"


def test_an_unknown_security_is_an_error(tmp_path: Path) -> None:
    """Explaining a CUSIP that no row has is a `NotFoundError`."""
    path = write_colors(tmp_path / "in.csv", "4,A,1,2026-03-13,98.5,x")
    with pytest.raises(NotFoundError, match="no row has the CUSIP 'B'"):
        explain.explain(path, "b", RunOptions())


def test_whole_securities_with_what_decided(tmp_path: Path) -> None:
    """As many as fit into the limit. A parent has none, nor a color that is like the one above."""
    path = write_colors(
        tmp_path / "in.csv",
        "7,B,2,2026-03-13,97,x",
        "1,a,1,2026-03-13,99,x",
        "2,A,,2026-03-13,99,x",
        "3,A,1,2026-03-13,98.5,x",
        "3,A,1,2026-03-13,98.5,x",
        "6,A,1,2026-03-13,n/a,x",
        "8,B,1,2026-03-13,97,x",
        "9,C,1,2026-03-13,97,x",
    )
    with prepare(path, RunOptions()) as prepared:
        prepared.engine.profile()
        for limit, end in ((3, 0), (4, 4), (5, 4), (6, 6), (7, 7), (100, 7)):
            ranked = explain.rank_securities(prepared, ["PX", "NOTE", "NOPE"], limit)
            assert ranked.cusips == list("AAAABBC")[:end]
            assert ranked.positions == [1, 2, 3, 4, 1, 2, 1][:end]
            assert ranked.columns == {
                "PX": ["99", "98.5", "98.5", "99", "97", "97", "97"][:end],
                "NOTE": ["x"] * end,
            }
            assert (
                ranked.decided
                == [
                    *(None, "PX (price): 98.5 after 99", None, "RANK (rank): null after 1"),
                    *(None, "RANK (rank): 2 after 1", None),
                ][:end]
            )
