"""Rules as predicates, exact on every type and never SQL; ties go by values, then by spellings."""

import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest
from color_tables import (
    book,
    column,
    matching_rows,
    rows_of,
    rule,
    three_colors,
    where,
    write_colors,
)
from strategies import SECOND

from marketpulse import run_colors
from marketpulse.colors.options import RunOptions
from marketpulse.colors.prepare import prepare
from marketpulse.colors.ranking import rule_predicate


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
        assert matching_rows(table, "DATE", "less_than", "9999-12-31T00:00:00.0000001Z") == [
            1,
            2,
            3,
        ]
        after = "2026-03-13 12:00:00.000000001+02:00"
        assert matching_rows(table, "DATE", "greater_than", after) == [2]
        assert matching_rows(table, "DATE", "equals", "2026-03-13") == [1, 2, 3]
        assert matching_rows(table, "DATE", "greater_than", "2026-03-13") == []
        assert matching_rows(table, "DATE", "less_or_equal", "2026-03-12") == []
        assert matching_rows(table, "DATE", "between", "2026-03-12", "2026-03-13") == [1, 2, 3]


def test_rules_on_timestamps_with_a_zone() -> None:
    """A rule means UTC, and so does a cell, whatever the zone of its column shows."""
    values = pa.array([SECOND * 10**6, SECOND * 10**6 + 1, None], pa.int64())
    for zone in ("UTC", "Asia/Tokyo"):
        table = three_colors(DATE=values.cast(pa.timestamp("us", zone)))
        assert matching_rows(table, "DATE", "equals", "2026-03-13T10:00:00Z") == [1]
        assert matching_rows(table, "DATE", "greater_than", "2026-03-13T12:00:00+02:00") == [2]
        assert matching_rows(table, "DATE", "equals", "2026-03-13") == [1, 2]
        assert matching_rows(table, "DATE", "less_or_equal", "2026-03-13") == [1, 2]


def test_rules_on_floats_mean_the_digits_that_are_shown() -> None:
    """A float equals the number that its shortest text shows: 0.1 is 0.1, also in 32 bits."""
    for data_type in (pa.float32(), pa.float64()):
        table = three_colors(PX=pa.array([0.1, 0.2, None], data_type))
        assert matching_rows(table, "PX", "equals", "0.1") == [1]
        assert matching_rows(table, "PX", "less_or_equal", 0.1) == [1]
        assert matching_rows(table, "PX", "greater_than", "0.10") == [2]
        assert matching_rows(table, "PX", "between", "0.1", "0.2") == [1, 2]
    numbers = [0.1 + 0.2, 0.3, 1e22]
    for table in (three_colors(PX=numbers), three_colors(PX=list(map(str, numbers)))):
        assert matching_rows(table, "PX", "equals", "0.3") == [2]
        assert matching_rows(table, "PX", "equals", "0.30000000000000004") == [1]
        assert matching_rows(table, "PX", "equals", "0.300000000000000041") == []
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


def test_blank_texts_are_one_value_and_several_spellings() -> None:
    """In a tie empty text is first, then null, then blanks; a value is before them all."""
    table = three_colors(MESSAGE_ID=[1, 1, 1], NOTE=[" ", None, ""])
    assert column(run_colors(table).processed, "NOTE") == ["", None, " "]
    table = three_colors(MESSAGE_ID=[1, 1, 1], NOTE=[None, " ", "z"])
    assert column(run_colors(table).processed, "NOTE") == ["z", None, " "]


def test_the_spelling_of_a_cusip_decides_before_those_of_later_columns() -> None:
    """The result has the normalised CUSIP, and yet the cell that arrived breaks the tie."""
    spellings = ["1tekh3ir5", " 1TEKH3IR5", "1TEKH3IR5"]
    dates = ["2026-03-13", "2026-03-13 00:00", "2026-03-13T00:00"]
    run = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], CUSIP=spellings, DATE=dates))
    assert column(run.processed, "DATE") == [dates[1], dates[2], dates[0]]


def test_the_digits_of_a_cusip_decide_before_the_spelling_of_a_price(tmp_path: Path) -> None:
    """A number of JSON as CUSIP is its digits in the result; `.0` after them breaks the tie."""
    path = tmp_path / "in.ndjson"
    same = '"MESSAGE_ID": 1, "RANK": 1, "DATE": "2026-03-13"'
    path.write_text(
        f'{{{same}, "CUSIP": 123456789.0, "PX": 98.5}}\n{{{same}, "CUSIP": 123456789, "PX": 98.50}}'
    )
    assert column(run_colors(path).processed, "PX") == ["98.50", "98.5"]


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


