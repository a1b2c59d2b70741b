"""Values of every type come back from text, and types from their description."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketpulse.formats.decode import column_of, field_of, from_text
from marketpulse.formats.encode import LogicalType, logical_field, to_json, to_text

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


def nested_of(inner: pa.Array, kind: str) -> pa.Array:
    """Put each cell into a list, a struct or a map; some become null."""
    offsets = pa.array([0, *range(len(inner) + 1)], pa.int32())  # the first is empty
    lists = pa.ListArray.from_arrays(offsets, inner)
    mask = pa.array([index % 3 == 2 for index in range(len(inner))], pa.bool_())
    if kind == "list":
        return lists
    if kind == "pair":
        return pa.FixedSizeListArray.from_arrays(inner[: len(inner) // 2 * 2], 2)
    if kind == "struct":
        fields = [pa.field("a b", inner.type), pa.field('"', pa.int32())]
        numbers = pa.array(range(len(inner)), pa.int32())
        # Arrow changes decimals with a negative scale here.
        cells = [pc.if_else(mask, None, part).cast(part.type) for part in (inner, numbers)]
        return pa.StructArray.from_arrays(cells, fields=fields, mask=mask)
    keys = pa.array([f"k{index}" for index in range(len(inner))], pa.string())
    return pa.MapArray.from_arrays(offsets, keys, inner)


def check_round_trip(array: pa.Array) -> None:
    """Check that array and type come back from text and from the description."""
    field = pa.field("x", array.type)
    again = field_of(column_of(field))
    assert again == field
    assert str(from_text(to_text(array, field), again)) == str(array)


@pytest.mark.parametrize("name", SIMPLE)
@given(data=st.data())
def test_values_come_back(name: str, data: st.DataObject) -> None:
    """A value of any simple type comes back from text, and so does null."""
    data_type, values = SIMPLE[name]
    check_round_trip(array_of(data.draw(st.lists(st.none() | values, max_size=5)), data_type))


@pytest.mark.parametrize("kind", ["list", "pair", "struct", "map"])
@given(data=st.data(), name=st.sampled_from([*SIMPLE]))
def test_nested_values_come_back(kind: str, name: str, data: st.DataObject) -> None:
    """Lists, structs and maps of any type come back from text, and lists of those."""
    data_type, values = SIMPLE[name]
    inner = array_of(data.draw(st.lists(st.none() | values, max_size=6)), data_type)
    array = nested_of(inner, kind)
    check_round_trip(array)
    check_round_trip(array[1:])
    check_round_trip(nested_of(array, "list"))


@pytest.mark.parametrize("kind", LogicalType)
def test_logical_types_come_back(kind: LogicalType) -> None:
    """The description keeps the logical type; a mixed column is text when it is written."""
    expected = logical_field("x", LogicalType.TEXT if kind is LogicalType.MIXED else kind)
    assert field_of(column_of(logical_field("x", kind))).equals(expected, check_metadata=True)


def test_an_enumeration_comes_back() -> None:
    """A dictionary column comes back as a dictionary column."""
    array = pa.array(["BID", "a, b", None, ""]).dictionary_encode()
    field = pa.field("x", array.type)
    again = from_text(to_text(array, field), field_of(column_of(field)))
    assert again.type == array.type
    assert again.to_pylist() == array.to_pylist()


def test_nested_values_are_json() -> None:
    """In nested values text is escaped, numbers are exact, and NaN is a string."""
    array = pa.array([[{"a": float("nan"), "b": 'said "é"'}], [None], None])
    texts = to_text(array, pa.field("x", array.type)).to_pylist()
    assert texts == ['[{"a": "NaN", "b": "said \\"é\\""}]', "[null]", None]
    assert json.loads(texts[0]) == [{"a": "NaN", "b": 'said "é"'}]
    assert to_json(array, pa.field("x", array.type)).to_pylist() == [*texts[:2], "null"]


@pytest.mark.parametrize("text", ["integer", "decimal128", "list<item: int32>", "timestamp[h]"])
def test_unknown_types(text: str) -> None:
    """A text that is not an Arrow type is a ValueError."""
    column = column_of(pa.field("x", pa.int32()))
    with pytest.raises(ValueError, match="type"):
        field_of(type(column)("x", "", text))


def test_the_description_of_a_column() -> None:
    """A column may have nulls unless it says otherwise; the source's name of its type wins."""
    field = pa.field("A", pa.list_(pa.int8(), 3))
    column = column_of(field)
    assert (column.type, column.nullable, column.comment) == (str(field.type), True, "")
    assert field_of(column).type == field.type
    assert column_of(field, "VARRAY", nullable=False).type == "VARRAY"
    assert not column_of(field, nullable=False).nullable
