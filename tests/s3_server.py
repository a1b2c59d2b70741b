"""A second S3 server, small, in memory, and able to do what a store should never do.

It speaks as much of S3 as a push needs: listing, objects, conditions, parts, SHA-256 checksums. A
fault is chosen for each request by the test.
"""

import hashlib
import ssl
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape


class StoreFault(StrEnum):
    """What the server does to a request instead of what it should."""

    CORRUPT = "stores another byte, and says that it is what was sent"
    CORRUPT_ETAG = "stores another byte, and its ETag and checksum tell"
    GARBLE = "receives another byte, and refuses it where a checksum tells"
    GARBLE_ANSWER = "answers with another byte"
    STALL = "answers nothing"
    ERROR = "500"
    SLOW_DOWN = "503"
    DENIED = "403"
    CUT = "hangs up instead of answering"
    CUT_AFTER = "does it, and hangs up"
    HALF = "answers with half of the content"


@dataclass
class Object:
    """What is stored."""

    content: bytes
    etag: str
    headers: dict[str, str]
    checksum: str = ""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Part:
    """A part of what is to be stored, and the digests that the server tells of it."""

    content: bytes
    md5: bytes
    sha256: bytes


@dataclass
class Store:
    """A bucket of any name, as the tests see it."""

    url: str
    objects: dict[str, Object] = field(default_factory=dict)
    begun: dict[str, dict[str, str]] = field(default_factory=dict)  # headers of uploads in parts
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    old: bool = False  # and so knows nothing of checksums in headers
    page: int = 1000  # keys, as many as it lists at once
    asked_first: list[str] = field(default_factory=list)  # whether a body may come
    away: float = 0  # seconds there and back
    choose: Callable[[str], StoreFault | None] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def read(self, key: str) -> bytes | None:
        """What a reader gets."""
        with self.lock:
            found = self.objects.get(key)
            return found.content if found else None


def _garbled(content: bytes) -> bytes:
    """The same with one byte changed, in the middle."""
    at = len(content) // 2
    return content[:at] + bytes(byte ^ 1 for byte in content[at : at + 1]) + content[at + 1 :]


