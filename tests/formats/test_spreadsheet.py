"""Cells of CSV that a spreadsheet would change, and their protection."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marketpulse.errors import DataError
from marketpulse.formats.encode import LogicalType, logical_field
from marketpulse.formats.spreadsheet import protect, unprotect

TEXT = pa.field("A", pa.string())
NUMBER = logical_field("A", LogicalType.NUMBER)

PROTECTED = [
    *("=1+1", "+1", "@x", "-x", "'x", "\tx", "007", "1.50", "1,5", "12:30", "50%", "$5", "1E5"),
    *("12345E108", "MAR1", "1-Mar", "Mar 13", "TRUE", "false", "2026-03-13", "037833100"),
    "17700000000000001",
]
UNCHANGED = ["", "x", "A1B2", "-5", "-0.25", "1x", "Bloomberg", "a-b", "x@y"]


def protected(cells: list[str | None], field: pa.Field) -> list[str | None]:
    """Return the cells as the file has them."""
    texts: list[str | None] = protect(pa.array(cells, pa.string()), field).to_pylist()
    return texts


def test_text_that_would_change_is_marked() -> None:
    """Formulas, identifiers, dates and booleans get a quote; other text and nulls do not."""
    assert protected([*PROTECTED], TEXT) == [f"'{cell}" for cell in PROTECTED]
    assert protected([*UNCHANGED, None], TEXT) == [*UNCHANGED, None]


def test_numbers_stay_numbers_up_to_fifteen_digits() -> None:
    """A number is marked only if a spreadsheet would lose digits of it."""
    short, long = ["1.50", "-7", "123456789012345"], ["1234567890123456", "0.1234567890123456"]
    assert protected([*short, *long], NUMBER) == [*short, *(f"'{cell}" for cell in long)]


def test_dates_before_1900_are_marked() -> None:
    """A spreadsheet has no dates before 1900."""
    day = pa.field("A", pa.date32())
    assert protected(["2026-03-13", "1899-12-31"], day) == ["2026-03-13", "'1899-12-31"]
    assert protected(["true"], pa.field("A", pa.bool_())) == ["true"]


@given(cells=st.lists(st.none() | st.text()))
@example(cells=["'"])
def test_unprotect_undoes_it(cells: list[str | None]) -> None:
    """Any text is the same after protect and unprotect."""
    for field in (TEXT, NUMBER):
        text = pa.array(cells, pa.string())
        assert unprotect(protect(text, field)).equals(text)


def test_a_cell_that_is_too_long() -> None:
    """Text beyond the length of a cell is an error that names the column."""
    protect(pa.array(["x" * 32_766]), TEXT)
    with pytest.raises(DataError, match="A: a cell of a spreadsheet has room for 32,767"):
        protect(pa.array(["x" * 32_767]), TEXT)