# One security by rank, date, price. What puts a row behind the one before it stands beside it.
ORDER = """
Z,1,A,1,2026-03-13 10:00,98.5,1,x
Z,1,A,1,2026-03-13,100,1,x        # DATE
Z,1,A,1,2026-03-13,98.5,1,x       # PX
Z,1,A,1,2026-03-13,-2,1,x
Z,1,A,1,2026-03-13,-20,1,x
Z,1,A,1,2026-03-13,,1,x
Z,9,A,1,,98.5,1,x                 # DATE, without one
Z,10,A,2,2026-03-13,98.5,1,x      # RANK
Z,9,A,2,2026-03-13,98.5,1,x       # MESSAGE_ID
B,8,A,2,2026-03-13,98.5,1,x
a,8,A,2,2026-03-13,98.5,1,x       # NOTE, by code point
é,8,A,2,2026-03-13,98.5,1,x
,8,A,2,2026-03-13,98.5,1,x
Z,7,A,2,2026-03-13,98.5,-20,x
Z,7,A,2,2026-03-13,98.5,-2,x      # BID, a number
Z,7,A,2,2026-03-13,98.5,9,x
Z,7,A,2,2026-03-13,98.5,10,10
Z,7,A,2,2026-03-13,98.5,10,9      # SIZE, text
Z,7,A,2,2026-03-13,98.5,10,
Z,7,A,2,2026-03-13,98.5,,x
 ,+6,A,2,2026-03-13,98.5,1,x
,6,A,2,2026-03-13,98.5,1,x        # the spelling of MESSAGE_ID, before that of NOTE
 ,6,A,2,2026-03-13,98.5,1,x       # of NOTE
Z,5, a,2,2026-03-13,98.5,1,x
Z,5,A,2,2026-03-13,98.5,1,x       # of CUSIP
Z,5,A,2.0,2026-03-13,98.5,1,x     # of RANK
Z,4,A,2,2026-03-13,98.5,1,x
Z,4,A,2,2026-03-13T00:00,98.5,1,x
Z,4,A,2,2026-03-13T00:00,98.50,1,x
Z,4,A,2,2026-03-13T00:00,98.50,1.0,x
Z,3,A,2,2026-03-13,98.5,,x
Z,3,A,2,2026-03-13,98.5,NaN,x
Z,99,A,,2027-03-13,99,1,x         # RANK, without one
"""


def test_each_key_of_the_order_decides_once(tmp_path: Path) -> None:
    """Values in the order of the hierarchy, the message, the columns from the left; spellings."""
    lines = [re.sub(" +#.*", "", line) for line in ORDER.strip("\n").split("\n")]
    header = "NOTE,MESSAGE_ID,CUSIP,RANK,DATE,PX,BID,SIZE"
    shuffled = random.Random(6).sample(lines, len(lines))
    for order in (shuffled, shuffled[::-1]):
        run = run_colors(write_colors(tmp_path / "in.csv", *order, header=header))
        given = [",".join(map(str, row[:8])) for row in rows_of(run.processed)]
        assert given == [line.replace(" a,", "A,") for line in lines]


