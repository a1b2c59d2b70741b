"""Rows that the sort keys leave tied, put in order by the rest of their cells.

Such rows are rare, and in the sorted rows one stands after another: only they are compared any
further, and mostly by the first column in which they differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from sqlglot import exp

from marketpulse.colors.cells import Cell
from marketpulse.colors.columns import InputColumn
from marketpulse.colors.profile import looked
from marketpulse.colors.ranking import SORTED, tie_breaks, with_values
from marketpulse.formats.encode import LogicalType


def settled(
    cells: Sequence[pa.Array], ties: Any, columns: Sequence[InputColumn], connection: Any
) -> Any:
    """The order of the rows, as their places; None where they are in order as they are.

    Neighbours with the same number in `ties` are tied. The connection may be busy.
    """
    same = ties[1:] == ties[:-1]
    if not same.any():
        return None
    places = np.flatnonzero(np.append(same, [False]) | np.append([False], same))
    heats = np.append([0], np.cumsum(~same))[places]
    tied = [cell.take(pa.array(places)) for cell in cells]
    differing, enough = _differing(tied, heats, columns)
    if not differing:
        return None
    order = np.arange(len(ties))
    with connection.cursor() as beside:
        names = [*(f"c{place}" for place in range(len(cells))), "heat", "place"]
        beside.register("arrived", pa.table([*tied, heats, places], names))

        def ask(sql: str) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = beside.execute(sql).fetchall()
            return found

        looked_at = looked(enough, ask)
        if any(cell.look for cell in looked_at):  # two texts may be one value
            looked_at = looked(differing, ask)
        keys = [key.ordered for key in tie_breaks(looked_at)]
        statement = exp.select("place").from_("valued").order_by("heat", *keys)
        beside.execute(with_values(statement, looked_at))
        order[places] = beside.fetchnumpy()["place"]
    return order


def _differing(
    tied: Sequence[pa.Array], heats: Any, columns: Sequence[InputColumn]
) -> tuple[list[Cell], list[Cell]]:
    """The columns in which rows of a heat differ; those that suffice if two texts are two values.

    Both in the input's order. Cells that are typed or mixed never suffice.
    """
    differing: list[InputColumn] = []
    enough: list[InputColumn] = []
    apart = heats  # a number for the rows that no column so far tells apart
    for column in sorted(columns, key=lambda column: column.role in SORTED):
        if column.logical_type:
            codes = tied[column.place].dictionary_encode("encode").indices.to_numpy()
            if not np.any((np.diff(codes) != 0) & (np.diff(heats) == 0)):
                continue
        differing.append(column)
        if len(np.unique(apart)) < len(heats):
            enough.append(column)
            # Two cells of a mixed column may be one value, a number here and a text there.
            if column.logical_type and column.logical_type is not LogicalType.MIXED:
                apart = np.unique(apart * len(codes) + codes, return_inverse=True)[1]
    return (
        [Cell(column) for column in columns if column in differing],
        [Cell(column) for column in columns if column in enough],
    )
