"""Probe of a listener, step by step: host name, port, TLS, listener, service.

No step logs in. So a network problem is distinguished from a wrong password, and a probe never
counts as a failed login. Each step has its own time limit.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from marketpulse.errors import MarketPulseError, NotFoundError, UnreachableError
from marketpulse.stopping import run_stoppable

# Packet types of TNS, Oracle's transport protocol.
_CONNECT, _ACCEPT, _REFUSE, _REDIRECT, _DATA, _RESEND = 1, 2, 4, 5, 6, 11
_HEADER_BYTES = 8
_LARGEST_ANSWER = 8192
_INLINE_BYTES = 230  # a longer descriptor follows CONNECT in a packet of its own
_ENCRYPTION_REQUIRED = 0x10  # a flag of ACCEPT
_FLAGS_OFFSET = 22  # of these flags in ACCEPT
_NO_HANDLER = {12516, 12518, 12519, 12520, 12526, 12527, 12528}
_VPN_HINT = "is the VPN on? Check ORACLE_HOST, or ask the database team"


@dataclass(frozen=True)
class Endpoint:
    """A host and port where a listener is expected."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Address:
    """The address of a database: the driver's connect descriptor, and its parts for messages.

    With `any_name` the server's certificate may be for another host.
    """

    descriptor: str
    endpoints: tuple[Endpoint, ...]
    service: str
    any_name: bool = False

    def __str__(self) -> str:
        return f"{', '.join(map(str, self.endpoints))}/{self.service}"


@dataclass(frozen=True)
class ServiceAnswer:
    """A listener's answer about a service: whether it requires native network encryption."""

    encryption_required: bool


def probe(
    address: Address, seconds: float, tls_context: ssl.SSLContext | None = None
) -> ServiceAnswer:
    """Run all steps against each endpoint in turn; return the first service found.

    Raises the first endpoint's error, see the steps, if no endpoint has the service.
    """
    errors: list[MarketPulseError] = []
    for endpoint in address.endpoints:
        try:
            return _probe_endpoint(endpoint, address.descriptor, seconds, tls_context)
        except MarketPulseError as error:
            errors.append(_check_for_sid(error, endpoint, address, seconds, tls_context))
    raise errors[0]


def _probe_endpoint(
    endpoint: Endpoint, descriptor: str, seconds: float, tls_context: ssl.SSLContext | None
) -> ServiceAnswer:
    look_up(endpoint, seconds)
    with open_connection(endpoint, seconds) as connection:
        if not endpoint.tls:
            return request_service(connection, endpoint, descriptor)
        with start_tls(connection, endpoint, tls_context) as encrypted:
            return request_service(encrypted, endpoint, descriptor)


def _check_for_sid(
    error: MarketPulseError,
    endpoint: Endpoint,
    address: Address,
    seconds: float,
    tls_context: ssl.SSLContext | None,
) -> MarketPulseError:
    """Return a better error if the unknown service name is a SID, else the error itself."""
    if error.check != "MP-TNS-001":
        return error
    # Old programs ask for the SID, so people have it at hand.
    descriptor = re.sub(r"\(SERVICE_NAME=", "(SID=", address.descriptor, flags=re.IGNORECASE)
    try:
        _probe_endpoint(endpoint, descriptor, seconds, tls_context)
    except MarketPulseError:
        return error
    return NotFoundError(
        f"{address.service!r} is a SID of the database at {endpoint}, not a service name",
        hint=f"set ORACLE_DSN to {endpoint}:{address.service}, or ask for the service name",
        check="MP-TNS-002",
    )


def look_up(endpoint: Endpoint, seconds: float) -> list[str]:
    """Return the IP addresses of the host. Raises `UnreachableError`."""

    def timeout_error() -> UnreachableError:
        return UnreachableError(
            f"looking up {endpoint.host} took more than {seconds:g} s",
            hint=_VPN_HINT,
            check="MP-NET-001",
        )

    def resolve(_: object) -> list[str]:
        answers = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(address[0]) for *_, address in answers))

    try:
        return run_stoppable(resolve, seconds, timeout_error)
    except (socket.gaierror, UnicodeError) as error:
        raise UnreachableError(
            f"there is no host named {endpoint.host}", hint=_VPN_HINT, check="MP-NET-001"
        ) from error


@contextmanager
def open_connection(endpoint: Endpoint, seconds: float) -> Iterator[socket.socket]:
    """Open a TCP connection; each wait on it ends after `seconds`.

    Raises `UnreachableError` if the port is closed or does not answer.
    """
    try:
        connection = socket.create_connection((endpoint.host, endpoint.port), seconds)
    except TimeoutError as error:
        raise UnreachableError(
            f"{endpoint} does not answer within {seconds:g} s",
            hint="is the VPN on? A firewall may block the port",
            check="MP-NET-003",
        ) from error
    except OSError as error:
        raise UnreachableError(
            f"nothing listens at {endpoint}: {error.strerror or error}",
            hint="check ORACLE_HOST and ORACLE_PORT (usually 1521), and that the database is up",
            check="MP-NET-002",
        ) from error
    with connection:
        yield connection


def start_tls(
    connection: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None
) -> ssl.SSLSocket:
    """Start TLS on the connection; without a context, trust the system's certificates.

    Raises `UnreachableError` if the handshake fails.
    """
    context = context or ssl.create_default_context()
    try:
        return context.wrap_socket(connection, server_hostname=endpoint.host)
    except ssl.SSLCertVerificationError as error:
        raise UnreachableError(
            f"{endpoint}: its certificate is not trusted: {error.verify_message}",
            hint="ask for the wallet (ewallet.pem), and set ORACLE_WALLET_LOCATION to its folder",
            check="MP-TLS-001",
        ) from error
    except TimeoutError as error:
        raise _no_answer_error(endpoint) from error
    except OSError as error:
        raise UnreachableError(
            f"{endpoint} does not speak TLS: {error}",
            hint="remove tcps://, or use the port for TLS (usually 2484)",
            check="MP-TLS-002",
        ) from error


