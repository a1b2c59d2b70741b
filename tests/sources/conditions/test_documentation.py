"""The list of what conditions understand, in docs/commands.md."""

from __future__ import annotations

import re

import pytest
from support import ROOT

from marketpulse.sources import open_source
from marketpulse.sources.conditions import date_models
from marketpulse.sources.conditions.functions import CHOICES, FUNCTIONS

_PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
_SECTION = _PAGE.partition("\n## Conditions\n")[2].partition("\n## ")[0]
_WORDS = set(re.findall(r"`([^`]+)`", _SECTION))


@pytest.mark.parametrize("name", sorted({*FUNCTIONS, *CHOICES, "TRIM", "REGEXP_LIKE", "CASE"}))
def test_every_function_is_documented(name: str) -> None:
    """Whoever reads the page knows every function."""
    assert name in _WORDS


def test_every_format_is_documented() -> None:
    """Whoever reads the page knows every element of a date's format."""
    assert set(date_models.ELEMENTS) <= _WORDS


def test_every_function_of_the_page_is_understood() -> None:
    """The page names no function that is refused."""
    rows = [line for line in _SECTION.splitlines() if line.startswith("| ")]
    named = {word for line in rows for word in re.findall(r"`([A-Z_]{3,})`", line)}
    others = {"AND", "NOT", "NULL", "ESCAPE", "CASE", "SYSDATE", "TRIM", "REGEXP_LIKE", "TM9"}
    units = {"IYYY", "YYYY"}
    assert named - others - units <= {*FUNCTIONS, *CHOICES, *date_models.ELEMENTS}


@pytest.mark.parametrize(
    "condition", re.findall(r"```sql\n(.*?)```", _SECTION, re.DOTALL)[0].splitlines()
)
def test_the_examples_of_the_page(condition: str) -> None:
    """Each condition of the page is understood."""
    with open_source("demo", rows=50) as market:
        market.scan("COLORS", where=condition).read_all()
