"""JSON and NDJSON: exact numbers, cells of different kinds, and broken files."""

import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from format_files import NUMBERS, TYPED, read, read_independently, write, write_text
from hypothesis import assume, example, given
from hypothesis import strategies as st

from marketpulse.errors import DataError
from marketpulse.formats.encode import LogicalType
from marketpulse.formats.nesting import MAX_NESTING


@pytest.mark.parametrize("suffix", ["json", "ndjson"])
def test_typed_values_in_json_are_exact(suffix: str, tmp_path: Path) -> None:
    """JSON has numbers with all digits, booleans and nulls; NaN becomes null."""
    path = write(tmp_path / f"typed.{suffix}", TYPED)
    assert read_independently(path) == [
        [
            *(1, 17700000000000001, Decimal("101.700"), Decimal("101.7"), True, "2026-03-13"),
            *("1970-01-01 00:00:00", [1], "007"),
        ],
        [2, None, Decimal("-0.001"), None, None, None, "1970-01-01 00:00:01.5", None, None],
        [3, 2, None, None, False, "2026-03-12", None, [], ""],
    ]
    assert '"D": 101.700' in path.read_text(encoding="utf-8")


@given(
    numbers=st.lists(
        st.one_of(NUMBERS, st.decimals(allow_nan=False, allow_infinity=False)), min_size=1
    )
)
@example(
    numbers=[
        Decimal("1E400"),
        Decimal("1E-400"),
        Decimal("123456789012345678901234567890.10"),
        Decimal("-0.0"),
    ]
)
def test_any_number_of_json_is_exact(numbers: list[Decimal], folder: Path) -> None:
    """A number is read as it is spelled, and written with all its digits, without exponent."""
    assume(all(abs(int(number.as_tuple().exponent)) <= 1000 for number in numbers))
    path = folder / "numbers.ndjson"
    spelled = [str(number).replace("E+", "e") for number in numbers]
    lines = [f'{{"K": "x", "N": {number}}}' for number in spelled]
    path.write_text("\n".join(lines), encoding="utf-8")
    file = read(path)
    assert file.kind("N") is LogicalType.NUMBER
    assert file.column("N") == spelled
    again = write(folder / "again.ndjson", file.table)
    assert read_independently(again) == [["x", number] for number in numbers]
    assert read(again).column("N") == [f"{number:f}" for number in numbers]


JSON_SHAPES = {
    "an array": '[{"A": "x", "B": 1}, {"A": "y", "B": 2}]',
    "an array over lines": '[\n  {"A": "x",\n   "B": 1},\n  {"A": "y", "B": 2}\n]\n',
    "an object a line": '{"A": "x", "B": 1}\n{"A": "y", "B": 2}\n',
    "blank lines": '{"A": "x", "B": 1}\n\n{"A": "y", "B": 2}',
    "Windows' line ends": '{"A": "x", "B": 1}\r\n{"A": "y", "B": 2}\r\n',
    "objects one after another": '{"A": "x", "B": 1} {"A": "y", "B": 2}',
    "a byte order mark": '\ufeff{"A": "x", "B": 1}\n{"A": "y", "B": 2}',
    "a byte order mark before an array": '\ufeff[{"A": "x", "B": 1}, {"A": "y", "B": 2}]',
}


@pytest.mark.parametrize("name", JSON_SHAPES)
def test_json_is_read_in_any_shape(name: str, tmp_path: Path) -> None:
    """Objects are in an array or one after another, whatever the suffix of the file."""
    for suffix in ("json", "ndjson"):
        file = read(write_text(tmp_path / f"shape.{suffix}", JSON_SHAPES[name]))
        assert file.rows() == [["x", "1"], ["y", "2"]]
        assert file.kind("B") is LogicalType.NUMBER


def test_the_name_of_a_file_is_no_pattern(tmp_path: Path) -> None:
    """Brackets, stars and question marks stand for themselves."""
    write_text(tmp_path / "day1.json", '{"A": "another"}')
    for name in (
        ("day[1].json", "day?.json", "day*.json") if os.name == "posix" else ("day[1].json",)
    ):
        assert read(write_text(tmp_path / name, '{"A": "x"}')).rows() == [["x"]], name


def test_cells_of_different_kinds_stay_different(tmp_path: Path) -> None:
    """Numbers, text, booleans and nested values of one column are written as they were read."""
    inner = '[1.50, {"b": null, "c": "é\\n"}, true, 7]'
    cells = ['"5"', "5", "5.0", "true", "null", inner, '"true"', '""', '"n1e2"', '{"a": 1E2}']
    lines = [f'{{"K": {number}, "M": {cell}}}' for number, cell in enumerate(cells)]
    file = read(write_text(tmp_path / "mixed.ndjson", "\n".join(lines)))
    assert file.kind("M") is LogicalType.MIXED
    again = write(tmp_path / "again.ndjson", file.table).read_text(encoding="utf-8")
    cells_written = [line.partition('"M": ')[2][:-1] for line in again.splitlines()]
    assert cells_written == [*cells[:-1], '{"a": 100}']
    plain = ["5", "5", "5.0", "true", None, inner, "true", "", "n1e2", '{"a": 100}']
    csv_rows = read_independently(write(tmp_path / "again.csv", file.table))
    assert [row[1] for row in csv_rows] == [cell or None for cell in plain]
    for suffix in ("parquet", "xlsx"):
        path = write(tmp_path / f"again.{suffix}", file.table)
        assert [row[1] for row in read_independently(path)] == plain
        assert read(path).column("M") == plain


