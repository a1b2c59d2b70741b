"""A run as one workbook: the rows of the other formats, on sheets of their own."""

import csv
from pathlib import Path

import openpyxl
import pytest
from support import COLORS, NUMBERS, RULES, Tool, names_in, one_message

import marketpulse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day as CSV and as one workbook."""
    folder = tmp_path_factory.mktemp("run") / "processed_colors"
    marketpulse.run_colors(COLORS, rules=RULES, output=folder, workbook=True)
    return folder


def sheets(path: Path) -> dict[str, list[list[str]]]:
    """The cells of each sheet as text; a number as Excel shows it."""
    book = openpyxl.load_workbook(path)
    return {
        sheet.title: [[_shown(cell) for cell in row] for row in sheet.iter_rows()] for sheet in book
    }


def _shown(cell: object) -> str:
    value, code = getattr(cell, "value", None), getattr(cell, "number_format", "")
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        decimals = len(str(code).partition(".")[2])
        return f"{value:0{len(str(code))}.{decimals}f}"
    return f"{value:%Y-%m-%d}" if hasattr(value, "year") else str(value)


def rows_of(path: Path) -> list[list[str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_every_row_is_on_its_sheet(folder: Path) -> None:
    """Parents and children apart, in the order of the run; nothing else is written as XLSX."""
    shown = sheets(folder / "processed_colors.xlsx")
    header, *rows = rows_of(folder / "processed_colors.csv")
    is_parent, message_id = header.index("IS_PARENT"), header.index("MESSAGE_ID")

    assert list(shown) == ["parents", "children", "excluded", "rejected", "summary"]
    for title, value in (("parents", "true"), ("children", "false")):
        expected = [row[message_id] for row in rows if row[is_parent] == value]
        assert [row[message_id] for row in shown[title][1:]] == expected
        assert shown[title][0] == header
    assert len(shown["excluded"]) - 1 == NUMBERS["excluded"]
    assert len(shown["rejected"]) - 1 == NUMBERS["rejected"]
    assert [name for name in names_in(folder) if name.endswith("xlsx")] == ["processed_colors.xlsx"]


def test_the_summary_has_the_counts(folder: Path) -> None:
    """Each with the path to it in run_summary.json."""
    summary = dict(sheets(folder / "processed_colors.xlsx")["summary"])

    assert {
        f"rows: {name}": str(count) for name, count in NUMBERS.items()
    }.items() <= summary.items()
    assert summary["hierarchy"] == "rank, date, price"
    # What the run does not have, no row has: a condition, a mapping, warnings of rules.
    assert {"run_id", "input", "rules"} <= summary.keys()
    assert not {"where", "mapping", "rule_warnings", "files"} & summary.keys()
    assert all(summary.values())


def test_a_sheet_is_read_back(folder: Path, tmp_path: Path) -> None:
    """Its parents, ranked again, are the parents."""
    again = marketpulse.run_colors(
        folder / "processed_colors.xlsx", sheet="parents", again=True, output=tmp_path / "again"
    )

    assert (again.counts.parents, again.counts.children) == (NUMBERS["parents"], 0)
    first, second = (
        [row[:1] for row in rows_of(path / "processed_colors.csv") if "true" in row]
        for path in (folder, tmp_path / "again")
    )
    assert first == second


def test_it_needs_xlsx(tool: Tool) -> None:
    """Alone it adds the format; without it among --formats it would change nothing."""
    refused = tool.run("run-colors", COLORS, "--workbook", "--formats", "csv")

    assert refused.code == 2
    assert "--workbook needs the format xlsx" in one_message(refused.err)
