"""Checksums: of small and large files, as S3 reports them."""

import hashlib
import io
import os
from base64 import b64encode

import pytest

from marketpulse.aws.checksums import Checksums, compute_checksums, part_size

PART = part_size(0)


@pytest.mark.parametrize("size", [0, 1, PART])
def test_one_piece(size: int) -> None:
    """Up to the size of a part there is an ETag and one SHA-256."""
    content = os.urandom(size)
    checksums = compute_checksums(io.BytesIO(content))

    assert checksums == Checksums(size=size, sha256=hashlib.sha256(content).hexdigest())
    assert checksums.etag == hashlib.md5(content).hexdigest()
    assert checksums.s3_checksum == b64encode(hashlib.sha256(content).digest()).decode()
    assert not checksums.in_parts


def test_parts() -> None:
    """A larger file has the digest of each part, and S3's checksum covers those."""
    content = os.urandom(2 * PART + 1)
    checksums = compute_checksums(io.BytesIO(content))
    digests = [
        hashlib.sha256(content[start : start + PART]).digest() for start in (0, PART, 2 * PART)
    ]

    assert checksums.sha256 == hashlib.sha256(content).hexdigest()
    assert [*checksums.part_digests] == digests
    assert checksums.s3_checksum == b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()
    assert checksums.etag == ""


def test_never_more_than_ten_thousand_parts() -> None:
    """S3 takes 10,000 parts, so the parts of very large files grow."""
    size = 5 << 40
    assert part_size(size) * 10_000 >= size > (part_size(size) - 1) * 10_000
