"""Fixtures of the AWS tests: a database, a Parameter Store, and the command line with AWS keys."""

from collections.abc import Iterator

import boto3
import pytest
from aws.helpers import SECRET, ParameterStore
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import AWS_KEYS, Tool


@pytest.fixture(scope="session")
def database() -> Iterator[OracleServer]:
    """A database that accepts the user of the parameters."""
    with OracleServer(DuckEngine(market()), users={"ANALYST": SECRET}) as started:
        yield started


@pytest.fixture
def parameter_store(moto: str) -> Iterator[ParameterStore]:
    """An empty Parameter Store."""
    client = boto3.client(
        "ssm",
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield ParameterStore(client, moto)
    client.close()


@pytest.fixture
def tool(tool: Tool, moto_server: str) -> Tool:
    """The command line with AWS keys, and moto in place of SSM."""
    tool.env |= {
        **AWS_KEYS, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_SSM": moto_server
    }  # fmt: skip
    return tool
