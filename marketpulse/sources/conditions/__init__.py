"""Conditions in Oracle's words.

    text ── tokens ── parser ── tree ──┬── sent to Oracle as it is written
                                       └── meaning ── predicate ── evaluation of batches

Oracle gets the user's own text, once it is certain that it is one condition without a subquery.
For files, bundles and the demo the tree becomes a function of a row. What it cannot mean exactly
is refused with its name. The functions stand in one table (`functions.FUNCTIONS`).
"""

from marketpulse.sources.conditions.cells import ColumnCells, column_cells, encode
from marketpulse.sources.conditions.dates import Timestamp
from marketpulse.sources.conditions.evaluation import BatchEvaluation
from marketpulse.sources.conditions.meaning import Compiler, Predicate
from marketpulse.sources.conditions.parser import (
    OrderTerm,
    names_in,
    parse_condition,
    parse_order,
)
from marketpulse.sources.conditions.syntax import Name, Node
from marketpulse.sources.conditions.tokens import ConditionError

__all__ = [
    "BatchEvaluation",
    "ColumnCells",
    "Compiler",
    "ConditionError",
    "Name",
    "Node",
    "OrderTerm",
    "Predicate",
    "Timestamp",
    "column_cells",
    "encode",
    "names_in",
    "parse_condition",
    "parse_order",
]
