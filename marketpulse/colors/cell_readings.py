"""As what a condition compares the cells of colors: as the values that ranking sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import pyarrow as pa

from marketpulse.colors.columns import CONTRACT, KEYS, Kind
from marketpulse.colors.spellings import ROUNDED_DIGITS, DateForm
from marketpulse.model import CellKind, CellReading
from marketpulse.sources.names import fold_name

NO_MAPPING: Mapping[str, str] = MappingProxyType({})


def cell_readings(
    mapping: Mapping[str, str] = NO_MAPPING,
    *,
    types: Mapping[str, Kind] = MappingProxyType({}),
    date_forms: Mapping[str | None, DateForm] = MappingProxyType({}),
    rounded_ids: bool = False,
) -> dict[str, CellReading]:
    """How a condition reads the columns of the contract and those of `types`, by their names.

    `mapping` leads from roles to columns. A column that loses its role by the mapping keeps its
    kind, as it does in ranking. `date_forms` and `rounded_ids` permit spellings as in ranking.
    """
    kinds = {fold_name(name): CellKind(kind.value) for name, kind in types.items()}
    kinds |= {fold_name(role): CellKind(kind.value) for role, kind in CONTRACT.items()}
    kinds |= {fold_name(column): CellKind(CONTRACT[role].value) for role, column in mapping.items()}
    kinds[fold_name(mapping.get("CUSIP", "CUSIP"))] = CellKind.IDENTIFIER
    macros = {
        name: date_forms[None].macro
        for name, kind in kinds.items()
        if kind is CellKind.DATE and None in date_forms
    }
    for name, form in date_forms.items():
        if name is not None:
            role = KEYS.get(fold_name(name), name).upper()
            macros[fold_name(mapping.get(role, role))] = form.macro
    if rounded_ids:
        ids = ("MESSAGE_ID", mapping.get("MESSAGE_ID", "MESSAGE_ID"))
        macros |= dict.fromkeys(map(fold_name, ids), ROUNDED_DIGITS)
    return {
        name: CellReading(
            kind=kind, translate=_translation(macros[name]) if name in macros else None
        )
        for name, kind in kinds.items()
    }


def _translation(macro: str) -> Callable[[pa.Array], pa.Array]:
    def translate(texts: pa.Array) -> pa.Array:
        from marketpulse.colors.arrivals import connect_engine  # noqa: PLC0415 - loads DuckDB

        # The engine's own words, so that a condition reads no cell in another way.
        with connect_engine() as engine:
            engine.register("texts", pa.table({"t": texts}))
            sql = f"SELECT coalesce({macro}(trimmed(t)), t) AS t FROM texts"
            return engine.sql(sql).to_arrow_table().column("t").combine_chunks()

    return translate
