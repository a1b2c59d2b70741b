"""The source demo: tables, names, keys, columns."""

import pytest
from samples import names, row_texts

from marketpulse.errors import NotFoundError, UsageError
from marketpulse.model import Column, ForeignKey
from marketpulse.sources.demo import DemoSource


def test_seed() -> None:
    """Another seed makes another market of the same size."""
    with DemoSource(50) as seven, DemoSource(50, seed=8) as eight:
        assert names(seven.tables()) == names(eight.tables())
        sizes = [[table.rows for table in market.tables()] for market in (seven, eight)]
        assert sizes[0] == sizes[1]
        for table in ("COLORS", "SECURITIES"):
            assert row_texts(seven.scan(table)) != row_texts(eight.scan(table))


def test_no_rows() -> None:
    """A negative number of colors is an error."""
    with pytest.raises(UsageError, match="-1"):
        DemoSource(-1)


def test_info() -> None:
    """`info` does not create the market."""
    info = DemoSource(10**15, seed=3).info()
    assert (info.kind, info.name) == ("demo", "demo")
    assert info.details == {"rows": str(10**15), "seed": "3"}


def test_names(demo: DemoSource) -> None:
    """There are names that cause trouble in file systems, shells and databases."""
    awkward = {'"Quoted"', "A/B", "CON", "x y", "é" * 60}
    tables = {table.name: table for table in demo.tables()}
    assert set(tables) == awkward | {
        *("ALL_TYPES", "COLORS", "Colors", "DEALERS", "SECURITIES", "SECURITY_COLORS")
    }
    for name in awkward:
        assert names(demo.describe(name).columns) == ["select", "a b", "ä"]
    assert {name for name, table in tables.items() if table.kind == "view"} == {"SECURITY_COLORS"}
    assert all(table.comment for table in tables.values())


def test_names_that_differ_in_case(demo: DemoSource) -> None:
    """Of two names that differ only in case, the one in capitals needs no quotes."""
    assert demo.describe("COLORS").table.rows == 2000
    assert demo.describe("Colors").table.rows == 6
    for name in ("COLORS", "Colors", "colors", '"COLORS"'):
        assert demo.find_table(name) == "COLORS"
    assert demo.find_table('"Colors"') == "Colors"
    with pytest.raises(NotFoundError, match="no table") as caught:
        demo.scan('"colors"')
    assert caught.value.hint == "did you mean: COLORS, Colors"


def test_unnamed(demo: DemoSource) -> None:
    """Without a name, the error lists the tables."""
    with pytest.raises(NotFoundError, match="11 tables") as caught:
        demo.find_table()
    assert "COLORS, CON, Colors" in caught.value.hint


def test_keys(demo: DemoSource) -> None:
    """Primary, unique and foreign keys and checks are described."""
    securities = demo.describe("SECURITIES")
    assert securities.primary_key == ("CUSIP",)
    assert securities.unique == (("SECURITY_ID",),)
    assert securities.foreign_keys == (ForeignKey(("LEAD",), "DEALERS", ("CODE",)),)
    assert "(length(CUSIP) = 9)" in securities.checks
    assert "(MATURES > ISSUED)" in securities.checks
    dealers = demo.describe("DEALERS")
    assert (dealers.primary_key, dealers.unique) == (("CODE",), (("NAME",),))
    colors = demo.describe("COLORS")
    assert (colors.primary_key, colors.unique) == ((), ())
    assert colors.foreign_keys == (
        ForeignKey(("SOURCE",), "DEALERS", ("NAME",)),
        ForeignKey(("SECURITY_ID",), "SECURITIES", ("SECURITY_ID",)),
    )
    assert demo.describe("SECURITY_COLORS").primary_key == ()


def test_columns(demo: DemoSource) -> None:
    """A column has a type, an Arrow type, whether it may be null, and a comment."""
    columns = {column.name: column for column in demo.describe("COLORS").columns}
    assert columns["MESSAGE_ID"] == Column(
        *("MESSAGE_ID", "BIGINT", "int64", False),
        comment="The message that contained the color; not unique",
    )
    assert columns["PRICE_DIFF"] == Column("PRICE_DIFF", "DECIMAL(12,5)", "decimal128(12, 5)")
    assert columns["DATE"] == Column("DATE", "TIMESTAMP", "timestamp[us]")
    view = {column.name: column for column in demo.describe("SECURITY_COLORS").columns}
    assert view["COLORS"].comment == "The number of colors"


def test_logical_types(demo: DemoSource) -> None:
    """Values that become text have a logical type."""
    schema = demo.scan("ALL_TYPES", limit=0).schema
    logical_types = {
        field.name: field.metadata[b"marketpulse"] for field in schema if field.metadata
    }
    numbers = dict.fromkeys(("A_HUGEINT", "A_UHUGEINT", "A_BIGNUM"), b"number")
    assert logical_types == numbers | dict.fromkeys(("A_UNION", "A_VARIANT", "A_JSON"), b"json")
