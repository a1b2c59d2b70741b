"""The probe of the listener: each step reports its own fault, within its time limit."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest
from oracle_server.client import settings_for
from oracle_server.faults import Faults
from oracle_server.server import OracleServer

from marketpulse.errors import MarketPulseError, NotFoundError
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.tns import (
    Address,
    Endpoint,
    look_up,
    open_connection,
    probe,
    refusal_error,
    start_tls,
)

SECONDS = 5.0


@contextmanager
def answering(answer: bytes, *, pause: float = 0.0) -> Iterator[Address]:
    """A port that answers each connection with these bytes, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                # The probe may have seen enough before all of the answer is sent.
                with connection, suppress(ConnectionError):
                    connection.recv(4096)
                    for start in range(len(answer)):
                        connection.sendall(answer[start : start + 1])
                    time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        host, port = listener.getsockname()
        descriptor = f"(ADDRESS=(HOST={host})(PORT={port}))(SERVICE_NAME=MKT)"
        yield Address(descriptor, (Endpoint(host, port),), "MKT")


def test_a_service(server: OracleServer) -> None:
    """The listener knows the service, and says whether it requires encryption."""
    address = address_of(settings_for(server))
    assert not probe(address, SECONDS).encryption_required
    server.faults = Faults(demand_encryption=True)
    assert probe(address, SECONDS).encryption_required
    assert server.record.logins == []


def test_the_second_endpoint(server: OracleServer) -> None:
    """A closed port does not matter if another endpoint answers."""
    address = address_of(settings_for(server))
    closed = replace(address, endpoints=(Endpoint("127.0.0.1", 1), *address.endpoints))
    assert not probe(closed, SECONDS).encryption_required


def test_a_sid(server: OracleServer) -> None:
    """A service name that is a SID gets a hint with the right connect string."""
    dsn = f"{server.host}:{server.port}/ORCLCDB"
    with pytest.raises(NotFoundError, match="'ORCLCDB' is a SID") as caught:
        probe(address_of(settings_for(server, dsn=dsn)), SECONDS)
    assert caught.value.check == "MP-TNS-002"
    assert f"ORACLE_DSN to {server.host}:{server.port}:ORCLCDB" in caught.value.hint


def test_neither_service_nor_sid(server: OracleServer) -> None:
    """A listener that knows the name in no form is asked once for each."""
    server.faults = Faults(refuse=12514)
    with pytest.raises(NotFoundError) as caught:
        probe(address_of(settings_for(server)), SECONDS)
    assert caught.value.check == "MP-TNS-001"
    assert server.record.connections == 2


@pytest.mark.parametrize(
    ("answer", "check", "message"),
    [
        (b"", "MP-NET-006", "closed the connection without an answer"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "MP-NET-005", "a web server answers"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "MP-NET-005", "an SSH server answers"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "MP-NET-005", "a server that requires TLS"),
        (b"\x00\x03", "MP-NET-005", "another program answers"),
        (b"\xff\xff\x00\x00\x02\x00\x00\x00\x00", "MP-NET-005", "another program answers"),
    ],
)
def test_odd_answers(answer: bytes, check: str, message: str) -> None:
    """An answer that is not TNS says which program answers, however small its packets."""
    with answering(answer) as address, pytest.raises(MarketPulseError, match=message) as caught:
        probe(address, SECONDS)
    assert caught.value.check == check


def test_no_answer() -> None:
    """A port that accepts the connection and sends nothing is reported after the time limit."""
    with answering(b"", pause=3) as address:
        started = time.monotonic()
        with pytest.raises(MarketPulseError, match="sends nothing") as caught:
            probe(address, 0.2)
    assert caught.value.check == "MP-NET-004"
    assert time.monotonic() - started < 2


def test_steps() -> None:
    """Host name, port and TLS each have their own error."""
    assert look_up(Endpoint("127.0.0.1", 1521), SECONDS) == ["127.0.0.1"]
    with pytest.raises(MarketPulseError) as unknown_host:
        look_up(Endpoint("nowhere.invalid", 1521), SECONDS)
    with (
        pytest.raises(MarketPulseError) as closed_port,
        open_connection(Endpoint("127.0.0.1", 1), SECONDS),
    ):
        pass
    with (
        answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address,
        open_connection(address.endpoints[0], SECONDS) as connection,
        pytest.raises(MarketPulseError) as tls,
    ):
        start_tls(connection, address.endpoints[0], None)
    checks = [caught.value.check for caught in (unknown_host, closed_port, tls)]
    assert checks == ["MP-NET-001", "MP-NET-002", "MP-TLS-002"]


@pytest.mark.parametrize(
    ("code", "check", "shown"),
    [
        (12514, "MP-TNS-001", "the service 'MKT'"),
        (12505, "MP-TNS-003", "the SID 'ONE'"),
        (12519, "MP-TNS-004", "no free handler (ORA-12519)"),
        (1, "MP-TNS-005", "refused the connection (ORA-00001)"),
    ],
)
def test_refusals(code: int, check: str, shown: str) -> None:
    """Each refusal of the listener has its own check id."""
    error = refusal_error(code, "db:1521", "(SERVICE_NAME=MKT)(SID=ONE)")
    assert error.check == check
    assert shown in error.message
