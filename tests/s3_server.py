"""A small S3 server in memory that can fail in chosen ways.

It has the part of S3 that a push needs: listings, objects, conditions, uploads in parts, SHA-256
checksums. The test chooses a fault for each request.
"""

import hashlib
import re
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
    """How the server fails a request."""

    CORRUPT = "stores a changed byte and reports the checksums of the original"
    CORRUPT_ETAG = "stores a changed byte and reports its checksums"
    GARBLE = "receives a changed byte and compares checksums"
    GARBLE_ANSWER = "answers with a changed byte"
    STALL = "never answers"
    ERROR = "500"
    SLOW_DOWN = "503"
    DENIED = "403"
    NOT_IMPLEMENTED = "501"
    CUT = "closes the connection instead of answering"
    CUT_AFTER = "does the work and closes the connection"
    HALF = "answers with half of the content"
    FORGET = "answers as if the work was done"
    BLANK = "answers 200 and nothing else"


@dataclass
class Object:
    """A stored object."""

    content: bytes
    etag: str
    headers: dict[str, str]
    checksum: str = ""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Part:
    """A part of an upload, and the digests that the server reports."""

    content: bytes
    md5: bytes
    sha256: bytes


@dataclass
class Store:
    """A bucket of any name, for the tests to read and change."""

    url: str
    objects: dict[str, Object] = field(default_factory=dict)
    uploads: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  # the headers of uploads in parts
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    old: bool = False  # supports no checksums in headers
    page: int = 1000  # keys in one listing
    opaque_etags: bool = False  # ETags are no MD5, as with KMS
    forgetful: bool = False  # a finished upload in parts is unknown
    expect_requests: list[str] = field(default_factory=list)  # requests with Expect: 100-continue
    round_trip: float = 0  # seconds of a round trip
    choose_fault: Callable[[str], StoreFault | None] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    def read(self, key: str) -> bytes | None:
        """The content that a reader gets."""
        with self.lock:
            found = self.objects.get(key)
            return found.content if found else None

    def silence(self, place: str) -> threading.Event:
        """Never answer requests like this; the event is set at the first."""
        reached = threading.Event()

        def choose(request: str) -> StoreFault | None:
            if not re.fullmatch(place, request):
                return None
            reached.set()
            return StoreFault.STALL

        self.choose_fault = choose
        return reached


_CODES = {
    "403": "AccessDenied", "500": "InternalError", "501": "NotImplemented", "503": "SlowDown"
}  # fmt: skip


def _garbled(content: bytes) -> bytes:
    """The content with its middle byte changed."""
    at = len(content) // 2
    return content[:at] + bytes(byte ^ 1 for byte in content[at : at + 1]) + content[at + 1 :]


