"""TTC, the protocol in DATA packets: numbers and text, and the messages of a server."""

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
    WARNING = 15
    DESCRIBE = 16
    PIGGYBACK = 17


NO_MORE_ROWS = 1403
_CHUNK = 32767


class ShortError(Exception):
    """The message continues in another packet."""


class Reader:
    """Reads a message from its beginning. Raises `ShortError` at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    @property
    def left(self) -> int:
        """The number of unread bytes."""
        return len(self.data) - self.offset

    def raw(self, count: int) -> bytes:
        """Read raw bytes."""
        if count > self.left:
            raise ShortError
        start, self.offset = self.offset, self.offset + count
        return self.data[start : self.offset]

    def u8(self) -> int:
        """Read one raw byte."""
        return self.raw(1)[0]

    def number(self) -> int:
        """Read a number of variable length: ub2 to ub8, or with a sign sb2 to sb8."""
        length = self.u8()
        if length & 0x7F > 8:
            raise ValueError(f"a number of {length} bytes")
        value = int.from_bytes(self.raw(length & 0x7F), "big")
        return -value if length & 0x80 else value

    def numbers(self, count: int) -> list[int]:
        """Read several numbers."""
        return [self.number() for _ in range(count)]

    def counted(self) -> bytes | None:
        """Read a clr: bytes after their length, or in chunks; None for NULL."""
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
        """Read a dlc: a length, then a clr unless it is zero."""
        return (self.counted() or b"") if self.number() else b""

    def pair(self) -> tuple[str, bytes]:
        """Read a key and its value; skip the flags."""
        key, value = self.text(), self.text()
        self.number()
        return key.decode(), value


def number(value: int) -> bytes:
    """Encode a number of variable length."""
    if not value:
        return b"\0"
    size = (abs(value).bit_length() + 7) // 8
    size = next(width for width in (1, 2, 4, 8) if width >= size)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "big")


def numbers(*values: int) -> bytes:
    """Encode several numbers."""
    return b"".join(map(number, values))


def counted(value: bytes | None) -> bytes:
    """Encode a clr."""
    if not value:
        return b"\0"
    if len(value) <= 252:
        return bytes([len(value)]) + value
    chunks = (value[start : start + _CHUNK] for start in range(0, len(value), _CHUNK))
    return b"\xfe" + b"".join(number(len(chunk)) + chunk for chunk in chunks) + b"\0"


def text(value: bytes) -> bytes:
    """Encode a dlc."""
    return number(len(value)) + counted(value) if value else b"\0"


def pair(key: str, value: str, flags: int = 0) -> bytes:
    """Encode a key, its value and flags."""
    return text(key.encode()) + text(value.encode()) + number(flags)


def pairs(entries: Sequence[tuple[str, str, int]]) -> bytes:
    """Return PARAMETER with keys, values and flags."""
    body = b"".join(pair(key, value, flags) for key, value, flags in entries)
    return bytes([Message.PARAMETER]) + number(len(entries)) + body


def login_warning(text_of_warning: str) -> bytes:
    """Return WARNING with the code of a text such as `ORA-28002: ...`; nothing without a text."""
    if not text_of_warning:
        return b""
    data = text_of_warning.encode()
    code = int(text_of_warning[4:9])
    return bytes([Message.WARNING]) + numbers(code, len(data), 0) + counted(data)


def status() -> bytes:
    """Return STATUS: success."""
    return bytes([Message.STATUS]) + numbers(0, 0)


def parameter() -> bytes:
    """Return an empty PARAMETER of an execute or a fetch, in the form that all clients read."""
    return bytes([Message.PARAMETER]) + numbers(2, 0, 0, 0, 0, 0)


def error(
    code: int = 0, message: str = "", *, cursor: int = 0, rows: int = 0, at: int = 0
) -> bytes:
    """Return ERROR; code 0 means success, 1403 the end of the rows."""
    body = numbers(0, 0, 0, code, 0, 0, cursor, at)
    body += bytes(6)  # SQL type, fatal, flags, cursor options, UPI parameter, warnings
    body += numbers(0, 0) + b"\0" + numbers(0, 0)  # a rowid
    body += number(0) + b"\0\0" + numbers(0, 0) + b"\0"  # OS error; no logical rowid
    body += numbers(0, 0, 0)  # no batch errors
    body += numbers(code, rows)
    if code:
        body += counted(message.encode())
    return bytes([Message.ERROR]) + body


def row_header() -> bytes:
    """Return ROW HEADER, which comes once before the rows of an answer."""
    return bytes([Message.ROW_HEADER, 0]) + numbers(0, 0, 0, 0, 0) + b"\0"
