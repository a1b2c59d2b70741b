"""Sets to push, a bucket seen without our code, and servers in between."""

import hashlib
import json
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from s3_server import Store
from support import Result, Tool

from marketpulse.aws.checksums import part_size
from marketpulse.model import NO_PROGRESS
from marketpulse.publish import PushOptions, Receipt, push

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA0PENSESAME11",
    "AWS_SECRET_ACCESS_KEY": "0pen-Sesame-Secret-22",
    "AWS_SESSION_TOKEN": "0pen-Sesame-Token-33",
}


UNDER = "colors/date=2026-03-13/run=0123456789abcdef"


LARGE = os.urandom(part_size(0) + 1)


RUNS = {"one": "1" * 16, "two": "2" * 16}


@dataclass(frozen=True)
class Shop:
    """A bucket that keeps every version, used through boto3 alone."""

    client: Any
    name: str

    @property
    def keys(self) -> list[str]:
        """The keys of all objects."""
        return [
            item["Key"]
            for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", ())
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


def digest(content: bytes) -> str:
    """The SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def fill(folder: Path, **files: str) -> list[dict[str, Any]]:
    """Write files (a="1" becomes a.csv with the content 1); return their entries for a seal."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for name, text in files.items():
        content = text.encode()
        (folder / f"{name}.csv").write_bytes(content)
        entries.append({"name": f"{name}.csv", "bytes": len(content), "sha256": digest(content)})
    return entries


def make_run(folder: Path, run_id: str = "0123456789abcdef", **files: str) -> Path:
    """Write a finished run."""
    entries = fill(folder, **files)
    summary = {"run_id": run_id, "processed_at": "2026-03-13T23:30:00Z", "files": entries}
    (folder / "run_summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def make_runs(folder: Path, *, large: bool) -> dict[str, Path]:
    """Write two runs of two small files, and of a large one if asked."""
    runs = {}
    for name, run_id in RUNS.items():
        runs[name] = make_run(folder / name, run_id, a=f"a of {name}", b=f"b of {name}")
        if large:
            content = LARGE + name.encode()
            (runs[name] / "large.csv").write_bytes(content)
            seal = runs[name] / "run_summary.json"
            summary = json.loads(seal.read_text(encoding="utf-8"))
            entry = {"name": "large.csv", "bytes": len(content), "sha256": digest(content)}
            summary["files"].append(entry)
            seal.write_text(json.dumps(summary), encoding="utf-8")
    return runs


def make_bundle(folder: Path, *, complete: bool = True, **files: str) -> Path:
    """Write a finished bundle."""
    manifest = {"complete": complete, "files": fill(folder, **files)}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def receipt_of(result: Result) -> Any:
    """The receipt that `--format json` printed."""
    assert result.code == 0, result.err
    return json.loads(result.out)


def fault_of(result: Result) -> tuple[int, str]:
    """The exit code and the check id of a command that failed with `--format json`."""
    return result.code, json.loads(result.err.splitlines()[-1])["error"]["check"]


def push_to(tool: Tool, url: str) -> Result:
    """Push a small run to a store with the command line."""
    make_run(tool.folder / "run", a="1")
    words = ("push-s3", "run", "s3://bucket/p", "--endpoint-url", url, "--format", "json")
    return tool.run(*words)


def send(store: Store, *paths: Path, **options: Any) -> Receipt:
    """Push to the second server, with a short timeout."""
    progress = options.pop("progress", NO_PROGRESS)
    settings = PushOptions(
        region="us-east-1", endpoint_url=store.url, **{"timeout": 0.5, "jobs": 3, **options}
    )
    return push(paths, "s3://bucket/p", settings, progress=progress)


def latest_of(store: Store) -> str | None:
    """The run id in `latest.json`, after checking every object that the pointer lists."""
    pointer = store.read("p/latest.json")
    if pointer is None:
        return None
    latest = json.loads(pointer)
    for file in latest["files"]:
        content = store.read(file["key"]) or b""
        assert (len(content), digest(content)) == (file["bytes"], file["sha256"]), file["key"]
    return str(latest["run_id"])


def ranked_again(run: Path) -> None:
    """Rank the same rows at another time: the same RUN_ID, other bytes."""
    (run / "a.csv").write_bytes(b"of later")
    seal = run / "run_summary.json"
    summary = json.loads(seal.read_text())
    summary["files"][0] |= {"bytes": 8, "sha256": digest(b"of later")}
    seal.write_text(json.dumps({**summary, "processed_at": "2026-03-13T23:59:00Z"}))


@contextmanager
def between(endpoint: str, heard: Callable[[str, str], int | None]) -> Iterator[str]:
    """A proxy before a store. `heard` sees each request first and may answer with a status."""

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
    """Run a server; yields its address."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
