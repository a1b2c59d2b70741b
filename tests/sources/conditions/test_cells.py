"""Conditions and orders on columns with the types of a database, as a bundle tells them."""

import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marketpulse.errors import UsageError
from marketpulse.formats.encode import LogicalType, logical_field
from marketpulse.model import CellKind, CellReading
from marketpulse.sources.base import RowRequest, UndecidedRows
from marketpulse.sources.selection import select_rows

INF, NAN = float("inf"), float("nan")
INSTANTS = pa.array([0, 86_400, None], pa.int64())
NANOSECONDS = ["1970-01-01T00:00:00.000000001", "1970-01-02", "", None]
ZONED, ZONED_NANOSECONDS = "TIMESTAMP(6) WITH TIME ZONE", "TIMESTAMP(9) WITH TIME ZONE"
CELLS: dict[str, pa.Array] = {
    "BINARY_DOUBLE": pa.array([0.1, NAN, None, INF, -INF]),
    "BINARY_FLOAT": pa.array([0.1, NAN, None, INF, -INF], pa.float32()),
    "TIMESTAMP(6)": INSTANTS.cast(pa.timestamp("s", "UTC")),
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": INSTANTS.cast(pa.timestamp("s")),
    ZONED: INSTANTS.cast(pa.timestamp("s", "UTC")),
    "TIMESTAMP(9)": pa.array(NANOSECONDS),
    ZONED_NANOSECONDS: pa.array(NANOSECONDS),
    "CHAR(3)": pa.array(["a  ", "ab ", None]),
    "VARCHAR2(3)": pa.array(["a", "ab", "", None]),
    "CLOB": pa.array(["a", "ab", "", None]),
    "RAW(2)": pa.array(["6162", None]),
    "NUMBER(9)": pa.array([1, 2, 1, None]).dictionary_encode(),
}


def select(
    folder: Path,
    cells: pa.Array,
    source_type: str | None = None,
    *,
    field: pa.Field | None = None,
    undecided: UndecidedRows | None = None,
    **request: Any,
) -> list[object]:
    """The places of the rows that a request selects from a column X, beside a day in 1970."""
    table = pa.table(
        [range(len(cells)), cells, pa.array([0] * len(cells), pa.timestamp("s"))],
        pa.schema(
            [
                pa.field("n", pa.int64()),
                field or pa.field("x", cells.type),
                pa.field("day", pa.timestamp("s")),
            ]
        ),
    )
    rows = select_rows(
        table.to_reader(max_chunksize=3),
        RowRequest(**request),
        workspace=folder,
        now=0,
        source_types={"x": source_type, "day": "DATE"} if source_type else None,
        undecided=undecided,
    )
    return list(rows.read_all()["n"].to_pylist())


@pytest.mark.parametrize(
    ("source_type", "where", "expected"),
    [
        *(
            (binary, where, expected)
            for binary in ("BINARY_DOUBLE", "BINARY_FLOAT")
            for where, expected in (
                ("x = 0.1", [0]),
                ("x = '0.1'", [0]),
                ("x <> 0.1", [1, 3, 4]),
                ("x > 1e30", [1, 3]),
                ("x <= x", [0, 1, 3, 4]),
                ("x IS NULL", [2]),
                ("-x > 0", [1, 4]),
                ("NVL(x, 1) = 1", [2]),
                ("COALESCE(0.1, x) = x", [0]),
            )
        ),
        ("TIMESTAMP(6)", "TRUNC(x) = day AND x - day = 0", [0]),
        ("TIMESTAMP(6) WITH LOCAL TIME ZONE", "x > day", [1]),
        ("TIMESTAMP(6)", "COALESCE(x, day) - day = 0", [0, 2]),
        ("TIMESTAMP(6)", "COALESCE(x, NULL) - day = 0", [0]),
        (ZONED, "x = day OR x > '1970-01-01'", [0, 1]),
        (ZONED, "COALESCE(x, day) = day", [0, 2]),
        ("TIMESTAMP(9)", "x > day", [0, 1]),
        ("TIMESTAMP(9)", "TRUNC(x) - day = 1 OR x IS NULL", [1, 2, 3]),
        (ZONED_NANOSECONDS, "x > day", [0, 1]),
        ("CHAR(3)", "x = 'a'", [0]),
        ("VARCHAR2(3)", "x = 'a' OR x IS NULL", [0, 2, 3]),
        ("CLOB", "x LIKE 'a%'", [0, 1]),
        ("CLOB", "x IS NULL", [2, 3]),
        ("RAW(2)", "x IS NOT NULL", [0]),
        ("NUMBER(9)", "x = 1", [0, 2]),
        ("NUMBER(9)", "COALESCE(x + 17700000000000000, 0) = 17700000000000001", [0, 2]),
    ],
)
def test_types_of_a_database(
    source_type: str, where: str, expected: list[int], tmp_path: Path
) -> None:
    """Binary numbers know NaN, which is the greatest; long text, zones and raw bytes know less."""
    assert select(tmp_path, CELLS[source_type], source_type, where=where) == expected


