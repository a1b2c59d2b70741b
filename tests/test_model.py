"""The shared model."""

import pytest

from marketpulse.model import FileNotes, MalformedLine, format_count


def test_the_reason_of_a_malformed_line() -> None:
    """The reason has the number of fields and the expected number."""
    for fields, reason in ((5, "5 fields instead of 4"), (1, "1 field instead of 4")):
        line = MalformedLine(after=3, fields=fields, expected=4, text="a,b,c,d,e")
        assert line.reason == reason


def test_the_notes_about_files() -> None:
    """What there is to warn of is a sentence and a count; nothing is neither."""
    assert FileNotes().remarks() == []
    assert FileNotes().counts() == {}
    notes = FileNotes(hidden_rows=1, nameless_columns=1)
    assert notes.counts() == {"hidden_rows": 1, "nameless_columns": 1}
    assert notes.remarks() == [
        "1 row is hidden in the workbook, by a filter or by hand, and read all the same",
        "1 column without a name is left out: no cell there has a value",
    ]


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2, ("row",), "2 rows"),
        (1, ("row is", "rows are"), "1 row is"),
        (3, ("row is", "rows are"), "3 rows are"),
    ],
)
def test_one_is_singular(count: int, words: tuple[str, ...], text: str) -> None:
    """Messages count in English."""
    assert format_count(count, *words) == text
