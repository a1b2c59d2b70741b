"""The lock of pushes that overwrite: one at a time, and none is left behind."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from publish.helpers import digest, latest_of, make_bundle, send
from s3_server import Object, Store, StoreFault

from marketpulse.aws.bucket import Bucket
from marketpulse.publish.lock import ConcurrentPushError, PushLock


@pytest.fixture
def bucket(store: Store) -> Iterator[Bucket]:
    """The bucket of the second server."""
    with Bucket("bucket", region="us-east-1", endpoint_url=store.url, timeout=2) as opened:
        yield opened


def test_one_holder_at_a_time(bucket: Bucket, store: Store) -> None:
    """Of many threads one is inside; afterwards no object is left."""
    inside, most = [], []

    def work(_: int) -> None:
        with PushLock(bucket, "p/.push.json", lease=2).held() as check:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.05)
            check()
            inside.pop()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert most == [1, 1, 1, 1]
    assert store.objects == {}


def test_a_lock_that_is_kept_is_not_taken(bucket: Bucket) -> None:
    """The holder renews it for as long as it works; who waits gives up."""
    entered, done = threading.Event(), threading.Event()

    def hold() -> None:
        with PushLock(bucket, "p/.push.json", lease=0.6).held() as check:
            entered.set()
            done.wait(20)
            check()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        entered.wait(20)
        other = PushLock(bucket, "p/.push.json", lease=0.6)
        with pytest.raises(ConcurrentPushError, match="another push with --force"), other.held():
            pass
        done.set()
        holding.result()


def test_a_lock_that_was_left_is_taken_over(bucket: Bucket, store: Store) -> None:
    """A push that died does not block the next one for long."""
    store.objects["p/.push.json"] = Object(b"{}", "left", {})
    began = time.monotonic()
    with PushLock(bucket, "p/.push.json", lease=0.5).held():
        assert time.monotonic() - began >= 0.5


def test_a_lost_lock_is_noticed(bucket: Bucket, store: Store) -> None:
    """A push that was taken for dead sends nothing more."""
    with PushLock(bucket, "p/.push.json", lease=0.3).held() as check:
        store.objects["p/.push.json"] = Object(b"another's", "other", {})
        time.sleep(0.4)
        with pytest.raises(ConcurrentPushError, match="another push took the lock over"):
            check()
    assert store.read("p/.push.json") == b"another's"


def test_a_store_without_conditional_writes(store: Store, tmp_path: Path) -> None:
    """There is no lock then; the push goes on."""
    bundle = make_bundle(tmp_path / "bundle", a="1")
    store.choose_fault = lambda request: (
        StoreFault.NOT_IMPLEMENTED if ".push.json" in request and "PUT" in request else None
    )
    send(store, bundle, force=True)
    assert latest_of(store) == "None"


def test_two_forced_pushes_at_once(store: Store, tmp_path: Path) -> None:
    """At each moment the pointer leads to a whole set, or there is none."""
    bundles = [
        make_bundle(tmp_path / name, a=f"a of {name}", b=f"b of {name}", c="c")
        for name in ("one", "two")
    ]
    store.round_trip = 0.002
    problems: list[str] = []
    done = threading.Event()

    def follow() -> None:
        while not done.is_set():
            with store.lock:
                objects = {key: found.content for key, found in store.objects.items()}
            problems.extend(broken(objects))

    reader = threading.Thread(target=follow)
    reader.start()
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            list(pool.map(lambda bundle: send(store, bundle, force=True, timeout=10), bundles))
    done.set()
    reader.join()

    assert problems == []
    assert latest_of(store) == "None"
    assert "p/.push.json" not in store.objects


def broken(objects: dict[str, bytes]) -> list[str]:
    """The keys that the pointer describes wrongly."""
    pointer = objects.get("p/latest.json")
    files = json.loads(pointer)["files"] if pointer else []
    return [
        file["key"] for file in files if digest(objects.get(file["key"], b"")) != file["sha256"]
    ]
