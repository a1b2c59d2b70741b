"""Arrow arrays of every simple type, for tests that draw their values."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

UNITS = ("s", "ms", "us", "ns")
DAY = 86_400
SCALES = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def counts_of(kind: pa.DataType, low: int, high: int) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    """Return a type whose values are counts of a unit, and the counts."""
    return kind, st.integers(low, high - 1)


def simple_types() -> dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """Return each simple type, and what its arrays are made of: integers, text, bytes, ..."""
    years = (-62135596800, 253402300800)  # 0001 to 9999, in seconds
    types: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
        "bool": (pa.bool_(), st.booleans()),
        "double": (pa.float64(), st.floats()),
        "float": (pa.float32(), st.floats(width=32)),
        "string": (pa.string(), TEXT),
        "large_string": (pa.large_string(), TEXT),
        "binary": (pa.binary(), st.binary(max_size=5)),
        "three bytes": (pa.binary(3), st.binary(min_size=3, max_size=3)),
        "large_binary": (pa.large_binary(), st.binary(max_size=5)),
        "date32": counts_of(pa.date32(), years[0] // DAY, years[1] // DAY),
        "decimal128": (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
        "decimal256": (pa.decimal256(60, 20), st.decimals(-(10**30), 10**30, places=20)),
        "fraction": (pa.decimal128(4, 4), st.decimals("-0.9999", "0.9999", places=4)),
        "hundreds": (pa.decimal128(5, -2), st.integers(-999, 999).map(lambda number: number * 100)),
        "null": (pa.null(), st.none()),
    }
    for bits in (8, 16, 32, 64):
        types[f"int{bits}"] = counts_of(
            getattr(pa, f"int{bits}")(), -(2 ** (bits - 1)), 2 ** (bits - 1)
        )
        types[f"uint{bits}"] = counts_of(getattr(pa, f"uint{bits}")(), 0, 2**bits)
    for unit, scale in SCALES.items():
        # Arrow does not read the very first second of its nanoseconds.
        low, high = max(-(2**63) + scale, years[0] * scale), min(2**63, years[1] * scale)
        types[f"timestamp {unit}"] = counts_of(pa.timestamp(unit), low, high)
        types[f"instant {unit}"] = counts_of(pa.timestamp(unit, "UTC"), low, high)
        types[f"duration {unit}"] = counts_of(pa.duration(unit), -(10**15), 10**15)
        time = pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit)
        types[f"time {unit}"] = counts_of(time, 0, DAY * scale)
    return types


SIMPLE = simple_types()


def array_of(values: list[Any], data_type: pa.DataType) -> pa.Array:
    """Return an array of the type; dates and times are made of counts."""
    if pa.types.is_temporal(data_type):
        width = pa.int32() if data_type.bit_width == 32 else pa.int64()
        return pa.array(values, width).cast(data_type)
    return pa.array(values, data_type)
