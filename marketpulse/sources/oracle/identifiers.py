"""Names of tables: as users write them, as the dictionary spells them, as lists show them."""

from __future__ import annotations

import re
from typing import NamedTuple

from marketpulse.sources.names import fold_identifier

# NAME or OWNER.NAME, each part plain or in double quotes.
_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
_TABLE_NAME = re.compile(rf"(?:(?P<owner>{_PART})\.)?(?P<name>{_PART})")


class TableName(NamedTuple):
    """The parts of a table's name as the dictionary spells them; the owner may be missing."""

    owner: str | None
    name: str


def parse_table_name(text: str) -> TableName | None:
    """Parse NAME or OWNER.NAME; return None if the text is neither."""
    match = _TABLE_NAME.fullmatch(text)
    if match is None:
        return None
    owner = match["owner"]
    return TableName(
        None if owner is None else fold_identifier(owner), fold_identifier(match["name"])
    )


def display_identifier(name: str) -> str:
    """Return a name as lists show it: in double quotes if a dot in it could mislead."""
    return f'"{name}"' if "." in name else name
