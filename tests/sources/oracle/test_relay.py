"""Native encryption by the relay: the same rows, nothing readable on the way, no way around it."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from oracle_server.client import PASSWORD, settings_for
from oracle_server.encryption import Algorithms
from oracle_server.faults import Faults
from oracle_server.packets import Kind, Wire, frame
from oracle_server.server import OracleServer
from pydantic import SecretStr
from support import Tool

from marketpulse.errors import (
    ConnectionLostError,
    LoginError,
    MarketPulseError,
    SettingsError,
    UnreachableError,
)
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource

STATEMENT = "SELECT cusip, ticker FROM market.securities ORDER BY cusip"


@pytest.fixture
def settings(server: OracleServer) -> OracleSettings:
    """The settings for a server that demands encryption, with the driver that can do it."""
    server.faults = Faults(demand_encryption=True)
    return settings_for(server, driver="nne")


class Tap:
    """A stranger between client and server, who keeps all bytes and may change the server's."""

    def __init__(self, server: OracleServer) -> None:
        self.sent, self.received = bytearray(), bytearray()
        self.change: Callable[[bytes], bytes] = bytes
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def listen(self) -> None:
        """Forward connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection((self._server.host, self._server.port))
                self._sockets += client, server
                ways = ((client, server, self.sent, bytes), (server, client, self.received, None))
                for way in ways:
                    threading.Thread(target=self._forward, args=way, daemon=True).start()

    def close(self) -> None:
        """Close all sockets."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _forward(
        self,
        source: socket.socket,
        target: socket.socket,
        kept: bytearray,
        change: Callable[[bytes], bytes] | None,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                kept += data
                target.sendall((change or self.change)(data))
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tap(server: OracleServer) -> Iterator[Tap]:
    """A stranger on the way to the server."""
    tap = Tap(server)
    thread = threading.Thread(target=tap.listen, daemon=True)
    thread.start()
    yield tap
    tap.close()
    thread.join(5)


def rows_of_all_tables(source: OracleSource) -> dict[str, list[bytes] | str]:
    """The bytes of every table that can be read, or the id of the error."""
    rows: dict[str, list[bytes] | str] = {}
    for name in (f"{table.schema}.{table.name}" for table in source.tables()):
        try:
            table = source.scan(source.find_listed_table(name), limit=200).read_all()
            rows[name] = [batch.serialize().to_pybytes() for batch in table.to_batches()]
        except MarketPulseError as error:
            rows[name] = error.check
    return rows


def test_the_same_rows_of_all_tables(server: OracleServer, settings: OracleSettings) -> None:
    """Each table of the market, all its types, gives the same rows with and without encryption."""
    with OracleSource(OracleDatabase(settings)) as source:
        encrypted = rows_of_all_tables(source)
    assert server.record.encrypted == 1
    server.faults = Faults()
    with OracleSource(OracleDatabase(replace(settings, driver="thin"))) as source:
        plain = rows_of_all_tables(source)

    assert encrypted == plain
    assert sum(isinstance(rows, list) for rows in plain.values()) > 5


@pytest.mark.parametrize(
    ("encryption", "integrity", "expected"),
    [
        (17, 5, "AES256, SHA256"),
        (16, 4, "AES192, SHA512"),
        (15, 6, "AES128, SHA384"),
        (17, 0, "AES256, no checksum"),
    ],
)
def test_algorithms(
    server: OracleServer, settings: OracleSettings, encryption: int, integrity: int, expected: str
) -> None:
    """Every algorithm that is offered works, over small packets, too."""
    server.faults.algorithms = Algorithms(encryption, integrity)
    server.sdu = 1024
    try:
        with OracleDatabase(settings) as database:
            long = database.query(f"SELECT '{'x' * 3000}' AS text FROM dual")
            assert str(database.protection) == expected
    finally:
        server.sdu = 8192
    assert long["TEXT"].to_pylist() == ["x" * 3000]


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_nothing_is_readable(
    server: OracleServer, settings: OracleSettings, tap: Tap, is_encrypted: bool
) -> None:
    """Neither statements nor rows cross the network in the clear; without encryption they do."""
    if not is_encrypted:
        server.faults, settings = Faults(), replace(settings, driver="thin")
    with OracleDatabase(replace(settings, dsn=f"{tap.host}/{server.service}")) as database:
        cusip = database.query(STATEMENT)["CUSIP"][0].as_py()

    assert (b"SELECT" in tap.sent) is not is_encrypted
    assert (b"AUTH_PASSWORD" in tap.sent) is not is_encrypted
    assert (cusip.encode() in tap.received) is not is_encrypted
    assert PASSWORD.encode() not in tap.sent


