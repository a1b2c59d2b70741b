"""Questions to published colors: a Parquet file of a run, read by DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from marketpulse.colors.cells import BLANKS
from marketpulse.errors import NotFoundError
from marketpulse.formats import open_writer
from marketpulse.names import quoted


@dataclass(frozen=True)
class Filter:
    """Which published colors are wanted; None is all of them. Text is compared without case."""

    cusip: str | None = None
    sector: str | None = None
    dealer: str | None = None
    date: date | None = None
    parents: bool = False
    limit: int = 1000
    offset: int = 0


def as_json(path: Path, mapping: Mapping[str, str], chosen: Filter) -> bytes:
    """The chosen rows in their order, as a JSON array.

    Raises `NotFoundError` for a column it lacks.
    """
    schema = pq.read_schema(path)
    conditions, values = ["TRUE"], {"path": str(path)}
    for role, value in (
        ("CUSIP", chosen.cusip),
        ("SECTOR", chosen.sector),
        ("SOURCE", chosen.dealer),
        ("DATE", chosen.date),
    ):
        if value is None:
            continue
        column = quoted(_column(role, mapping, schema))
        values[role] = str(value)
        # Moments are UTC's, as they are in a run.
        text = f"trim(CAST({column} AS VARCHAR), '{BLANKS}')"
        same = f"lower({text}) = lower(trim(${role}, '{BLANKS}'))"
        if role == "DATE":
            same = f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS DATE) = CAST(${role} AS DATE)"
        conditions.append(same)
    if chosen.parents:
        conditions += ["IS_PARENT"]
    question = (
        f"SELECT * FROM read_parquet($path) WHERE {' AND '.join(conditions)} "  # noqa: S608 - binds
        f"LIMIT {chosen.limit:d} OFFSET {chosen.offset:d}"
    )
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute("SET TimeZone = 'UTC'")
        rows: pa.Table = connection.sql(question, params=values).to_arrow_table()
        answer = Path(folder) / "colors.json"
        writer = open_writer("json", answer, schema)
        for batch in rows.cast(schema).to_batches():
            writer.write(batch)
        writer.close()
        return answer.read_bytes()


def _column(role: str, mapping: Mapping[str, str], schema: Any) -> str:
    """What a column of the contract is called in this run."""
    wanted = mapping.get(role, role).strip().casefold()
    for name in schema.names:
        if name.strip().casefold() == wanted:
            return str(name)
    raise NotFoundError(f"these colors have no column {role}", check="MP-SRC-009")
