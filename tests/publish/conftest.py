"""Fixtures of the publish tests: buckets, stores and runs."""

import hashlib
import json
from pathlib import Path

import boto3
import pytest
from publish.helpers import (
    LARGE,
    RUNS,
    SECRETS,
    Shop,
    digest,
    make_run,
)
from s3_server import Store
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
def store(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The second S3 server, and in the environment AWS keys that are looked for everywhere."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return store


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Two runs of three small files and a large one."""
    made = {}
    for name, run_id in RUNS.items():
        folder = tmp_path / name
        make_run(folder, run_id, a=f"a of {name}", b=f"b of {name}")
        (folder / "large.csv").write_bytes(LARGE + name.encode())
        summary = json.loads((folder / "run_summary.json").read_text())
        large = (folder / "large.csv").read_bytes()
        summary["files"].append({"name": "large.csv", "bytes": len(large), "sha256": digest(large)})
        (folder / "run_summary.json").write_text(json.dumps(summary))
        made[name] = folder
    return made
