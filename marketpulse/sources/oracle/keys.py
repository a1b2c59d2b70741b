"""Conditions that continue a scan in the order of a key: the rows after those values.

For the key A, B they are

    "A" >= :a0 AND ("A" > :a0 OR "B" > :a1)

which an index on A and B can answer. The values are binds; the server compares what it sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from marketpulse.sources.base import KeyPosition
from marketpulse.sources.names import quoted
from marketpulse.sources.oracle.columns import ColumnDef

# Types whose values travel there and back without loss, and compare alike in every session.
_COMPARABLE = {"NUMBER", "FLOAT", "VARCHAR2", "CHAR", "DATE", "RAW"}
_TIMESTAMP = re.compile(r"TIMESTAMP\([0-6]\)")
_MOMENT = "TO_TIMESTAMP({}, 'YYYY-MM-DD HH24:MI:SS.FF6')"


def is_comparable(definition: ColumnDef) -> bool:
    """Return whether a scan may continue after a value of this column."""
    return definition.type in _COMPARABLE or _TIMESTAMP.fullmatch(definition.type) is not None


def key_condition(position: KeyPosition, definitions: Sequence[ColumnDef]) -> str:
    """Return the condition for the rows after the position, which is not the start."""
    types = {definition.name: definition.type for definition in definitions}
    condition = ""
    for index, name in reversed([*enumerate(position.key)]):
        bind, column = f":key{index}", quoted(name)
        if types[name] == "DATE" or _TIMESTAMP.fullmatch(types[name]):
            bind = _MOMENT.format(bind)
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


def _bind(value: object, type_name: str) -> object:
    if isinstance(value, datetime):
        return value.isoformat(" ", "microseconds")
    # Numbers without a fixed precision travel as text.
    return Decimal(str(value)) if type_name in {"NUMBER", "FLOAT"} else value