ROWS = [
    "1,A,1,2026-03-12 23:59:59.5,98.4,ab",
    "2,A,2,2026-03-13,98.5,AB ",
    "3,A,3,2026-03-13 12:00,98.6,b",
    "4,A,4,2026-03-14,99,ba",
    "5,A,,,,",
    # Only this row needs more digits than a cast keeps.
    f"6,A,{10**20},2027-03-13 00:00:00.000000001,{10**20}.{'0' * 20}1,zz",
]
MORNING, NOON = "2026-03-13", "2026-03-13 12:00"
# Column, operator, values; the numbers of the rows that match.
CONDITIONS: list[tuple[str, str, str, str]] = [
    *(("RANK", "equals", "2", "2"), ("RANK", "not_equals", "2", "1346")),
    *(("RANK", "less_than", "2", "1"), ("RANK", "greater_than", "3", "46")),
    *(("RANK", "less_or_equal", "2", "12"), ("RANK", "greater_or_equal", "3", "346")),
    *(("RANK", "between", "2;3", "23"), ("RANK", "in", "2, 4", "24")),
    *(("RANK", "not_in", "2, 4", "136"), ("RANK", "less_than", "2.5", "12")),
    *(("RANK", "is_null", "", "5"), ("RANK", "is_not_null", "", "12346")),
    *(("RANK", "equals", "2.5", ""), ("RANK", "less_than", "9500000000000000000", "1234")),
    *(("PX", "equals", "98.5001", ""), ("PX", "equals", "98.500000000000001", "")),
    *(("PX", "equals", "98.50", "2"), ("PX", "not_equals", "98.5", "1346")),
    *(("PX", "less_than", "98.5", "1"), ("PX", "greater_than", "98.5", "346")),
    *(("PX", "less_or_equal", "98.5", "12"), ("PX", "greater_or_equal", "98.5", "2346")),
    *(("PX", "between", "98.5;98.6", "23"), ("PX", "in", "98.4, 99", "14")),
    *(("PX", "not_in", "98.4, 99", "236"), ("PX", "is_null", "", "5")),
    *(("DATE", "equals", MORNING, "23"), ("DATE", "not_equals", MORNING, "146")),
    *(("DATE", "less_than", MORNING, "1"), ("DATE", "greater_than", MORNING, "46")),
    *(("DATE", "less_or_equal", MORNING, "123"), ("DATE", "greater_or_equal", MORNING, "2346")),
    *(("DATE", "between", f"{MORNING};{MORNING}", "23"), ("DATE", "equals", NOON, "3")),
    *(("DATE", "between", f"2026-03-12;{NOON}", "123"), ("DATE", "less_or_equal", NOON, "123")),
    *(("DATE", "in", "2026-03-12, 2026-03-14", "14"), ("DATE", "greater_than", NOON, "46")),
    *(("DATE", "not_in", f"{MORNING}, 2026-03-14", "16"), ("DATE", "is_null", "", "5")),
    *(("DATE", "equals", "2026-03-12 23:59:59.5", "1"),),
    *(("DATE", "less_than", "2026-03-12 23:59:59.5000001", "1"),),
    *(("DATE", "greater_than", "2026-03-12 23:59:59.25", "12346"),),
    *(("NOTE", "equals", "b", "3"), ("NOTE", "in", "b, 7", "3")),
    *(("NOTE", "equals", " Ab", "12"), ("NOTE", "not_equals", "AB", "346")),
    *(("NOTE", "contains", "A", "124"), ("NOTE", "not_contains", "A", "36")),
    *(("NOTE", "starts_with", "A", "12"), ("NOTE", "ends_with", "B", "123")),
    *(("NOTE", "in", "B, ab", "123"), ("NOTE", "not_in", "B, ab", "46")),
    *(("NOTE", "is_null", "", "5"), ("NOTE", "is_not_null", "", "12346")),
]


def border_condition(name: str, operator: str, values: str) -> dict[str, str]:
    """A condition of a rule; its values are separated by a semicolon."""
    names = ["value", "value2"] if values else []
    return {
        "column": name,
        "operator": operator,
        **dict(zip(names, values.split(";"), strict=False)),
    }


@pytest.mark.parametrize("form", ["text", "exact text", "typed"])
def test_each_operator_at_its_borders(form: str, tmp_path: Path) -> None:
    """Exactly these rows match, and no condition is undecided, however the cells are read."""
    header = "MESSAGE_ID,CUSIP,RANK,DATE,PX,NOTE"
    rows = ROWS if form == "exact text" else ROWS[:-1]
    data: Path | pa.Table = write_colors(tmp_path / "in.csv", *rows, header=header)
    if form == "typed":
        types = {"RANK": pa.int64(), "DATE": pa.timestamp("us"), "PX": pa.decimal128(9, 3)}
        options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
        data = pa.csv.read_csv(data, convert_options=options)
    conditions = [border_condition(*condition[:3]) for condition in CONDITIONS]
    rules = book(*(rule(condition, number=n) for n, condition in enumerate(conditions)))
    with prepare(data, RunOptions(rules=rules)) as prepared:
        prepared.engine.profile()
        matches = [rule_predicate(bound, prepared.engine.cells) for bound in prepared.rules]
        columns = ", ".join(f"{match} AS m{number}" for number, match in enumerate(matches))
        table = prepared.engine.table(f"SELECT {columns} FROM valued ORDER BY n")
    for condition, answers in zip(CONDITIONS, table.columns, strict=True):
        expected = [str(number) in condition[3] for number in range(1, len(rows) + 1)]
        assert answers.to_pylist() == expected, condition


def test_conditions_fold_from_left_to_right() -> None:
    """`where A and B or C` is (A and B) or C, `where A or B and C` is (A or B) and C."""
    table = three_colors(NOTE=["ab", "b", "c"])

    def matching(*connected: tuple[str, str]) -> list[int]:
        conditions = [
            {"type": connector, "column": "NOTE", "operator": "contains", "value": text}
            for connector, text in connected
        ]
        run = run_colors(table, rules=book(rule(*conditions)))
        return [number % 10 for number in column(run.excluded, "MESSAGE_ID")]

    assert matching(("where", "a"), ("and", "b"), ("or", "c")) == [1, 3]
    assert matching(("where", "c"), ("or", "b"), ("and", "a")) == [1]
