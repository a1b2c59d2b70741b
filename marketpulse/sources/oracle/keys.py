"""Conditions on the values of keys: the rows with them, or those after them in its order.

Rows after those of the key A, B are

    "A" >= :a0 AND ("A" > :a0 OR "B" > :a1)

which an index on A and B can answer. The values are binds; the server compares what it sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from marketpulse.errors import DataError
from marketpulse.model import KeyRows
from marketpulse.sources.base import KeyPosition
from marketpulse.sources.names import quoted
from marketpulse.sources.oracle.columns import ColumnDef

# Types whose values travel there and back without loss, and compare alike in every session.
_COMPARABLE = {"NUMBER", "FLOAT", "VARCHAR2", "CHAR", "DATE", "RAW"}
_TIMESTAMP = re.compile(r"TIMESTAMP\([0-6]\)")
_TO_TIMESTAMP = "TO_TIMESTAMP({}, 'YYYY-MM-DD HH24:MI:SS.FF6')"

Condition = tuple[str, Mapping[str, object]]  # its text, and the values of its binds


def is_comparable(definition: ColumnDef) -> bool:
    """Return whether a scan may continue after a value of this column."""
    return definition.type in _COMPARABLE or _TIMESTAMP.fullmatch(definition.type) is not None


def values_condition(choice: KeyRows, definitions: Sequence[ColumnDef]) -> Condition:
    """Return the condition for the rows with these values of a key."""
    known = {definition.name: definition for definition in definitions}
    key = [known[name] for name in choice.key]
    for definition in key:
        if not is_comparable(definition):
            raise DataError(
                f"rows cannot be found by {definition.name}, a {definition.type}",
                hint="leave out --follow, and name the table that foreign keys refer to",
                check="MP-ORA-004",
            )
    rows: list[str] = []
    binds: dict[str, object] = {}
    for row, values in enumerate(choice.values):
        names = [f"v{row}_{place}" for place in range(len(key))]
        columns = list(zip(names, key, strict=True))
        binds |= {
            name: _bind(value, definition)
            for (name, definition), value in zip(columns, values, strict=True)
        }
        rows.append(", ".join(_placeholder(name, definition) for name, definition in columns))
    listed = ", ".join(map(quoted, choice.key))
    if len(key) == 1:
        return f"{listed} IN ({', '.join(rows)})", binds
    return f"({listed}) IN ({', '.join(f'({row})' for row in rows)})", binds


def key_condition(position: KeyPosition, definitions: Sequence[ColumnDef]) -> Condition:
    """Return the condition for the rows after a position; empty at the start, where all are."""
    known = {definition.name: definition for definition in definitions}
    condition = ""
    binds: dict[str, object] = {}
    values = zip(position.key, position.after or (), strict=False)
    for place, (name, value) in reversed([*enumerate(values)]):
        binds[f"key{place}"] = _bind(value, known[name])
        bind, column = _placeholder(f"key{place}", known[name]), quoted(name)
        condition = (
            f"({column} >= {bind} AND ({column} > {bind} OR {condition}))"
            if condition
            else f"{column} > {bind}"
        )
    return condition, binds


def _placeholder(bind: str, definition: ColumnDef) -> str:
    is_date = definition.type == "DATE" or _TIMESTAMP.fullmatch(definition.type)
    return _TO_TIMESTAMP.format(f":{bind}") if is_date else f":{bind}"


def _bind(value: object, definition: ColumnDef) -> object:
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    # Numbers without a fixed precision travel as text.
    return Decimal(str(value)) if definition.type in {"NUMBER", "FLOAT"} else value
