"""Profiles: how precisely the values of a column have to be taken, as few cells as may need it."""

import duckdb
import pyarrow as pa
import pytest

from marketpulse.colors.arrivals import Row
from marketpulse.colors.cells import MACROS, Cell, Precision
from marketpulse.colors.columns import InputColumn, Kind
from marketpulse.colors.profile import profile_cells
from marketpulse.formats.encode import LogicalType, logical_field

EXAMPLES: dict[str, tuple[Kind, list[str | None], Precision]] = {
    "one form": (Kind.NUMBER, ["98.5", "101.25", None], Precision.PLAIN),
    "zeros at the end, as many decimals": (Kind.NUMBER, ["98.50", "101.25"], Precision.PLAIN),
    "two spellings of a number": (Kind.NUMBER, ["98.5", "98.50"], Precision.SHORT),
    "a blank": (Kind.NUMBER, ["98.5", " 101.7"], Precision.SHORT),
    "an exponent": (Kind.NUMBER, ["98.5", "1e2"], Precision.EXACT),
    "17 digits": (Kind.NUMBER, ["98.5", "12345678901234567"], Precision.EXACT),
    "not a number": (Kind.NUMBER, ["98.5", "n/a"], Precision.SHORT),
    "integers": (Kind.INTEGER, ["1", "17700000000000001"], Precision.PLAIN),
    "a point": (Kind.INTEGER, ["1", "1.0"], Precision.SHORT),
    "20 digits": (Kind.INTEGER, ["1", "12345678901234567890"], Precision.EXACT),
    "days": (Kind.DATE, ["2026-03-13", "2026-03-12"], Precision.PLAIN),
    "days and times": (Kind.DATE, ["2026-03-13", "2026-03-13 10:30:00"], Precision.SHORT),
    "offsets": (Kind.DATE, ["2026-03-13 10:30:00", "2026-03-13T10:30Z"], Precision.EXACT),
    "text": (Kind.TEXT, ["a", " a", "A"], Precision.PLAIN),
    "a blank text": (Kind.TEXT, ["a", " "], Precision.SHORT),
    "nothing": (Kind.DATE, [None, None], Precision.PLAIN),
    "no rows": (Kind.NUMBER, [], Precision.PLAIN),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_precision_of_a_column(name: str) -> None:
    """A column is taken as precisely as its cells need, and no more."""
    kind, cells, precision = EXAMPLES[name]
    field = logical_field("X", LogicalType.TEXT)
    column = InputColumn(place=0, field=field, role="BID", kind=kind)
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(f"CREATE MACRO {macro}")
        connection.register("arrived", pa.table([pa.array(cells, pa.string())], names=["c0"]))

        def fetch(sql: str) -> list[Row]:
            return connection.execute(sql).fetchall()

        (profiled,) = profile_cells([Cell(column)], fetch)
    assert profiled.precision is precision
