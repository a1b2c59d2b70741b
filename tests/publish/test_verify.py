"""How a push makes sure that objects have arrived: read back, by digest, or not at all."""

import json
from pathlib import Path

import pytest
from publish.helpers import RUNS, digest, latest_of, send
from s3_server import Object, Store, StoreFault

from marketpulse.errors import AwsError
from marketpulse.publish import PushVerification


def reads(store: Store) -> list[str]:
    """The objects that were downloaded."""
    return [
        request.rpartition("/")[2]
        for request in store.requests
        if request.startswith("GET") and "list-type" not in request
    ]


def test_the_stores_digest_is_enough(store: Store, runs: dict[str, Path]) -> None:
    """Nothing is downloaded, also of what is there already; a file in parts costs one HEAD."""
    send(store, runs["one"], verify=PushVerification.DIGEST)
    assert reads(store) == []
    assert [request for request in store.requests if request.startswith("HEAD")] == [
        f"HEAD p/date=2026-03-13/run={RUNS['one']}/large.csv"
    ]
    again = send(store, runs["one"], verify=PushVerification.DIGEST)
    assert {pushed.action for pushed in again.objects} == {"skipped"}
    assert set(reads(store)) <= {"run_summary.json"}  # may be of another PROCESSED_AT
    assert latest_of(store) == RUNS["one"]


def test_without_a_digest_objects_are_read_back(
    store: Store, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose ETag is no MD5, and that has no checksum, proves nothing."""
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    store.opaque_etags = True
    send(store, runs["one"], verify=PushVerification.DIGEST)
    assert sorted(reads(store)) == [
        "a.csv", "b.csv", "large.csv", "latest.json", "run_summary.json"
    ]  # fmt: skip


def test_encrypted_objects_have_a_digest(store: Store, runs: dict[str, Path]) -> None:
    """With KMS the ETag is no MD5; the SHA-256 of a HEAD proves the content."""
    store.opaque_etags = True
    send(store, runs["one"], verify=PushVerification.DIGEST)
    assert reads(store) == []
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("verify", [PushVerification.DIGEST, PushVerification.NONE])
def test_a_damaged_object_has_another_digest(
    store: Store, runs: dict[str, Path], verify: PushVerification
) -> None:
    """What the store has kept damaged is found without reading, and sent again by the next push."""
    store.choose_fault = lambda request: (
        StoreFault.CORRUPT_ETAG if request.startswith("PUT") and "b.csv" in request else None
    )
    with pytest.raises(AwsError, match=r"b\.csv: the object differs"):
        send(store, runs["one"], verify=PushVerification.DIGEST)
    store.choose_fault = lambda _: None
    send(store, runs["one"], verify=verify)
    assert latest_of(store) == RUNS["one"]
    key = f"p/date=2026-03-13/run={RUNS['one']}/b.csv"
    assert store.read(key) == (runs["one"] / "b.csv").read_bytes()


def test_a_damaged_object_whose_answer_was_lost(store: Store, runs: dict[str, Path]) -> None:
    """The second try of the request is refused, finds what the first has left, and repairs it."""
    content = (runs["one"] / "b.csv").read_bytes()
    key = f"p/date=2026-03-13/run={RUNS['one']}/b.csv"
    first = [True]

    def plant(request: str) -> None:
        if first[0] and request == f"PUT {key}":
            first[0] = False
            metadata = {"x-amz-meta-sha256": digest(content)}
            store.objects[key] = Object(b"damaged", "of-the-first", metadata)

    store.choose_fault = plant
    send(store, runs["one"])
    assert store.read(key) == content
    assert latest_of(store) == RUNS["one"]
    # The push went on at once: it did not wait for another push, to look at everything again.
    assert store.requests.count("GET p/latest.json list-type") == 1


def test_no_verification(store: Store, runs: dict[str, Path]) -> None:
    """Nothing is read and no HEAD is sent; present objects count by their metadata."""
    send(store, runs["one"], verify=PushVerification.NONE)
    assert all(request[:3] in {"PUT", "POS"} or "list" in request for request in store.requests)
    again = send(store, runs["one"], verify=PushVerification.NONE)
    assert {pushed.action for pushed in again.objects} == {"skipped"}
    assert latest_of(store) == RUNS["one"]


@pytest.mark.parametrize("name", ["a.csv", "large.csv", "run_summary.json", "latest.json"])
def test_one_damaged_answer_is_read_again(store: Store, runs: dict[str, Path], name: str) -> None:
    """A bit that changes on its way back damages nothing: the object stays."""
    left = [1]

    def choose(request: str) -> StoreFault | None:
        if left[0] and request.startswith("GET") and request.endswith(name):
            left[0] = 0
            return StoreFault.GARBLE_ANSWER
        return None

    store.choose_fault = choose
    receipt = send(store, runs["one"])
    assert left == [0]
    assert {pushed.action for pushed in receipt.objects} == {"sent"}
    left[0] = 1
    again = send(store, runs["one"])
    assert left == [0]
    assert {pushed.action for pushed in again.objects} == {"skipped"}
    assert not any(request.startswith("DELETE") for request in store.requests)
    assert latest_of(store) == RUNS["one"]


def test_a_lost_answer_at_the_end_of_parts(store: Store, runs: dict[str, Path]) -> None:
    """The object is looked at before its upload is called failed."""
    left = [3]

    def choose(request: str) -> StoreFault | None:
        if left[0] and request.endswith("complete"):
            left[0] -= 1
            return StoreFault.CUT_AFTER
        return None

    store.choose_fault = choose
    store.forgetful = True  # a finished upload is unknown, as in S3 after a while
    receipt = send(store, runs["one"], force=True)
    assert {pushed.action for pushed in receipt.objects} == {"sent"}
    assert latest_of(store) == RUNS["one"]


def test_a_pointer_that_moved_meanwhile(store: Store, runs: dict[str, Path]) -> None:
    """`latest.json` is replaced only as it was seen; else the push looks again."""
    send(store, runs["one"])
    moved = [False]

    def move(request: str) -> None:
        if not moved[0] and request.startswith("PUT") and "run_summary" in request:
            moved[0] = True
            pointer = store.objects["p/latest.json"]
            text = json.dumps({**json.loads(pointer.content), "note": "of another push"}).encode()
            pointer.content, pointer.etag = text, "moved"

    store.choose_fault = move
    send(store, runs["two"], timeout=10)  # a slow machine looks again, too
    puts = [request for request in store.requests if request == "PUT p/latest.json"]
    assert len(puts) == 3  # the first push, a refused one, and its repetition
    assert latest_of(store) == RUNS["two"]
