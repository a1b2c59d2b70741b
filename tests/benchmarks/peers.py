"""The same job in other libraries, without checks: sort colors by the full order, mark parents.

PYTHONPATH=tests python -m benchmarks.peers duckdb day.csv sorted.csv
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

FIRST = ("CUSIP", "RANK", "DATE", "PX", "MESSAGE_ID")
DESCENDING = {"DATE", "PX", "MESSAGE_ID"}
INTEGERS = {"MESSAGE_ID", "RANK", "CONFIDENCE"}
NUMBERS = {"PRICE_LEVEL", "BID", "ASK", "PX", "COV_PRICE", "PERCENT_DIFF", "PRICE_DIFF"}
DATES = {"DATE", "DATE_1"}


def _columns(source: Path) -> list[str]:
    reader = "read_parquet" if source.suffix == ".parquet" else "read_csv"
    sample = duckdb.execute(f"SELECT * FROM {reader}('{source}') LIMIT 0")
    return [column[0] for column in sample.description or ()]


def _ordered(columns: list[str]) -> list[str]:
    return [*FIRST, *(name for name in columns if name not in FIRST)]


def _rows(source: Path) -> str:
    if source.suffix == ".parquet":
        return f"read_parquet('{source}')"
    return f"read_csv('{source}', all_varchar=true, header=true)"


def _keys(source: Path) -> list[str]:
    """The full order in SQL: values, then the cells of text as they are."""

    def value(name: str) -> str:
        if name == "CUSIP":
            return f'upper(trim("{name}"))'
        if source.suffix == ".parquet":
            return f'"{name}"'
        kinds = {"DECIMAL(18, 6)": NUMBERS, "BIGINT": INTEGERS, "TIMESTAMP": DATES}
        for kind, names in kinds.items():
            if name in names:
                return f'TRY_CAST("{name}" AS {kind})'
        return f'"{name}"'

    columns = _columns(source)
    keys = [
        f"{value(name)} {'DESC' if name in DESCENDING else ''} NULLS LAST"
        for name in _ordered(columns)
    ]
    return keys if source.suffix == ".parquet" else [*keys, *(f'"{name}"' for name in columns)]


def _copy(select: str, target: Path) -> None:
    options = "FORMAT parquet" if target.suffix == ".parquet" else "HEADER"
    duckdb.execute(f"COPY ({select}) TO '{target}' ({options})")


def sort_in_duckdb(source: Path, target: Path) -> None:
    """Read, sort by the full order, write; no marks."""
    _copy(f"SELECT * FROM {_rows(source)} ORDER BY {', '.join(_keys(source))}", target)


def mark_in_duckdb(source: Path, target: Path) -> None:
    """The usual statement: windows over the securities."""
    security, *others = _keys(source)
    window = f"PARTITION BY upper(trim(CUSIP)) ORDER BY {', '.join(others)}"
    marked = (
        f"SELECT *, row_number() OVER ({window}) AS GROUP_POSITION, "
        f"count(*) OVER (PARTITION BY upper(trim(CUSIP))) - 1 AS CHILDREN_COUNT, "
        f"first_value(MESSAGE_ID) OVER ({window}) AS PARENT_MESSAGE_ID FROM {_rows(source)}"
    )
    _copy(f"SELECT * FROM ({marked}) ORDER BY {security}, GROUP_POSITION", target)


def mark_in_polars(source: Path, target: Path) -> None:
    """Everything in memory, in all threads."""
    import polars as pl  # noqa: PLC0415 - one process measures one library

    columns = _columns(source)
    rows = pl.read_csv(source, infer_schema=False)
    security = pl.col("CUSIP").str.strip_chars().str.to_uppercase()
    kinds = {pl.Float64(): NUMBERS, pl.Int64(): INTEGERS}
    values = {name: kind for kind, names in kinds.items() for name in names}
    keys = [
        pl.col(name).cast(values[name], strict=False) if name in values else pl.col(name)
        for name in _ordered(columns)[1:]
    ]
    descending = [name in DESCENDING for name in _ordered(columns)]
    sort = [security, *keys, *map(pl.col, columns)]
    rows = rows.sort(sort, descending=[*descending, *[False] * len(columns)], nulls_last=True)
    rows = rows.with_columns(security.alias("CUSIP"))
    rows.with_columns(
        GROUP_POSITION=pl.int_range(pl.len()).over("CUSIP") + 1,
        CHILDREN_COUNT=pl.len().over("CUSIP") - 1,
        PARENT_MESSAGE_ID=pl.col("MESSAGE_ID").first().over("CUSIP"),
    ).write_csv(target)


def mark_in_pandas(source: Path, target: Path) -> None:
    """Everything in memory, in one thread."""
    import pandas as pd  # noqa: PLC0415 - one process measures one library

    columns = _columns(source)
    rows = pd.read_csv(source, dtype=str, keep_default_na=False)
    rows["CUSIP"] = rows["CUSIP"].str.strip().str.upper()
    keys = {name: f"key {name}" for name in columns if name in NUMBERS | INTEGERS}
    for name, key in keys.items():
        rows[key] = pd.to_numeric(rows[name], errors="coerce")
    order = [keys.get(name, name) for name in _ordered(columns)]
    ascending = [name not in DESCENDING for name in _ordered(columns)]
    rows = rows.sort_values(order, ascending=ascending, na_position="last")
    groups = rows.groupby("CUSIP", sort=False)
    rows["GROUP_POSITION"] = groups.cumcount() + 1
    rows["CHILDREN_COUNT"] = groups["CUSIP"].transform("size") - 1
    rows["PARENT_MESSAGE_ID"] = groups["MESSAGE_ID"].transform("first")
    rows.drop(columns=list(keys.values())).to_csv(target, index=False)


PEERS: dict[str, Callable[[Path, Path], None]] = {
    "duckdb": sort_in_duckdb,
    "windows": mark_in_duckdb,
    "polars": mark_in_polars,
    "pandas": mark_in_pandas,
}

if __name__ == "__main__":
    peer, *paths = sys.argv[1:]
    PEERS[peer](*map(Path, paths))
