"""Query published colors: filter the Parquet file of a run with DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from marketpulse.atomic import TemporaryFolder
from marketpulse.colors.cells import BLANKS
from marketpulse.errors import NotFoundError
from marketpulse.formats import open_writer
from marketpulse.sources.names import fold_name, quoted


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions that published colors have to meet; None is no condition.

    Text is compared without case and outer blanks.
    """

    cusip: str | None = None
    sector: str | None = None
    dealer: str | None = None
    date: date | None = None
    parents: bool = False
    limit: int = 1000
    offset: int = 0


def query_colors(path: Path, mapping: Mapping[str, str], query: Filter) -> bytes:
    """The matching rows in the order of the file, as a JSON array with exact numbers.

    `mapping` is the mapping of the run. Raises `NotFoundError` if the file lacks a column of the
    filter.
    """
    schema = pq.read_schema(path)
    conditions, values = ["TRUE"], {"path": str(path)}
    filters = {
        "CUSIP": query.cusip,
        "SECTOR": query.sector,
        "SOURCE": query.dealer,
        "DATE": query.date,
    }
    for role, value in filters.items():
        if value is not None:
            conditions.append(_condition(role, _column(role, mapping, schema)))
            values[role] = str(value)
    if query.parents:
        conditions.append("IS_PARENT")
    sql = (
        f"SELECT * FROM read_parquet($path) WHERE {' AND '.join(conditions)} "
        f"LIMIT {query.limit:d} OFFSET {query.offset:d}"
    )
    with duckdb.connect() as connection, TemporaryFolder() as folder:
        connection.execute("SET TimeZone = 'UTC'")  # days are days in UTC, as in a run
        rows = connection.sql(sql, params=values).to_arrow_table()
        output = Path(folder) / "colors.json"
        writer = open_writer("json", output, schema)
        for batch in rows.cast(schema).to_batches():
            writer.write(batch)
        writer.close()
        return output.read_bytes()


def _condition(role: str, column: str) -> str:
    """A condition on a column, with the role as the name of its bind."""
    text = f"trim(CAST({quoted(column)} AS VARCHAR), '{BLANKS}')"
    if role == "DATE":
        return f"CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS DATE) = CAST(${role} AS DATE)"
    return f"lower({text}) = lower(trim(${role}, '{BLANKS}'))"


def _column(role: str, mapping: Mapping[str, str], schema: pa.Schema) -> str:
    """The name of a role's column in this run."""
    folded = fold_name(mapping.get(role, role))
    for name in schema.names:
        if fold_name(name) == folded:
            return str(name)
    raise NotFoundError(f"these colors have no column {role}", check="MP-SRC-009")
