"""A relay on this machine: plain for the driver, native encryption for the database.

The thin driver cannot encrypt natively, but does everything else right. So it connects to a port of
this process, and the relay protects what goes on to the database. Nothing unencrypted leaves the
machine: if the server does not agree to encryption, no login is sent.
"""

from __future__ import annotations

import logging
import re
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle
from threading import Event, Thread

from marketpulse.errors import UnreachableError
from marketpulse.sources.oracle.native_encryption import (
    OVERHEAD,
    Agreement,
    NegotiationError,
    ProtectedSession,
    Protection,
    message_length,
    offer,
)
from marketpulse.sources.oracle.tns import Address, Endpoint

_LOG = logging.getLogger("marketpulse.oracle")
_CONNECT, _ACCEPT, _REDIRECT, _DATA, _RESEND, _MARKER = 1, 2, 5, 6, 11, 12  # types of packets
_HEADER_BYTES = 8
_LARGEST_PACKET = 1 << 21
_RECEIVE_BYTES = 1 << 16
_WIDE_VERSION = 315  # from here on lengths have four bytes after ACCEPT
_SWITCHED_OFF = "the server has it switched off"
_RESET = 2  # the kind of MARKER that ends an interrupt
_END = 0x40  # a flag of DATA: the session is over
_NO_SERVICES, _NO_SERVICES_EITHER = 0x04, 0x08  # flags: no native encryption
_OUT_OF_BAND, _OUT_OF_BAND_CHECK = 0x04, 0x01  # flags: interrupts by urgent data
_KEEP_ALIVE_SECONDS = 120
_POLL_SECONDS = 0.2
_NOT_TNS = (ValueError, IndexError, struct.error)  # what reading a wrong packet raises
_ADDRESS = re.compile(r"\(ADDRESS=(?:\([A-Z_]+=[^()]*\))+\)", re.IGNORECASE)
_LOCAL_ADDRESS = "(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT={}))"


def relay_is_possible(address: Address) -> bool:
    """Return whether all hosts are reached directly by TCP: not by TLS, a proxy or a route."""
    text = address.descriptor
    is_direct = not re.search(r"\((?:HTTPS_PROXY|SOURCE_ROUTE)=", text, re.IGNORECASE)
    # No address may remain by which the driver would leave the relay out.
    is_known = len(_ADDRESS.findall(text)) == text.upper().count("(ADDRESS=")
    return is_direct and is_known and not any(endpoint.tls for endpoint in address.endpoints)


