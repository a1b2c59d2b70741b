"""The options of a run: the defaults that depend on what becomes of the results."""

import pytest

from marketpulse.colors.options import RunOptions
from marketpulse.errors import UsageError


@pytest.mark.parametrize(
    ("publish", "formats", "limit"), [(False, ("csv",), None), (True, ("csv", "parquet"), "10%")]
)
def test_defaults_depend_on_publishing(
    publish: bool, formats: tuple[str, ...], limit: str | None
) -> None:
    """Published results have a Parquet file and a limit of rejected rows."""
    options = RunOptions(publish=publish)

    assert options.output_formats() == formats
    rejection_limit = options.rejection_limit()
    assert (rejection_limit and rejection_limit.text) == limit


def test_options_override_the_defaults() -> None:
    """What the user asks for counts, published or not."""
    options = RunOptions(publish=True, formats=["XLSX", " csv "], max_rejected=3)

    assert options.output_formats() == ("xlsx", "csv")
    rejection_limit = options.rejection_limit()
    assert rejection_limit is not None
    assert rejection_limit.text == "3"


def test_invalid_options_are_refused() -> None:
    """An unknown format and a wrong limit are usage errors."""
    with pytest.raises(UsageError):
        RunOptions(formats=["doc"]).output_formats()
    with pytest.raises(UsageError):
        RunOptions(max_rejected="few").rejection_limit()
