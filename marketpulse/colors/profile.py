"""A look at many cells in one query: how carefully the values of each column have to be taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from marketpulse.colors.cells import Cell, Precision
from marketpulse.colors.columns import InputColumn, Kind

Ask = Callable[[str], list[tuple[Any, ...]]]  # a question about the relation `arrived`


def looked(cells: Sequence[Cell], ask: Ask) -> list[Cell]:
    """The cells of these columns, taken as carefully as those in the relation need it."""
    formed = [cell for cell in cells if cell.form]
    forms = [f"{cell.form} AS f{cell.column.place}" for cell in formed]
    found = ask(question([cell.varies for cell in formed], forms))[0] if formed else ()
    suspects = [cell for cell, it in zip(formed, found, strict=True) if it]
    looks = look_closely(suspects, ask)
    return [Cell(cell.column, looks.get(cell.column, Precision.PLAIN)) for cell in cells]


def look_closely(suspects: Sequence[Cell], ask: Ask) -> dict[InputColumn, Precision]:
    """How carefully the values of these columns have to be taken: they are not all plain."""
    looks = dict.fromkeys((cell.column for cell in suspects), Precision.SHORT)
    closer = [cell for cell in suspects if cell.column.kind is not Kind.TEXT]
    if closer:
        told = [
            f"coalesce(bool_or(CASE WHEN f{it.column.place} < 0 THEN {it.beyond} END), false)"
            for it in closer
        ]
        (found,) = ask(question(told, [f"{cell.form} AS f{cell.column.place}" for cell in closer]))
        looks |= {it.column: Precision.EXACT for it, odd in zip(closer, found, strict=True) if odd}
    return looks


def question(columns: Sequence[str], forms: Sequence[str]) -> str:
    """A question about the rows as they arrived, and about the forms f of their cells."""
    inner = ", ".join(("*", *forms))
    return f"SELECT {', '.join(columns)} FROM (SELECT {inner} FROM arrived)"  # noqa: S608 - ours