class Relay:
    """One session's way to the database. `close` ends it.

    The driver connects with `descriptor`. Its n-th connection goes to the n-th endpoint; a
    redirection of the listener goes where the listener says. Each wait for the server lasts at most
    `seconds`, until encryption is agreed.
    """

    def __init__(self, endpoints: Sequence[Endpoint], seconds: float) -> None:
        self.protection: Protection | None = None
        self.error: UnreachableError | None = None
        self._endpoints, self._seconds = endpoints, seconds
        self._stopping = Event()
        self._peers: list[_Peer] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_POLL_SECONDS)
        self._local = _LOCAL_ADDRESS.format(self._listener.getsockname()[1])
        Thread(target=self._serve, daemon=True).start()

    def descriptor(self, descriptor: str) -> str:
        """Return a connect descriptor with this relay instead of its addresses."""
        return _ADDRESS.sub(self._local, descriptor)

    def close(self) -> None:
        """End the session and the relay."""
        self._stopping.set()
        for peer in self._peers:
            peer.close()

    def _serve(self) -> None:
        targets = cycle(self._endpoints)
        target = next(targets)
        with self._listener:
            while not self._stopping.is_set():
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                driver = self._keep(_Peer(connection))
                try:
                    opened = self._open(driver, target)
                except (EOFError, OSError, *_NOT_TNS) as error:
                    _LOG.debug("%s: the connection failed: %s", target, error)
                    opened = None
                if isinstance(opened, EncryptedConnection):
                    break
                driver.close()
                target = opened or next(targets)
            else:
                return
        opened.run()

    def _keep(self, peer: _Peer) -> _Peer:
        self._peers.append(peer)
        if self._stopping.is_set():
            peer.close()
        return peer

    def _open(self, driver: _Peer, target: Endpoint) -> EncryptedConnection | Endpoint | None:
        """Pass CONNECT on, and the listener's answer back.

        Returns the encrypted connection, the endpoint of a redirection, or None after a refusal.
        """
        connection = socket.create_connection((target.host, target.port), self._seconds)
        server = self._keep(_Peer(connection))
        driver.limit(self._seconds)
        kind = _RESEND
        while kind == _RESEND:
            for packet in _read_connect(driver):
                server.send(packet)
            answer = server.read()
            kind = answer[4]
            if kind == _REDIRECT:
                return self._redirect(driver, server, answer)
            if kind != _ACCEPT:
                driver.send(answer)
        if kind != _ACCEPT:
            return None
        try:
            agreement = _negotiate(server, answer)
        except NegotiationError as error:
            self.error = negotiation_error(target, str(error))
            return None
        self.protection = agreement.protection
        _patch_accept(answer)
        driver.send(answer)
        for peer in (driver, server):
            peer.wide = server.wide
            peer.limit(None)
        return EncryptedConnection(driver, server, agreement.session, str(target))

    def _redirect(self, driver: _Peer, server: _Peer, answer: bytearray) -> Endpoint:
        """Pass a redirection on so that the driver returns to this relay."""
        length, text = int.from_bytes(answer[8:10], "big"), bytes(answer[10:])
        while len(text) < length:  # it may come in a packet of its own
            text += server.read()[10:]
        address, separator, data = text.decode().partition("\0")
        host, port = (
            re.search(rf"\({name}\s*=\s*([^()\s]+)\s*\)", address, re.IGNORECASE)
            for name in ("HOST", "PORT")
        )
        if host is None or port is None:
            raise ValueError("a redirection without an address")
        changed = f"(DESCRIPTION={self._local}){separator}{data}".encode()
        # The driver expects the text in a packet of its own.
        driver.send(answer[:8] + struct.pack(">H", len(changed)))
        driver.send(_data(changed))
        return Endpoint(host[1], int(port[1]))


def negotiation_error(target: object, reason: str) -> UnreachableError:
    """Return the error for a server that does not agree to native encryption."""
    hint = (
        "show this line to the database team; else install Instant Client and set "
        "ORACLE_CLIENT_LIB_DIR to its folder, or ask for a port with TLS (tcps://)"
    )
    if reason == _SWITCHED_OFF:
        hint = (
            "ask for a port with TLS (tcps://), or remove --driver nne (ORACLE_DRIVER) to connect "
            "without encryption"
        )
    return UnreachableError(
        f"{target}: native network encryption cannot be agreed: {reason}",
        hint=hint,
        check="MP-ENC-002",
    )


class EncryptedConnection:
    """An encrypted connection, packet by packet."""

    def __init__(
        self, driver: _Peer, server: _Peer, session: ProtectedSession, target: str
    ) -> None:
        self._driver, self._server, self._session, self._target = driver, server, session, target

    def run(self) -> None:
        """Relay in both directions until either side ends."""
        sender = Thread(target=self._pump, args=[self._send], daemon=True)
        sender.start()
        self._pump(self._receive)
        sender.join()

    def _pump(self, pass_on: Callable[[], bool]) -> None:
        try:
            while pass_on():
                pass
        except (EOFError, OSError):
            _LOG.debug("%s: the connection ended", self._target)
        except _NOT_TNS as error:
            _LOG.warning("%s: a packet was changed on its way: %s", self._target, error)
        finally:
            self._driver.close()
            self._server.close()

    def _send(self) -> bool:
        """Pass on a packet of the driver; return whether others may follow."""
        packet = self._driver.read()
        if packet[4] == _DATA:
            if packet[9] & _END:
                return False
            packet[10:] = self._session.protect(bytes(packet[10:]))
        elif _ends_interrupt(packet):
            self._session.sent.renew()
        self._server.send(packet)
        return True

    def _receive(self) -> bool:
        """Pass on a packet of the server."""
        packet = self._server.read()
        if packet[4] == _DATA:
            # Without a payload it only ends the session; a lone byte is no payload.
            payload = bytes(packet[10:])
            packet[10:] = self._session.open(payload) if len(payload) > 1 else b""
        elif _ends_interrupt(packet):
            self._session.received.renew()
        self._driver.send(packet)
        return True


