"""Ties are broken by the remaining columns as values, then by their spelling."""

from pathlib import Path

from color_tables import column, three_colors, where

from marketpulse import run_colors


def test_unknown_typed_columns_break_ties_as_values_of_their_type() -> None:
    """Ten comes after nine in a column of numbers, and before it in a column of text."""
    numbers = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], SIZE=[10, 9, None]))
    assert column(numbers.processed, "SIZE") == [9, 10, None]
    text = run_colors(three_colors(MESSAGE_ID=[1, 1, 1], SIZE=["10", "9", None]))
    assert column(text.processed, "SIZE") == ["10", "9", None]


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
