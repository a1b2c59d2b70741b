"""A live Oracle database: one session, one read-only transaction, every value without loss.

From the top: `source` and `query_source` (rows of tables and of a query), `scan` (statements),
`connection` (the session), `catalog` (names and schemas), then `dictionary` (Oracle's views),
`columns` (the projection), `query_text` (what may be sent), `dsn`, `errors` and `tns`.
"""

from __future__ import annotations

from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.query_source import QuerySource
from marketpulse.sources.oracle.select_query import SelectQuery
from marketpulse.sources.oracle.source import OracleSource

__all__ = ["OracleDatabase", "OracleSource", "QuerySource", "SelectQuery"]
