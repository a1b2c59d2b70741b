"""push-s3 against a store over HTTP: what arrives, in which order, and what never does."""

import hashlib
import json
import os
import re
import shutil
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from oracle_server.certificates import certificate
from s3_server import Fault, Object, Store, s3_server
from support import COLORS, ROOT, Result, Tool

from marketpulse.aws.bucket import Bucket
from marketpulse.checksums import part_size
from marketpulse.errors import AwsError, DataError, MarketPulseError, UsageError
from marketpulse.publish import Receipt, push

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA0PENSESAME11",
    "AWS_SECRET_ACCESS_KEY": "0pen-Sesame-Secret-22",
    "AWS_SESSION_TOKEN": "0pen-Sesame-Token-33",
}
UNDER = "colors/date=2026-03-13/run=0123456789abcdef"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A store over HTTP."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass(frozen=True)
class Shop:
    """A bucket that keeps every version, seen without our code."""

    client: Any
    name: str

    @property
    def keys(self) -> list[str]:
        """The keys of all objects."""
        return [
            it["Key"] for it in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
        ]

    def writes(self) -> int:
        """How many times something was written or deleted, ever."""
        versions = self.client.list_object_versions(Bucket=self.name)
        return len(versions.get("Versions", ())) + len(versions.get("DeleteMarkers", ()))

    def read(self, key: str) -> bytes | None:
        """An object's content."""
        try:
            content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return content

    def put(self, key: str, content: bytes, **metadata: str) -> None:
        """Somebody else's object."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content, Metadata=metadata)


@pytest.fixture
def shop(endpoint: str, request: pytest.FixtureRequest) -> Shop:
    """A bucket of the test's own."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    name = "b" + hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return Shop(client, name)


@pytest.fixture
def tool(tmp_path: Path, endpoint: str) -> Tool:
    """The command line with credentials, and the store where AWS would be."""
    return Tool(tmp_path / "desk", {**SECRETS, "AWS_ENDPOINT_URL_S3": endpoint})


def digest(content: bytes) -> str:
    """SHA-256 as we write it."""
    return hashlib.sha256(content).hexdigest()


