"""A file system of Hadoop over HTTP, WebHDFS, read-only: what a folder here has, on 127.0.0.1.

Spark's own client asks for the status of a path, for a folder's list, for the places of a file's
blocks, and for a file's bytes, which another address of the server sends.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

_PREFIX = "/webhdfs/v1"


@contextmanager
def serve_webhdfs(root: Path) -> Iterator[str]:
    """Serve a folder while the context lasts. Yields its address, `webhdfs://127.0.0.1:PORT`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self) -> None:
            # Java sends the bytes of UTF-8 as they are.
            url = urlsplit(self.path.encode("latin-1").decode())
            name = unquote(url.path.removeprefix(_PREFIX))
            options = {key: values[0] for key, values in parse_qs(url.query).items()}
            path = root / name.strip("/")
            if not path.exists():
                self.answer(404, json.dumps({"RemoteException": _not_found(name)}).encode())
            elif options["op"] != "OPEN":
                content = _ANSWERS[options["op"]](path)
                self.answer(200, json.dumps(content).encode())
            elif "sent" in options:
                self.answer(200, path.read_bytes()[int(options.get("offset", 0)) :])
            else:
                place = f"http://{self.headers['Host']}{_PREFIX}{quote(name)}?{url.query}&sent=1"
                self.answer(307, b"", location=place)

        def answer(self, status: int, body: bytes, location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"webhdfs://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _not_found(name: str) -> dict[str, str]:
    error = "FileNotFoundException"
    return {"exception": error, "javaClassName": f"java.io.{error}", "message": f"no {name}"}


def _status(path: Path, name: str = "") -> dict[str, object]:
    is_folder = path.is_dir()
    return {
        "type": "DIRECTORY" if is_folder else "FILE",
        "length": 0 if is_folder else path.stat().st_size,
        "pathSuffix": name,
        "modificationTime": int(path.stat().st_mtime * 1000),
        "accessTime": 0,
        "blockSize": 1 << 27,
        "replication": 1,
        "permission": "755",
        "owner": "desk",
        "group": "desk",
    }


def _list(path: Path) -> dict[str, object]:
    entries = sorted(path.iterdir()) if path.is_dir() else []
    statuses = [_status(entry, entry.name) for entry in entries] or [_status(path)]
    return {"FileStatuses": {"FileStatus": statuses}}


def _block_locations(path: Path) -> dict[str, object]:
    block = {
        "offset": 0,
        "length": path.stat().st_size,
        "hosts": ["127.0.0.1"],
        "names": ["127.0.0.1:9866"],
        "topologyPaths": ["/rack/127.0.0.1:9866"],
        "cachedHosts": [],
        "storageTypes": ["DISK"],
        "corrupt": False,
    }
    return {"BlockLocations": {"BlockLocation": [block]}}


_ANSWERS = {
    "GETFILESTATUS": lambda path: {"FileStatus": _status(path)},
    "LISTSTATUS": _list,
    "GETFILEBLOCKLOCATIONS": _block_locations,
}
