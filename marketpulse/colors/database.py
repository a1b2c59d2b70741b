"""A database in memory, which can start while other libraries load."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import duckdb

_started: list[Future[duckdb.DuckDBPyConnection]] = []


def start_database() -> None:
    """Start a database in a thread, for the next `new_database`.

    DuckDB takes 0.02 s to create its catalog, without Python's lock.
    """
    executor = ThreadPoolExecutor(1)
    _started.append(executor.submit(duckdb.connect))
    executor.shutdown(wait=False)  # the thread ends when the database has started


def new_database() -> duckdb.DuckDBPyConnection:
    """A database in memory: the one that has been started, or else another."""
    return _started.pop().result() if _started else duckdb.connect()