def fill(folder: Path, **files: str) -> list[dict[str, Any]]:
    """Write files (a="..." becomes a.csv); gives them as a seal lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, text in files.items():
        content = text.encode()
        (folder / f"{name}.csv").write_bytes(content)
        listed.append({"name": f"{name}.csv", "bytes": len(content), "sha256": digest(content)})
    return listed


def make_run(folder: Path, run_id: str = "0123456789abcdef", **files: str) -> Path:
    """A finished run."""
    listed = fill(folder, **files)
    said = {"run_id": run_id, "processed_at": "2026-03-13T23:30:00Z", "files": listed}
    (folder / "run_summary.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def make_bundle(folder: Path, *, complete: bool = True, **files: str) -> Path:
    """A finished bundle."""
    said = {"complete": complete, "files": fill(folder, **files)}
    (folder / "manifest.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def receipt_of(result: Result) -> Any:
    """What --format json printed."""
    assert result.code == 0, result.err
    return json.loads(result.out)


def fault_of(result: Result) -> tuple[int, str]:
    """Exit code and check of a command that failed with --format json."""
    return result.code, json.loads(result.err.splitlines()[-1])["error"]["check"]


# -- what a PATH is --------------------------------------------------------------------------------


def test_a_run_arrives_as_it_was_written(tool: Tool, shop: Shop) -> None:
    """What run-colors wrote is there, byte for byte, and latest.json leads to it."""
    assert tool.run_colors("--formats", "csv,parquet").code == 0
    (tool.out / "notes.txt").write_text("mine")
    result = tool.run("push-s3", "out", f"s3://{shop.name}/colors/", "--format", "json")

    receipt = receipt_of(result)
    run_id = receipt["run_id"]
    under = f"colors/date=2026-03-13/run={run_id}"
    written = {it.name: it.read_bytes() for it in tool.out.iterdir() if it.name != "notes.txt"}
    assert sorted(shop.keys) == sorted([*(f"{under}/{it}" for it in written), "colors/latest.json"])
    for name, content in written.items():
        found = shop.client.get_object(Bucket=shop.name, Key=f"{under}/{name}")
        assert found["Body"].read() == content
        assert found["Metadata"] == {"sha256": digest(content)}
    assert found["ContentType"] != "binary/octet-stream"
    latest = json.loads(shop.read("colors/latest.json") or b"")
    assert (latest["run_id"], latest["seal"]) == (run_id, f"{under}/run_summary.json")
    assert {it["key"]: (it["bytes"], it["sha256"]) for it in latest["files"]} == {
        f"{under}/{name}": (len(it), digest(it)) for name, it in written.items()
    }
    assert [it["key"].rpartition("/")[2] for it in receipt["objects"]][-2:] == [
        "run_summary.json",
        "latest.json",
    ]
    assert "sent 8 objects" in result.err


def test_a_bundle_arrives_partial_or_not(tool: Tool, shop: Shop) -> None:
    """A partial bundle is pushed all the same, and the receipt says so."""
    make_bundle(tool.folder / "bundle", complete=False, a="1", b="2")
    result = tool.run("push-s3", "bundle", f"s3://{shop.name}", "--format", "json")

    receipt = receipt_of(result)
    assert [it["key"] for it in receipt["objects"]] == [
        "a.csv",
        "b.csv",
        "manifest.json",
        "latest.json",
    ]
    assert (receipt["complete"], receipt["run_id"], receipt["prefix"]) == (False, None, "")
    assert "not complete" in result.err
    assert sorted(shop.keys) == ["a.csv", "b.csv", "latest.json", "manifest.json"]


def test_loose_files_have_no_pointer(tool: Tool, shop: Shop) -> None:
    """A folder gives its files but hidden ones, a file itself; there is no latest.json."""
    fill(tool.folder / "loose/inner", c="3")
    fill(tool.folder / "loose", a="1", b="2")
    (tool.folder / "loose/.hidden").write_text("x")
    (tool.folder / "one.bin").write_bytes(b"\0")
    target = f"s3://{shop.name}/x/y"
    receipt = receipt_of(tool.run("push-s3", "loose", "one.bin", target, "--format", "json"))

    assert shop.keys == ["x/y/a.csv", "x/y/b.csv", "x/y/one.bin"]
    assert (receipt["latest"], receipt["run_id"], receipt["complete"]) == (None, None, True)


def test_of_several_sets_the_last_is_the_latest(tool: Tool, shop: Shop) -> None:
    """Runs pushed together all arrive, and latest.json leads to the last one named."""
    make_run(tool.folder / "one", "1" * 16, a="1")
    make_run(tool.folder / "two", "2" * 16, a="2")
    receipt = receipt_of(tool.run("push-s3", "two", "one", f"s3://{shop.name}", "--format", "json"))

    assert receipt["run_id"] == "1" * 16
    assert len(shop.keys) == 5


# -- again, and over what is there -----------------------------------------------------------------


def test_the_second_push_sends_nothing(tool: Tool, shop: Shop) -> None:
    """What is there is skipped, latest.json too; no object is written twice."""
    make_run(tool.folder / "run", a="1", b="2")
    target = f"s3://{shop.name}/colors/"
    assert tool.run("push-s3", "run", target).code == 0
    writes = shop.writes()
    again = receipt_of(tool.run("push-s3", "run", target, "--format", "json"))
    forced = tool.run("push-s3", "run", target, "--force")

    assert writes == 4
    assert {it["action"] for it in again["objects"]} == {"skipped"}
    assert forced.err == "sent 0 objects, 0 bytes; skipped 4\n"
    assert shop.writes() == writes


def test_an_unfinished_push_is_finished_by_the_next(tool: Tool, shop: Shop) -> None:
    """Of a push that broke off only what is missing is sent."""
    make_run(tool.folder / "run", a="1", b="2")
    shop.put(f"{UNDER}/a.csv", b"1", sha256=digest(b"1"))
    receipt = receipt_of(tool.run("push-s3", "run", f"s3://{shop.name}/colors", "--format", "json"))

    assert [it["action"] for it in receipt["objects"]] == ["skipped", "sent", "sent", "sent"]


@pytest.mark.parametrize("metadata", [{}, {"sha256": digest(b"other")}], ids=["none", "other"])
def test_other_content_is_not_overwritten(tool: Tool, shop: Shop, metadata: dict[str, str]) -> None:
    """One object with other content, or of unknown content, and nothing at all is sent: exit 8."""
    make_run(tool.folder / "run", a="1", b="2")
    shop.put(f"{UNDER}/b.csv", b"other", **metadata)
    result = tool.run("push-s3", "run", f"s3://{shop.name}/colors", "--format", "json")

    assert fault_of(result) == (8, "MP-AWS-004")
    assert f"s3://{shop.name}/{UNDER}/b.csv" in result.err
    assert (shop.keys, shop.writes()) == ([f"{UNDER}/b.csv"], 1)


def test_force_overwrites_and_takes_the_pointer_away_first(
    tool: Tool, shop: Shop, endpoint: str
) -> None:
    """--force deletes latest.json before the first object that it leads to is overwritten."""
    make_bundle(tool.folder / "bundle", a="1", b="2")
    target = f"s3://{shop.name}/p"
    assert tool.run("push-s3", "bundle", target).code == 0
    make_bundle(tool.folder / "bundle", a="1", b="3")
    changes = []
    with between(endpoint, lambda method, path: changes.append(f"{method} {path}")) as proxy:
        assert tool.run("push-s3", "bundle", target, "--force", "--endpoint-url", proxy).code == 0

    names = [it.replace(f"/{shop.name}/p/", "") for it in changes if it[:3] in {"PUT", "DEL"}]
    assert names == ["DELETE latest.json", "PUT b.csv", "PUT manifest.json", "PUT latest.json"]
    assert shop.read("p/b.csv") == b"3"


def test_loose_files_over_a_set_leave_no_pointer(tool: Tool, shop: Shop) -> None:
    """A file forced over one of the latest set takes latest.json away: it would be wrong."""
    make_bundle(tool.folder / "bundle", a="1", b="2")
    fill(tool.folder, a="other", c="new")
    target = f"s3://{shop.name}"
    assert tool.run("push-s3", "bundle", target).code == 0
    assert tool.run("push-s3", "c.csv", target, "--force").code == 0
    assert "latest.json" in shop.keys
    assert tool.run("push-s3", "a.csv", target, "--force").code == 0
    assert "latest.json" not in shop.keys


@pytest.mark.parametrize(("content", "code"), [(b"1", 0), (b"other", 8)], ids=["same", "other"])
def test_of_two_pushes_at_once_none_overwrites(
    tool: Tool, shop: Shop, endpoint: str, content: bytes, code: int
) -> None:
    """An object that appears after the look is skipped where it is the same, else kept: exit 8."""
    make_run(tool.folder / "run", a="1")

    def faster(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("a.csv"):
            shop.put(f"{UNDER}/a.csv", content, sha256=digest(content))

    with between(endpoint, faster) as proxy:
        result = tool.run("push-s3", "run", f"s3://{shop.name}/colors", "--endpoint-url", proxy)

    assert result.code == code
    assert shop.read(f"{UNDER}/a.csv") == content
    assert ("colors/latest.json" in shop.keys) == (code == 0)


def test_a_reader_always_sees_a_whole_set(tool: Tool, shop: Shop, endpoint: str) -> None:
    """Whoever follows latest.json while runs and forced bundles come meets whole sets alone."""
    make_run(tool.folder / "one", "1" * 16, a="1", b="1", c="1")
    make_run(tool.folder / "two", "2" * 16, a="2", b="2", c="2")
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            pointer = shop.read("p/latest.json")
            if pointer is not None and is_whole(shop, json.loads(pointer)):
                seen.add(pointer)
            elif pointer is not None and shop.read("p/latest.json") == pointer:
                seen.add(b"half a set")

    reader = threading.Thread(target=read)
    reader.start()
    with between(endpoint, lambda method, _: time.sleep(0.03 * (method == "PUT"))) as proxy:
        for number, name in enumerate(["one", "two", "bundle", "one", "bundle", "bundle"]):
            if name == "bundle":
                make_bundle(tool.folder / name, a=f"{number}", b=f"{number}", c=f"{number}")
            words = ("push-s3", name, f"s3://{shop.name}/p", "--endpoint-url", proxy, "--force")
            assert tool.run(*words).code == 0
    time.sleep(0.2)
    done.set()
    reader.join()

    assert b"half a set" not in seen
    assert len(seen) >= 5


def is_whole(shop: Shop, latest: Any) -> bool:
    """Whether all that latest.json lists is there, as it says."""
    contents = {it["sha256"]: shop.read(it["key"]) for it in latest["files"]}
    return all(it is not None and digest(it) == sha256 for sha256, it in contents.items())


@contextmanager
def between(endpoint: str, heard: Callable[[str, str], int | None]) -> Iterator[str]:
    """A store that tells of each request before it answers; the teller may give a status."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = heard(self.command, self.path)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            upstream = HTTPConnection(endpoint.removeprefix("http://"))
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "date", "server"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            upstream.close()

        def log_message(self, *_: object) -> None:
            """Nobody listens."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[str]:
    """A server at work; gives its address."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# -- what is not sent ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [make_run, make_bundle])
