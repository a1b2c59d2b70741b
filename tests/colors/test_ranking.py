"""Rules as predicates, exact on every type and never SQL; ties go by values, then by spellings."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from color_tables import column, matching_rows, three_colors, where
from strategies import SECOND

from marketpulse import run_colors


def test_rules_on_decimals_are_exact() -> None:
    """A decimal equals only itself, however many digits the rule's number has."""
    values = [Decimal("98.500"), Decimal("98.501"), None]
    for data_type in (pa.decimal128(5, 3), pa.decimal128(38, 3), pa.decimal128(20, 10)):
        table = three_colors(PX=pa.array(values, data_type))
        assert matching_rows(table, "PX", "equals", "98.5") == [1]
        assert matching_rows(table, "PX", "greater_than", "98.5000000000000000000000000001") == [2]
        assert matching_rows(table, "PX", "not_equals", Decimal("98.5010")) == [1]
        assert matching_rows(table, "PX", "less_than", "1E400") == [1, 2]
        assert matching_rows(table, "PX", "in", "98.5, 98.5010, 7") == [1, 2]


def test_rules_on_timestamps_see_every_nanosecond() -> None:
    """A rule distinguishes times that differ in a nanosecond; a date is its whole day."""
    second = SECOND * 10**9
    for zone in (None, "UTC", "Asia/Tokyo"):
        values = [second + 1, second + 2, second - second % (86400 * 10**9)]
        table = three_colors(DATE=pa.array(values, pa.int64()).cast(pa.timestamp("ns", zone)))
        assert matching_rows(table, "DATE", "equals", "2026-03-13T10:00:00.000000002Z") == [2]
        assert matching_rows(table, "DATE", "equals", "2026-03-13T10:00:00.0000000020001Z") == []
        after = "2026-03-13 12:00:00.000000001+02:00"
        assert matching_rows(table, "DATE", "greater_than", after) == [2]
        assert matching_rows(table, "DATE", "equals", "2026-03-13") == [1, 2, 3]
        assert matching_rows(table, "DATE", "greater_than", "2026-03-13") == []
        assert matching_rows(table, "DATE", "less_or_equal", "2026-03-12") == []
        assert matching_rows(table, "DATE", "between", "2026-03-12", "2026-03-13") == [1, 2, 3]


def test_rules_on_floats_mean_the_digits_that_are_shown() -> None:
    """A float equals the number that its shortest text shows: 0.1 is 0.1, also in 32 bits."""
    for data_type in (pa.float32(), pa.float64()):
        table = three_colors(PX=pa.array([0.1, 0.2, None], data_type))
        assert matching_rows(table, "PX", "equals", "0.1") == [1]
        assert matching_rows(table, "PX", "less_or_equal", 0.1) == [1]
        assert matching_rows(table, "PX", "greater_than", "0.10") == [2]
        assert matching_rows(table, "PX", "between", "0.1", "0.2") == [1, 2]
    table = three_colors(PX=pa.array([0.1 + 0.2, 0.3, 1e22]))
    assert matching_rows(table, "PX", "equals", "0.3") == [2]
    assert matching_rows(table, "PX", "equals", "0.30000000000000004") == [1]
    assert matching_rows(table, "PX", "equals", "10000000000000000000000") == [3]


def test_rules_on_integers_take_any_number() -> None:
    """A rule on integers may name a fraction, an exponent or a number beyond 64 bits."""
    for data_type in (pa.int64(), pa.uint64(), pa.decimal128(20, 0)):
        table = three_colors(CONFIDENCE=pa.array([1, 2, 9007199254740993], data_type))
        assert matching_rows(table, "CONFIDENCE", "greater_than", "1.5") == [2, 3]
        assert matching_rows(table, "CONFIDENCE", "equals", "9007199254740993") == [3]
        assert matching_rows(table, "CONFIDENCE", "equals", "9007199254740992") == []
        assert matching_rows(table, "CONFIDENCE", "less_than", "1E30") == [1, 2, 3]
        assert matching_rows(table, "CONFIDENCE", "equals", "2.0") == [2]


