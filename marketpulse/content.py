"""What a file or an object holds: its size, its SHA-256, and the ETag that S3 would give it."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO

_PART = 8 << 20  # bytes; what is larger goes to S3 in parts of this size
_MOST_PARTS = 10_000  # S3's limit


@dataclass(frozen=True)
class Stored:
    """What tells a content from another. The ETag is only a hint, and no part of that."""

    bytes: int
    sha256: str
    etag: str = field(default="", compare=False)


def part_size(size: int) -> int:
    """How large the parts of an object of this size are; what is not larger goes in one piece."""
    return max(_PART, -(-size // _MOST_PARTS))


def stored(file: BinaryIO) -> Stored:
    """What a file holds, from its begin to its end, read once.

    A store that has received exactly this gives it this ETag: MD5, or the MD5 of its parts' MD5s.
    Encrypted objects and other stores have another one, which says nothing.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= part_size(size):
        content = file.read()
        return Stored(len(content), hashlib.sha256(content).hexdigest(), _md5(content).hex())
    sha256 = hashlib.sha256()
    with ThreadPoolExecutor(1) as beside:
        pending = []
        while piece := file.read(part_size(size)):
            pending.append(beside.submit(_md5, piece))
            sha256.update(piece)
            if len(pending) > 1:
                pending[-2].result()  # no more than two pieces in memory
        parts = [it.result() for it in pending]
    return Stored(size, sha256.hexdigest(), f"{_md5(b''.join(parts)).hex()}-{len(parts)}")


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()
