"""Schemas for tests of what is generated from them: the demo's, and odd names and comments."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

from marketpulse.model import Column, Table, TableSchema
from marketpulse.sources import Source, open_source

DEMO_TABLES = [
    *("ALL_TYPES", "COLORS", "Colors", "DEALERS", "SECURITIES", "SECURITY_COLORS"),
    *('"Quoted"', "A/B", "CON", "x y", "é" * 60),
]

ODD_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from(
        [
            *("class", "None", "__init__", "__class__", "_x", "model_config", "model_dump", "copy"),
            *("schema", "copy_", "Copy", "self", "Row", "Any", "Decimal", "date", "datetime"),
            *('"""', "'\"", "\\", '\\"""', "a\nb", "\r", "ﬁ", "fi", "ß", "²", "1", "a b", "a_b"),
            *("# coding: latin-1", "{}", "%s", "Int8", "x_2", "X", "x", "\x00", "\u2028", "mro"),
        ]
    ),
)


def table_of(*columns: Column, table: str = "T", comment: str = "", **keys: Any) -> TableSchema:
    """Return a table with these columns."""
    return TableSchema(Table(table, comment=comment), columns, **keys)


@pytest.fixture(scope="module")
def market() -> Iterator[Source]:
    """The demo source."""
    with open_source("demo", rows=300) as source:
        yield source
