"""Samples: which rows are taken, which files are written, and what the notes say."""

from datetime import UTC, datetime
from pathlib import Path

from format_files import Formula, write_sheet

from marketpulse.cli import console
from marketpulse.extraction import SampleOptions, write_sample
from marketpulse.sources import open_files


def test_a_bundle_says_what_it_makes_text_of(tmp_path: Path) -> None:
    """What a cell was is no longer in a file of text: the manifest tells how many there are."""
    sheet = write_sheet(
        tmp_path / "b.xlsx",
        ["7", "A", 1, "2026-03-13", 98.5, "x"],
        [17700000000000001, "A", 1, "2026-03-13", 98.5, Formula("=NOTE", "")],
    )
    with open_files([sheet]) as source:
        sample = write_sample(
            source,
            [],
            SampleOptions(),
            output=tmp_path / "bundle",
            taken_at=datetime(2026, 3, 13, tzinfo=UTC),
            progress=console.progress(quiet=True),
        )
    assert sample.manifest.tables[0].notes == (
        "NOTE: 1 formulas without a result are written as their text",
        "MESSAGE_ID: 1 numbers have more digits than a spreadsheet keeps",
    )
