"""The page of a bundle: what it shows, in a real browser."""

import json
import re
from pathlib import Path

import pytest
from bundles import extract
from support import Tool, names_in
from web import Open, check_accessibility

from marketpulse.errors import OutputError
from marketpulse.extraction.sample_options import SampleOptions
from marketpulse.report import write_report

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the demo, COLORS cut after 300 rows."""
    folder = tmp_path_factory.mktemp("market") / "sample_data"
    tables = ("ALL_TYPES", "COLORS", "DEALERS", "SECURITIES", "x y")
    extract(folder, *tables, options=SampleOptions(limit=300), with_zip=True)
    return folder


def test_it_shows_tables_keys_profiles_and_rows(market: Path, open_page: Open) -> None:
    """What was cut, keys, profiles and first rows are on the page."""
    page = open_page(write_report(market).path)

    assert "300 of 2,000" in page.get_by_role("row", name="COLORS").first.inner_text()
    assert page.get_by_label("COLORS (SECURITY_ID) refers to SECURITIES (SECURITY_ID)").count() == 1
    page.get_by_role("link", name="COLORS").first.click()
    rank = page.get_by_role("region", name="Columns of COLORS").get_by_role(
        "row", name=re.compile("^RANK")
    )
    assert rank.is_visible()
    assert rank.get_by_role("img", name="Values from 1 to 6").count() == 1
    first_rows = page.get_by_role("region", name="First rows of COLORS")
    assert first_rows.get_by_role("row").count() == 11


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light"), (2560, "light")])
def test_it_is_accessible(market: Path, open_page: Open, width: int, scheme: str) -> None:
    """Axe finds nothing, and only tables scroll sideways."""
    page = open_page(write_report(market).path, width, scheme)
    page.get_by_role("button", name="Open all").click()

    check_accessibility(page)


def test_print_shows_every_table(market: Path, open_page: Open) -> None:
    """Paper cannot be clicked: what is closed opens for it."""
    page = open_page(write_report(market).path)

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_role("region", name="Columns of DEALERS").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.get_by_role("region", name="Columns of DEALERS").is_visible()


def test_values_stay_text(tmp_path: Path, open_page: Open) -> None:
    """Markup in names and cells is shown, and does nothing."""
    rows = [{"A": HOSTILE, "B": "</style></script>", '<img src="http://x.test">': "{{ 7 * 7 }}"}]
    data = tmp_path / "hostile.json"
    data.write_text(json.dumps(rows))
    folder = tmp_path / "bundle"
    extract(folder, source=data)

    page = open_page(write_report(folder).path)

    cells = page.get_by_role("region", name="First rows").get_by_role("cell")
    assert [cell.strip() for cell in cells.all_inner_texts()] == list(rows[0].values())


def test_the_page_of_a_zip_is_beside_it(market: Path, tmp_path: Path) -> None:
    """A zip is read as it is; the page has its name."""
    zipped = tmp_path / "sent.zip"
    zipped.write_bytes(market.with_suffix(".zip").read_bytes())

    report = write_report(zipped)

    assert report.path == tmp_path / "sent_report.html"
    assert report.kind == "bundle"
    assert report.bytes == report.path.stat().st_size


def test_a_page_replaces_only_pages(market: Path, tmp_path: Path) -> None:
    """No other file is overwritten, and no bundle loses its seal; an earlier page is replaced."""
    manifest = (market / "manifest.json").read_bytes()
    notes = tmp_path / "notes.txt"
    notes.write_text("of the desk")
    for target in (market / "manifest.json", market.with_suffix(".zip"), notes):
        with pytest.raises(OutputError, match="it would be overwritten, and it is not the page of"):
            write_report(market, target)
    with pytest.raises(OutputError, match="a bundle may hold no other files"):
        write_report(market, market / "page.html")
    assert (market / "manifest.json").read_bytes() == manifest
    assert notes.read_text() == "of the desk"
    page = tmp_path / "page.html"
    assert [write_report(market, page).bytes for _ in range(2)] == [page.stat().st_size] * 2


def test_a_dash_prints_the_page(market: Path, tool: Tool) -> None:
    """It is the page that would be written, and no file; JSON beside it is refused."""
    page = write_report(market, tool.folder / "page.html").path
    printed = tool.run("report", market, "--output", "-")

    assert printed.out == page.read_text(encoding="utf-8") + "\n"
    assert tool.run("report", market, "--output", "-", "--format", "json").code == 2
    assert names_in(tool.folder) == ["page.html", "tmp"]