@pytest.mark.parametrize("content", [b"9", b"22", None], ids=["other", "longer", "missing"])
def test_a_damaged_set_stays_here(
    tool: Tool, shop: Shop, make: Callable[..., Path], content: bytes | None
) -> None:
    """A file that is not as its seal says it is: exit 7 names it, and nothing is sent."""
    folder = make(tool.folder / "set", a="1", b="2")
    (folder / "b.csv").unlink()
    if content is not None:
        (folder / "b.csv").write_bytes(content)
    result = tool.run("push-s3", "set", f"s3://{shop.name}", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")
    assert str(Path("set/b.csv")) in json.loads(result.err)["error"]["message"]
    assert shop.writes() == 0


@pytest.mark.parametrize(
    "name", ["../x.csv", "a/x.csv", "a\\x.csv", "/etc/hostname", "..", "", "C:x", "x\n.csv", 7]
)
def test_a_seal_cannot_reach_out_of_its_folder(tool: Tool, name: object) -> None:
    """A name in a seal that leads elsewhere is refused, whatever is there: exit 7."""
    (tool.folder / "x.csv").write_bytes(b"1")
    folder = make_bundle(tool.folder / "set")
    listed = [{"name": name, "bytes": 1, "sha256": digest(b"1")}]
    (folder / "manifest.json").write_text(json.dumps({"files": listed}), encoding="utf-8")
    result = tool.run("push-s3", "set", "s3://bucket", "--dry-run", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")


BROKEN = ["", "[]", "{}", '{"files": 1}', '{"files": [{}]}', '{"files": [[]]}']
OF_A_RUN = ['{"run_id": "../..", "processed_at": "2026-03-13T18:00:00Z", "files": []}']
OF_A_RUN += ['{"run_id": "1", "processed_at": "a Friday", "files": []}']


@pytest.mark.parametrize(
    ("seal", "text"),
    [
        *(("run_summary.json", text) for text in BROKEN + OF_A_RUN),
        *(("manifest.json", text) for text in BROKEN),
    ],
)
def test_a_broken_seal_is_bad_data(tool: Tool, seal: str, text: str) -> None:
    """A seal that is none is exit 7, with its name."""
    (tool.folder / "set").mkdir()
    (tool.folder / "set" / seal).write_text(text, encoding="utf-8")
    result = tool.run("push-s3", "set", "s3://bucket", "--dry-run", "--format", "json")

    assert fault_of(result) == (7, "MP-DAT-019")
    assert seal in result.err


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
@pytest.mark.parametrize("place", ["link.csv", "loose", "run", "sealed", "folder"])
def test_links_are_refused(tool: Tool, place: str) -> None:
    """A symbolic link, as a PATH or in a folder, is never followed: exit 2."""
    fill(tool.folder, secret="1")
    make_run(tool.folder / "run", a="1")
    make_run(tool.folder / "sealed", a="1")
    fill(tool.folder / "loose", a="1")
    (tool.folder / "run/a.csv").unlink()
    (tool.folder / "sealed/run_summary.json").rename(tool.folder / "seal.json")
    for link, to in {
        "link.csv": "secret.csv",
        "loose/b.csv": "secret.csv",
        "run/a.csv": "secret.csv",
        "sealed/run_summary.json": "seal.json",
        "folder": "run",
    }.items():
        (tool.folder / link).symlink_to(tool.folder / to)
    result = tool.run("push-s3", place, "s3://bucket", "--dry-run")

    assert result.code == 2
    assert "symbolic link" in result.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "push-s3 needs what is to be sent"),
        (["a.csv"], 2, "push-s3 needs what is to be sent"),
        (["a.csv", "b.csv"], 2, "b.csv: this is no address"),
        (["a.csv", "s3://"], 2, "for instance s3://bucket/prefix/"),
        (["a.csv", "s3:///x"], 2, "for instance s3://bucket/prefix/"),
        (["a.csv", "s3://bucket/x/../y"], 2, "for instance s3://bucket/prefix/"),
        (["a.csv", "s3://bucket/x//y"], 2, "for instance s3://bucket/prefix/"),
        (["a.csv", "https://bucket/x"], 2, "for instance s3://bucket/prefix/"),
        (["none.csv", "s3://bucket"], 6, "none.csv: no such file or folder"),
        (["empty", "s3://bucket"], 6, "empty: the folder holds no file"),
        (["a.csv", "copy/a.csv", "s3://bucket/p"], 2, "the one object s3://bucket/p/a.csv"),
        (["latest.json", "s3://bucket"], 2, "the one object s3://bucket/latest.json"),
        (["a.csv", "s3://bucket", "--endpoint-url", "ftp://x"], 2, "no address of a store"),
        (["a.csv", "s3://bucket", "--endpoint-url", "http://me:pw-99@x"], 2, "no address of a"),
        (["a.csv", "s3://bucket", "--jobs", "0"], 2, "--jobs"),
        (["", "s3://bucket"], 2, "a PATH is empty"),
        (["a.csv", "s3://bucket", "--tag", "AWS:x=1"], 2, "none of AWS's own"),
        (["a.csv", "s3://bucket", "--tag", "a=b&c"], 2, "--tag: 'a=b&c' is not KEY=VALUE"),
        (["a.csv", f"s3://bucket/{'x' * 1020}"], 2, "more than 1024 bytes"),
        (["a.csv", "s3://bucket", "--receipt", "copy"], 2, "copy: this is a folder"),
        (["a.csv", "s3://bucket", "--receipt", "a.csv"], 2, "a.csv: it would be overwritten, and"),
        (["a.csv", "s3://bucket", "--receipt", "a.csv/r.json"], 2, "a.csv: cannot be written"),
    ],
)
def test_wrong_words(tool: Tool, words: list[str], code: int, said: str) -> None:
    """What cannot be pushed is said before anybody is asked."""
    fill(tool.folder, a="1")
    fill(tool.folder / "copy", a="1")
    (tool.folder / "empty").mkdir()
    (tool.folder / "latest.json").write_text("{}")
    result = tool.run("push-s3", *words)

    assert result.code == code
    assert said in result.err
    assert "pw-99" not in result.err


