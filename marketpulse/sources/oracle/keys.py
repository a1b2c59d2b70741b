"""Conditions on the values of keys: the rows with them, or those after them in its order.

Rows after those of the key A, B are

    "A" >= :a0 AND ("A" > :a0 OR "B" > :a1)

which an index on A and B can answer. The values are binds; the server compares what it sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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


def is_comparable(definition: ColumnDef) -> bool:
    """Return whether a scan may continue after a value of this column."""
    return definition.type in _COMPARABLE or _TIMESTAMP.fullmatch(definition.type) is not None


def values_condition(choice: KeyRows, definitions: Sequence[ColumnDef]) -> str:
    """Return the condition for the rows with these values of a key, each value a bind."""
    types = {definition.name: definition.type for definition in definitions}
    for definition in definitions:
        if definition.name in choice.key and not is_comparable(definition):
            raise DataError(
                f"rows cannot be found by {definition.name}, a {definition.type}",
                hint="leave out --follow, and name the table that foreign keys refer to",
                check="MP-ORA-004",
            )
    binds = [
        ", ".join(
            _placeholder(f":v{row}_{place}", types[name]) for place, name in enumerate(choice.key)
        )
        for row in range(len(choice.values))
    ]
    columns = ", ".join(map(quoted, choice.key))
    if len(choice.key) == 1:
        return f"{columns} IN ({', '.join(binds)})"
    return f"({columns}) IN ({', '.join(f'({bind})' for bind in binds)})"


def values_binds(choice: KeyRows, definitions: Sequence[ColumnDef]) -> dict[str, object]:
    """Return the binds of `values_condition`."""
    types = {definition.name: definition.type for definition in definitions}
    return {
        f"v{row}_{place}": _bind(value, types[name])
        for row, values in enumerate(choice.values)
        for place, (name, value) in enumerate(zip(choice.key, values, strict=True))
    }


def key_condition(position: KeyPosition, definitions: Sequence[ColumnDef]) -> str:
    """Return the condition for the rows after the position, which is not the start."""
    types = {definition.name: definition.type for definition in definitions}
    condition = ""
    for index, name in reversed([*enumerate(position.key)]):
        bind, column = _placeholder(f":key{index}", types[name]), quoted(name)
        condition = (
            f"({column} >= {bind} AND ({column} > {bind} OR {condition}))"
            if condition
            else f"{column} > {bind}"
        )
    return condition


def key_binds(position: KeyPosition, definitions: Sequence[ColumnDef]) -> dict[str, object]:
    """Return the binds of `key_condition`."""
    types = {definition.name: definition.type for definition in definitions}
    return {
        f"key{index}": _bind(value, types[name])
        for index, (name, value) in enumerate(zip(position.key, position.after or (), strict=False))
    }


def _placeholder(bind: str, type_name: str) -> str:
    is_date = type_name == "DATE" or _TIMESTAMP.fullmatch(type_name)
    return _TO_TIMESTAMP.format(bind) if is_date else bind


def _bind(value: object, type_name: str) -> object:
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    # Numbers without a fixed precision travel as text.
    return Decimal(str(value)) if type_name in {"NUMBER", "FLOAT"} else value
