"""What a file or an object holds: its size, its SHA-256, and what S3 says of it to prove that."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BufferedIOBase
from typing import TypeAlias

Digest: TypeAlias = bytes  # a class with a field of that name cannot use it

_PART = 8 << 20  # bytes; what is larger goes to S3 in parts of this size
_MOST_PARTS = 10_000  # S3's limit


@dataclass(frozen=True)
class Stored:
    """What tells a content from another.

    What goes to S3 in one piece has an `etag`: of a store that has received exactly this. Encrypted
    objects and other stores have another one, which says nothing. What goes in `parts` has their
    SHA-256s.
    """

    bytes: int
    sha256: str
    etag: str = field(default="", compare=False)
    parts: Sequence[Digest] = field(default=(), compare=False, repr=False)

    @property
    def checksum(self) -> str:
        """What a store that has received exactly this says to be its SHA-256."""
        digest = bytes.fromhex(self.sha256)
        if self.parts:
            digest = hashlib.sha256(b"".join(self.parts)).digest()
        return b64encode(digest).decode()


def part_size(size: int) -> int:
    """How large the parts of an object of this size are; what is not larger goes in one piece."""
    return max(_PART, -(-size // _MOST_PARTS))


def stored(file: BufferedIOBase) -> Stored:
    """What a file holds, from its begin to its end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= part_size(size):
        content = file.read()
        md5 = hashlib.md5(content, usedforsecurity=False)
        return Stored(len(content), hashlib.sha256(content).hexdigest(), etag=md5.hexdigest())
    whole, parts = hashlib.sha256(), []
    memory = memoryview(bytearray(part_size(size)))
    with ThreadPoolExecutor(1) as beside:
        while count := file.readinto(memory):
            part = memory[:count]
            both = beside.submit(whole.update, part)
            parts.append(hashlib.sha256(part).digest())
            both.result()
    return Stored(size, whole.hexdigest(), parts=tuple(parts))