@contextmanager
def s3_server(tls: ssl.SSLContext | None = None) -> Iterator[Store]:
    """Run a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    store = Store(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}")
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.store = store  # type: ignore[attr-defined]  # the handler finds its store here
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
    """Close the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @property
    def store(self) -> Store:
        store: Store = self.server.store  # type: ignore[attr-defined]  # set in s3_server
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
        time.sleep(self.store.round_trip)
        request = f"{self.command} {self.key or self.query.get('prefix', '')}" + "".join(
            f" {name}" for name in ("list-type", "uploads", "partNumber") if name in self.query
        )
        request += " complete" if self.command == "POST" and "uploadId" in self.query else ""
        with self.store.lock:
            self.store.requests.append(request)
            fault = self.store.choose_fault(request)
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
            self.store.expect_requests.append(request)
            time.sleep(self.store.round_trip)
        self._break_off(fault)
        body = self._body()
        if (
            self.store.old
            and self.command != "GET"
            and any("-checksum" in name.lower() for name in self.headers)
        ):
            self._send(501, b"<Error><Code>NotImplemented</Code></Error>")
            return
        if fault and fault.value in _CODES:
            code = _CODES[fault.value]
            self._send(int(fault.value), f"<Error><Code>{code}</Code></Error>".encode())
            return
        if fault is StoreFault.BLANK:
            self._send(200, b"")
            return
        if fault is StoreFault.FORGET:
            self._send(200, b"", {"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
            return
        if fault is StoreFault.GARBLE:
            body = _garbled(body)
        declared = self.headers.get("x-amz-checksum-sha256")
        if declared and b64decode(declared) != hashlib.sha256(body).digest():
            self._send(400, b"<Error><Code>BadDigest</Code></Error>")
            return
        reported = body
        if fault in {StoreFault.CORRUPT, StoreFault.CORRUPT_ETAG}:
            body = _garbled(body)
            reported = reported if fault is StoreFault.CORRUPT else body
        status, content, headers = self._do(body, reported)
        if fault is StoreFault.CUT_AFTER:
            raise _Cut
        content = _garbled(content) if fault is StoreFault.GARBLE_ANSWER else content
        self._send(status, content, headers, half=fault is StoreFault.HALF)

    def _break_off(self, fault: StoreFault | None) -> None:
        if fault is StoreFault.STALL:
            self.store.closing.wait(20)
            raise _Cut
        if fault is StoreFault.CUT:
            self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 100))
            raise _Cut

    def _do(self, body: bytes, reported: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Do the work of S3."""
        with self.store.lock:
            if "list-type" in self.query:
                return 200, self._listing(), {}
            if self.command == "POST":
                return self._multipart()
            if self.command == "PUT":
                return self._put(body, reported)
            if self.command == "DELETE":
                if "uploadId" not in self.query:
                    self.store.objects.pop(self.key, None)
                return 204, b"", {}
            found = self.store.objects.get(self.key)
            if found is None:
                return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
            headers = {"ETag": f'"{found.etag}"', **found.headers}
            if self.headers.get("x-amz-checksum-mode") == "ENABLED" and found.checksum:
                headers["x-amz-checksum-sha256"] = found.checksum
            return 200, found.content, headers

    def _put(self, body: bytes, reported: bytes) -> tuple[int, bytes, dict[str, str]]:
        part = Part(body, hashlib.md5(reported).digest(), hashlib.sha256(reported).digest())
        etag = part.md5[::-1].hex() if self.store.opaque_etags else part.md5.hex()
        headers = {"ETag": f'"{etag}"'}
        if "partNumber" in self.query:
            if self.query["uploadId"] not in self.store.uploads:
                return 404, b"<Error><Code>NoSuchUpload</Code></Error>", {}
            self.store.parts[self.query["uploadId"], int(self.query["partNumber"])] = part
            return 200, b"", headers
        if self.headers.get("If-None-Match") == "*" and self.key in self.store.objects:
            return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        if "If-Match" in self.headers:
            present = self.store.objects.get(self.key)
            if present is None:
                return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
            if self.headers["If-Match"].strip('"') != present.etag:
                return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        summed = b64encode(part.sha256).decode() if "x-amz-checksum-sha256" in self.headers else ""
        self.store.objects[self.key] = Object(body, etag, self._stored_headers(), summed)
        return 200, b"", headers

    def _multipart(self) -> tuple[int, bytes, dict[str, str]]:
        if "uploads" in self.query:
            algorithm = self.headers.get("x-amz-checksum-algorithm", "")
            upload = f"{self.key}|{time.monotonic_ns()}|{algorithm}"
            self.store.uploads[upload] = self._stored_headers()
            text = f"<InitiateMultipartUploadResult><UploadId>{escape(upload)}</UploadId>"
            return 200, f"{text}</InitiateMultipartUploadResult>".encode(), {}
        if self.headers.get("If-None-Match") == "*" and self.key in self.store.objects:
            return 412, b"<Error><Code>PreconditionFailed</Code></Error>", {}
        upload = self.query["uploadId"]
        if upload not in self.store.uploads:
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
            self.store.uploads[upload],
            f"{checksum}-{len(parts)}" if upload.endswith("SHA256") else "",
        )
        if self.store.forgetful:
            del self.store.uploads[upload]
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

    def _stored_headers(self) -> dict[str, str]:
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
