"""Names of tables: parsing, Oracle's spelling, and how lists show them."""

import pytest

from marketpulse.sources.names import fold_identifier
from marketpulse.sources.oracle.identifiers import display_identifier, parse_table_name


@pytest.mark.parametrize(
    ("text", "owner", "name"),
    [
        ("colors", None, "COLORS"),
        ("desk.colors", "DESK", "COLORS"),
        ('"Desk".colors', "Desk", "COLORS"),
        ('desk."a.b"', "DESK", "a.b"),
        ('"say ""x"""', None, 'say "x"'),
        ("straße", None, "STRAßE"),
    ],
)
def test_parse(text: str, owner: str | None, name: str) -> None:
    """Without quotes a part is in capitals, in quotes it is exact."""
    assert parse_table_name(text) == (owner, name)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a.b.c", '"', '""', '"a', 'a"b'])
def test_parse_nothing_else(text: str) -> None:
    """Half a name is no name."""
    assert parse_table_name(text) is None


def test_fold_and_display() -> None:
    """A name with a dot is shown in quotes, so that folding it gives the name again."""
    for name in ("COLORS", "a.b"):
        assert fold_identifier(display_identifier(name)) == name
