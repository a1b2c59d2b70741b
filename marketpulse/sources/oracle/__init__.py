"""A live Oracle database: one session, one read-only transaction, every value without loss.

From the top: `source` (rows of tables), `connection` (the session), `catalog` (names and schemas),
then `dictionary` (Oracle's views), `columns` (the projection), `dsn`, `errors` and `tns`.
"""

from __future__ import annotations

from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.source import OracleSource

__all__ = ["OracleDatabase", "OracleSource"]
