"""RunOptions: one object for all callers, and the keywords of `run_colors`."""

import pickle
import re
from dataclasses import FrozenInstanceError, fields, replace
from inspect import signature
from typing import Any

import pytest
from color_tables import AT, three_colors, where

from marketpulse import run_colors
from marketpulse.colors.options import RunOptions
from marketpulse.colors.run import run
from marketpulse.errors import UsageError


def test_options_and_keywords_are_the_same() -> None:
    """`run_colors` takes the fields of RunOptions as keywords."""
    keywords: dict[str, Any] = {
        "rules": where("PX", "gt", 98.7),
        "hierarchy": ["price", "rank", "date"],
        "processed_at": AT,
        "processing_type": "AUTOMATED",
        "mapping": {"date": "DAY"},
    }
    table = three_colors(PX=[98.5, 98.6, 99.0]).rename_columns({"DATE": "DAY"})
    by_keywords, by_options = run_colors(table, **keywords), run(table, RunOptions(**keywords))
    assert by_keywords.summary() == by_options.summary()
    assert by_keywords.processed == by_options.processed
    assert by_keywords.counts.excluded == 1


def test_options_do_not_change() -> None:
    """Options are keyword-only and frozen; `dataclasses.replace` makes others."""
    options = RunOptions(table="COLORS")
    with pytest.raises(FrozenInstanceError):
        options.table = "OTHER"  # type: ignore[misc] # wrong on purpose
    with pytest.raises(TypeError):
        RunOptions("COLORS")  # type: ignore[call-arg] # wrong on purpose
    assert replace(options, table=None) == RunOptions()


def test_an_unknown_keyword_is_an_error() -> None:
    """A misspelled option is a TypeError that names it."""
    wrong: dict[str, Any] = {"rule": "rules.json"}
    with pytest.raises(TypeError, match="'rule'"):
        run_colors(three_colors(), **wrong)


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
    assert RunOptions(formats="csv,parquet").output_formats() == ("csv", "parquet")
    rejection_limit = options.rejection_limit()
    assert rejection_limit is not None
    assert rejection_limit.text == "3"


def test_invalid_options_are_refused() -> None:
    """An unknown format and a wrong limit are usage errors."""
    with pytest.raises(UsageError):
        RunOptions(formats=["doc"]).output_formats()
    with pytest.raises(UsageError):
        RunOptions(max_rejected="few").rejection_limit()
    for wrong, message in (
        ({"accept_rounded_ids": "no"}, "accept_rounded_ids: 'no' is str, expected bool"),
        ({"where": 5}, "where: 5 is int, expected str | None"),
        ({"header_row": "3"}, "header_row: '3' is str, expected int | None"),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            RunOptions(**wrong)


def test_the_input_has_a_name_and_keywords_are_shown() -> None:
    """`data` is a keyword, too; `help` shows the options; a process pool can call `run_colors`."""
    assert run_colors(data=three_colors()).counts.read == 3
    names = ["data", *(field.name for field in fields(RunOptions))]
    assert [*signature(run_colors).parameters] == names
    assert pickle.loads(pickle.dumps(run_colors)) is run_colors