def test_a_dry_run_needs_nothing_of_aws(tool: Tool) -> None:
    """--dry-run works without boto3, credentials and network, and tells all in order."""
    for library in ("boto3", "botocore"):
        stub = tool.folder / f"stubs/{library}.py"
        stub.parent.mkdir(exist_ok=True)
        stub.write_text("raise ImportError('not here')")
    for name in (*SECRETS, "AWS_ENDPOINT_URL_S3"):
        del tool.env[name]
    tool.env["PYTHONPATH"] = os.pathsep.join([str(tool.folder / "stubs"), str(ROOT)])
    make_run(tool.folder / "run", a="1", b="2")
    words = ("push-s3", "run", "s3://bucket/colors/", "--receipt", "r.json")
    result = tool.run(*words, "--dry-run", "--format", "json")

    receipt = receipt_of(result)
    assert [it["key"] for it in receipt["objects"]] == [
        f"{UNDER}/a.csv",
        f"{UNDER}/b.csv",
        f"{UNDER}/run_summary.json",
        "colors/latest.json",
    ]
    assert {it["action"] for it in receipt["objects"]} == {"would send"}
    assert json.loads((tool.folder / "r.json").read_text(encoding="utf-8")) == receipt
    assert tool.run(*words).code == 1  # so the stubs are in the way


# -- when the store does not answer as it should ---------------------------------------------------


def push_to(tool: Tool, url: str) -> Result:
    """Push a small run to a store."""
    make_run(tool.folder / "run", a="1")
    words = ("push-s3", "run", "s3://bucket/p", "--endpoint-url", url, "--format", "json")
    return tool.run(*words)


def test_there_is_no_such_bucket(tool: Tool, endpoint: str) -> None:
    """A bucket that is not there is exit 8, with its name."""
    result = push_to(tool, endpoint.replace("127.0.0.1", "localhost"))

    assert fault_of(result) == (8, "MP-AWS-002")
    assert "there is no bucket bucket" in result.err


