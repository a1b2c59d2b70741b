"""Conditions in Oracle's words: what `--where` says, and the columns of `--order-by`.

    PX > 100 AND BIAS = 'BID'
      ▼ tokens        words, after Oracle's lexical rules; keywords: those that are no columns
      ▼ parser        Oracle's grammar
    syntax            the tree: a Junction of two Comparisons
      ▼ meaning       the tree as functions of a row's cells: a `Predicate`
          values      types, and how Oracle converts and compares them
          functions   a table of functions ──▶ numbers, dates, patterns, and models of the first two
      ▼ evaluation    a predicate on a batch, once for each combination of values ──▶ its rows
          cells       a column of Arrow as values, each distinct cell read once

Oracle gets the user's own text, once the parser knows that it is one condition without a subquery.
Files, bundles and the demo go on to its meaning. What cannot mean exactly the same there is refused
with its name.
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
