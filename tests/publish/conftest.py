"""Fixtures of the publish tests: buckets, stores and runs."""

import hashlib
from pathlib import Path

import boto3
import pytest
from publish.helpers import SECRETS, Shop, make_runs
from support import Tool


@pytest.fixture
def shop(moto_server: str, request: pytest.FixtureRequest) -> Shop:
    """A bucket of the test's own."""
    client = boto3.client(
        "s3",
        endpoint_url=moto_server,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = "b" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Shop(client, name)


@pytest.fixture
def tool(tool: Tool, moto_server: str) -> Tool:
    """The command line with AWS keys, and moto in place of S3."""
    tool.env |= {**SECRETS, "AWS_ENDPOINT_URL_S3": moto_server}
    return tool


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Two runs of two small files and a large one."""
    return make_runs(tmp_path, large=True)
