"""How tests reach the test database: settings, an open source, an environment, its statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from pydantic import SecretStr
from sqlfluff.core import Linter, SQLBaseError

from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource
from oracle_server.server import OracleServer

PASSWORD = "Planted-Barley-77"
READ_ONLY = "SET TRANSACTION READ ONLY"


def settings_for(server: OracleServer, **changes: object) -> OracleSettings:
    """Return the settings of an analyst who reads the schema MARKET."""
    settings = OracleSettings(
        username=SecretStr("analyst"),
        password=SecretStr(PASSWORD),
        dsn=server.dsn,
        schema="MARKET",
    )
    return replace(settings, **changes)  # type: ignore[arg-type]  # any fields of the settings


@contextmanager
def open_source(server: OracleServer, **changes: object) -> Iterator[OracleSource]:
    """Open the analyst's source."""
    with OracleSource(OracleDatabase(settings_for(server, **changes))) as source:
        yield source


def oracle_environment(server: OracleServer) -> dict[str, str]:
    """Return the environment variables of the same analyst."""
    return {
        "AWS_EC2_METADATA_DISABLED": "true",  # else SSM's credentials are looked for there
        "ORACLE_HOST": server.host,
        "ORACLE_PORT": str(server.port),
        "ORACLE_SERVICE_NAME": server.service,
        "ORACLE_USERNAME": "analyst",
        "ORACLE_PASSWORD": PASSWORD,
        "ORACLE_SCHEMA": "market",
        "ORACLE_TABLE_NAME": "colors_table",
    }


def assert_read_only(server: OracleServer) -> None:
    """Assert that all statements only read, and that an independent grammar of Oracle has them."""
    statements = {statement.sql for statement in server.record.statements}
    assert statements
    for sql in statements:
        assert sql.startswith(("SELECT ", READ_ONLY, "ALTER SESSION SET NLS_")), sql
        assert not any(word in sql for word in ("DROP", "DELETE", "INSERT", ";")), sql
        if sql != READ_ONLY:  # the grammar does not have it
            violations = _violations(sql)
            assert not violations, (sql, violations)


@cache
def _violations(sql: str) -> Sequence[SQLBaseError]:
    """What the grammar finds wrong. Cached: a statement takes 0.2 s, and most come again."""
    return Linter(dialect="oracle").parse_string(sql).violations