@pytest.mark.parametrize(
    ("source_type", "where", "reason"),
    [
        ("BINARY_DOUBLE", "x + 1 = 2", "not understood for a binary double"),
        ("BINARY_FLOAT", "x || 'a' = 'a'", "a binary float is used as text"),
        (ZONED, "TRUNC(x) = day", "TRUNC: it is not understood for a time with a time zone"),
        (ZONED_NANOSECONDS, "x - day = 0", "a time with a time zone - a date"),
        (ZONED, "COALESCE(day, x) - day = 0", "a time with a time zone - a date"),
        (ZONED, "COALESCE(x, day) + 1 > day", r"a time with a time zone \+ a number"),
        ("CLOB", "x = 'a'", "long text can be compared with NULL alone"),
        ("CLOB", "COALESCE('b', x) = 'a'", "long text can be compared with NULL alone"),
        ("CLOB", "x + 1 = 2", "long text is used as a number"),
        ("TIMESTAMP(9)", "x - day = 0", "a time with a fraction of a second"),
        ("RAW(2)", "x = '6162'", "a value of another type"),
    ],
)
def test_what_means_something_else_is_refused(
    source_type: str, where: str, reason: str, tmp_path: Path
) -> None:
    """The message has the type that Oracle treats in another way."""
    with pytest.raises(UsageError, match=reason):
        select(tmp_path, CELLS[source_type], source_type, where=where)


@pytest.mark.parametrize("binary", ["BINARY_DOUBLE", "BINARY_FLOAT"])
def test_binary_numbers_in_order(binary: str, tmp_path: Path) -> None:
    """NaN is more than infinity; null is last, whatever the direction."""
    assert select(tmp_path, CELLS[binary], binary, order="x") == [4, 0, 3, 1, 2]
    assert select(tmp_path, CELLS[binary], binary, order="x DESC") == [1, 3, 0, 4, 2]
    other_nan = struct.unpack("d", struct.pack("Q", 0x7FF8_0000_0000_0001))[0]
    numbers = pa.array([NAN, other_nan, NAN])
    assert select(tmp_path, numbers, "BINARY_DOUBLE", order="x, n DESC") == [2, 1, 0]


def test_texts_that_travel_for_other_types(tmp_path: Path) -> None:
    """A number as text may be NaN, which is missing, with blanks; a date may be a day."""
    number, day = (logical_field("x", kind) for kind in (LogicalType.NUMBER, LogicalType.DATE))
    numbers = pa.array(["1", "NaN", " nan ", "2.50", "", None])
    assert select(tmp_path, numbers, field=number, where="x > 1") == [3]
    assert select(tmp_path, numbers, field=number, where="x IS NULL") == [1, 2, 4, 5]
    limits = pa.array(["9e125", "-9e125", "1e-125"])
    assert select(tmp_path, limits, field=number, where="x > 0") == [0, 2]
    with pytest.raises(UsageError, match="no number so large or so small"):
        select(tmp_path, pa.array(["1e126"]), field=number, where="x > 0")
    days = pa.array(["1970-01-01", "1970-01-02 10:30:00", " ", None])
    assert select(tmp_path, days, field=day, where="x > day") == [1]
    assert select(tmp_path, days, field=day, where="x IS NULL") == [2, 3]


