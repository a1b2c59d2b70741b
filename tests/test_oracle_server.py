"""The test database itself: what it makes of odd packets, TLS, and another driver."""

import contextlib
import random
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import oracledb
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from oracle_server.values import decode_number, encode_number
from pydantic import SecretStr

from marketpulse.errors import UnreachableError
from marketpulse.settings import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource

PASSWORD = "Planted-Barley-77"


@pytest.fixture(scope="module")
def server() -> Iterator[OracleServer]:
    """A small market."""
    with OracleServer(DuckEngine(market(rows=20)), users={"MARKET": PASSWORD}) as started:
        yield started


@pytest.mark.parametrize("seed", range(20))
def test_malformed_packets_end_their_session_alone(server: OracleServer, seed: int) -> None:
    """Noise on one connection does not keep the next one from being served."""
    draw = random.Random(seed)
    noise = draw.randbytes(draw.randrange(1, 4000))
    with (
        socket.create_connection((server.host, server.port), 5) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(noise)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        while connection.recv(4096):
            pass
    with oracledb.connect(user="market", password=PASSWORD, dsn=server.dsn) as session:
        assert session.cursor().execute("SELECT dummy FROM dual").fetchone() == ("X",)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
def test_numbers_survive_their_form(value: object) -> None:
    """A NUMBER is what it was."""
    number = value.normalize()  # type: ignore[attr-defined]  # a Decimal's
    if len(number.as_tuple().digits) <= 38:
        assert decode_number(encode_number(number)) == number


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for 127.0.0.1, and a wallet that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(private + public)
    (folder / "ewallet.pem").write_bytes(public)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder


def test_tls_with_a_wallet(tmp_path: Path) -> None:
    """tcps:// with a wallet connects, as a host, too; without it the certificate is not trusted."""
    tls, wallet = certificate(tmp_path)
    users = {"MARKET": PASSWORD}
    with OracleServer(DuckEngine(market(rows=5)), users=users, tls=tls) as server:
        settings = OracleSettings(
            SecretStr("market"), SecretStr(PASSWORD), server.dsn, wallet_location=str(wallet)
        )
        with OracleSource(OracleDatabase(settings)) as source:
            assert source.scan("SECURITIES").read_all().num_rows == 6
        by_parameters = replace(
            settings,
            dsn=None,
            host=f"tcps://{server.host}",
            port=server.port,
            service_name=server.service,
        )
        with OracleSource(OracleDatabase(by_parameters)) as source:
            assert len(source.tables()) > 5
        bare = OracleSettings(SecretStr("market"), SecretStr(PASSWORD), server.dsn)
        with pytest.raises(UnreachableError) as refused:
            OracleDatabase(bare).__enter__()
        assert refused.value.check == "MP-TLS-001"


def test_another_driver_reads_a_table(server: OracleServer) -> None:
    """The server is not made for one driver: an independent one logs in and reads."""
    dbapi = pytest.importorskip("adbc_driver_oracle.dbapi")
    uri = f"oracle://market:{PASSWORD}@{server.host}:{server.port}/{server.service}"
    with dbapi.connect(uri) as session, session.cursor() as cursor:
        cursor.execute("SELECT CUSIP, TICKER FROM SECURITIES")
        assert len(cursor.fetchall()) == 6