def test_nobody_is_there(tool: Tool) -> None:
    """A closed port is exit 8 within seconds."""
    with serving(socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)) as url:
        pass  # and closed
    begin = time.monotonic()

    assert fault_of(push_to(tool, url)) == (8, "MP-AWS-003")
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (b"garbage\r\n\r\n", "MP-AWS-003"),
        (b"", "MP-AWS-003"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>Hi</p>",
            "MP-AWS-008",
        ),
    ],
    ids=["garbage", "silence", "a web page"],
)
def test_something_else_is_there(tool: Tool, answer: bytes, check: str) -> None:
    """A server that is no store is exit 8 with one message, never a fault of ours."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(answer)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as url:
        result = push_to(tool, url)

    assert fault_of(result) == (8, check)
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("status", "check", "times"),
    [(403, "MP-AWS-001", 1), (503, "MP-AWS-003", 3), (418, "MP-AWS-005", 1)],
)
def test_the_store_refuses(tool: Tool, endpoint: str, status: int, check: str, times: int) -> None:
    """Refusals are exit 8, each by its check; only what may pass is tried again."""
    asked = []

    def refuse(method: str, path: str) -> int:
        asked.append(f"{method} {path}")
        return status

    with between(endpoint, refuse) as proxy:
        assert fault_of(push_to(tool, proxy)) == (8, check)
    assert max(Counter(asked).values()) == times


def test_a_fault_among_the_files_leaves_the_pointer_as_it_was(
    tool: Tool, shop: Shop, endpoint: str
) -> None:
    """Where a file cannot be sent neither seal nor pointer is; the next push finishes it."""
    make_run(tool.folder / "run", a="1", b="2", c="3")
    words = ("push-s3", "run", f"s3://{shop.name}/colors")

    def refuse(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and path.endswith("b.csv") else None

    with between(endpoint, refuse) as proxy:
        assert tool.run(*words, "--endpoint-url", proxy).code == 8
    assert set(shop.keys) <= {f"{UNDER}/a.csv", f"{UNDER}/c.csv"}
    assert tool.run(*words).code == 0
    assert len(shop.keys) == 5


def test_credentials_are_missing(tool: Tool, shop: Shop) -> None:
    """Without credentials, or with half of them, it is exit 3 within seconds."""
    make_run(tool.folder / "run", a="1")
    begin = time.monotonic()
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        del tool.env[name]
        result = tool.run("push-s3", "run", f"s3://{shop.name}", "--format", "json")
        assert fault_of(result) == (3, "MP-SET-001")
    result = tool.run("push-s3", "run", f"s3://{shop.name}", env={**tool.env, "AWS_PROFILE": "no"})

    assert result.code == 3
    assert "ProfileNotFound" in result.err
    assert time.monotonic() - begin < 20


def test_no_secret_is_printed_or_written(tool: Tool, shop: Shop) -> None:
    """Credentials are in no output, message or file, however much is to be said."""
    make_run(tool.folder / "run", a="1")
    target = f"s3://{shop.name}"
    loud = ("-v", "-v", "push-s3", "run")
    results = [
        tool.run(*loud, target, "--receipt", "receipt.json"),
        tool.run(*loud, target, "--format", "json"),
        tool.run(*loud, "s3://no-such-bucket"),
        tool.run(*loud, target, "--endpoint-url", "http://127.0.0.1:9"),
    ]

    assert [it.code for it in results] == [0, 0, 8, 8]
    said = "".join(it.out + it.err for it in results)
    said += "".join(it.read_text() for it in tool.folder.rglob("*") if it.is_file())
    assert "receipt.json" in {it.name for it in tool.folder.iterdir()}
    for secret in (*SECRETS.values(), "Signature", "Authorization"):
        assert secret not in said


def test_written_and_sent_by_one_command(tool: Tool, shop: Shop) -> None:
    """--push of run-colors and sample sends what was written, as push-s3 would."""
    target = f"s3://{shop.name}/colors/"
    run = tool.run_colors("--push", target, "--format", "json")
    again = tool.run("push-s3", "out", target)
    sample = ("sample", "DEALERS", "--source", "demo", "--push", f"s3://{shop.name}/bundle")
    taken = tool.run(*sample)

    receipt = receipt_of(run)["push"]
    assert f"colors/date=2026-03-13/run={receipt['run_id']}/processed_colors.csv" in shop.keys
    assert again.err == f"sent 0 objects, 0 bytes; skipped {len(receipt['objects'])}\n"
    assert taken.code == 0
    assert "bundle/manifest.json" in shop.keys
    assert "bundle/manifest.json" in taken.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--push", "bucket/x"], 2, "this is no address of a place in S3"),
        (["--push", "s3://bucket", "--explain", "037833100"], 2, "nothing would be written"),
        (["--push", "s3://no-such-bucket/x"], 8, "then: marketpulse push-s3 out s3://no-such"),
    ],
)
def test_push_that_cannot_be(tool: Tool, words: list[str], code: int, said: str) -> None:
    """A wrong address is told before the work; a refused push says how to send it later."""
    result = tool.run_colors(*words)

    assert result.code == code
    assert said in result.err
    assert (tool.out / "run_summary.json").exists() == (code == 8)


def test_a_poor_run_is_not_published(tool: Tool, shop: Shop) -> None:
    """No usable row, or more than a tenth rejected: exit 7, and the pointer leads where it led."""
    target = f"s3://{shop.name}/colors/"
    header, *rows = COLORS.read_text(encoding="utf-8").splitlines()
    spoilt = [re.sub(r",(\d{4})-(\d\d)-(\d\d)", r",\2/\3/\1", row) for row in rows]

    def ranked(rows: list[str], *words: str) -> Any:
        (tool.folder / "day.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
        return tool.run("run-colors", "day.csv", "--output", "out", "--push", target, *words)

    assert ranked(rows).code == 0
    before, writes = shop.read("colors/latest.json"), shop.writes()
    none, many = ranked(spoilt), ranked(rows[300:] + spoilt[:300])
    assert (none.code, many.code) == (7, 7)
    assert "none of the 2003 rows can be used: DATE: '03/11/2026' is not a date" in none.err
    assert "more than --max-rejected 10%" in many.err
    assert (shop.read("colors/latest.json"), shop.writes()) == (before, writes)
    assert ranked(rows[300:] + spoilt[:300], "--max-rejected", "20%").code == 0
    assert shop.read("colors/latest.json") != before


def test_quiet_is_quiet(tool: Tool, shop: Shop) -> None:
    """-q leaves the receipt on stdout and nothing beside it."""
    make_bundle(tool.folder / "bundle", complete=False, a="1")
    result = tool.run("-q", "push-s3", "bundle", f"s3://{shop.name}")

    assert (result.code, result.err) == (0, "")
    assert "manifest.json" in result.out


# -- a store that does what none should ------------------------------------------------------------

LARGE = os.urandom(part_size(0) + 1)
RUNS = {"one": "1" * 16, "two": "2" * 16}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A second S3 server, and credentials for whoever is in this process."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with s3_server() as started:
        yield started


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Two runs of three small files and a large one."""
    made = {}
    for name, run_id in RUNS.items():
        folder = tmp_path / name
        make_run(folder, run_id, a=f"a of {name}", b=f"b of {name}")
        (folder / "large.csv").write_bytes(LARGE + name.encode())
        said = json.loads((folder / "run_summary.json").read_text())
        large = (folder / "large.csv").read_bytes()
        said["files"].append({"name": "large.csv", "bytes": len(large), "sha256": digest(large)})
        (folder / "run_summary.json").write_text(json.dumps(said))
        made[name] = folder
    return made


def send(store: Store, *paths: Path, **options: Any) -> Receipt:
    """Push to the second server, with little patience."""
    options = {"patience": 0.5, "jobs": 3, **options}
    return push(paths, "s3://bucket/p", region="us-east-1", endpoint_url=store.url, **options)


def latest_of(store: Store) -> str | None:
    """The run that a reader who follows the pointer finds; it is whole."""
    pointer = store.read("p/latest.json")
    if pointer is None:
        return None
    said = json.loads(pointer)
    for file in said["files"]:
        content = store.read(file["key"]) or b""
        assert (len(content), digest(content)) == (file["bytes"], file["sha256"]), file["key"]
    return str(said["run_id"])


