"""Who answers at an address: the name, the port, TLS, the listener, the service, one by one.

Nothing here logs in, so what is wrong with the network is told from what is wrong with a password.
Each step has its own limit.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from marketpulse.errors import MarketPulseError, NotFoundError, UnreachableError

_CONNECT, _ACCEPT, _REFUSE, _REDIRECT, _DATA, _RESEND = 1, 2, 4, 5, 6, 11
_INLINE = 230  # bytes of a descriptor that a CONNECT packet itself may carry
_ENCRYPTION_REQUIRED = 0x10
_VPN = "is the VPN on? Check ORACLE_HOST, or ask who runs the database"

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """Where a listener should be."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Address:
    """A database's place: a descriptor for the driver, and what a person wants to know of it."""

    descriptor: str
    endpoints: tuple[Endpoint, ...]
    service: str

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.endpoints))}/{self.service}"


@dataclass(frozen=True)
class Service:
    """What a listener says of a service: whether it demands native network encryption."""

    encryption_required: bool


def within(seconds: float, function: Callable[[], T], late: Callable[[], Exception]) -> T:
    """What the function gives, or what it raises; `late` is raised where it takes too long.

    It then stays behind in its thread, which keeps no process alive: some calls of the system and
    of the driver cannot be told to stop.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise late()
    return outcome[0]


def probe(address: Address, seconds: float, trusted: ssl.SSLContext | None = None) -> Service:
    """Go the whole way to a service at the first of its endpoints that has one.

    Raises what the steps raise, for the first endpoint, where there is none.
    """
    faults: list[MarketPulseError] = []
    for endpoint in address.endpoints:
        try:
            look_up(endpoint, seconds)
            with connected(endpoint, seconds) as plain:
                way = secured(plain, endpoint, trusted) if endpoint.tls else plain
                return ask_for_service(way, endpoint, address.descriptor)
        except MarketPulseError as fault:
            faults.append(_or_sid(fault, endpoint, address, seconds, trusted))
    raise faults[0]


def _or_sid(
    fault: MarketPulseError,
    endpoint: Endpoint,
    address: Address,
    seconds: float,
    trusted: ssl.SSLContext | None,
) -> MarketPulseError:
    """The fault, or that what was given as a service is a SID, where it is one."""
    if fault.check != "MP-TNS-001":
        return fault
    descriptor = re.sub(r"\(SERVICE_NAME=", "(SID=", address.descriptor, flags=re.IGNORECASE)
    try:
        probe(Address(descriptor, (endpoint,), address.service), seconds, trusted)
    except MarketPulseError:
        return fault
    return NotFoundError(
        f"{address.service!r} is a SID of the database at {endpoint}, and no service",
        hint=f"set ORACLE_DSN to {endpoint}:{address.service}, or ask for the service's name",
        check="MP-TNS-002",
    )


def look_up(endpoint: Endpoint, seconds: float) -> list[str]:
    """The addresses of the host's name. Raises `UnreachableError`."""

    def late() -> Exception:
        return UnreachableError(
            f"looking up {endpoint.host} took more than {seconds:g} s",
            hint=_VPN,
            check="MP-NET-001",
        )

    def ask() -> list[str]:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(it[4][0]) for it in found))

    try:
        return within(seconds, ask, late)
    except (socket.gaierror, UnicodeError) as error:
        raise UnreachableError(
            f"there is no host named {endpoint.host}", hint=_VPN, check="MP-NET-001"
        ) from error


@contextmanager
def connected(endpoint: Endpoint, seconds: float) -> Iterator[socket.socket]:
    """A connection to the port; every wait on it ends after so many seconds.

    Raises `UnreachableError` where the port is closed or does not answer.
    """
    try:
        open_socket = socket.create_connection((endpoint.host, endpoint.port), seconds)
    except TimeoutError as error:
        raise UnreachableError(
            f"{endpoint} does not answer within {seconds:g} s",
            hint="is the VPN on? A firewall may drop what is sent to that port",
            check="MP-NET-003",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"nothing listens at {endpoint}: {error.strerror or error}",
            hint="check ORACLE_HOST and ORACLE_PORT (1521 is usual), and that the database is up",
            check="MP-NET-002",
        ) from error
    with open_socket:
        yield open_socket


def secured(
    plain: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None
) -> ssl.SSLSocket:
    """The connection under TLS. Raises `UnreachableError` where the two cannot agree."""
    context = context or ssl.create_default_context()
    try:
        return context.wrap_socket(plain, server_hostname=endpoint.host)
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"{endpoint}: its certificate is not trusted: {error.verify_message}",
            hint="ask for the wallet (ewallet.pem) and name its folder in ORACLE_WALLET_LOCATION",
            check="MP-TLS-001",
        ) from error
    except TimeoutError as error:
        raise _silent(endpoint) from error
    except OSError as error:
        raise UnreachableError(
            f"{endpoint} does not speak TLS: {error}",
            hint="leave out tcps:// there, or take the port for TLS (2484 is usual)",
            check="MP-TLS-002",
        ) from error


