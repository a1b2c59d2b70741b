"""An Oracle database for tests: the wire protocol over TCP, SQL run by DuckDB, a dictionary."""