def request_service(
    connection: socket.socket, endpoint: Endpoint, descriptor: str
) -> ServiceAnswer:
    """Send a CONNECT packet with this descriptor, and read the answer. This does not log in.

    Raises `UnreachableError` if nothing answers or it is not a listener, `NotFoundError` if the
    listener does not know the service or SID.
    """
    try:
        for _ in range(3):  # a listener may ask for the same packet again
            connection.sendall(_connect_packet(descriptor))
            kind, packet = _read_packet(connection, endpoint)
            if kind != _RESEND:
                break
    except TimeoutError as error:
        raise _no_answer_error(endpoint) from error
    except OSError as error:
        raise UnreachableError(
            f"{endpoint} closed the connection: {error.strerror or error}",
            hint="try again; if it happens again, a firewall or the listener closes it",
            check="MP-NET-006",
        ) from error
    if kind == _REFUSE:
        code = re.search(rb"\(ERR=(\d+)\)", packet)
        raise refusal_error(int(code[1]) if code else 0, endpoint, descriptor)
    flags = packet[_FLAGS_OFFSET] if kind == _ACCEPT and len(packet) > _FLAGS_OFFSET else 0
    return ServiceAnswer(encryption_required=bool(flags & _ENCRYPTION_REQUIRED))


def refusal_error(code: int, endpoint: object, descriptor: str) -> NotFoundError | UnreachableError:
    """Return the error for a listener's refusal: the number of an ORA error."""
    if code == 12514:
        service = _descriptor_value("SERVICE_NAME", descriptor)
        return NotFoundError(
            f"the listener at {endpoint} does not know the service {service!r} (ORA-12514)",
            hint="check ORACLE_SERVICE_NAME with the database team",
            check="MP-TNS-001",
        )
    if code == 12505:
        sid = _descriptor_value("SID", descriptor)
        return NotFoundError(
            f"the listener at {endpoint} does not know the SID {sid!r} (ORA-12505)",
            hint="most databases have a service name instead: set ORACLE_SERVICE_NAME",
            check="MP-TNS-003",
        )
    if code in _NO_HANDLER:
        return UnreachableError(
            f"the listener at {endpoint} has no free handler (ORA-{code})",
            hint="the database is full or restarting: try again in a few minutes",
            check="MP-TNS-004",
        )
    return UnreachableError(
        f"the listener at {endpoint} refused the connection (ORA-{code:05})",
        hint="show this line to the database team",
        check="MP-TNS-005",
    )


def _descriptor_value(name: str, descriptor: str) -> str:
    match = re.search(rf"\({name}=([^()]*)\)", descriptor, re.IGNORECASE)
    return match[1] if match else ""


def _no_answer_error(endpoint: Endpoint) -> UnreachableError:
    return UnreachableError(
        f"{endpoint} accepts the connection but sends nothing",
        hint="a firewall or proxy may block it, or the listener hangs: show this line to the "
        "database team",
        check="MP-NET-004",
    )


def _connect_packet(descriptor: str) -> bytes:
    """Build TNS CONNECT; a long descriptor follows in a DATA packet."""
    data = descriptor.encode()
    inline = data if len(data) <= _INLINE_BYTES else b""
    fields = struct.pack(
        ">10HI2B24xIIII",
        *(319, 300, 0, 8192, 65535, 0x4F98, 0, 1),  # version, lowest version, ..., SDU, TDU, ...
        *(len(data), 74),
        *(0, 0x84, 0x84, 8192, 65535, 0, 0),
    )
    packet = _frame(_CONNECT, fields + inline)
    return packet if inline else packet + _frame(_DATA, b"\0\0" + data)


def _frame(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHBBH", len(body) + _HEADER_BYTES, 0, kind, 0, 0) + body


def _read_packet(connection: socket.socket, endpoint: Endpoint) -> tuple[int, bytes]:
    """Return the type of the next packet, and the whole packet.

    Raises `UnreachableError` if the answer is not TNS.
    """
    data = connection.recv(4096)
    while 0 < len(data) < _HEADER_BYTES and (more := connection.recv(4096)):
        data += more
    if not data:
        raise UnreachableError(
            f"{endpoint} closed the connection without an answer",
            hint="a firewall may allow only some machines: is the VPN on?",
            check="MP-NET-006",
        )
    length = kind = 0
    if len(data) > _HEADER_BYTES:
        length, _, kind = struct.unpack(">HHB", data[:5])
    is_answer = kind in {_ACCEPT, _REFUSE, _REDIRECT, _RESEND}
    if not is_answer or not _HEADER_BYTES <= length <= _LARGEST_ANSWER:
        raise UnreachableError(
            f"{endpoint} is not an Oracle listener: {_name_protocol(data)} answers",
            hint="check ORACLE_PORT: it is usually 1521",
            check="MP-NET-005",
        )
    while len(data) < length and (more := connection.recv(4096)):
        data += more
    return kind, data


def _name_protocol(data: bytes) -> str:
    if data.startswith(b"HTTP/"):
        return "a web server"
    if data.startswith(b"SSH-"):
        return "an SSH server"
    if data[:2] == b"\x15\x03":  # a TLS alert
        return "a server that requires TLS (tcps://)"
    return "another program"
