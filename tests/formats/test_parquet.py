"""Parquet: types and values are the same after writing and reading."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_files import TYPED, read, write

from marketpulse.errors import DataError
from marketpulse.formats import estimate_rows, open_writer

FAR = [*map(datetime.fromisoformat, ("2026-03-13T14:05", "9999-12-31")), None]


def write_int96(path: Path, **columns: pa.Array) -> Path:
    """Write timestamps as Hive, Impala and older Spark do."""
    pq.write_table(pa.table(columns), path, use_deprecated_int96_timestamps=True)
    return path


def test_typed_values_in_parquet_keep_their_types(tmp_path: Path) -> None:
    """Parquet is typed both ways; a dictionary is only how a column was stored."""
    path = write(tmp_path / "typed.parquet", TYPED)
    plain = TYPED.set_column(8, "T", TYPED.column("T").cast(pa.string()))
    for table, expected in ((pq.read_table(path), TYPED), (read(path).table, plain)):
        assert table.schema == expected.schema
        assert str(table.to_pylist()) == str(expected.to_pylist())  # as text NaN is NaN


def test_int96_beyond_2262(tmp_path: Path) -> None:
    """INT96 holds 9999-12-31, which 64 bits of nanoseconds turn into a day of 1816."""
    path = write_int96(tmp_path / "spark.parquet", D=pa.array(FAR, pa.timestamp("us")))
    table = read(path).table
    assert table.schema.field("D").type == pa.timestamp("us")
    assert table["D"].to_pylist() == FAR


@pytest.mark.parametrize("sign", [1, -1])
def test_int96_at_the_ends_of_64_bits(sign: int, tmp_path: Path) -> None:
    """Nanoseconds last for 9,223,372,036 seconds in both directions."""
    for seconds, unit in ((9_223_372_035, "ns"), (9_223_372_036, "us")):
        timestamp = pa.array([sign * seconds, 0], pa.int64()).cast(pa.timestamp("s"))
        path = write_int96(tmp_path / "ends.parquet", D=timestamp.cast(pa.timestamp("us")))
        read_back = read(path).table["D"]
        assert read_back.type == pa.timestamp(unit)
        assert read_back.cast(pa.timestamp("s")).to_pylist() == timestamp.to_pylist()


def test_int96_beyond_all_units(tmp_path: Path) -> None:
    """Microseconds last for 292,000 years; no type has what is later."""
    most = 9_223_372_036_853
    seconds = pa.array([most], pa.int64()).cast(pa.timestamp("s"))
    last = read(write_int96(tmp_path / "last.parquet", D=seconds)).table["D"]
    assert last.cast(pa.int64()).to_pylist() == [most * 10**6]
    later = pa.array([most + 1], pa.int64()).cast(pa.timestamp("s"))
    with pytest.raises(DataError, match=r"D: a timestamp lies more than 290,000 years away"):
        read(write_int96(tmp_path / "later.parquet", D=later))


def test_int96_in_nested_columns(tmp_path: Path) -> None:
    """Lists, structures and maps of such timestamps keep them, too."""
    timestamp = pa.timestamp("us")
    columns = {
        "L": pa.array([FAR], pa.list_(timestamp)),
        "S": pa.array([{"a": FAR[0], "b": FAR[1]}], pa.struct({"a": timestamp, "b": timestamp})),
        "M": pa.array([[("k", FAR[1])]], pa.map_(pa.string(), timestamp)),
    }
    path = write_int96(tmp_path / "nested.parquet", **columns)
    assert read(path).table.to_pydict() == {
        "L": [FAR],
        "S": [{"a": FAR[0], "b": FAR[1]}],
        "M": [[("k", FAR[1])]],
    }


def test_int96_keeps_nanoseconds(tmp_path: Path) -> None:
    """Where all dates allow it, INT96 keeps its nanoseconds; where one does not, it is refused."""
    fine = pa.array([123_456_789, None], pa.int64()).cast(pa.timestamp("ns"))
    path = write_int96(tmp_path / "fine.parquet", D=fine)
    assert read(path).table["D"].combine_chunks() == fine
    both = {"D": fine, "E": pa.array(FAR[1:], pa.timestamp("us"))}
    with pytest.raises(DataError, match="D: some timestamps have nanoseconds"):
        read(write_int96(tmp_path / "both.parquet", **both))


def test_pandas_reads_integers_with_nulls_as_integers(tmp_path: Path) -> None:
    """`pandas.read_parquet` keeps every digit of an identifier, although a cell is null."""
    schema = pa.schema([("ID", pa.int64()), ("SMALL", pa.uint8()), ("TEXT", pa.string())])
    path = tmp_path / "rows.parquet"
    writer = open_writer("parquet", path, schema)
    writer.write(pa.record_batch([[17679633591029711, None], [1, None], ["a", None]], schema))
    writer.close()
    frame = pd.read_parquet(path)
    assert frame["ID"].tolist() == [17679633591029711, pd.NA]
    assert list(map(str, frame.dtypes)) == ["Int64", "UInt8", "str"]


def test_only_repeated_values_have_a_dictionary(tmp_path: Path) -> None:
    """The first rows decide for each column; types that cannot be counted keep one."""
    views = pa.array(["a", "b"] * 50, pa.string_view())
    batch = pa.record_batch(
        {"ID": range(100), "RANK": [1, 2] * 50, "VIEW": views, "LIST": [[1]] * 100}
    )
    path = tmp_path / "rows.parquet"
    writer = open_writer("parquet", path, batch.schema)
    writer.write(batch)
    writer.write(batch)
    writer.close()

    assert pq.read_table(path).num_rows == 200
    for group in (0, 1):
        chunks = pq.read_metadata(path).row_group(group)
        columns = [chunks.column(place) for place in range(3)]
        assert [column.has_dictionary_page for column in columns] == [False, True, True]


def test_files_are_compressed(tmp_path: Path) -> None:
    """Columns are compressed with Zstandard; the footer has the number of rows."""
    path = write(tmp_path / "small.parquet", TYPED)
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"
    assert estimate_rows(path) == 3
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"small\.parquet: this is not Parquet, or it is damaged"):
        estimate_rows(path)


def test_text_that_is_not_utf_8(tmp_path: Path) -> None:
    """Programs that write Latin-1 as text are named, before DuckDB or Python stops at it."""
    latin = pa.array([b"Caf\xe9", b"x"]).view(pa.string())
    path = tmp_path / "day.parquet"
    pq.write_table(pa.table({"A": latin}), path, write_statistics=False)
    with pytest.raises(DataError, match=r"day\.parquet: the file is damaged: .* Invalid UTF8"):
        read(path)
