"""TNS: the packets that everything else travels in."""

from __future__ import annotations

import select
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

HEADER = 8
LARGEST = 1 << 21  # bytes of a packet: the most that an SDU may be


class Kind(IntEnum):
    """What a packet is."""

    CONNECT = 1
    ACCEPT = 2
    REFUSE = 4
    DATA = 6
    MARKER = 12


class Mark(IntEnum):
    """What a MARKER says."""

    BREAK = 1
    RESET = 2
    INTERRUPT = 3


class ClosedError(Exception):
    """The peer is gone, or sends what is no packet."""


class CutError(ClosedError):
    """The connection was cut on purpose."""


@dataclass(frozen=True)
class Packet:
    """A packet without its header."""

    kind: int
    body: bytes


class Wire:
    """A connection as packets. Lengths have two bytes until ACCEPT, four from then on.

    `cut_after` is how many bytes more may be sent before the connection is cut, `stall_after`
    before nothing more is sent; None for no limit.
    """

    def __init__(self, connection: socket.socket, patience: float) -> None:
        connection.settimeout(patience)
        self.wide = False
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.sent = 0
        self._socket = connection

    def read(self) -> Packet:
        """The next packet. Raises `ClosedError`."""
        header = self._exactly(HEADER)
        length = struct.unpack(">I" if self.wide else ">H", header[: 4 if self.wide else 2])[0]
        if not HEADER <= length <= LARGEST:
            raise ClosedError(f"a packet of {length} bytes")
        return Packet(header[4], self._exactly(length - HEADER))

    def send(self, kind: Kind, body: bytes) -> None:
        """Send a packet."""
        self.send_all([frame(kind, body, wide=self.wide)])

    def send_all(self, packets: list[bytes]) -> None:
        """Send finished packets. Raises `CutError` where the connection is to be cut."""
        data = b"".join(packets)
        if self.stall_after is not None and self.sent + len(data) > self.stall_after:
            self._push(data[: max(self.stall_after - self.sent, 0)])
            self.wait_for_the_end()
        if self.cut_after is not None and self.sent + len(data) > self.cut_after:
            self._push(data[: max(self.cut_after - self.sent, 0)])
            self.cut()
        self._push(data)

    def send_raw(self, data: bytes) -> None:
        """Send bytes that are no packet."""
        self._push(data)

    def cut(self) -> None:
        """Break the connection off, so that the peer notices at once. Raises `CutError`."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        raise CutError

    def has_input(self, seconds: float) -> bool:
        """Wait so long for something to read."""
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return bool(readable)

    def wait_for_the_end(self) -> None:
        """Say nothing until the peer goes. Raises `ClosedError`."""
        while True:
            self._exactly(1)

    def _push(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ClosedError(str(error)) from error
        self.sent += len(data)

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            try:
                part = self._socket.recv(min(count, 1 << 16))
            except OSError as error:
                raise ClosedError(str(error)) from error
            if not part:
                raise ClosedError("the end")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def frame(kind: int, body: bytes, *, wide: bool) -> bytes:
    """A packet with its header."""
    length = struct.pack(">I" if wide else ">HH", *([len(body) + HEADER] + [0] * (not wide)))
    return length + bytes([kind, 0, 0, 0]) + body


def data_packets(payload: bytes, sdu: int) -> list[bytes]:
    """A message in as many DATA packets as it needs."""
    room = sdu - HEADER - 2
    starts = range(0, max(len(payload), 1), room)
    return [
        frame(Kind.DATA, b"\0\0" + payload[start : start + room], wide=True) for start in starts
    ]


def accept(version: int, sdu: int, *, demand_encryption: bool) -> bytes:
    """The body of ACCEPT: no encryption to talk about, or encryption demanded."""
    flags = 0x10 if demand_encryption else 0x04
    return struct.pack(
        ">HHHHHHH2B8xII5x",
        *(version, 0, min(sdu, 65535), 65535, 1, 0, 45, flags, flags),
        *(sdu, 65535),
    )


def refuse(code: int) -> bytes:
    """The body of REFUSE."""
    stack = f"(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4)))"
    text = f"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={code}){stack})".encode()
    return bytes([34, 0]) + struct.pack(">H", len(text)) + text
