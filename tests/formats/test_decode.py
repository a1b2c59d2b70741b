"""Values of every type come back from text, and types from their description."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typed_arrays import SIMPLE, array_of

from marketpulse.formats.decode import column_of, field_of, from_text
from marketpulse.formats.encode import LogicalType, logical_field, to_json, to_text


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
