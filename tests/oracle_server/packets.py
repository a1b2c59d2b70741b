"""TNS, the transport protocol: packets."""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass
from enum import IntEnum

from oracle_server.encryption import Secrecy

HEADER = 8
LARGEST = 1 << 21  # bytes of a packet, the largest SDU


class Kind(IntEnum):
    """The type of a packet."""

    CONNECT = 1
    ACCEPT = 2
    REFUSE = 4
    DATA = 6
    MARKER = 12


class Mark(IntEnum):
    """The kind of a MARKER."""

    BREAK = 1
    RESET = 2
    INTERRUPT = 3


class ClosedError(Exception):
    """The peer closed the connection, or sent something that is not a packet."""


class CutError(ClosedError):
    """A fault cut the connection."""


@dataclass(frozen=True)
class Packet:
    """A packet without its header."""

    kind: int
    body: bytes


class Wire:
    """A connection that sends and receives packets.

    Lengths have two bytes before ACCEPT, four after it. The connection is cut after `cut_after`
    bytes, and sends nothing more after `stall_after` bytes; None means never. Before each packet it
    makes a `pause` of some seconds.
    """

    def __init__(self, connection: socket.socket, timeout: float) -> None:
        connection.settimeout(timeout)
        self.wide = False
        self.secrecy: Secrecy | None = None
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.pause = 0.0
        self.sent = 0
        self._socket = connection

    def read(self) -> Packet:
        """Read the next packet. Raises `ClosedError`."""
        header = self._receive(HEADER)
        length = struct.unpack(">I" if self.wide else ">H", header[: 4 if self.wide else 2])[0]
        if not HEADER <= length <= LARGEST:
            raise ClosedError(f"a packet of {length} bytes")
        body = self._receive(length - HEADER)
        if self.secrecy is not None and header[4] == Kind.DATA:
            body = body[:2] + self.secrecy.decrypt(body[2:])
        return Packet(header[4], body)

    def send(self, kind: Kind, body: bytes) -> None:
        """Send a packet."""
        self.send_all([frame(kind, body, wide=self.wide)])

    def send_all(self, packets: list[bytes]) -> None:
        """Send encoded packets. Raises `CutError` if a fault cuts the connection."""
        for packet in packets if self.pause else ():
            time.sleep(self.pause)
            self._push(self._encrypt(packet))
        data = b"" if self.pause else b"".join(map(self._encrypt, packets))
        if self.stall_after is not None and self.sent + len(data) > self.stall_after:
            self._push(data[: max(self.stall_after - self.sent, 0)])
            self.wait_until_closed()
        if self.cut_after is not None and self.sent + len(data) > self.cut_after:
            self._push(data[: max(self.cut_after - self.sent, 0)])
            self.cut()
        self._push(data)

    def send_raw(self, data: bytes) -> None:
        """Send bytes that are not a packet."""
        self._push(data)

    def cut(self) -> None:
        """Reset the connection, which the peer notices at once. Raises `CutError`."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        raise CutError

    def has_input(self, seconds: float) -> bool:
        """Wait for input; return whether there is some."""
        readable, _, _ = select.select([self._socket], [], [], seconds)
        return bool(readable)

    def wait_until_closed(self) -> None:
        """Send nothing until the peer closes the connection. Raises `ClosedError`."""
        while True:
            self._receive(1)

    def _encrypt(self, packet: bytes) -> bytes:
        if self.secrecy is None or packet[4] != Kind.DATA:
            return packet
        body = packet[HEADER : HEADER + 2] + self.secrecy.encrypt(packet[HEADER + 2 :])
        return frame(Kind.DATA, body, wide=True)

    def _push(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ClosedError(str(error)) from error
        self.sent += len(data)

    def _receive(self, count: int) -> bytes:
        parts = []
        while count:
            try:
                part = self._socket.recv(min(count, 1 << 16))
            except OSError as error:
                raise ClosedError(str(error)) from error
            if not part:
                raise ClosedError("end of stream")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def frame(kind: int, body: bytes, *, wide: bool) -> bytes:
    """Encode a packet with its header."""
    length = struct.pack(">I" if wide else ">HH", *([len(body) + HEADER] + [0] * (not wide)))
    return length + bytes([kind, 0, 0, 0]) + body


def data_packets(payload: bytes, sdu: int) -> list[bytes]:
    """Split a message into DATA packets."""
    capacity = sdu - HEADER - 2
    starts = range(0, max(len(payload), 1), capacity)
    return [
        frame(Kind.DATA, b"\0\0" + payload[start : start + capacity], wide=True) for start in starts
    ]


def accept(version: int, sdu: int, *, demand_encryption: bool) -> bytes:
    """Return the body of ACCEPT, without encryption or requiring it."""
    flags = 0x11 if demand_encryption else 0x04
    return struct.pack(
        ">HHHHHHH2B8xII5x",
        *(version, 0, min(sdu, 65535), 65535, 1, 0, 45, flags, flags),
        *(sdu, 65535),
    )


def refuse(code: int) -> bytes:
    """Return the body of REFUSE."""
    stack = f"(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4)))"
    text = f"(DESCRIPTION=(TMP=)(VSNNUM=318767104)(ERR={code}){stack})".encode()
    return bytes([34, 0]) + struct.pack(">H", len(text)) + text
