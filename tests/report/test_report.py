"""A report of what is neither a bundle nor a run is refused, with what to do."""

from pathlib import Path

import pytest

from marketpulse.errors import DataError, NotFoundError
from marketpulse.report import write_report


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "no such file or folder"),
        ("colors.csv", "a report shows a bundle or a run, not a file"),
        ("folder", "it has neither manifest.json nor run_summary.json"),
    ],
)
def test_what_is_no_bundle_and_no_run_is_refused(name: str, message: str, tmp_path: Path) -> None:
    """A wrong path, a file with colors, a folder with them."""
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "colors.csv", tmp_path / "folder/colors.csv"):
        path.write_text("MESSAGE_ID,CUSIP,RANK,DATE,PX\n")
    with pytest.raises(NotFoundError, match=message) as refused:
        write_report(tmp_path / name)
    assert refused.value.hint
    assert not [*tmp_path.glob("*.html")]


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    """The zip of a bundle that lost its end on the way."""
    (tmp_path / "sample_data.zip").write_bytes(b"PK\3\4")
    with pytest.raises(DataError, match="this is not a zip, or it is damaged"):
        write_report(tmp_path / "sample_data.zip")