def test_a_changed_packet_ends_the_session(
    server: OracleServer, settings: OracleSettings, tap: Tap, caplog: pytest.LogCaptureFixture
) -> None:
    """A byte changed on its way is noticed, and said; no wrong row arrives."""
    with OracleDatabase(replace(settings, dsn=f"{tap.host}/{server.service}")) as database:
        tap.change = lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:]
        with pytest.raises(ConnectionLostError):
            database.rows(STATEMENT)
        tap.change = bytes
        assert len(database.rows(STATEMENT)) == 6
    assert "a packet was changed on its way" in caplog.text


@pytest.mark.parametrize("cut_after", [900, 1000, 1200, 1500, 2500])
def test_cuts(server: OracleServer, settings: OracleSettings, cut_after: int) -> None:
    """A line that drops is a lost connection, and the next read opens another session."""
    database = OracleDatabase(settings)
    database.ping()  # or a probe would take the fault
    database.close()
    server.reset()
    server.faults = Faults(demand_encryption=True, cut_after=cut_after, connections=1)
    server.faults.then = Faults(demand_encryption=True)
    with pytest.raises(ConnectionLostError) as lost:  # noqa: PT012 - one of the reads is cut
        for _ in range(100):
            database.rows(STATEMENT)
    with database:
        assert len(database.rows(STATEMENT)) == 6
    assert lost.value.check == "MP-NET-006"
    assert server.record.encrypted == len(server.record.logins) == 2


def test_an_interrupted_statement(server: OracleServer, settings: OracleSettings) -> None:
    """After a statement that took too long the session goes on, with new keys for its checksums."""
    with OracleDatabase(replace(settings, call_timeout=0.3)) as database:
        for _ in range(3):
            server.faults.delay = 2
            with pytest.raises(MarketPulseError):
                database.rows(STATEMENT)
            server.faults.delay = 0
            assert len(database.rows(STATEMENT)) == 6
    assert server.record.encrypted == 1


def test_the_relay_is_chosen_where_thin_fails(
    server: OracleServer, tool: Tool, caplog: pytest.LogCaptureFixture
) -> None:
    """Without Instant Client `auto` encrypts by itself and says so; doctor shows how."""
    server.faults = Faults(demand_encryption=True)
    done = tool.run("doctor")

    assert done.code == 0, done.out + done.err
    assert "nne driver: thin mode failed" in done.out
    assert "there is no Instant Client" in done.out
    assert "native network encryption by marketpulse: AES256, SHA256" in done.out
    assert "marketpulse encrypts the connection itself" in caplog.text
    caplog.clear()
    assert tool.run("--driver", "nne", "list-tables").code == 0
    assert "connection itself" not in caplog.text
    assert PASSWORD not in done.out + done.err + caplog.text


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (Faults(), "the server has it switched off"),
        (Faults(demand_encryption=True, algorithms=Algorithms(error=12660)), "ORA-12660"),
        (Faults(demand_encryption=True, algorithms=Algorithms(encryption=2)), "ORA-12660"),
    ],
)
def test_no_agreement_no_login(
    server: OracleServer, settings: OracleSettings, faults: Faults, reason: str
) -> None:
    """Where encryption cannot be agreed, nothing is sent in the clear instead."""
    server.faults = faults
    with pytest.raises(UnreachableError, match=reason) as refused:
        OracleDatabase(settings).ping()
    assert refused.value.check == "MP-ENC-002"
    assert server.record.logins == []