PLACES = [
    "PUT .*/a.csv",
    "PUT .*large.csv partNumber",
    "POST .*large.csv uploads",
    "POST .*large.csv complete",
    "PUT .*run_summary.json",
    "PUT p/latest.json",
    "GET .*/b.csv",
    "GET .*large.csv",
    "GET p/latest.json",
    "GET .* list-type",
]
OF_CONTENT = {Fault.CORRUPT, Fault.CORRUPT_ETAG, Fault.GARBLE}
OF_AN_ANSWER = {Fault.GARBLE_ANSWER, Fault.HALF}
FAULTS = [
    pytest.param(fault, place, id=f"{fault}-{place}")
    for fault in Fault
    for place in PLACES
    if not (fault in OF_CONTENT and not place.startswith("PUT"))  # nothing is sent there
    if not (fault in OF_AN_ANSWER and place.startswith("PUT"))  # nothing is answered there
]


@pytest.mark.parametrize("times", [1, 1000], ids=["once", "always"])
@pytest.mark.parametrize(("fault", "place"), FAULTS)
def test_whatever_the_store_does_a_reader_sees_a_whole_run(
    store: Store, runs: dict[str, Path], fault: Fault, place: str, times: int
) -> None:
    """The set is published and right, or it is exit 8 and the pointer leads to the one before."""
    send(store, runs["one"])
    left = [times]

    def choose(asked: str) -> Fault | None:
        if left[0] and re.fullmatch(place, asked):
            left[0] -= 1
            return fault
        return None

    store.choose = choose
    try:
        receipt = send(store, runs["two"])
    except AwsError:
        assert latest_of(store) in {RUNS["one"], RUNS["two"], None}
        if "latest.json" not in place:
            assert latest_of(store) == RUNS["one"]
    else:
        assert {it.action for it in receipt.objects} <= {"sent", "skipped"}
        assert latest_of(store) == RUNS["two"]
    assert left[0] < times, "the fault did not happen"
    store.choose = lambda _: None
    again = send(store, runs["two"])

    assert latest_of(store) == again.run_id == RUNS["two"]


@pytest.mark.parametrize("fault", [Fault.CORRUPT, Fault.CORRUPT_ETAG])
@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_a_corrupted_object_is_found_and_mended(
    store: Store, runs: dict[str, Path], fault: Fault, name: str
) -> None:
    """What arrived with another byte ends the push with its key; the next push sends it again."""
    store.choose = lambda asked: fault if asked.startswith("PUT") and name in asked else None
    with pytest.raises(AwsError, match=name) as caught:
        send(store, runs["one"])
    store.choose = lambda _: None
    actions = {it.key.rpartition("/")[2]: it.action for it in send(store, runs["one"]).objects}

    assert caught.value.check == "MP-AWS-008"
    assert actions[name] == "sent"
    assert latest_of(store) == RUNS["one"]


def ranked_again(run: Path) -> None:
    """The same rows, ranked at another time: the same RUN_ID, other bytes."""
    (run / "a.csv").write_bytes(b"of later")
    seal = run / "run_summary.json"
    said = json.loads(seal.read_text())
    said["files"][0] |= {"bytes": 8, "sha256": digest(b"of later")}
    seal.write_text(json.dumps({**said, "processed_at": "2026-03-13T23:59:00Z"}))


def test_of_two_rankings_at_once_one_is_published(
    store: Store, runs: dict[str, Path], tmp_path: Path
) -> None:
    """Whoever comes later with the same rows waits for the seal, and finds the run published."""
    shutil.copytree(runs["one"], tmp_path / "later")
    ranked_again(tmp_path / "later")
    store.away = 0.01
    for _ in range(3):
        store.objects.clear()
        with ThreadPoolExecutor(2) as pool:
            both = pool.map(
                lambda run: send(store, run, patience=10), (runs["one"], tmp_path / "later")
            )
            actions = [{it.action for it in receipt.objects[:-1]} for receipt in both]
        assert sorted(actions, key=len) in ([{"sent"}, {"kept"}], [{"kept"}, {"sent"}])
        assert latest_of(store) == RUNS["one"]


def test_a_run_in_other_formats_or_on_another_day_stays(
    store: Store, runs: dict[str, Path]
) -> None:
    """The same rows are published once, by whom it was and in the formats that it had."""
    published = {it.key for it in send(store, runs["one"]).objects}
    seal = runs["one"] / "run_summary.json"
    said = json.loads(seal.read_text())
    (runs["one"] / "c.csv").write_bytes(b"c")
    said["files"].append({"name": "c.csv", "bytes": 1, "sha256": digest(b"c")})
    for moment in ("2026-03-13T23:40:00Z", "2026-03-14T00:10:00Z"):
        seal.write_text(json.dumps({**said, "processed_at": moment}))
        receipt = send(store, runs["one"])
        assert {it.action for it in receipt.objects[:-1]} == {"kept"}
        assert {it.key for it in receipt.objects} == published == set(store.objects)
    lost = next(key for key in published if key.endswith("b.csv"))
    del store.objects[lost]
    assert send(store, runs["one"]).objects[0].action == "sent"
    assert latest_of(store) == RUNS["one"]


def test_a_run_that_lost_a_file_is_published_anew(store: Store, runs: dict[str, Path]) -> None:
    """What is no whole run any more is replaced by the next ranking of the same rows."""
    send(store, runs["one"])
    del store.objects[next(key for key in store.objects if key.endswith("b.csv"))]
    ranked_again(runs["one"])
    with pytest.raises(AwsError, match="has not ended"):
        send(store, runs["one"])
    for it in store.objects.values():
        it.modified -= timedelta(minutes=21)
    receipt = send(store, runs["one"])
    assert {it.action for it in receipt.objects} <= {"sent", "skipped"}
    assert store.read(next(key for key in store.objects if key.endswith("a.csv"))) == b"of later"
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("change", ["shrinks", "goes"])
def test_a_large_file_that_is_not_what_it_was(
    store: Store, runs: dict[str, Path], change: str
) -> None:
    """It is named, and not the network."""
    large = runs["one"] / "large.csv"

    def spoil(asked: str) -> None:
        if "uploads" in asked and large.exists():
            large.unlink() if change == "goes" else large.write_bytes(b"short")

    store.choose = spoil
    with pytest.raises(MarketPulseError, match=r"large.csv: (it has changed|cannot be opened)"):
        send(store, runs["one"])
    assert latest_of(store) is None


