"""Break ties: order rows that are equal in all sort keys by their remaining columns.

Ties are rare, and in the sorted rows they are neighbours. Only they are compared further, and only
by the columns that can tell them apart, which is mostly the first in which they differ:

    row          0   1   2   3   4   5
    sort keys    a   b   b   c   d   d
    tied             1   1       2   2     the number of the tie
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
from sqlglot import exp

from marketpulse.colors.arrivals import Row
from marketpulse.colors.cells import Cell, Precision
from marketpulse.colors.columns import InputColumn
from marketpulse.colors.profile import profile_cells
from marketpulse.colors.ranking import SORTED, tie_breaks, with_values
from marketpulse.formats.encode import LogicalType

if TYPE_CHECKING:
    # The package of the function leaves this module of numpy out.
    import numpy.typing as npt

    Places = npt.NDArray[np.int64]


def break_ties(
    cells: Sequence[pa.Array],
    hashes: npt.NDArray[np.uint64],
    columns: Sequence[InputColumn],
    connection: duckdb.DuckDBPyConnection,
) -> Places | None:
    """The places of the rows in their final order; None if the order stays.

    Neighbours with the same hash are tied. The connection may be busy with another query.
    """
    same = hashes[1:] == hashes[:-1]
    if not same.any():
        return None
    places = np.flatnonzero(np.append(same, [False]) | np.append([False], same))
    ties = np.append([0], np.cumsum(~same))[places]
    tied = [cell.take(pa.array(places)) for cell in cells]
    differing, sufficient = _distinguishing(tied, ties, columns)
    if not differing:
        return None
    order = np.arange(len(hashes))
    with connection.cursor() as cursor:
        names = [*(f"c{place}" for place in range(len(cells))), "tie", "place"]
        cursor.register("arrived", pa.table([*tied, ties, places], names))

        def fetch(sql: str) -> list[Row]:
            return cursor.execute(sql).fetchall()

        profiled = profile_cells(sufficient, fetch)
        # `sufficient` takes two spellings for two values. If a column has several spellings of
        # one value, all columns are needed.
        if any(cell.precision is not Precision.PLAIN for cell in profiled):
            profiled = profile_cells(differing, fetch)
        keys = [key.ordered for key in tie_breaks(profiled)]
        statement = exp.select("place").from_("valued").order_by("tie", *keys)
        cursor.execute(with_values(statement, profiled))
        order[places] = cursor.fetchnumpy()["place"]
    return order


def _distinguishing(
    tied: Sequence[pa.Array], ties: Places, columns: Sequence[InputColumn]
) -> tuple[list[Cell], list[Cell]]:
    """The columns in which tied rows differ, and those of them that are sufficient.

    Sufficient means: if two spellings are two values, no further column is needed. Both lists are
    in the input's order.
    """
    differing: list[InputColumn] = []
    sufficient: list[InputColumn] = []
    distinct = ties  # a number for the rows that the columns so far do not tell apart
    for column in sorted(columns, key=lambda column: column.role in SORTED):
        if column.logical_type:
            codes = tied[column.place].dictionary_encode("encode").indices.to_numpy()
            if not np.any((np.diff(codes) != 0) & (np.diff(ties) == 0)):
                continue
        differing.append(column)
        if len(np.unique(distinct)) < len(ties):
            sufficient.append(column)
            # In a mixed column a number and a text may be one value, so it never suffices; nor
            # does a typed column, whose cells are not encoded here.
            if column.logical_type and column.logical_type is not LogicalType.MIXED:
                distinct = np.unique(distinct * len(codes) + codes, return_inverse=True)[1]
    return (
        [Cell(column) for column in columns if column in differing],
        [Cell(column) for column in columns if column in sufficient],
    )
