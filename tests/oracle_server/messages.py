"""TTC: numbers and text as messages have them, and the messages that a server sends."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Message(IntEnum):
    """The first byte of a message."""

    PROTOCOL = 1
    DATA_TYPES = 2
    FUNCTION = 3
    ERROR = 4
    ROW_HEADER = 6
    ROW_DATA = 7
    PARAMETER = 8
    STATUS = 9
    LOB_DATA = 14
    DESCRIBE = 16
    PIGGYBACK = 17


NO_MORE_ROWS = 1403
_CHUNK = 32767


class ShortError(Exception):
    """The message goes on in another packet."""


class Reader:
    """Reads a message from its beginning. Raises `ShortError` where it is not all there."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    @property
    def left(self) -> int:
        """How many bytes are still unread."""
        return len(self.data) - self.place

    def raw(self, count: int) -> bytes:
        """So many bytes as they are."""
        if count > self.left:
            raise ShortError
        start, self.place = self.place, self.place + count
        return self.data[start : self.place]

    def u8(self) -> int:
        """One raw byte."""
        return self.raw(1)[0]

    def number(self) -> int:
        """A number of variable length, ub2 to ub8, and with its sign sb2 to sb8."""
        length = self.u8()
        if length & 0x7F > 8:
            raise ValueError(f"a number of {length} bytes")
        value = int.from_bytes(self.raw(length & 0x7F), "big")
        return -value if length & 0x80 else value

    def numbers(self, count: int) -> list[int]:
        """So many numbers."""
        return [self.number() for _ in range(count)]

    def counted(self) -> bytes | None:
        """A clr: bytes after their length, or in chunks; None for NULL."""
        length = self.u8()
        if length in {0, 255}:
            return None
        if length != 0xFE:
            return self.raw(length)
        parts = []
        while size := self.number():
            parts.append(self.raw(size))
        return b"".join(parts)

    def text(self) -> bytes:
        """A dlc: a length, and where it is not zero a clr."""
        return (self.counted() or b"") if self.number() else b""

    def pair(self) -> tuple[str, bytes]:
        """A key and its value; the flags are read over."""
        key, value = self.text(), self.text()
        self.number()
        return key.decode(), value


def number(value: int) -> bytes:
    """A number of variable length."""
    if not value:
        return b"\0"
    size = (abs(value).bit_length() + 7) // 8
    size = next(it for it in (1, 2, 4, 8) if it >= size)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "big")


def numbers(*values: int) -> bytes:
    """Several numbers."""
    return b"".join(map(number, values))


def counted(value: bytes | None) -> bytes:
    """A clr."""
    if not value:
        return b"\0"
    if len(value) <= 252:
        return bytes([len(value)]) + value
    chunks = (value[start : start + _CHUNK] for start in range(0, len(value), _CHUNK))
    return b"\xfe" + b"".join(number(len(it)) + it for it in chunks) + b"\0"


def text(value: bytes) -> bytes:
    """A dlc."""
    return number(len(value)) + counted(value) if value else b"\0"


def pair(key: str, value: str, flags: int = 0) -> bytes:
    """A key, its value and flags."""
    return text(key.encode()) + text(value.encode()) + number(flags)


def pairs(told: Sequence[tuple[str, str, int]]) -> bytes:
    """A PARAMETER message of keys and values."""
    return bytes([Message.PARAMETER]) + number(len(told)) + b"".join(pair(*it) for it in told)


def status() -> bytes:
    """STATUS: done."""
    return bytes([Message.STATUS]) + numbers(0, 0)


def parameter() -> bytes:
    """PARAMETER of an execute or a fetch: nothing to say, in the form that all clients read."""
    return bytes([Message.PARAMETER]) + numbers(2, 0, 0, 0, 0, 0)


def error(
    code: int = 0, message: str = "", *, cursor: int = 0, rows: int = 0, at: int = 0
) -> bytes:
    """ERROR; code 0 is success, and 1403 the end of the rows."""
    told = numbers(0, 0, 0, code, 0, 0, cursor, at)
    told += bytes(6)  # SQL type, fatal, flags, cursor options, UPI parameter, warnings
    told += numbers(0, 0) + b"\0" + numbers(0, 0)  # a rowid
    told += number(0) + b"\0\0" + numbers(0, 0) + b"\0"  # OS error; no logical rowid
    told += numbers(0, 0, 0)  # no batch errors
    told += numbers(code, rows)
    if code:
        told += counted(message.encode())
    return bytes([Message.ERROR]) + told


def row_header() -> bytes:
    """ROW HEADER: once before the rows of an answer."""
    return bytes([Message.ROW_HEADER, 0]) + numbers(0, 0, 0, 0, 0) + b"\0"