def test_percent_and_underscore_are_ordinary_characters() -> None:
    """Text operators know no pattern."""
    table = three_colors(NOTE=["a%b", "a_b", "axb"])
    assert matching_rows(table, "NOTE", "contains", "%") == [1]
    assert matching_rows(table, "NOTE", "starts_with", "A_") == [2]
    assert matching_rows(table, "NOTE", "equals", "a_b") == [2]
    assert matching_rows(table, "NOTE", "not_contains", "_") == [1, 3]


def test_a_quote_in_a_rule_or_a_name_is_only_text() -> None:
    """SQL in names, cells and rules is compared as text, never run."""
    name = "it's; DROP TABLE colors --\""
    columns: dict[str, Any] = {name: ["x' OR '1'='1", '"', "z"]}
    table = three_colors(**columns)
    assert matching_rows(table, name, "equals", "X' or '1'='1") == [1]
    assert matching_rows(table, name, "contains", '"') == [2]
    assert run_colors(table).counts.parents == 1


def test_unknown_typed_columns_break_ties_as_values_of_their_type() -> None:
    """Ten comes after nine in a column of numbers, and before it in a column of text."""
    numbers = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], SIZE=[10, 9, None]))
    assert column(numbers.processed, "SIZE") == [9, 10, None]
    text = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], SIZE=["10", "9", None]))
    assert column(text.processed, "SIZE") == ["10", "9", None]


def test_the_spelling_of_a_cusip_decides_before_those_of_later_columns() -> None:
    """The result has the normalised CUSIP, and yet the cell that arrived breaks the tie."""
    spellings = ["1tekh3ir5", " 1TEKH3IR5", "1TEKH3IR5"]
    dates = ["2026-03-13", "2026-03-13 00:00", "2026-03-13T00:00"]
    run = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], CUSIP=spellings, DATE=dates))
    assert column(run.processed, "DATE") == [dates[1], dates[2], dates[0]]


def test_unknown_numbers_of_json_are_numbers(tmp_path: Path) -> None:
    """Numbers in an unknown column of JSON break ties and match rules as exact numbers."""
    sizes = ["10", "9", "9.50", "null", "1E1", "NaN"]
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "RANK": 1, "DATE": "2026-03-13", "PX": 98.5'
    path = tmp_path / "in.ndjson"
    path.write_text("\n".join(f'{{{same}, "SIZE": {size}}}' for size in sizes))
    run = run_colors(path, rules=where("SIZE", "less_or_equal", "9.5"))
    assert column(run.processed, "SIZE") == ["10", "10", None, "NaN"]
    assert column(run.excluded, "SIZE") == ["9", "9.50"]


def test_kinds_that_meet_in_a_column_tie_by_their_text(tmp_path: Path) -> None:
    """Cells of the same value are ordered by their text, strings and numbers of JSON alike."""
    ranks = ['"2.0"', "2", '" 2"', '"1"', "1", "2.00"]
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "DATE": "2026-03-13", "PX": 98.5'
    path = tmp_path / "in.ndjson"
    for order in (1, -1):
        path.write_text("\n".join(f'{{{same}, "RANK": {rank}}}' for rank in ranks[::order]))
        run = run_colors(path, output=tmp_path / "out", formats=["ndjson"])
        assert run.counts.children == 5
        lines = (tmp_path / "out/processed_colors.ndjson").read_text().splitlines()
        ranks_in_order = [line.partition('"RANK": ')[2].partition(", ")[0] for line in lines]
        assert ranks_in_order == ["1", '"1"', '" 2"', "2", '"2.0"', "2.00"]


def test_one_value_of_two_kinds_leaves_the_tie_to_the_next_column(tmp_path: Path) -> None:
    """Before the kinds of two equal cells, the columns after them decide."""
    same = '"MESSAGE_ID": 1, "CUSIP": "A", "RANK": 1, "DATE": "2026-03-13", "PX": 98.5'
    cells = ['"SIZE": "5", "NOTE": "a"', '"SIZE": 5, "NOTE": "b"']
    path = tmp_path / "in.ndjson"
    for order in (1, -1):
        path.write_text("\n".join(f"{{{same}, {cell}}}" for cell in cells[::order]))
        assert column(run_colors(path).processed, "NOTE") == ["a", "b"]