def ask_for_service(connection: socket.socket, endpoint: Endpoint, descriptor: str) -> Service:
    """Send one CONNECT packet with this descriptor, and read the answer. Nobody logs in.

    Raises `UnreachableError` where it is silent or not a listener, `NotFoundError` where it does
    not know the service or SID.
    """
    try:
        for _ in range(3):  # a listener may ask to have it again
            connection.sendall(_connect_packet(descriptor))
            kind, packet = _packet(connection, endpoint)
            if kind != _RESEND:
                break
    except TimeoutError as error:
        raise _silent(endpoint) from error
    except OSError as error:
        raise UnreachableError(
            f"{endpoint} breaks off: {error.strerror or error}",
            hint="try again; where it stays so, a firewall or the listener ends it",
            check="MP-NET-006",
        ) from error
    if kind == _REFUSE:
        code = re.search(rb"\(ERR=(\d+)\)", packet)
        raise refused(int(code[1]) if code else 0, endpoint, descriptor)
    flags = packet[22] if kind == _ACCEPT and len(packet) > 22 else 0
    return Service(encryption_required=bool(flags & _ENCRYPTION_REQUIRED))


def refused(code: int, endpoint: object, descriptor: str) -> NotFoundError | UnreachableError:
    """What a listener's refusal means."""
    service = _named("SERVICE_NAME", descriptor)
    if code == 12514:
        return NotFoundError(
            f"the listener at {endpoint} knows no service {service!r} (ORA-12514)",
            hint="check ORACLE_SERVICE_NAME with who runs the database",
            check="MP-TNS-001",
        )
    if code == 12505:
        return NotFoundError(
            f"the listener at {endpoint} knows no SID {_named('SID', descriptor)!r} (ORA-12505)",
            hint="a service name is more usual: set ORACLE_SERVICE_NAME instead",
            check="MP-TNS-003",
        )
    if code in {12516, 12518, 12519, 12520, 12526, 12527, 12528}:
        return UnreachableError(
            f"the listener at {endpoint} has no free handler (ORA-{code})",
            hint="the database is full or restarting: try again in some minutes",
            check="MP-TNS-004",
        )
    return UnreachableError(
        f"the listener at {endpoint} refuses the connection (ORA-{code:05})",
        hint="show this line to who runs the database",
        check="MP-TNS-005",
    )


def _named(what: str, descriptor: str) -> str:
    found = re.search(rf"\({what}=([^()]*)\)", descriptor, re.IGNORECASE)
    return found[1] if found else ""


def _silent(endpoint: Endpoint) -> UnreachableError:
    return UnreachableError(
        f"{endpoint} takes the connection and then says nothing",
        hint="a firewall or proxy in between, or a listener that hangs: show this to who runs it",
        check="MP-NET-004",
    )


def _connect_packet(descriptor: str) -> bytes:
    """TNS's CONNECT; a long descriptor follows in a DATA packet of its own."""
    data = descriptor.encode()
    inline = data if len(data) <= _INLINE else b""
    head = struct.pack(
        ">10HI2B24xIIII",
        *(319, 300, 0, 8192, 65535, 0x4F98, 0, 1),  # version, lowest, ..., SDU, TDU, ...
        *(len(data), 74),
        *(0, 0x84, 0x84, 8192, 65535, 0, 0),
    )
    packet = _framed(_CONNECT, head + inline)
    return packet if inline else packet + _framed(_DATA, b"\0\0" + data)


def _framed(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHBBH", len(body) + 8, 0, kind, 0, 0) + body


def _packet(connection: socket.socket, endpoint: Endpoint) -> tuple[int, bytes]:
    """The kind of the next packet, and all of it. Raises `UnreachableError` for what is none."""
    data = connection.recv(4096)
    while 0 < len(data) < 8 and (more := connection.recv(4096)):
        data += more
    if not data:
        raise UnreachableError(
            f"{endpoint} ends the connection without a word",
            hint="a firewall, or a port that only some machines may use: are you on the VPN?",
            check="MP-NET-006",
        )
    length, kind = (struct.unpack(">HHB", data[:5])[i] for i in (0, 2)) if data[8:] else (0, 0)
    if kind not in {_ACCEPT, _REFUSE, _REDIRECT, _RESEND} or not 8 <= length <= 8192:
        raise UnreachableError(
            f"{endpoint} is not an Oracle listener: {_speaker(data)} answers",
            hint="check ORACLE_PORT: 1521 is usual",
            check="MP-NET-005",
        )
    while len(data) < length and (more := connection.recv(4096)):
        data += more
    return kind, data


def _speaker(data: bytes) -> str:
    if data.startswith(b"HTTP/"):
        return "a web server"
    if data.startswith(b"SSH-"):
        return "a secure shell"
    if data[:2] == b"\x15\x03":
        return "something that wants TLS (tcps://)"
    return "something else"