@pytest.mark.parametrize("code", [0, 28000, 1045])
def test_a_refused_login(server: OracleServer, settings: OracleSettings, code: int) -> None:
    """A refused login is the error that it is without encryption, and is sent once."""
    server.faults.login = code
    if not code:
        settings = replace(settings, password=SecretStr("not-the-one"))
    with pytest.raises(LoginError) as refused:
        OracleDatabase(settings).ping()
    checks = {0: "MP-LOG-001", 28000: "MP-LOG-002", 1045: "MP-LOG-004"}
    assert refused.value.check == checks[code]
    assert server.record.logins == [("ANALYST", code or 1017)]


def test_a_login_that_is_not_tried_again(
    server: OracleServer, settings: OracleSettings, tmp_path: Path
) -> None:
    """Where the password was refused before, no relay stays behind."""
    settings = replace(settings, password=SecretStr("not-the-one"), state_folder=tmp_path)
    for _ in range(2):
        with pytest.raises(LoginError):
            OracleDatabase(settings).ping()
    assert server.record.logins == [("ANALYST", 1017)]
    relays = [thread for thread in threading.enumerate() if thread.name.endswith("(_serve)")]
    for thread in relays:
        thread.join(5)
    assert not any(map(threading.Thread.is_alive, relays))


@pytest.mark.parametrize(
    "dsn",
    [
        "tcps://db.example.com:2484/MKT",
        "(DESCRIPTION=(SOURCE_ROUTE=on)(ADDRESS=(PROTOCOL=tcp)(HOST=a)(PORT=1))(CONNECT_DATA=(SID=B)))",
        "tcp://db.example.com/MKT?https_proxy=proxy&https_proxy_port=80",
    ],
)
def test_addresses_that_a_relay_cannot_reach(settings: OracleSettings, dsn: str) -> None:
    """TLS, a proxy or a route beside the relay is refused before anything is sent."""
    with pytest.raises(SettingsError) as refused:
        OracleDatabase(replace(settings, dsn=dsn)).ping()
    assert refused.value.check == "MP-DRV-003"


def test_the_second_address(server: OracleServer, settings: OracleSettings) -> None:
    """Of two addresses the one that answers is used."""
    addresses = "".join(
        f"(ADDRESS=(PROTOCOL=tcp)(HOST=127.0.0.1)(PORT={port}))" for port in (1, server.port)
    )
    data = f"(CONNECT_DATA=(SERVICE_NAME={server.service}))"
    with OracleDatabase(replace(settings, dsn=f"(DESCRIPTION={addresses}{data})")) as database:
        assert len(database.rows(STATEMENT)) == 6


@contextmanager
def redirecting_listener(server: OracleServer, *, inline: bool) -> Iterator[int]:
    """A listener of a cluster: it sends each client to the server. Yields its port."""

    def answer() -> None:
        with suppress(Exception):
            while True:
                sockets.append(listener.accept()[0])
                wire = Wire(sockets[-1], 10)
                packet = wire.read()
                length = int.from_bytes(packet.body[16:18], "big")
                data = packet.body[66:] or wire.read().body[2:]
                address = f"(ADDRESS=(PROTOCOL=tcp)(HOST={server.host})(PORT={server.port}))"
                text = f"{address}\0".encode() + data[:length]
                size = len(text).to_bytes(2, "big")
                wire.send_raw(frame(5, size + text * inline, wide=False))
                if not inline:
                    wire.send(Kind.DATA, b"\0\0" + text)

    listener = socket.create_server(("127.0.0.1", 0))
    sockets = [listener]
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for each in sockets:
        each.close()


# The driver forgets the socket of the first listener.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("inline", [True, False])
def test_redirections(server: OracleServer, settings: OracleSettings, inline: bool) -> None:
    """A cluster's listener may send the client elsewhere: encryption goes along."""
    with redirecting_listener(server, inline=inline) as port:
        address = f"127.0.0.1:{port}/{server.service}"
        with OracleDatabase(replace(settings, dsn=address)) as database:
            assert len(database.rows(STATEMENT)) == 6
    assert server.record.encrypted == 1


def test_secrets_stay_out_of_the_log(
    settings: OracleSettings, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of a session has statements, and neither the password nor a row."""
    caplog.set_level(logging.DEBUG)
    with OracleDatabase(settings) as database:
        ticker = database.rows(STATEMENT)[0][1]
    assert STATEMENT in caplog.text
    assert PASSWORD not in caplog.text
    assert ticker not in caplog.text