@contextmanager
def s3_server(tls: ssl.SSLContext | None = None) -> Iterator[Store]:
    """A server at work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    store = Store(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.store = store  # type: ignore[attr-defined]  # how a handler finds what it serves
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield store
    finally:
        store.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Cut(Exception):
    """The connection is to be closed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def store(self) -> Store:
        store: Store = self.server.store  # type: ignore[attr-defined]  # put there by s3_server
        return store

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        _, _, self.key = unquote(parts.path).lstrip("/").partition("/")
        self.query = {
            name: values[0]
            for name, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        try:
            self._answer()
            self.wfile.flush()
        except (_Cut, ConnectionError):
            self.close_connection = True

    def _answer(self) -> None:
        time.sleep(self.store.away)
        asked = f"{self.command} {self.key or self.query.get('prefix', '')}" + "".join(
            f" {name}" for name in ("list-type", "uploads", "partNumber") if name in self.query
        )
        asked += " complete" if self.command == "POST" and "uploadId" in self.query else ""
        with self.store.lock:
            self.store.asked.append(asked)
            fault = self.store.choose(asked)
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
            self.store.asked_first.append(asked)
            time.sleep(self.store.away)
        if fault is StoreFault.STALL:
            self.store.closing.wait(20)
            raise _Cut
        if fault is StoreFault.CUT:
            self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 100))
            raise _Cut
        body = self._body()
        if (
            self.store.old
            and self.command != "GET"
            and any("-checksum" in name.lower() for name in self.headers)
        ):
            self._send(501, b"<Error><Code>NotImplemented</Code></Error>")
            return
        if fault in {StoreFault.ERROR, StoreFault.SLOW_DOWN, StoreFault.DENIED}:
            code = {"500": "InternalError", "503": "SlowDown", "403": "AccessDenied"}[fault.value]
            self._send(int(fault.value), f"<Error><Code>{code}</Code></Error>".encode())
            return
        if fault is StoreFault.GARBLE:
            body = _garbled(body)
        said = self.headers.get("x-amz-checksum-sha256")
        if said and b64decode(said) != hashlib.sha256(body).digest():
            self._send(400, b"<Error><Code>BadDigest</Code></Error>")
            return
        told_of = body
        if fault in {StoreFault.CORRUPT, StoreFault.CORRUPT_ETAG}:
            body = _garbled(body)
            told_of = told_of if fault is StoreFault.CORRUPT else body
        status, content, headers = self._do(body, told_of)
        if fault is StoreFault.CUT_AFTER:
            raise _Cut
        content = _garbled(content) if fault is StoreFault.GARBLE_ANSWER else content
        self._send(status, content, headers, half=fault is StoreFault.HALF)

    def _do(self, body: bytes, told_of: bytes) -> tuple[int, bytes, dict[str, str]]:
        """What S3 would do."""
        with self.store.lock:
            if "list-type" in self.query:
                return 200, self._listing(), {}
            if self.command == "POST":
                return self._multipart()
            if self.command == "PUT":
                return self._put(body, told_of)
            if self.command == "DELETE":
                if "uploadId" not in self.query:
                    self.store.objects.pop(self.key, None)
                return 204, b"", {}
            found = self.store.objects.get(self.key)
            if found is None:
                return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
            told = {"ETag": f'"{found.etag}"', **found.headers}
            if self.headers.get("x-amz-checksum-mode") == "ENABLED" and found.checksum:
                told["x-amz-checksum-sha256"] = found.checksum
            return 200, found.content, told

    def _put(self, body: bytes, told_of: bytes) -> tuple[int, bytes, dict[str, str]]:
        part = Part(body, hashlib.md5(told_of).digest(), hashlib.sha256(told_of).digest())
        etag, told = part.md5.hex(), {"ETag": f'"{part.md5.hex()}"'}
        if "partNumber" in self.query:
            if self.query["uploadId"] not in self.store.begun:
                return 404, b"<Error><Code>NoSuchUpload</Code></Error>", {}
            self.store.parts[self.query["uploadId"], int(self.query["partNumber"])] = part
            return 200, b"", told
        if self.headers.get("If-None-Match") == "*" and self.key in self.store.objects:
            return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        summed = b64encode(part.sha256).decode() if "x-amz-checksum-sha256" in self.headers else ""
        self.store.objects[self.key] = Object(body, etag, self._kept(), summed)
        return 200, b"", told

    def _multipart(self) -> tuple[int, bytes, dict[str, str]]:
        if "uploads" in self.query:
            algorithm = self.headers.get("x-amz-checksum-algorithm", "")
            upload = f"{self.key}|{time.monotonic_ns()}|{algorithm}"
            self.store.begun[upload] = self._kept()
            text = f"<InitiateMultipartUploadResult><UploadId>{escape(upload)}</UploadId>"
            return 200, f"{text}</InitiateMultipartUploadResult>".encode(), {}
        if self.headers.get("If-None-Match") == "*" and self.key in self.store.objects:
            return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        upload = self.query["uploadId"]
        if upload not in self.store.begun:
            return 404, b"<Error><Code>NoSuchUpload</Code></Error>", {}
        numbers = sorted(number for name, number in self.store.parts if name == upload)
        parts = [self.store.parts[upload, number] for number in numbers]
        etag = f"{hashlib.md5(b''.join(part.md5 for part in parts)).hexdigest()}-{len(parts)}"
        checksum = b64encode(
            hashlib.sha256(b"".join(part.sha256 for part in parts)).digest()
        ).decode()
        self.store.objects[self.key] = Object(
            b"".join(part.content for part in parts),
            etag,
            self.store.begun[upload],
            f"{checksum}-{len(parts)}" if upload.endswith("SHA256") else "",
        )
        text = f"<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>"
        return 200, text.encode(), {}

    def _listing(self) -> bytes:
        prefix, after = self.query.get("prefix", ""), self.query.get("start-after", "")
        most = min(int(self.query.get("max-keys", 1000)), self.store.page)
        keys = sorted(key for key in self.store.objects if key.startswith(prefix) and key > after)
        contents = "".join(
            f"<Contents><Key>{quote(key)}</Key><Size>{len(self.store.objects[key].content)}</Size>"
            f"<ETag>&quot;{self.store.objects[key].etag}&quot;</ETag>"
            f"<LastModified>{self.store.objects[key].modified.isoformat()}</LastModified></Contents>"
            for key in keys[:most]
        )
        more = "true" if len(keys) > most else "false"
        return (
            "<ListBucketResult><EncodingType>url</EncodingType>"
            f"<IsTruncated>{more}</IsTruncated>{contents}</ListBucketResult>"
        ).encode()

    def _kept(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.headers.items()
            if name.lower().startswith(("x-amz-meta-", "x-amz-server-side", "x-amz-tagging"))
            or name == "Content-Type"
        }

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        pieces, at = [], 0
        while size := int(body[at : (end := body.index(b"\r\n", at))].partition(b";")[0], 16):
            pieces.append(body[end + 2 : end + 2 + size])
            at = end + 4 + size
        return b"".join(pieces)

    def _send(
        self,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        *,
        half: bool = False,
    ) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            raise _Cut
