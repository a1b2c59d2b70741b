"""Names of tables and the errors for unknown names."""

import pytest

from marketpulse.errors import NotFoundError
from marketpulse.sources.base import match_table, unknown_name_error


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("colors", "COLORS"),
        ("Colors", "COLORS"),
        ('"Colors"', "Colors"),
        ("day of", "Day of"),
        ('say "x"', 'say "x"'),
        ('"say ""x"""', 'say "x"'),
    ],
)
def test_match_table(name: str, table: str) -> None:
    """Without quotes the name in capitals comes first, then another case; quotes are exact."""
    assert match_table(name, ["COLORS", "Colors", "Day of", 'say "x"']) == table


@pytest.mark.parametrize("name", ["", '"colors"', "one", "DESK.COLORS", '"day of"'])
def test_match_no_table(name: str) -> None:
    """No similar table is taken, and none of several that differ only in case."""
    with pytest.raises(NotFoundError, match="there is no table"):
        match_table(name, ["COLORS", "Day of", "One", "oNe"])


def test_unknown_name() -> None:
    """The hint suggests similar names in any case, else it lists the first ten."""
    near = unknown_name_error("column", "cusips", ["PX", "CUSIP", "Cusip"])
    assert near.message == "there is no column 'cusips'"
    assert near.hint == "did you mean: CUSIP, Cusip"
    far = unknown_name_error("table", "xyz", [f"TABLE_{number}" for number in range(12)])
    assert far.hint.startswith("there is: TABLE_0, TABLE_1")
    assert far.hint.endswith("TABLE_9")
    assert unknown_name_error("table", "xyz", []).hint == ""