def test_columns_of_json_may_come_late(tmp_path: Path) -> None:
    """A name that first appears in a later object is a column, null in the earlier rows."""
    file = read(
        write_text(tmp_path / "late.json", '[{"A": 1}, {"B": true}, {"A": null, "C": [1]}]')
    )
    assert file.rows() == [["1", None, None], [None, True, None], [None, None, "[1]"]]
    assert file.table.schema.field("B").type == pa.bool_()


def test_constants_that_are_not_json_are_numbers(tmp_path: Path) -> None:
    """A column with NaN and infinities, which many programs write, is a column of numbers."""
    path = write_text(tmp_path / "nan.ndjson", '{"A": NaN}\n{"A": -Infinity}\n{"A": 10}\n{"A": 9}')
    file = read(path)
    assert file.kind("A") is LogicalType.NUMBER
    assert file.column("A") == ["NaN", "-Infinity", "10", "9"]
    written = write(tmp_path / "again.ndjson", file.table)
    assert read_independently(written) == [[None], [None], [10], [9]]


def test_numbers_have_no_limit(tmp_path: Path) -> None:
    """Thousands of digits, and exponents too large for a Decimal, keep their spelling."""
    numbers = ["1" * 5000, "1e5000", "-1E-99999999999999999999", "0.1" + "0" * 500]
    lines = "\n".join(f'{{"A": {number}}}' for number in numbers)
    file = read(write_text(tmp_path / "long.ndjson", lines))
    assert file.column("A") == numbers
    assert write(tmp_path / "again.ndjson", file.table).read_text() == lines + "\n"


BROKEN_JSON = {
    "nothing": (b"", "the file is empty"),
    "no JSON": (b"MESSAGE_ID,CUSIP\n1,2\n", "broken JSON at byte 1 in value 1: "),
    "an unfinished object": (b'{"A": 1}\n{"A": 2}\n{"A":', "broken JSON at byte 6 in value 3: "),
    "a word": (b'{"A": 1}\n{"A": x}\n{"A": 3}\n', "broken JSON at byte 7 in value 2: "),
    "a word in an array": (b'[{"A": 1},\n{"A": x},\n{"A": 3}]', "at byte 7 in value 2: "),
    "a comma too many": (b'[{"A": 1},]', "broken JSON"),
    "Latin-1": (b'[{"A": "\xe9"}]', "broken JSON .* invalid UTF-8"),
    "UTF-16": ('[{"A": 1}]'.encode("utf-16"), "broken JSON .* UTF-16"),
    "half a character": (b'[{"A": "\\ud800"}]', "broken JSON .* surrogate"),
    "a constant in small letters": (b'[{"A": NaN}, {"A": nan}]', "value 2: Expecting value"),
    "a number alone": (b"[1, 2]", "value 1: it is not an object"),
    "an array in the array": (b'[{"A": 1}, [2]]', "value 2: it is not an object"),
    "a name twice": (b'[{"B": 0, "A": 1, "A": 2}]', "value 1: two columns named 'A'"),
    "a well": (
        b'[{"A": ' + b"[" * 5000 + b"]" * 5000 + b"}]",
        "value 1: it is nested too deeply, more than 500",
    ),
}


@pytest.mark.parametrize("name", BROKEN_JSON)
def test_broken_json_is_bad_data(name: str, tmp_path: Path) -> None:
    """Broken JSON and values that are not objects are errors with their place."""
    text, words = BROKEN_JSON[name]
    with pytest.raises(DataError, match=words):
        read(write_text(tmp_path / "broken.json", text))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_the_depth_has_one_limit_on_every_python(
    opening: str, closing: str, tmp_path: Path
) -> None:
    """Values of 500 levels are read and written; deeper ones are bad data, never a crash."""
    path = tmp_path / "deep.json"

    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    write_text(path, f'[{{"A": {nested(MAX_NESTING - 1)}}}]')
    file = read(path)
    assert file.column("A") == [nested(MAX_NESTING - 1)]
    assert write(tmp_path / "again.json", file.table).read_text() == (
        f'[\n{{"A": {nested(MAX_NESTING - 1)}}}\n]\n'
    )
    for depth in (MAX_NESTING, 5000, 100_000):
        write_text(path, f'[{{"A": {nested(depth)}}}]')
        with pytest.raises(DataError, match="value 1: it is nested too deep"):
            read(path)


def test_constants_within_a_value(tmp_path: Path) -> None:
    """JSON has no NaN and no infinities: they become null, and 12 stays 12."""
    path = write_text(tmp_path / "nan.ndjson", '{"A": [NaN, -Infinity, 12, "12a", 1E2]}')
    assert read(path).column("A") == ['[null, null, 12, "12a", 100]']
