"""Profile text columns in one query: how precisely the values of each have to be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marketpulse.colors.arrivals import Row
from marketpulse.colors.cells import Cell, Precision
from marketpulse.colors.columns import InputColumn, Kind

Fetch = Callable[[str], list[Row]]  # runs a query on the relation `arrived`


def profile_cells(cells: Sequence[Cell], fetch: Fetch) -> list[Cell]:
    """The cells of these columns, each with the precision that its values need."""
    formed = [cell for cell in cells if cell.form]
    forms = [f"{cell.form} AS f{cell.column.place}" for cell in formed]
    query = profile_query([cell.varies for cell in formed], forms)
    flags = fetch(query)[0] if formed else ()
    suspects = [cell for cell, varies in zip(formed, flags, strict=True) if varies]
    precision = needed_precision(suspects, fetch)
    return [Cell(cell.column, precision.get(cell.column, Precision.PLAIN)) for cell in cells]


def needed_precision(suspects: Sequence[Cell], fetch: Fetch) -> dict[InputColumn, Precision]:
    """The precision of columns whose cells are not all plain: SHORT, or EXACT if they need it."""
    precision = dict.fromkeys((cell.column for cell in suspects), Precision.SHORT)
    typed = [cell for cell in suspects if cell.column.kind is not Kind.TEXT]
    if typed:
        aggregates = [
            f"coalesce(bool_or(CASE WHEN f{cell.column.place} < 0 THEN {cell.beyond} END), false)"
            for cell in typed
        ]
        forms = [f"{cell.form} AS f{cell.column.place}" for cell in typed]
        (flags,) = fetch(profile_query(aggregates, forms))
        for cell, beyond in zip(typed, flags, strict=True):
            if beyond:
                precision[cell.column] = Precision.EXACT
    return precision


def profile_query(aggregates: Sequence[str], forms: Sequence[str]) -> str:
    """A query for aggregates over all rows and over the forms f0, f1, ... of their cells."""
    columns = ", ".join(("*", *forms))
    return f"SELECT {', '.join(aggregates)} FROM (SELECT {columns} FROM arrived)"  # noqa: S608 - the text comes from Cell, which quotes names
