"""A live Oracle database: one session, one read-only transaction, every value without loss.

source, query_source   the tables, or the result of one query
    scan               a statement, and its rows whatever their values are; keys: its conditions
    catalog            names and schemas ──▶ dictionary: Oracle's own views
    columns            how each type is selected without loss
connection             the session ──▶ login: the way to it
    dsn, tns           the address; the listener, asked before a login
    refusals           passwords that are not sent again
    relay              native_encryption for the thin driver
query_text             what may be sent as a query; select_query: its name and binds
errors, timeouts       what codes mean; the deadline
"""

from __future__ import annotations

from marketpulse.sources.oracle.connection import OracleDatabase
from marketpulse.sources.oracle.query_source import QuerySource
from marketpulse.sources.oracle.select_query import SelectQuery
from marketpulse.sources.oracle.source import OracleSource

__all__ = ["OracleDatabase", "OracleSource", "QuerySource", "SelectQuery"]
