"""The page of a run: every security with its ranking, in a real browser."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from support import COLORS, NUMBERS, RULES
from web import Open, check_accessibility

import marketpulse
from marketpulse.errors import DataError
from marketpulse.report import write_report

MOST_COLORS = "00GC0UY95"  # the security with the most colors of the day


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day, ranked with its rules."""
    folder = tmp_path_factory.mktemp("run") / "processed_colors"
    marketpulse.run_colors(COLORS, rules=RULES, output=folder)
    return folder


@pytest.fixture(scope="module")
def page_file(run_folder: Path) -> Path:
    """Its page."""
    return write_report(run_folder).path


def processed(folder: Path) -> Iterator[dict[str, str]]:
    """The rows of the run."""
    with (folder / "processed_colors.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def test_it_shows_what_the_rows_became(page_file: Path, open_page: Open) -> None:
    """The funnel has the counts of the summary; reasons and dealers have bars."""
    page = open_page(page_file)

    funnel = page.get_by_role("region", name="What the rows became").get_by_role("row")
    shown = {row.split("\t")[0]: row.split("\t")[1] for row in funnel.all_inner_texts()[1:]}
    assert shown == {name: f"{count:,}" for name, count in NUMBERS.items()}
    assert page.get_by_role("row", name="PX: 'n/a' is not a number 4").count() == 1
    assert page.get_by_role("row", name="2 No valuations 61").count() == 1
    bars = page.get_by_role("region", name="By SOURCE").get_by_role("row")
    assert any(row.startswith("MS\t") for row in bars.all_inner_texts())


def test_a_security_shows_its_ranking(run_folder: Path, page_file: Path, open_page: Open) -> None:
    """The table has the rows of the results in their order, and why each is there."""
    page = open_page(page_file)
    expected = [row for row in processed(run_folder) if row["CUSIP"] == MOST_COLORS]

    page.get_by_label("CUSIP or ticker").fill(MOST_COLORS.lower())

    page.get_by_role("heading", name=MOST_COLORS).wait_for()
    lines = [row.split("\t") for row in page.locator("#ranking tbody tr").all_inner_texts()]
    ranked = [line for line in lines if line[0] != "excluded"]
    assert [line[4] for line in ranked] == [row["MESSAGE_ID"] for row in expected]
    assert ranked[0][:2] == ["★ parent", "the parent"]
    assert ranked[4][1] == "RANK (rank): 3 after 2"
    # A column that is not among those shown may decide, too.
    hidden = [(place, line[1]) for place, line in enumerate(ranked) if "COV_PRICE" in line[1]]
    assert hidden == [
        (
            place,
            f"COV_PRICE: {expected[place]['COV_PRICE']} after {expected[place - 1]['COV_PRICE']}",
        )
        for place, _ in hidden
    ]
    assert hidden
    excluded = [line[1] for line in lines if line[0] == "excluded"]
    assert {*excluded} == {"by rule 2 No valuations", "by rule 5 Left to right"}
    # One mark a color that has a price: no other table says where the parent is.
    page.locator("#chart svg").wait_for()
    assert page.locator("#chart .mark-symbol.role-mark path").count() == len(lines)


def test_a_security_without_a_parent_is_found(page_file: Path, open_page: Open) -> None:
    """Rules or faults may leave no color: the search says so."""
    page = open_page(page_file)

    page.get_by_label("CUSIP or ticker").fill("no parent")

    texts = page.get_by_role("button", name="(no parent)").all_inner_texts()
    assert texts
    page.get_by_role("button", name=texts[0]).click()
    outcomes = {row.split("\t")[0] for row in page.locator("#ranking tbody tr").all_inner_texts()}
    assert outcomes <= {"excluded", "rejected"}


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light"), (2560, "light")])
def test_it_is_accessible(page_file: Path, open_page: Open, width: int, scheme: str) -> None:
    """Axe finds nothing, and only tables scroll sideways."""
    page = open_page(page_file, width, scheme)
    page.locator("#chart svg").wait_for()

    check_accessibility(page)


def test_the_keyboard_reaches_a_security(page_file: Path, open_page: Open) -> None:
    """The first match is one Tab away from the search."""
    page = open_page(page_file)
    page.get_by_label("CUSIP or ticker").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    first = page.get_by_role("listitem").first.inner_text()
    assert page.locator("#chosen").inner_text() == first


def test_a_changed_file_is_refused(run_folder: Path, tmp_path: Path) -> None:
    """A page shows what the run wrote, or nothing."""
    folder = tmp_path / "changed"
    folder.mkdir()
    for path in run_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    with (folder / "processed_colors.csv").open("a") as file:
        file.write("\n")

    with pytest.raises(DataError, match="not as the run wrote it"):
        write_report(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": None},
        {"rows": {"read": 1}},
        {"excluded_by_rule": [1]},
        {"rejected_by_reason": {"x": "1"}},
    ],
)
def test_a_changed_summary_is_refused(
    run_folder: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    """Counts that are none are an error of the data."""
    summary = json.loads((run_folder / "run_summary.json").read_bytes())
    (tmp_path / "run_summary.json").write_text(json.dumps(summary | change))

    with pytest.raises(DataError, match="are not the counts of a run"):
        write_report(tmp_path)


def test_parquet_gives_the_same_page(page_file: Path, tmp_path: Path) -> None:
    """Cells of a CSV keep their spelling in Parquet, so the data is the same."""
    folder = tmp_path / "processed_colors"
    marketpulse.run_colors(COLORS, rules=RULES, output=folder, formats=["parquet"])

    assert _data(write_report(folder).path) == _data(page_file)


def _data(page: Path) -> str:
    """The data that a page holds for its script."""
    return page.read_text("utf-8").split('id="data">')[1].split("</script>")[0]


def test_tables_without_rows(tmp_path: Path) -> None:
    """An excluded table without rows is an empty file in NDJSON: the page has none."""
    pytest.importorskip("vl_convert")
    row = {"MESSAGE_ID": 1, "CUSIP": "037833100", "RANK": 1, "DATE": "2026-03-13", "PX": 1}
    run = tmp_path / "run"
    marketpulse.run_colors(pa.Table.from_pylist([row]), output=run, formats=["ndjson"])
    assert (run / "excluded_colors.ndjson").read_bytes() == b""
    assert write_report(run).path.is_file()


def test_the_chart_west_of_greenwich_and_on_paper(tmp_path: Path, open_page: Open) -> None:
    """Dates are those of the table in every time zone; paper has dark marks on white."""
    pytest.importorskip("vl_convert")
    days = ["2026-03-13", "2026-03-12 23:30", "2026-03-11T10:00:00+01:00"]
    rows = [
        {"MESSAGE_ID": number, "CUSIP": "037833100", "RANK": 1, "DATE": day, "PX": 100}
        for number, day in enumerate(days)
    ]
    marketpulse.run_colors(rows, output=tmp_path / "run")
    page = open_page(write_report(tmp_path / "run").path, 1280, "dark")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTimezoneOverride", {"timezoneId": "America/New_York"})
    page.reload()

    marks = page.locator("#chart .mark-symbol.role-mark path")
    marks.first.wait_for()
    labels = [mark.get_attribute("aria-label") or "" for mark in marks.all()]
    assert [label.split(";")[0] for label in labels] == [
        "date: Mar 13, 2026", "date: Mar 12, 2026", "date: Mar 11, 2026",
    ]  # fmt: skip
    page.emulate_media(media="print")
    assert marks.first.evaluate("mark => getComputedStyle(mark).fill") == "rgb(0, 0, 0)"
    assert "without exclusion rules" in page.locator("header").inner_text()
