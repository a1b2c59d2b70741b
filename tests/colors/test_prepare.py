"""A run is checked before any row is read: rules of any form, and every fault in them."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from color_tables import (
    book,
    rule,
    three_colors,
    where,
    write_colors,
)

from marketpulse import run_colors
from marketpulse.colors.prepare import rule_book
from marketpulse.errors import RulesError


def test_rules_are_the_same_as_document_json_and_toml(tmp_path: Path) -> None:
    """Numbers and dates of a rule mean the same however the rule came."""
    path = write_colors(
        tmp_path / "in.csv",
        "1,A,2,2026-03-12,98.5,x",
        "2,A,1,2026-03-13 10:00,99,x",
        "3,A,1,,0.1,x",
    )
    rules = book(
        rule({"column": "PX", "operator": "eq", "value": 98.5}, number=1),
        rule({"column": "DATE", "operator": "is equal to", "value": "2026-03-13"}, number=2),
        rule({"column": "PX", "operator": "in", "value": [0.1, 7]}, number=3),
    )
    (tmp_path / "rules.json").write_text(json.dumps(rules), encoding="utf-8-sig")
    (tmp_path / "rules.toml").write_text(
        """
        [[rules]]
        id = 1
        name = "rule 1"
        is_active = true
        conditions = [{type = "where", column = "PX", operator = "eq", value = 98.5}]
        [[rules]]
        id = 2
        name = "rule 2"
        is_active = true
        conditions = [{type = "where", column = "DATE", operator = "eq", value = 2026-03-13}]
        [[rules]]
        id = 3
        name = "rule 3"
        is_active = true
        conditions = [{type = "where", column = "PX", operator = "in", value = [0.1, 7]}]
        """
    )
    runs = [
        run_colors(path, rules=source)
        for source in (rules, tmp_path / "rules.json", tmp_path / "rules.toml")
    ]
    assert [run.excluded_by_rule for run in runs] == [{"1": 1, "2": 1, "3": 1}] * 3
    assert len({run.run_id for run in runs}) == 1


def test_an_empty_list_is_no_rules() -> None:
    """It has the name of no rules, too, which the summary shows."""
    assert rule_book(None).name == rule_book([]).name == rule_book(()).name == "no rules"


WRONG_RULES = {
    "an unknown column": ("SUORCE", "equals", "x", r"no column 'SUORCE', did you mean SOURCE"),
    "an unknown operator": (
        "PX",
        "equal",
        "1",
        r"'equal' is not an operator, did you mean 'equals'",
    ),
    "an operator for text on a number": ("PX", "contains", "1", "no operator 'contains'"),
    "an operator for numbers on text": ("SOURCE", "gt", "1", "no operator 'greater_than'"),
    "an operator for text on a date": ("DATE", "starts with", "2026", "no operator 'starts_with'"),
    "text for a number": ("PX", "lt", "cheap", "'cheap' is not a number"),
    "NaN for a number": ("PX", "lt", math.nan, "'nan' is not a number"),
    "a number for text": ("SOURCE", "equals", 5, "'5' is not text"),
    "a number for a date": ("DATE", "equals", 20260313, "'20260313' is not a date"),
    "a day that is none": ("DATE", "equals", "2026-02-30", "'2026-02-30' is not a date"),
    "a value of blanks": ("SOURCE", "equals", "  ", '"value" is missing'),
    "no value": ("SOURCE", "equals", None, '"value" is missing'),
    "no second value": ("PX", "between", "1", '"value2" is missing'),
    "an empty list": ("PX", "in", [], '"value" is missing'),
    "an empty element": ("PX", "in", "1,,2", "element 2 of the list: '' is not a number"),
    "a boolean": ("RANK", "equals", True, "'true' is not an integer"),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_stops_the_run_and_is_named(name: str) -> None:
    """The message names rule, condition and nearest word, before any row is read."""
    col, operator, value, words = WRONG_RULES[name]
    rules = where(col, operator, value)
    table = three_colors(SOURCE=["DB", "GS", "MS"])

    def batches() -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")
        yield

    unread = pa.RecordBatchReader.from_batches(table.schema, batches())
    with pytest.raises(RulesError, match=words) as error:
        run_colors(unread, rules=rules)
    assert "rule 1 ('rule 1'), condition 1" in str(error.value)
    rules["rules"][0]["is_active"] = False
    run = run_colors(table, rules=rules)
    assert run.counts.excluded == 0
    assert len(run.rule_warnings) == 1
    assert re.search(words, run.rule_warnings[0])
    assert run.rule_warnings[0].endswith("(switched off)")


def test_an_unknown_connector_or_shape_is_an_error() -> None:
    """Conditions begin with `where` and go on with `and` or `or`; a rules file has a list."""
    good = {"column": "PX", "operator": "lt", "value": 1}
    wrong: list[Any] = [
        book(rule({**good, "type": "and"})),
        book(rule(good, {**good, "type": "where"})),
        book(rule(good, {**good, "type": "xor"})),
        book(rule()),
        book(rule(good), rule(good)),
        {"rule": []},
        [{}],
        book({"id": 1, "name": "x", "conditions": [{**good, "type": "where"}]}),
    ]
    for rules in wrong:
        with pytest.raises(RulesError):
            run_colors(three_colors(), rules=rules)
