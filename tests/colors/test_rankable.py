"""Types that the engine does not know: carried through with every digit, or refused by name."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketpulse import run_colors
from marketpulse.colors.rankable import rankable
from marketpulse.errors import DataError

COLORS = {
    "MESSAGE_ID": pa.array([17679633591029710, 17679633591029711]),
    "CUSIP": pa.array(["037833100", "037833100"]),
    "RANK": pa.array([1, 1]),
    "DATE": pa.array(["2026-03-13"] * 2).cast(pa.timestamp("us")),
    "PX": pa.array([100.5, 101.5]),
}


def ranked(folder: Path, column: str, values: pa.Array) -> Sequence[str | None]:
    """Rank two colors with this column, from Parquet and from Arrow; return its cells in order."""
    table = pa.table({**COLORS, column: values})
    pq.write_table(table, folder / "day.parquet")
    outcomes = []
    for data, output in ((folder / "day.parquet", folder / "file"), (table, folder / "arrow")):
        run_colors(data, output=output)
        with (output / "processed_colors.csv").open(encoding="utf-8", newline="") as file:
            outcomes.append([row[column] for row in csv.DictReader(file)])
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


BIG = Decimal("1" * 60 + ".12345")


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("PX", pa.array([BIG, Decimal(2)], pa.decimal256(76, 5)), [f"{BIG}", "2.00000"]),
        ("PX", pa.array([Decimal(9), Decimal(10)], pa.decimal256(40, 2)), ["10.00", "9.00"]),
        ("NOTE", pa.array([BIG, None], pa.decimal256(76, 5)), ["", f"{BIG}"]),
        ("PX", pa.array([100.5, 99.25], pa.float16()), ["100.5", "99.25"]),
        ("RANK", pa.array([2, 1], pa.float16()), ["1.0", "2.0"]),
        (
            "MESSAGE_ID",
            pa.array([2**64 - 2, 2**64 - 1], pa.uint64()),
            ["18446744073709551615", "18446744073709551614"],
        ),
        ("RANK", pa.array([2, 1]).dictionary_encode(), ["1", "2"]),
        ("NOTE", pa.array(["a", "b"], pa.large_string()), ["b", "a"]),
        ("NOTE", pa.array([b"a", b"\xff"]), ["ff", "61"]),
        ("NOTE", pa.array(["a", "b"], pa.string_view()), ["b", "a"]),
        (
            "DATE",
            pa.array(["2026-03-13", "9999-12-31"])
            .cast(pa.timestamp("ms"))
            .cast(pa.timestamp("ms", "UTC")),
            ["9999-12-31 00:00:00", "2026-03-13 00:00:00"],
        ),
    ],
)
def test_carried_through(
    tmp_path: Path, column: str, values: pa.Array, expected: list[str]
) -> None:
    """The values rank as what they are, and come out with every digit."""
    assert ranked(tmp_path, column, values) == expected


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("NOTE", pa.array([1, 2], pa.duration("us")), "'NOTE' holds durations"),
        ("DATE", pa.array([0, 2**63 - 1]).cast(pa.timestamp("us")), "'DATE' holds a date that"),
        ("DATE", pa.array([0, 2**61]).cast(pa.timestamp("ms", "UTC")), "'DATE' holds a date that"),
        ("NOTE", pa.array([0, 2**31 - 1], pa.int32()).cast(pa.date32()), "'NOTE' holds a date"),
        ("CUSIP", pa.array([b"037833100"] * 2), r"'CUSIP' holds bytes"),
        ("MESSAGE_ID", pa.array([b"12345678"] * 2, pa.binary(8)), r"'MESSAGE_ID' holds bytes"),
        (
            "NOTE",
            pa.array([[BIG], None], pa.list_(pa.decimal256(76, 5))),
            r"type that cannot be read: NOTE \(list<",
        ),
    ],
)
def test_refused_by_name(tmp_path: Path, column: str, values: pa.Array, message: str) -> None:
    """What neither the engine nor a text can hold is an error that names the column."""
    with pytest.raises(DataError, match=message):
        ranked(tmp_path, column, values)


@pytest.mark.parametrize("column", ["MESSAGE_ID", "CUSIP"])
def test_short_floats_lose_digits_earlier(column: str) -> None:
    """A float of 32 bits keeps whole numbers up to 2^24: beyond, an identifier is rejected."""
    values = pa.array([2**24 - 1, 2**24], pa.float32())
    run = run_colors(pa.table({**COLORS, column: values}))
    assert (run.counts.parents, run.counts.rejected) == (1, 1)
    assert run.rejected is not None
    assert str(run.rejected["REASON"][0]).startswith(f"{column}: '16777216")


@pytest.mark.parametrize(
    ("data_type", "a_day"),
    [
        (pa.date32(), 1),
        (pa.date64(), 86_400_000),
        (pa.timestamp("s"), 86_400),
        (pa.timestamp("us"), 86_400_000_000),
    ],
    ids=str,
)
def test_dates_that_no_text_could_hold(data_type: pa.DataType, a_day: int) -> None:
    """Before or after 1970, in any batch; nulls are no dates."""

    def read(*days: int | None) -> pa.Table:
        """Read a column of dates, counted from 1970."""
        width = pa.int32() if data_type == pa.date32() else pa.int64()
        counts = pa.array([None if day is None else day * a_day for day in days], width)
        table = pa.table({"DATE": counts.cast(data_type)})
        return rankable(table.to_reader(max_chunksize=1), "day").read_all()

    near, far = 30_700 * 365, 30_900 * 366
    assert len(read(None, near, -near, 0)) == 4
    for day in (far, -far):
        with pytest.raises(DataError, match="day: the column 'DATE' holds a date that lies more"):
            read(0, None, day)
