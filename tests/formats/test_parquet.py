"""Parquet: types and values are the same after writing and reading."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from format_files import TYPED, read, write


def test_typed_values_in_parquet_keep_their_types(tmp_path: Path) -> None:
    """Parquet is typed both ways; a dictionary is only how a column was stored."""
    path = write(tmp_path / "typed.parquet", TYPED)
    plain = TYPED.set_column(8, "T", TYPED.column("T").cast(pa.string()))
    for table, wanted in ((pq.read_table(path), TYPED), (read(path).table, plain)):
        assert table.schema == wanted.schema
        assert str(table.to_pylist()) == str(wanted.to_pylist())  # as text NaN is NaN
