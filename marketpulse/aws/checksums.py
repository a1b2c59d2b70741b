"""The size and checksums of a file's content, in the forms that S3 reports them."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedIOBase

_PART_SIZE = 8 << 20  # bytes; larger files go to S3 in parts of this size
_MAX_PARTS = 10_000  # S3's limit


@dataclass(frozen=True, kw_only=True)
class Checksums:
    """Size and SHA-256 identify a content; `etag` and `part_digests` help to prove an upload.

    `etag` (MD5, hex) is set for content that goes to S3 in one piece. S3 reports the same ETag,
    except for encrypted objects and in some other stores. `part_digests` are the SHA-256s of the
    parts of a larger file.
    """

    size: int  # bytes
    sha256: str  # hex
    etag: str = field(default="", compare=False)
    part_digests: Sequence[bytes] = field(default=(), compare=False, repr=False)

    @property
    def in_parts(self) -> bool:
        """Whether the content goes to S3 in parts."""
        return bool(self.part_digests)

    @property
    def s3_checksum(self) -> str:
        """The SHA-256 that S3 reports, base64. For an upload in parts it covers their digests."""
        digest = bytes.fromhex(self.sha256)
        if self.part_digests:
            digest = hashlib.sha256(b"".join(self.part_digests)).digest()
        return b64encode(digest).decode()


def part_size(size: int) -> int:
    """The size in bytes of the parts of an object of this size."""
    return max(_PART_SIZE, -(-size // _MAX_PARTS))


def compute_checksums(file: BufferedIOBase) -> Checksums:
    """Read a file from its start to its end and compute its checksums."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= part_size(size):
        content = file.read()
        return Checksums(
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            etag=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        )
    whole, parts = hashlib.sha256(), []
    buffer = memoryview(bytearray(part_size(size)))
    with ThreadPoolExecutor(1) as pool:
        while count := file.readinto(buffer):
            part = buffer[:count]
            # hashlib releases the GIL: the two digests of a part run on two cores.
            update = pool.submit(whole.update, part)
            parts.append(hashlib.sha256(part).digest())
            update.result()
    return Checksums(size=size, sha256=whole.hexdigest(), part_digests=tuple(parts))