class _Peer:
    """One end of the relay: reads and sends whole packets.

    Lengths have two bytes; four when `wide`.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.wide = False
        self._socket = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEP_ALIVE_SECONDS)
        self._buffer = bytearray()

    def limit(self, seconds: float | None) -> None:
        """Limit each wait."""
        self._socket.settimeout(seconds)

    def read(self) -> bytearray:
        """Return the next packet. Raises `EOFError` or `OSError`."""
        header = self._read(_HEADER_BYTES)
        length = int.from_bytes(header[: 4 if self.wide else 2], "big")
        if not _HEADER_BYTES <= length <= _LARGEST_PACKET:
            raise EOFError("not a packet")
        return header + self._read(length - _HEADER_BYTES)

    def send(self, packet: bytearray) -> None:
        """Send a packet; its length is set."""
        size = len(packet)
        packet[:4] = struct.pack(">I", size) if self.wide else struct.pack(">HH", size, 0)
        self._socket.sendall(packet)

    def close(self) -> None:
        """Close the connection, which wakes its reader."""
        with suppress(OSError):  # the other side has closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, count: int) -> bytearray:
        while len(self._buffer) < count:
            received = self._socket.recv(_RECEIVE_BYTES)
            if not received:
                raise EOFError
            self._buffer += received
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data


def _ends_interrupt(packet: bytearray) -> bool:
    return packet[4] == _MARKER and packet[10] == _RESET


def _read_connect(driver: _Peer) -> list[bytearray]:
    """Return CONNECT, and the packets of a long descriptor after it, with encryption wished for."""
    connect = driver.read()
    if connect[4] != _CONNECT:
        raise EOFError("not a CONNECT")
    # 24: the length of the descriptor and where it begins; 32 and 33: flags of services.
    length, offset = struct.unpack_from(">HH", connect, 24)
    packets, size = [connect], len(connect) - offset
    while size < length:
        packets.append(driver.read())
        size += len(packets[-1]) - 10
    connect[32] &= ~_NO_SERVICES
    connect[33] &= ~_NO_SERVICES
    return packets


def _negotiate(server: _Peer, accept: bytearray) -> Agreement:
    """Agree on encryption after ACCEPT. Raises `NegotiationError`."""
    if accept[22] & _NO_SERVICES or accept[23] & _NO_SERVICES_EITHER:
        raise NegotiationError(_SWITCHED_OFF)
    server.wide = int.from_bytes(accept[8:10], "big") >= _WIDE_VERSION
    server.send(_data(offer()))
    answer = bytearray()
    while not answer or len(answer) < message_length(answer):
        packet = server.read()
        if packet[4] != _DATA:
            raise NegotiationError("the server ended the negotiation")
        answer += packet[10:]
    agreement = Agreement(bytes(answer))
    server.send(_data(agreement.public_key))
    return agreement


def _patch_accept(accept: bytearray) -> None:
    """Tell the driver: no native encryption, no urgent data, and packets that leave room."""
    # 10: options; 12: the size of packets, at 32 in four bytes; 22 and 23: flags of services; 44:
    # more flags. An old server sends a shorter ACCEPT.
    accept[22], accept[23] = _NO_SERVICES, _NO_SERVICES
    accept[10] &= ~_OUT_OF_BAND
    size = int.from_bytes(accept[12:14], "big")
    if len(accept) >= 36:
        size = int.from_bytes(accept[32:36], "big")
        accept[32:36] = struct.pack(">I", size - OVERHEAD)
    accept[12:14] = struct.pack(">H", min(size - OVERHEAD, 65535))
    if len(accept) >= 45:
        accept[44] &= ~_OUT_OF_BAND_CHECK


def _data(payload: bytes) -> bytearray:
    return bytearray(struct.pack(">IBBHH", 0, _DATA, 0, 0, 0) + payload)
