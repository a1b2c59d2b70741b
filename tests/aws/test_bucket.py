"""Buckets: listings, reads that break off, conditions, and how small bodies are sent."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import Object, Store, StoreFault
from support import AWS_KEYS

from marketpulse.aws.bucket import Bucket, ObjectSettings
from marketpulse.aws.checksums import compute_checksums, part_size
from marketpulse.errors import AwsError, SettingsError


@pytest.fixture
def bucket(store: Store) -> Iterator[Bucket]:
    """A bucket on it that waits half a second for each answer."""
    with Bucket(
        "bucket", region="us-east-1", endpoint_url=store.url, timeout=0.5,
        settings=ObjectSettings(tags={"desk": "clo"}),
    ) as opened:  # fmt: skip
        yield opened


def upload(bucket: Bucket, key: str, body: bytes, *, overwrite: bool = False) -> str | None:
    """Upload bytes as one object."""
    checksums = compute_checksums(io.BytesIO(body))
    return bucket.upload(key, body, checksums, content_type="text/plain", overwrite=overwrite)


def test_many_keys_are_found_by_walking(store: Store, bucket: Bucket) -> None:
    """299 of 300 keys are found between thousands of others in few requests."""
    keys = [f"p/f{number:04}.csv" for number in range(300)]
    others = [f"p/f0150-{number}" for number in range(5000)]
    store.objects |= {key: Object(b"1", "", {}) for key in [*keys, *others] if key != keys[150]}
    listed = bucket.find(set(keys))

    assert set(listed) == set(keys) - {keys[150]}
    assert {item.size for item in listed.values()} == {1}
    assert len(store.requests) < 160


def test_a_store_may_return_short_pages(store: Store, bucket: Bucket) -> None:
    """A listing goes on until the store says that it ends."""
    store.page = 7
    keys = [f"p/{number:03}" for number in range(300)]
    store.objects |= {key: Object(b"", "", {}) for key in keys}

    assert [*bucket.list_keys("p/")] == keys
    assert set(bucket.find(keys)) == set(keys)


def test_small_bodies_are_sent_at_once(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    """Only large bodies send `Expect: 100-continue`: it costs a round trip."""
    content = os.urandom(part_size(0) + 1)
    upload(bucket, "p/small", content[: (1 << 20) - 1])
    upload(bucket, "p/middling", content[: 1 << 20])
    large = tmp_path / "large"
    large.write_bytes(content)
    with large.open("rb") as file:
        checksums = compute_checksums(file)
    bucket.upload("p/large", large, checksums, content_type="text/plain", overwrite=False)

    requests = sorted(request for request in store.expect_requests if request.startswith("PUT"))
    assert requests == ["PUT p/large partNumber", "PUT p/large partNumber", "PUT p/middling"]
    head = bucket.head("p/large")
    assert head is not None
    assert (head.checksum, head.size) == (checksums.s3_checksum, checksums.size)
    assert head.metadata_sha256 == checksums.sha256


def test_an_object_is_not_overwritten_unless_asked(store: Store, bucket: Bucket) -> None:
    """Without `overwrite` the object that is there stays, and the ETag is None."""
    assert upload(bucket, "p/a", b"1")
    assert upload(bucket, "p/a", b"2") is None
    assert store.read("p/a") == b"1"
    assert upload(bucket, "p/a", b"2", overwrite=True)
    assert store.read("p/a") == b"2"
    assert store.objects["p/a"].headers["x-amz-tagging"] == "desk=clo"


@pytest.mark.parametrize("times", [2, 3])
def test_a_body_that_breaks_off_is_read_again(store: Store, bucket: Bucket, times: int) -> None:
    """Up to three times, from its start; what was written of the first tries is dropped."""
    upload(bucket, "p/a", b"0123456789")
    left = [times]

    def break_off(request: str) -> StoreFault | None:
        left[0] -= request.startswith("GET p/a")
        return StoreFault.HALF if request.startswith("GET p/a") and left[0] >= 0 else None

    store.choose_fault = break_off
    content = io.BytesIO()
    if times == 3:
        with pytest.raises(AwsError, match="cannot be read"):
            bucket.download("p/a", into=content)
        return
    remote = bucket.download("p/a", into=content)
    assert remote is not None
    assert remote.intact
    assert content.getvalue() == b"0123456789"


def test_nothing_there(bucket: Bucket) -> None:
    """A missing object is None, not an error."""
    assert (bucket.read("p/a"), bucket.download("p/a"), bucket.head("p/a")) == (None, None, None)
    bucket.delete("p/a")


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, store: Store, tmp_path: Path) -> None:
    """Without credentials every method raises `SettingsError`."""
    for name in AWS_KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with (
        Bucket("bucket", region="us-east-1", endpoint_url=store.url) as bucket,
        pytest.raises(SettingsError, match="no usable AWS credentials"),
    ):
        bucket.read("p/a")
