"""The lines of CSV that Arrow's engine makes, against cells that Python quotes one by one."""

from collections.abc import Sequence
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typed_arrays import SIMPLE, array_of

from marketpulse.errors import DataError
from marketpulse.formats.csv_lines import CsvLines
from marketpulse.formats.encode import to_text

FLOATS = (pa.float16(), pa.float32(), pa.float64())
CELLS = st.none() | st.sampled_from(["", " ", ",", '"', "a\nb", "\r", "é", 'x "y", z', "12"])


def quoted(cell: str | None) -> str:
    """Return a cell as it stands in the file."""
    if cell is None:
        return ""
    needs_quotes = cell == "" or any(mark in cell for mark in '",\n\r')
    return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def lines_of(columns: Sequence[pa.Array]) -> str:
    """Return the lines of these columns."""
    batch = pa.record_batch(columns, [str(place) for place in range(len(columns))])
    return bytes(CsvLines(batch.schema, excel=False).encode(batch)).decode()


def expected_lines(columns: Sequence[pa.Array]) -> str:
    """Return what the lines of these columns are to be."""
    texts = [
        map(quoted, to_text(column, pa.field("", column.type)).to_pylist()) for column in columns
    ]
    return "".join(",".join(cells) + "\n" for cells in zip(*texts, strict=True))


@pytest.mark.parametrize("name", SIMPLE)
@given(data=st.data())
def test_a_cell_is_spelled_and_quoted(name: str, data: st.DataObject) -> None:
    """A value of any type stands there as `to_text` spells it, also in a slice of an array."""
    data_type, values = SIMPLE[name]
    size = data.draw(st.integers(1, 30))
    rows = data.draw(st.lists(st.tuples(st.none() | values, CELLS), min_size=size, max_size=size))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2)))
    columns = [
        array_of([value for value, _ in rows], data_type)[first:last],
        pa.array([cell for _, cell in rows], pa.string())[first:last],
    ]
    assert lines_of(columns) == expected_lines(columns)


@pytest.mark.parametrize("kind", [*FLOATS, pa.decimal128(24, 7)], ids=str)
@pytest.mark.parametrize("size", ["1E-7", "9E-6", "1E-5", "999999999", "1E9", "1E10", "1E16"])
def test_a_number_has_no_exponent(kind: pa.DataType, size: str) -> None:
    """Arrow gives exponents to some numbers, by the type; the lines have none."""
    number = Decimal(size) if pa.types.is_decimal(kind) else float(size)
    for value in (number, -number):
        column = pa.array([value], kind)
        assert lines_of([column]) == expected_lines([column])
        assert "e" not in lines_of([column]).lower()


def test_a_cell_is_protected_from_a_spreadsheet_before_it_is_quoted() -> None:
    """The mark of a formula and of a number that is too long stands within the quotes."""
    batch = pa.record_batch({"=T": ["=1,2", None], "N": [12, 1234567890123456]})
    lines = CsvLines(batch.schema, excel=True)
    assert bytes(lines.header()) + bytes(lines.encode(batch)) == (
        b"""'=T,N\n"'=1,2",12\n,'1234567890123456\n"""
    )


def test_a_batch_has_more_rows_than_the_engine_takes_at_once() -> None:
    """The engine makes several arrays of it; all of them are in the lines."""
    columns = [pa.array(range(32_770)), pa.array(["a", None, "", 'b"', "c"] * 6554)]
    assert lines_of(columns) == expected_lines(columns)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pa.array([2**31 - 1], pa.int32()).cast(pa.date32()), None),
        (pa.array([10_956_000], pa.int32()).cast(pa.date32()), "31966-07-06"),
        (pa.array([11_300_000], pa.int32()).cast(pa.date32()), None),
        (pa.array([-12_800_000], pa.int32()).cast(pa.date32()), None),
        (pa.array([2**62], pa.int64()).view(pa.date64()), None),
        (pa.array([-(2**63)], pa.int64()).view(pa.timestamp("s")), None),
        (pa.array([2**62], pa.int64()).view(pa.timestamp("ms")), None),
        (pa.array([2**63 - 1], pa.int64()).view(pa.timestamp("us")), None),
        (
            pa.array([2**63 - 1], pa.int64()).view(pa.timestamp("ns")),
            "2262-04-11 23:47:16.854775807",
        ),
        (pa.array([-1], pa.int32()).view(pa.time32("s")), None),
        (pa.array([86_400], pa.int32()).view(pa.time32("s")), None),
        (pa.array([86_399_999], pa.int32()).view(pa.time32("ms")), "23:59:59.999"),
        (pa.array([86_400_000_000_000], pa.int64()).view(pa.time64("ns")), None),
    ],
    ids=str,
)
def test_a_date_or_time_out_of_range(column: pa.Array, text: str | None) -> None:
    """Dates 30,000 years away and times beyond a day are refused; not those below nulls."""
    part = pa.concat_arrays([pa.nulls(1, column.type), column])[1:]
    if text is None:
        with pytest.raises(DataError, match="30,000 years away"):
            lines_of([part])
    else:
        assert lines_of([part]) == f"{text}\n"
    below_null = pa.Array.from_buffers(column.type, 1, [pa.py_buffer(b"\0"), column.buffers()[1]])
    assert lines_of([below_null, pa.array(["x"])]) == ",x\n"
