"""Stores that fail: no answer, refusals, damaged bytes. A reader never sees a partial set."""

import re
import socketserver
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from oracle_server.certificates import certificate
from publish.helpers import (
    LARGE,
    RUNS,
    SECRETS,
    UNDER,
    Shop,
    between,
    fault_of,
    latest_of,
    make_run,
    make_runs,
    push_to,
    send,
    serving,
)
from s3_server import Store, StoreFault, s3_server
from support import Tool

from marketpulse.errors import AwsError, DataError, MarketPulseError
from marketpulse.publish import PushVerification


def test_there_is_no_such_bucket(tool: Tool, moto_server: str) -> None:
    """A missing bucket is exit 8 with its name."""
    result = push_to(tool, moto_server.replace("127.0.0.1", "localhost"))

    assert fault_of(result) == (8, "MP-AWS-002")
    assert "there is no bucket bucket" in result.err


def test_a_closed_port(tool: Tool) -> None:
    """A closed port is exit 8 within seconds."""
    with serving(socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler)) as url:
        pass  # and closed
    begin = time.monotonic()

    assert fault_of(push_to(tool, url)) == (8, "MP-AWS-003")
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>Hi</p>",
    ],
    ids=["garbage", "silence", "a web page"],
)
def test_a_server_that_is_no_store(tool: Tool, answer: bytes) -> None:
    """A server that is no store is exit 8 with one message, never an internal error."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(answer)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as url:
        result = push_to(tool, url)

    assert fault_of(result) == (8, "MP-AWS-003")
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("status", "check", "times"),
    [(403, "MP-AWS-001", 1), (503, "MP-AWS-003", 3), (418, "MP-AWS-005", 1)],
)
def test_the_store_refuses(
    tool: Tool, moto_server: str, status: int, check: str, times: int
) -> None:
    """Each refusal has its check id; only temporary ones are retried."""
    requests = []

    def refuse(method: str, path: str) -> int:
        requests.append(f"{method} {path}")
        return status

    with between(moto_server, refuse) as proxy:
        assert fault_of(push_to(tool, proxy)) == (8, check)
    assert max(Counter(requests).values()) == times


REDIRECT = "<Error><Code>PermanentRedirect</Code></Error>"
PAGE = "<html><body>blocked<br></body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "check", "words"),
    [
        (301, {"x-amz-bucket-region": "eu-west-1"}, REDIRECT, "MP-AWS-002", "AWS_REGION=eu-west-1"),
        (301, {}, REDIRECT, "MP-AWS-002", "check AWS_REGION"),
        (307, {"Location": "/again"}, "", "MP-AWS-002", "check AWS_REGION"),
        (302, {"Location": "/login", **HTML}, PAGE, "MP-AWS-003", "a proxy"),
        (403, HTML, PAGE, "MP-AWS-003", "a proxy"),
        (200, HTML, PAGE, "MP-AWS-003", "a proxy"),
        (409, {}, "<Error><Code>OperationAborted</Code></Error>", "MP-AWS-004", "try again"),
        (403, {}, "<Error><Code>QuotaExceeded</Code></Error>", "MP-AWS-010", "free some space"),
        (407, {}, "", "MP-AWS-003", "HTTPS_PROXY"),
    ],
)
def test_what_an_answer_proves(
    store: Store,
    runs: dict[str, Path],
    status: int,
    headers: dict[str, str],
    body: str,
    check: str,
    words: str,
) -> None:
    """The cause is the one in the answer; redirects end."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            self.close_connection = True
            if self.parse_request():
                requests.append(self.path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        store.url = url
        with pytest.raises(AwsError) as caught:
            send(store, runs["one"])
    assert caught.value.check == check
    assert words in caught.value.hint
    assert len(requests) < 20


def test_a_failed_file_leaves_seal_and_pointer_unsent(
    tool: Tool, shop: Shop, moto_server: str
) -> None:
    """If a file cannot be sent, seal and pointer are not; the next push finishes."""
    make_run(tool.folder / "run", a="1", b="2", c="3")
    words = ("push-s3", "run", f"s3://{shop.name}/colors")

    def refuse(method: str, path: str) -> int | None:
        return 403 if method == "PUT" and path.endswith("b.csv") else None

    with between(moto_server, refuse) as proxy:
        assert tool.run(*words, "--endpoint-url", proxy).code == 8
    assert set(shop.keys) <= {f"{UNDER}/a.csv", f"{UNDER}/c.csv"}
    assert tool.run(*words).code == 0
    assert len(shop.keys) == 5


def test_missing_credentials(tool: Tool, shop: Shop) -> None:
    """No credentials, half of them, or an unknown profile: exit 3 within seconds."""
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
    """No output and no file contains a credential, at any verbosity."""
    make_run(tool.folder / "run", a="1")
    target = f"s3://{shop.name}"
    loud = ("-v", "-v", "push-s3", "run")
    results = [
        tool.run_process(*loud, target, "--receipt", "receipt.json"),
        tool.run_process(*loud, target, "--format", "json"),
        tool.run_process(*loud, "s3://no-such-bucket"),
        tool.run_process(*loud, target, "--endpoint-url", "http://127.0.0.1:9"),
    ]

    assert [result.code for result in results] == [0, 0, 8, 8]
    text = "".join(result.out + result.err for result in results)
    text += "".join(path.read_text() for path in tool.folder.rglob("*") if path.is_file())
    assert "receipt.json" in {path.name for path in tool.folder.iterdir()}
    for secret in (*SECRETS.values(), "Signature", "Authorization"):
        assert secret not in text


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


OF_CONTENT = {StoreFault.CORRUPT, StoreFault.CORRUPT_ETAG, StoreFault.GARBLE}


OF_AN_ANSWER = {StoreFault.GARBLE_ANSWER, StoreFault.HALF}


# Of two answers that mean the same, one comes once and the other always.
TIMES = {
    StoreFault.ERROR: [1],
    StoreFault.SLOW_DOWN: [1000],
    StoreFault.DENIED: [1000],
    StoreFault.NOT_IMPLEMENTED: [1],
}


FAULTS = [
    pytest.param(fault, place, times, id=f"{fault}-{place}-{'once' if times == 1 else 'always'}")
    for fault in StoreFault
    for place in PLACES
    for times in TIMES.get(fault, [1, 1000])
    if not (fault in OF_CONTENT and not place.startswith("PUT"))  # nothing is sent there
    if not (fault in OF_AN_ANSWER and place.startswith("PUT"))  # nothing is answered there
    if fault is not StoreFault.FORGET or place in {"PUT p/latest.json", "POST .*large.csv uploads"}
    if fault is not StoreFault.BLANK
]


@pytest.mark.parametrize(("fault", "place", "times"), FAULTS)
def test_whatever_the_store_does_a_reader_sees_a_whole_run(
    store: Store, tmp_path: Path, fault: StoreFault, place: str, times: int
) -> None:
    """Either the set is published intact, or it is exit 8 and the pointer stays."""
    runs = make_runs(tmp_path, large="large" in place)
    send(store, runs["one"])
    left = [times]

    def choose(request: str) -> StoreFault | None:
        if left[0] and re.fullmatch(place, request):
            left[0] -= 1
            return fault
        return None

    store.choose_fault = choose
    try:
        receipt = send(store, runs["two"])
    except AwsError:
        assert latest_of(store) in {RUNS["one"], RUNS["two"], None}
        if "latest.json" not in place:
            assert latest_of(store) == RUNS["one"]
    else:
        assert {pushed.action for pushed in receipt.objects} <= {"sent", "skipped"}
        assert latest_of(store) == RUNS["two"]
    assert left[0] < times, "the fault did not happen"
    store.choose_fault = lambda _: None
    again = send(store, runs["two"])

    assert latest_of(store) == again.run_id == RUNS["two"]


@pytest.mark.parametrize(
    "place", ["PUT .*/a.csv", "POST .*large.csv complete", "PUT p/latest.json"]
)
def test_a_blank_answer_to_a_write_is_none(store: Store, runs: dict[str, Path], place: str) -> None:
    """Something else than a store has answered: the push fails, even where it verifies nothing."""
    store.choose_fault = lambda request: StoreFault.BLANK if re.fullmatch(place, request) else None
    with pytest.raises(AwsError, match="broke off"):
        send(store, runs["one"], verify=PushVerification.NONE)
    assert latest_of(store) is None


def test_a_listing_without_content_is_none(store: Store, runs: dict[str, Path]) -> None:
    """A forced push that sees nothing would overwrite what the pointer leads to."""
    send(store, runs["one"])
    before = dict(store.objects)
    make_run(runs["one"], RUNS["one"], a="changed", b="changed")
    store.choose_fault = lambda request: StoreFault.FORGET if "list-type" in request else None

    with pytest.raises(AwsError) as caught:
        send(store, runs["one"], force=True)

    assert caught.value.check == "MP-AWS-003"
    assert store.objects == before


@pytest.mark.parametrize("fault", [StoreFault.CORRUPT, StoreFault.CORRUPT_ETAG])
@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_a_corrupted_object_is_found_and_replaced(
    store: Store, runs: dict[str, Path], fault: StoreFault, name: str
) -> None:
    """An object with a changed byte fails the push; the next push sends it again."""
    store.choose_fault = lambda request: (
        fault if request.startswith("PUT") and name in request else None
    )
    with pytest.raises(AwsError, match=name) as caught:
        send(store, runs["one"])
    store.choose_fault = lambda _: None
    actions = {
        pushed.key.rpartition("/")[2]: pushed.action for pushed in send(store, runs["one"]).objects
    }

    assert caught.value.check == "MP-AWS-008"
    assert actions[name] == "sent"
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("change", ["shrinks", "goes"])
def test_a_large_file_that_changes_is_named(
    store: Store, runs: dict[str, Path], change: str
) -> None:
    """A file that shrinks or vanishes during its upload is named in the message."""
    large = runs["one"] / "large.csv"

    def spoil(request: str) -> None:
        if "uploads" in request and large.exists():
            large.unlink() if change == "goes" else large.write_bytes(b"short")

    store.choose_fault = spoil
    with pytest.raises(
        MarketPulseError, match=r"large.csv: (the file has changed|cannot be opened)"
    ):
        send(store, runs["one"])
    assert latest_of(store) is None


@pytest.mark.parametrize("old", [False, True], ids=["checksums", "no checksums"])
@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_a_file_that_changes_meanwhile_is_not_published(
    store: Store, runs: dict[str, Path], name: str, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that changes between check and upload is named, and the pointer is not sent."""
    if old:
        monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")

    def write(request: str) -> None:
        if "list-type" in request:
            path = runs["one"] / name
            path.write_bytes(path.read_bytes()[:-1] + b"!")

    store.choose_fault = write
    with pytest.raises(DataError, match=f"{name}: the file has changed since it was checked"):
        send(store, runs["one"])
    assert latest_of(store) is None


@pytest.mark.parametrize("name", ["a.csv", "large.csv"])
def test_bytes_changed_on_the_way(store: Store, runs: dict[str, Path], name: str) -> None:
    """The store refuses bytes that do not match their checksum, whole or in parts."""
    store.choose_fault = lambda request: (
        StoreFault.GARBLE if request.startswith("PUT") and name in request else None
    )
    with pytest.raises(AwsError, match=f"{name}: .* received other data than was sent") as caught:
        send(store, runs["one"])

    assert caught.value.check == "MP-AWS-008"
    assert not any(name in key or "latest" in key for key in store.objects)


def test_an_old_store_and_a_file_in_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without checksums a file in parts is read back."""
    store.old = True
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    (tmp_path / "large.csv").write_bytes(LARGE)
    assert [pushed.action for pushed in send(store, tmp_path / "large.csv").objects] == ["sent"]
    assert [pushed.action for pushed in send(store, tmp_path / "large.csv").objects] == ["skipped"]


def test_a_store_that_is_too_old_for_checksums(
    store: Store, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint names the setting that leaves checksums out; with it everything arrives."""
    store.old = True
    with pytest.raises(AwsError) as caught:
        send(store, runs["one"])
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    send(store, runs["one"])

    assert "AWS_REQUEST_CHECKSUM_CALCULATION=when_required" in caught.value.hint
    assert latest_of(store) == RUNS["one"]


def test_an_unknown_certificate_authority(tool: Tool, tmp_path: Path) -> None:
    """The hint names AWS_CA_BUNDLE; with it the push goes through."""
    tls, authority = certificate(tmp_path)
    with s3_server(tls) as store:
        refused = push_to(tool, store.url)
        assert fault_of(refused) == (8, "MP-AWS-006")
        assert "AWS_CA_BUNDLE" in refused.err
        tool.env["AWS_CA_BUNDLE"] = str(authority / "ewallet.pem")
        assert push_to(tool, store.url).code == 0
        assert latest_of(store) is not None
