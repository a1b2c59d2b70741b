"""The files of an interrupted sample: their names suit every system."""

from datetime import UTC, datetime
from pathlib import Path

from marketpulse.extraction.unfinished import UnfinishedSample


def test_no_journal_has_the_name_of_a_device(tmp_path: Path) -> None:
    """Windows opens the console for CON and for CON.rows, so a table CON needs another name."""
    now = datetime.now(UTC)
    sample = UnfinishedSample(tmp_path, "request", "facts", None, taken_at=now, restart=False)
    names = {stem: sample.journal(stem).name for stem in ("CON", "NUL", "COLORS", "COLORS_2")}
    assert len({*names.values()}) == len(names)
    assert not [name for name in names.values() if name.partition(".")[0] in names]