def test_an_old_store_and_a_large_file(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without checksums it is proven by reading it."""
    store.old = True
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    (tmp_path / "large.csv").write_bytes(LARGE)
    assert [it.action for it in send(store, tmp_path / "large.csv").objects] == ["sent"]
    assert [it.action for it in send(store, tmp_path / "large.csv").objects] == ["skipped"]


def test_a_push_that_broke_off_does_not_block_the_next_ranking(
    store: Store, runs: dict[str, Path]
) -> None:
    """Files without a seal are left as they are while their push may be under way, no longer.

    Somebody else's object is always left.
    """
    store.choose = lambda asked: Fault.DENIED if "PUT" in asked and "run_summary" in asked else None
    with pytest.raises(AwsError):
        send(store, runs["one"])
    store.choose = lambda _: None
    ranked_again(runs["one"])
    with pytest.raises(AwsError) as refused:
        send(store, runs["one"])
    assert refused.value.check == "MP-AWS-004"

    for it in store.objects.values():
        it.modified -= timedelta(minutes=21)
    receipt = send(store, runs["one"])
    assert {it.action for it in receipt.objects} == {"sent", "skipped"}
    assert latest_of(store) == RUNS["one"]

    folder = receipt.objects[0].key.rpartition("/")[0].replace(RUNS["one"], RUNS["two"])
    theirs = Object(b"not ours", "", {}, modified=datetime(2020, 1, 1, tzinfo=UTC))
    store.objects[f"{folder}/a.csv"] = theirs
    with pytest.raises(AwsError) as refused:
        send(store, runs["two"])
    assert refused.value.check == "MP-AWS-004"
    assert store.objects[f"{folder}/a.csv"] is theirs


def test_the_pointer_of_another_push_stays(store: Store, runs: dict[str, Path]) -> None:
    """Who reads a newer pointer back than the one that was sent was overtaken, and is done."""
    send(store, runs["one"])
    newer = store.objects.pop("p/latest.json")

    def overtake(asked: str) -> None:
        if asked == "GET p/latest.json":
            store.objects["p/latest.json"] = newer

    store.choose = overtake
    receipt = send(store, runs["two"])

    assert receipt.objects[-1].action == "sent"
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("old", [False, True], ids=["checksums", "no checksums"])
@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_a_file_that_changes_meanwhile_is_not_published(
    store: Store, runs: dict[str, Path], name: str, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written to after it was checked and before it is sent: it is named, nothing points there."""
    if old:
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")

    def write(asked: str) -> None:
        if "list-type" in asked:
            path = runs["one"] / name
            path.write_bytes(path.read_bytes()[:-1] + b"!")

    store.choose = write
    with pytest.raises(DataError, match=f"{name}: it has changed since it was checked"):
        send(store, runs["one"])
    assert latest_of(store) is None


def test_a_seal_damaged_in_its_time_is_no_other_run(store: Store, runs: dict[str, Path]) -> None:
    """A published summary of the same run, of another byte in PROCESSED_AT, is sent again."""
    send(store, runs["one"])
    seal = next(it for key, it in store.objects.items() if key.endswith("run_summary.json"))
    whole, seal.content = seal.content, seal.content.replace(b"23:30", b"23:31")
    receipt = send(store, runs["one"])

    assert [it.action for it in receipt.objects] == ["skipped"] * 3 + ["sent"] * 2
    assert whole in [it.content for it in store.objects.values()]
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_what_is_garbled_on_its_way_is_named(
    store: Store, runs: dict[str, Path], name: str
) -> None:
    """The store refuses what does not fit its checksum, whole or in parts, and that is said."""
    store.choose = lambda asked: Fault.GARBLE if asked.startswith("PUT") and name in asked else None
    with pytest.raises(AwsError, match=f"{name}: .* did not arrive as it was sent") as caught:
        send(store, runs["one"])

    assert caught.value.check == "MP-AWS-008"
    assert not any(name in key or "latest" in key for key in store.objects)


def test_a_loose_file_is_proven_by_the_stores_digest(store: Store, tmp_path: Path) -> None:
    """Nothing is read back where the store's own digest tells; else it is, and a fault is found."""
    files = [tmp_path / "a.csv", tmp_path / "large.csv"]
    files[0].write_bytes(b"1")
    files[1].write_bytes(LARGE)
    send(store, *files)
    send(store, *files)
    assert [it for it in store.asked if it.startswith("GET") and "list-type" not in it] == []
    assert sum(it.startswith("PUT") for it in store.asked) == 3
    store.objects.clear()
    store.choose = lambda asked: Fault.CORRUPT_ETAG if asked.startswith("PUT") else None
    with pytest.raises(AwsError):
        send(store, *files)


def test_what_is_small_is_sent_without_asking(store: Store, tmp_path: Path) -> None:
    """Whether a body may come is asked for large ones alone: it costs a way there and back."""
    for name, size in (("small", (1 << 20) - 1), ("middling", 1 << 20), ("large", len(LARGE))):
        (tmp_path / name).write_bytes(LARGE[:size])
    send(store, *tmp_path.iterdir())

    asked = sorted(it for it in store.asked_first if it.startswith("PUT"))
    assert asked == ["PUT p/large partNumber", "PUT p/large partNumber", "PUT p/middling"]


def test_the_same_run_of_another_time_is_published_once(
    store: Store, runs: dict[str, Path]
) -> None:
    """Same rows, rules and hierarchy, another PROCESSED_AT: what is published stays, and whole."""
    send(store, runs["one"])
    ranked_again(runs["one"])
    before = dict(store.objects)
    receipt = send(store, runs["one"])

    assert [it.action for it in receipt.objects] == ["kept"] * 4 + ["skipped"]
    assert store.objects == before
    assert send(store, runs["one"], force=True).objects[0].action == "sent"
    assert latest_of(store) == RUNS["one"]


def test_many_keys_are_found_by_walking(store: Store, tmp_path: Path) -> None:
    """Of 300 files 299 are there, between thousands of others: few questions, one is sent."""
    fill(tmp_path / "many", **{f"f{number:04}": str(number) for number in range(300)})
    send(store, tmp_path / "many", jobs=8)
    del store.objects["p/f0150.csv"]
    for number in range(5000):
        store.objects[f"p/f0150-{number}"] = Object(b"", "", {})
    store.asked.clear()
    receipt = send(store, tmp_path / "many", jobs=8)

    assert Counter(it.action for it in receipt.objects) == {"skipped": 299, "sent": 1}
    assert sum("list-type" in it for it in store.asked) < 160


def test_a_store_may_list_fewer_than_it_was_asked_for(store: Store, tmp_path: Path) -> None:
    """Pages end where the store says that they do; no key is lost."""
    store.page = 7
    fill(tmp_path / "many", **{f"f{number:04}": str(number) for number in range(300)})
    send(store, tmp_path / "many", jobs=8)
    again = send(store, tmp_path / "many", jobs=8)
    bucket = Bucket("bucket", region="us-east-1", endpoint_url=store.url)

    assert {it.action for it in again.objects} == {"skipped"}
    assert [*bucket.keys("p/")] == sorted(store.objects)
    assert len(store.objects) == 300


def test_a_push_asks_for_nothing_but_its_prefix(store: Store, runs: dict[str, Path]) -> None:
    """Whoever may list, read and write below the prefix alone can push: nothing else is asked."""
    send(store, runs["one"])
    send(store, runs["one"])
    send(store, runs["two"])

    assert {it.split()[0] for it in store.asked} == {"GET", "PUT", "POST"}
    assert all(it.split()[1].startswith("p/") for it in store.asked)


def test_how_objects_are_kept(store: Store, runs: dict[str, Path]) -> None:
    """Encryption, key, tags and content types arrive with every object, in parts or whole."""
    send(store, runs["one"], sse="aws:kms", kms_key_id="alias/colors", tags=["desk=clo", "a=b c"])
    for key, kept in store.objects.items():
        found = {name.lower(): value for name, value in kept.headers.items()}
        assert found["x-amz-server-side-encryption"] == "aws:kms"
        assert found["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/colors"
        assert found["x-amz-tagging"] == "desk=clo&a=b+c"
        kind = "application/json" if key.endswith("json") else "text/csv; charset=utf-8"
        assert found["content-type"] == kind
        assert found["x-amz-meta-sha256"] == digest(kept.content)


@pytest.mark.parametrize(
    ("template", "keys"),
    [
        ("{run_id}", ["p/1111111111111111/"]),
        ("{date}/x/{run_id}/", ["p/2026-03-13/x/1111111111111111/"]),
        ("", ["p/"]),
        ("{nobody}", []),
        ("{date:%Y}/{run_id}", []),
        ("{run_id!r}", []),
        ("{date", []),
        ("../{date}", []),
        ("a//b", []),
    ],
)
def test_a_template_says_where_a_run_goes(
    store: Store, runs: dict[str, Path], template: str, keys: list[str]
) -> None:
    """Date and run id are put in; what cannot be a path is wrong usage."""
    if not keys:
        with pytest.raises(UsageError, match="--prefix-template"):
            send(store, runs["one"], prefix_template=template)
        return
    receipt = send(store, runs["one"], prefix_template=template)
    assert {it.key.rpartition("/")[0] + "/" for it in receipt.objects[:-1]} == set(keys)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kms_key_id": "k"}, "--sse aws:kms"),
        ({"tags": ["desk"]}, "KEY=VALUE"),
        ({"tags": ["a=1", "a=2"]}, "each key once"),
        ({"tags": [f"t{it}=" for it in range(11)]}, "11 tags"),
        ({"prefix_template": "{date}"}, "is for runs and bundles"),
    ],
)
def test_options_that_do_not_fit(
    store: Store, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """They are refused before anybody is asked."""
    fill(tmp_path, a="1")
    with pytest.raises(UsageError, match=said):
        send(store, tmp_path / "a.csv", **options)
    assert store.asked == []


def test_progress_tells_every_byte(store: Store, runs: dict[str, Path]) -> None:
    """What is told adds up to what is sent."""

    class Told:
        begun: int | None = None
        bytes = 0
        ended = False

        def begin(self, name: str, total: int | None) -> None:
            assert name == "s3://bucket"
            self.begun = total

        def advance(self, more: int) -> None:
            self.bytes += more

        def end(self) -> None:
            self.ended = True

    told = Told()
    receipt = send(store, runs["one"], progress=told)
    assert told.begun == told.bytes == sum(it.bytes for it in receipt.objects)
    assert told.ended


def test_a_store_that_is_too_old_for_checksums(
    store: Store, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told what leaves them out; then all goes through, whole or in parts."""
    store.old = True
    with pytest.raises(AwsError) as caught:
        send(store, runs["one"])
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    send(store, runs["one"])

    assert "AWS_REQUEST_CHECKSUM_CALCULATION=when_required" in caught.value.hint
    assert latest_of(store) == RUNS["one"]


def test_a_company_that_looks_into_tls(tool: Tool, tmp_path: Path) -> None:
    """An unknown authority is named with its remedy; with AWS_CA_BUNDLE the push goes through."""
    tls, authority = certificate(tmp_path)
    with s3_server(tls) as store:
        refused = push_to(tool, store.url)
        assert fault_of(refused) == (8, "MP-AWS-006")
        assert "AWS_CA_BUNDLE" in refused.err
        tool.env["AWS_CA_BUNDLE"] = str(authority / "ewallet.pem")
        assert push_to(tool, store.url).code == 0
        assert latest_of(store) is not None
