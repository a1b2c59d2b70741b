"""The test server itself: malformed packets, TLS, and another driver."""

import contextlib
import random
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer

import oracledb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from marketpulse.errors import UnreachableError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase, OracleSource
from oracle_server.certificates import certificate
from oracle_server.encryption import Algorithms
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.market import market
from oracle_server.server import OracleServer
from oracle_server.values import decode_number, encode_number

PASSWORD = "Planted-Barley-77"


@pytest.fixture(scope="module")
def server() -> Iterator[OracleServer]:
    """A server with a small market."""
    with OracleServer(DuckEngine(market(rows=20)), users={"MARKET": PASSWORD}) as started:
        yield started


@pytest.mark.parametrize("seed", range(20))
def test_malformed_packets(server: OracleServer, seed: int) -> None:
    """Random bytes on one connection do not affect the next one."""
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
def test_numbers(value: object) -> None:
    """Decoding an encoded NUMBER gives the same number."""
    number = value.normalize()  # type: ignore[attr-defined]  # a Decimal
    if len(number.as_tuple().digits) <= 38:
        assert decode_number(encode_number(number)) == number


def test_tls_with_a_wallet(tmp_path: Path) -> None:
    """tcps:// needs a wallet, in ORACLE_DSN and in ORACLE_HOST; without it TLS fails."""
    tls, wallet = certificate(tmp_path)
    users = {"MARKET": PASSWORD}
    with OracleServer(DuckEngine(market(rows=5)), users=users, tls=tls) as server:
        settings = OracleSettings(
            username=SecretStr("market"),
            password=SecretStr(PASSWORD),
            dsn=server.dsn,
            wallet_location=str(wallet),
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
        bare = OracleSettings(
            username=SecretStr("market"), password=SecretStr(PASSWORD), dsn=server.dsn
        )
        with pytest.raises(UnreachableError) as refused:
            OracleDatabase(bare).__enter__()
        assert refused.value.check == "MP-TLS-001"


@pytest.mark.parametrize(("encryption", "integrity"), [(17, 5), (16, 4), (15, 6)])
def test_another_driver_agrees_on_encryption(
    server: OracleServer, encryption: int, integrity: int
) -> None:
    """An independent driver understands the server's encryption, also after an interrupt."""
    dbapi = pytest.importorskip("adbc_driver_oracle.dbapi")
    uri = f"oracle://market:{PASSWORD}@{server.host}:{server.port}/{server.service}"
    statement = "SELECT CUSIP, TICKER FROM SECURITIES"
    server.faults = Faults(
        demand_encryption=True, algorithms=Algorithms(encryption, integrity), delay=0
    )
    try:
        with dbapi.connect(uri, db_kwargs={"adbc.oracle.disable_oob": "true"}) as session:
            names = session.adbc_connection.get_option("adbc.oracle.nne_algorithms")
            with session.cursor() as cursor:
                server.faults.delay = 2
                Timer(0.2, cursor.adbc_cancel).start()
                with pytest.raises(dbapi.Error, match="ORA-01013"):
                    cursor.execute(statement)
                server.faults.delay = 0
            with session.cursor() as cursor:
                cursor.execute(statement)
                assert len(cursor.fetchall()) == 6
    finally:
        server.faults = Faults()
    expected = {17: "AES256", 16: "AES192", 15: "AES128"}[encryption]
    assert names == f"{expected},{ {5: 'SHA256', 4: 'SHA512', 6: 'SHA384'}[integrity] }"


def test_another_driver_reads_a_table(server: OracleServer) -> None:
    """An independent driver logs in and reads."""
    dbapi = pytest.importorskip("adbc_driver_oracle.dbapi")
    uri = f"oracle://market:{PASSWORD}@{server.host}:{server.port}/{server.service}"
    with dbapi.connect(uri) as session, session.cursor() as cursor:
        cursor.execute("SELECT CUSIP, TICKER FROM SECURITIES")
        assert len(cursor.fetchall()) == 6
