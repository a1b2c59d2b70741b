"""As what a condition compares the text cells of files: as the values that ranking sees."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from marketpulse.colors.columns import CONTRACT
from marketpulse.model import CellKind

NO_MAPPING: Mapping[str, str] = MappingProxyType({})


def cell_kinds(mapping: Mapping[str, str] = NO_MAPPING) -> dict[str, CellKind]:
    """The kinds of the contract's columns by their names; `mapping` leads from roles to columns.

    A column that loses its role by the mapping keeps its kind, as it does in ranking.
    """
    kinds = {_fold(role): CellKind(kind.value) for role, kind in CONTRACT.items()}
    kinds |= {_fold(column): CellKind(CONTRACT[role].value) for role, column in mapping.items()}
    kinds[_fold(mapping.get("CUSIP", "CUSIP"))] = CellKind.IDENTIFIER
    return kinds


def _fold(name: str) -> str:
    return name.strip().casefold()
