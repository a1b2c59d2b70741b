"""What identifies a run, which files it may replace, and how its workbooks look."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from color_tables import book, rule

from marketpulse.colors.columns import CONTRACT
from marketpulse.colors.engine import InputProfile
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import RunPlan, parse_request
from marketpulse.colors.results import refuse_input_folder, run_id, workbook_options
from marketpulse.colors.spellings import DateForm
from marketpulse.errors import OutputError
from marketpulse.model import FileNotes

SCHEMA = pa.schema([(name, pa.string()) for name in (*CONTRACT, "NOTE", "OTHER_PX")])
LOW = {"column": "PX", "operator": "less_than", "value": 5}
TALK = {"column": "NOTE", "operator": "equals", "value": "talk"}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "hierarchy": {"hierarchy": "date,rank,price"},
    "type": {"types": {"NOTE": "number"}},
    "the type that it has": {"types": {"NOTE": "text"}},
    "mapping": {"mapping": {"price": "OTHER_PX"}},
    "rule": {"rules": book(rule(LOW))},
    "value": {"rules": book(rule({**LOW, "value": 6}))},
    "operator": {"rules": book(rule({**LOW, "operator": "greater_than"}))},
    "column": {"rules": book(rule({**LOW, "column": "BID"}))},
    "id": {"rules": book(rule(LOW, number=2))},
    "and": {"rules": book(rule(LOW, TALK))},
    "or": {"rules": book(rule(LOW, {**TALK, "type": "or"}))},
    "rules": {"rules": book(rule(LOW), rule(TALK, number=2))},
    "their order": {"rules": book(rule(TALK, number=2), rule(LOW))},
}


def plan_of(schema: pa.Schema = SCHEMA, **options: Any) -> RunPlan:
    """The plan of a run with these options."""
    return parse_request(RunOptions(**options)).plan(schema, FileNotes())


def identity(schema: pa.Schema = SCHEMA, *, row_hashes: int = 7, **options: Any) -> str:
    """The RUN_ID of three rows."""
    profile = InputProfile(rows=3, rejected=0, malformed=0, row_hashes=row_hashes)
    return run_id(profile, plan_of(schema, **options), ())


def test_a_run_is_its_rows_columns_rules_and_hierarchy() -> None:
    """Whatever changes the result changes the RUN_ID."""
    found = {name: identity(**options) for name, options in CHANGES.items()}
    found["rows"] = identity(row_hashes=8)
    found["column's name"] = identity(SCHEMA.set(0, SCHEMA.field(0).with_name("message_id")))
    assert len(set(found.values())) == len(found)
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in found.values())
    profile = InputProfile(rows=3, rejected=0, malformed=0, row_hashes=7)
    spelled = plan_of(date_formats="M/D/YYYY", accept_rounded_ids=True)
    permitted = [spelled.columns.role(name) for name in ("DATE", "MESSAGE_ID")]
    ids = {run_id(profile, spelled, some) for some in ((), permitted[:1], permitted[1:], permitted)}
    assert len(ids) == 4
    assert found["nothing"] in ids  # an option that permits no cell changes nothing
    other = plan_of(date_formats="D/M/YYYY").columns.role("DATE")
    assert other.date_form is DateForm.EUROPEAN
    assert run_id(profile, spelled, [other]) not in ids


def test_what_changes_no_row_is_the_same_run() -> None:
    """Names of rules, rules that are switched off, the other spelling of a value."""
    expected = identity(rules=book(rule(LOW)))
    off = rule(TALK, number=9, active=False)
    for same in (
        book({**rule(LOW), "name": "other"}),
        book(rule({**LOW, "value": "5"})),
        book(rule({**LOW, "operator": "lt"}), off),
    ):
        assert identity(rules=same) == expected


def test_results_replace_no_input(tmp_path: Path) -> None:
    """An input may be in the folder, unless a run writes a file of its name."""
    for path in (tmp_path / "day.csv", tmp_path / "other/processed_colors.csv"):
        refuse_input_folder([path], tmp_path)
    for name in ("processed_colors.csv", "excluded_colors.parquet"):
        with pytest.raises(OutputError, match="would replace an input"):
            refuse_input_folder([tmp_path / "day.csv", tmp_path / name], tmp_path / ".")


def test_numbers_and_dates_of_a_workbook() -> None:
    """Integers stay text, because they may be identifiers."""
    more = [("SIZE", pa.int64()), ("YIELD", pa.float64()), ("SENT", pa.timestamp("us"))]
    schema = pa.schema([*SCHEMA, *map(pa.field, *zip(*more, strict=True))])
    options = workbook_options(plan_of(schema).columns, "Colors")
    numbers = {name for name, kind in CONTRACT.items() if kind == "number"}
    assert options.number_columns == {*numbers, "YIELD"}
    assert options.date_columns == {
        *(name for name, kind in CONTRACT.items() if kind == "date"),
        "SENT",
    }
    assert options.title == "Colors"
