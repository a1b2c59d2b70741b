"""Fixtures: the test database with the market, and the command line of an analyst."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle_server.client import PASSWORD, oracle_environment
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import Tool


@pytest.fixture(scope="package")
def market_server() -> Iterator[OracleServer]:
    """The market, for an analyst who owns nothing and for the owner."""
    users = {"ANALYST": PASSWORD, "MARKET": PASSWORD}
    with OracleServer(DuckEngine(market()), users=users, sids=["ORCLCDB"]) as started:
        yield started


@pytest.fixture
def server(market_server: OracleServer) -> Iterator[OracleServer]:
    """The market without faults; fails if a client sent something that the server cannot read."""
    market_server.faults = Faults()
    market_server.reset()
    yield market_server
    assert market_server.record.oddities == []


@pytest.fixture
def tool(tmp_path: Path, server: OracleServer) -> Tool:
    """The command line with the analyst's environment."""
    return Tool(tmp_path / "desk", oracle_environment(server))