@pytest.mark.parametrize(
    ("kind", "cells", "fault"),
    [
        (CellKind.NUMBER, ["1", "n/a", "nan", " ", None, "x"], "x: 'n/a'"),
        (CellKind.INTEGER, ["1", "nan", "", " ", None, "x"], "x: 'nan'"),
        (CellKind.DATE, ["2026-03-13", "13/03/2026", "", " ", None, "x"], "x: '13/03/2026'"),
        (CellKind.TEXT, ["1", "", " ", None, "\t"], ""),
    ],
)
def test_a_missing_cell_is_no_fault(
    kind: CellKind, cells: list[str | None], fault: str, tmp_path: Path
) -> None:
    """What is no value of its column leaves its row undecided; what is missing is null."""
    undecided = UndecidedRows()
    request: dict[str, Any] = {
        "cell_readings": {"x": CellReading(kind=kind)},
        "where": "x IS NOT NULL",
    }
    assert select(tmp_path, pa.array(cells), undecided=undecided, **request) == [0]
    assert (undecided.count, undecided.cell) == (2 if fault else 0, fault)


@pytest.mark.parametrize(
    ("where", "expected", "count"),
    [
        ("x < 5", [0], 2),
        ("NOT x < 5", [3], 2),
        ("x < 5 OR n >= 0", [0, 1, 2, 3, 4], 0),
        ("n >= 0 OR x < 5", [0, 1, 2, 3, 4], 0),
        ("x < 5 OR n = 1", [0, 1], 1),
        ("x < 5 AND n = 1", [], 1),
        ("x < 5 AND n = 0", [0], 0),
        ("x IS NULL AND n = 2", [2], 0),
        ("n < 2 AND x IS NOT NULL", [0], 1),
        ("x = n + 1", [0], 2),
    ],
)
def test_rows_that_a_fault_decides(
    where: str, expected: list[int], count: int, tmp_path: Path
) -> None:
    """A row that the other parts decide does not count, and a missing cell is no fault."""
    undecided, cells = UndecidedRows(), pa.array(["1", "n/a", None, "9", "x"])
    readings = {"x": CellReading(kind=CellKind.NUMBER)}
    found = select(tmp_path, cells, where=where, cell_readings=readings, undecided=undecided)
    assert (found, undecided.count) == (expected, count)
    first = "x" if where == "x < 5 OR n = 1" else "n/a"
    assert undecided.cell == (f"x: {first!r}" if count else "")


def test_a_number_stands_for_a_date_only_where_an_option_says_so(tmp_path: Path) -> None:
    """A spreadsheet stores a day as a number; without the option it is a number."""

    def as_days(texts: pa.Array) -> pa.Array:
        return pa.array([f"1970-01-0{text[0]}" for text in texts.to_pylist()])

    request: dict[str, Any] = {"where": "x > day"}
    for cells in (pa.array([1, 2]), pa.array([1.0, 2.0])):
        by_option = {"x": CellReading(kind=CellKind.DATE, translate=as_days)}
        assert select(tmp_path, cells, cell_readings=by_option, **request) == [1]
        for reading in (
            CellReading(kind=CellKind.DATE),
            CellReading(kind=CellKind.NUMBER, translate=as_days),
        ):
            with pytest.raises(UsageError, match="a date is compared with a number"):
                select(tmp_path, cells, cell_readings={"x": reading}, **request)
