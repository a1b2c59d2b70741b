"""Fixtures of the function tests: a cloud, and a published run."""

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from function.helpers import AT, FIRST, Cloud, call
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import AWS_KEYS, Tool

from marketpulse.function import events


@pytest.fixture
def cloud(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    """A new cloud; this process is the function."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    ssm, s3 = (
        boto3.client(name, endpoint_url=moto, region_name="us-east-1", **keys)
        for name in ("ssm", "s3")
    )
    s3.create_bucket(Bucket="colors")
    s3.put_bucket_versioning(Bucket="colors", VersioningConfiguration={"Status": "Enabled"})
    environment = {
        **AWS_KEYS,
        "AWS_ENDPOINT_URL": moto,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MARKETPULSE_PUSH": "s3://colors/processed_colors/",
        "MARKETPULSE_HTTP_TABLES": "COLORS_TABLE, COLORS",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    events.service.cache_clear()
    with OracleServer(DuckEngine(market()), users={"ANALYST": FIRST}) as database:
        cloud = Cloud(database, ssm, s3, environment)
        cloud.put(
            host=database.host, port=str(database.port), service_name=database.service,
            username="analyst", password=FIRST, schema="MARKET", table_name="COLORS_TABLE",
        )  # fmt: skip
        yield cloud
    events.service.cache_clear()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    ssm.close()
    s3.close()


@pytest.fixture
def published(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud with a published run of the embedded market, without a database."""
    monkeypatch.setenv("MARKETPULSE_SOURCE", "demo")
    monkeypatch.setenv("MARKETPULSE_HTTP_TABLES", "COLORS")
    call({"time": AT, "table": "COLORS"})
    return cloud


@pytest.fixture
def tool(tool: Tool, cloud: Cloud) -> Tool:
    """The command line in the same cloud."""
    tool.env |= cloud.environment
    return tool
