"""Values that were spelled as text become the same values again, whatever their type."""

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


def counted(kind: pa.DataType, low: int, high: int) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    """A type whose values are counts of a unit."""
    return kind, st.integers(low, high - 1)


def simple_types() -> dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """Each simple type, and the integers, floats, text or bytes that its arrays are made of."""
    years = (-62135596800, 253402300800)  # 0001 to 9999, in seconds
    found: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
        "bool": (pa.bool_(), st.booleans()),
        "double": (pa.float64(), st.floats()),
        "float": (pa.float32(), st.floats(width=32)),
        "string": (pa.string(), TEXT),
        "large_string": (pa.large_string(), TEXT),
        "binary": (pa.binary(), st.binary(max_size=5)),
        "three bytes": (pa.binary(3), st.binary(min_size=3, max_size=3)),
        "large_binary": (pa.large_binary(), st.binary(max_size=5)),
        "date32": counted(pa.date32(), years[0] // DAY, years[1] // DAY),
        "decimal128": (pa.decimal128(38, 10), st.decimals(-(10**27), 10**27, places=10)),
        "decimal256": (pa.decimal256(60, 20), st.decimals(-(10**30), 10**30, places=20)),
        "fraction": (pa.decimal128(4, 4), st.decimals("-0.9999", "0.9999", places=4)),
        "hundreds": (pa.decimal128(5, -2), st.integers(-999, 999).map(lambda it: it * 100)),
        "null": (pa.null(), st.none()),
    }
    for bits in (8, 16, 32, 64):
        found[f"int{bits}"] = counted(
            getattr(pa, f"int{bits}")(), -(2 ** (bits - 1)), 2 ** (bits - 1)
        )
        found[f"uint{bits}"] = counted(getattr(pa, f"uint{bits}")(), 0, 2**bits)
    for unit, scale in SCALES.items():
        # Arrow does not read the very first second of its nanoseconds.
        low, high = max(-(2**63) + scale, years[0] * scale), min(2**63, years[1] * scale)
        found[f"timestamp {unit}"] = counted(pa.timestamp(unit), low, high)
        found[f"instant {unit}"] = counted(pa.timestamp(unit, "UTC"), low, high)
        found[f"duration {unit}"] = counted(pa.duration(unit), -(10**15), 10**15)
        time = pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit)
        found[f"time {unit}"] = counted(time, 0, DAY * scale)
    return found


SIMPLE = simple_types()


def array_of(values: list[Any], data_type: pa.DataType) -> pa.Array:
    """An array of the type; times and dates are made of their counts."""
    if pa.types.is_temporal(data_type):
        width = pa.int32() if data_type.bit_width == 32 else pa.int64()
        return pa.array(values, width).cast(data_type)
    return pa.array(values, data_type)


def nested_of(inner: pa.Array, kind: str) -> pa.Array:
    """The cells, each in a list, a structure or a map of its own, and some nulls among them."""
    places = pa.array([0, *range(len(inner) + 1)], pa.int32())  # the first is empty
    lists = pa.ListArray.from_arrays(places, inner)
    mask = pa.array([place % 3 == 2 for place in range(len(inner))], pa.bool_())
    if kind == "list":
        return lists
    if kind == "pair":
        return pa.FixedSizeListArray.from_arrays(inner[: len(inner) // 2 * 2], 2)
    if kind == "structure":
        fields = [pa.field("a b", inner.type), pa.field('"', pa.int32())]
        numbers = pa.array(range(len(inner)), pa.int32())
        cells = [pc.if_else(mask, None, part) for part in (inner, numbers)]
        return pa.StructArray.from_arrays(cells, fields=fields, mask=mask)
    keys = pa.array([f"k{place}" for place in range(len(inner))], pa.string())
    return pa.MapArray.from_arrays(places, keys, inner)


def comes_back(array: pa.Array) -> None:
    """Spelled and read again, and described in words and back, it is what it was."""
    field = pa.field("x", array.type)
    again = field_of(column_of(field))
    assert again == field
    assert str(from_text(to_text(array, field), again)) == str(array)


@pytest.mark.parametrize("name", SIMPLE)
@given(data=st.data())
def test_values_come_back(name: str, data: st.DataObject) -> None:
    """A value of any simple type is the same after text, nulls among them."""
    data_type, values = SIMPLE[name]
    comes_back(array_of(data.draw(st.lists(st.none() | values, max_size=5)), data_type))


@pytest.mark.parametrize("kind", ["list", "pair", "structure", "map"])
@given(data=st.data(), name=st.sampled_from([*SIMPLE]))
def test_nested_values_come_back(kind: str, name: str, data: st.DataObject) -> None:
    """A list, a structure or a map of any type is the same after text, and a list of those."""
    data_type, values = SIMPLE[name]
    inner = array_of(data.draw(st.lists(st.none() | values, max_size=6)), data_type)
    array = nested_of(inner, kind)
    comes_back(array)
    comes_back(array[1:])
    comes_back(nested_of(array, "list"))


@pytest.mark.parametrize("kind", LogicalType)
def test_what_text_stands_for_comes_back(kind: LogicalType) -> None:
    """A field of text still says what it stands for; a mixed one is text once it is written."""
    wanted = logical_field("x", LogicalType.TEXT if kind is LogicalType.MIXED else kind)
    assert field_of(column_of(logical_field("x", kind))).equals(wanted, check_metadata=True)


def test_an_enumeration_comes_back() -> None:
    """Values of a dictionary come back as a dictionary."""
    array = pa.array(["BID", "a, b", None, ""]).dictionary_encode()
    field = pa.field("x", array.type)
    again = from_text(to_text(array, field), field_of(column_of(field)))
    assert again.type == array.type
    assert again.to_pylist() == array.to_pylist()


def test_nested_values_are_json() -> None:
    """Inside lists and structures text is escaped, numbers are exact, and NaN is a name."""
    array = pa.array([[{"a": float("nan"), "b": 'said "é"'}], [None], None])
    texts = to_text(array, pa.field("x", array.type)).to_pylist()
    assert texts == ['[{"a": "NaN", "b": "said \\"é\\""}]', "[null]", None]
    assert json.loads(texts[0]) == [{"a": "NaN", "b": 'said "é"'}]
    assert to_json(array, pa.field("x", array.type)) == [*texts[:2], "null"]


@pytest.mark.parametrize("words", ["integer", "decimal128", "list<item: int32>", "timestamp[h]"])
def test_words_that_are_no_type(words: str) -> None:
    """Words that describe no type are an error of one kind."""
    column = column_of(pa.field("x", pa.int32()))
    with pytest.raises(ValueError, match="type"):
        field_of(type(column)("x", "", words))
