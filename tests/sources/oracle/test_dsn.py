"""Connect strings: all usual forms give the right address, and errors say what is wrong."""

from pathlib import Path

import oracledb
import pytest
from oracle_server.client import open_source, settings_for
from oracle_server.server import OracleServer
from pydantic import SecretStr

from marketpulse.errors import SettingsError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.tns import Endpoint

TWO_DESCRIPTIONS = (
    "(DESCRIPTION_LIST=(DESCRIPTION=(ADDRESS=(PROTOCOL=tcps)(HOST=a)(PORT=1))"
    "(CONNECT_DATA=(SERVICE_NAME=s)))(DESCRIPTION=(ADDRESS=(PROTOCOL=tcps)(HOST=b)(PORT=1))"
    "(CONNECT_DATA=(SERVICE_NAME=s))(SECURITY=(SSL_SERVER_DN_MATCH=OFF))))"
)


def settings(**parts: object) -> OracleSettings:
    """Return settings with these parts of an address."""
    secrets = {"username": SecretStr("analyst"), "password": SecretStr("secret")}
    return OracleSettings(**secrets, **parts)  # type: ignore[arg-type]  # any fields of the settings


@pytest.mark.parametrize("form", ["{0}:{1}/{2}", "//{0}:{1}/{2}", "{0}:{1}:ORCLCDB",
    "jdbc:oracle:thin:@{0}:{1}:ORCLCDB", "jdbc:oracle:thin:@//{0}:{1}/{2}",
    "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST={0})(PORT={1}))(CONNECT_DATA=(SERVICE_NAME={2})))",
])  # fmt: skip
def test_forms(server: OracleServer, form: str) -> None:
    """Each form of a connect string connects."""
    with open_source(server, dsn=form.format(server.host, server.port, server.service)) as source:
        assert len(source.tables()) > 10


def test_an_alias(server: OracleServer, tmp_path: Path) -> None:
    """An alias is looked up in TNS_ADMIN; the error for an unknown one names that folder."""
    address = f"(ADDRESS=(PROTOCOL=tcp)(HOST={server.host})(PORT={server.port}))"
    (tmp_path / "tnsnames.ora").write_text(
        f"DESK=(DESCRIPTION={address}(CONNECT_DATA=(SERVICE_NAME={server.service})))\n"
    )
    with open_source(server, dsn="DESK", config_dir=str(tmp_path)) as source:
        assert source.tables()
    with pytest.raises(SettingsError, match=r"'DUSK' is not in any tnsnames\.ora") as caught:
        address_of(settings_for(server, dsn="DUSK", config_dir=str(tmp_path)))
    assert str(tmp_path) in caught.value.message
    assert caught.value.check == "MP-TNS-007"


def test_an_alias_of_jdbc(tmp_path: Path) -> None:
    """JDBC names the folder of tnsnames.ora within the connect string."""
    address = "(ADDRESS=(PROTOCOL=tcp)(HOST=db)(PORT=1521))"
    (tmp_path / "tnsnames.ora").write_text(
        f"DESK=(DESCRIPTION={address}(CONNECT_DATA=(SERVICE_NAME=MKT)))\n"
    )
    dsn = f"jdbc:oracle:thin:@DESK?TNS_ADMIN={tmp_path}"
    assert address_of(settings(dsn=dsn)).endpoints == (Endpoint("db", 1521),)


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("tcps://db:2484/MKT?ssl_server_dn_match=off", [False]),
        ("tcps://db:2484/MKT?ssl_server_dn_match=off&wallet_location=/w", [False]),
        ("tcps://db:2484/MKT", [True]),
        (
            TWO_DESCRIPTIONS,
            [True, False],
        ),
    ],
)
def test_a_certificate_for_another_name(dsn: str, expected: list[bool]) -> None:
    """`ssl_server_dn_match=off` reaches the driver, for each description of its own."""
    address = address_of(settings(dsn=dsn))
    params = oracledb.ConnectParams()
    params.parse_connect_string(address.descriptor)
    found = params.ssl_server_dn_match
    assert (found if isinstance(found, list) else [found]) == expected
    assert address.any_name is (False in expected)


def test_a_wallet_that_is_missing(tmp_path: Path) -> None:
    """The folder of a wallet without one is a fault of the settings, also for the probe."""
    database = OracleDatabase(settings(dsn="tcps://db:2484/MKT", wallet_location=str(tmp_path)))
    with pytest.raises(SettingsError, match=r"there is no ewallet\.pem") as caught:
        database.login.tls_context()
    assert caught.value.check == "MP-TLS-004"


@pytest.mark.parametrize(
    ("parts", "endpoint", "service"),
    [
        ({"host": "db", "service_name": "MKT"}, Endpoint("db", 1521), "MKT"),
        ({"host": "db", "port": 2484, "service_name": "MKT"}, Endpoint("db", 2484), "MKT"),
        ({"host": "TCPS://db", "service_name": "MKT"}, Endpoint("db", 1521, tls=True), "MKT"),
        ({"host": "[::1]", "service_name": "MKT"}, Endpoint("::1", 1521), "MKT"),
        ({"host": "other", "dsn": "db:1522/MKT"}, Endpoint("db", 1522), "MKT"),
        ({"dsn": "tcps://db:2484/MKT"}, Endpoint("db", 2484, tls=True), "MKT"),
        ({"dsn": " db:1521:SID1 "}, Endpoint("db", 1521), "SID1"),
        ({"dsn": "tcps://db:2484:SID1"}, Endpoint("db", 2484, tls=True), "SID1"),
        ({"dsn": "'db:1522/MKT'"}, Endpoint("db", 1522), "MKT"),
        ({"dsn": '"jdbc:oracle:thin:@db:1521:SID1"'}, Endpoint("db", 1521), "SID1"),
    ],
)
def test_address(parts: dict[str, object], endpoint: Endpoint, service: str) -> None:
    """The address has the endpoint and the service; ORACLE_DSN wins, `tcps://` turns on TLS."""
    address = address_of(settings(**parts))
    assert address.endpoints == (endpoint,)
    assert address.service == service


def test_several_endpoints() -> None:
    """A descriptor may have several addresses."""
    addresses = "".join(f"(ADDRESS=(PROTOCOL=tcp)(HOST={host})(PORT=1521))" for host in "ab")
    dsn = f"(DESCRIPTION=(ADDRESS_LIST={addresses})(CONNECT_DATA=(SERVICE_NAME=MKT)))"
    address = address_of(settings(dsn=dsn))
    assert address.endpoints == (Endpoint("a", 1521), Endpoint("b", 1521))
    assert str(address) == "a:1521, b:1521/MKT"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"host": "db:1521", "service_name": "MKT"}, "contains ':'"),
        ({"host": "https://db", "service_name": "MKT"}, "contains '/'"),
        ({"host": "db", "service_name": "MKT)(SID=X"}, r"contains '\)'"),
        ({"dsn": "db:70000/MKT"}, "70000 is not a valid port"),
        ({"dsn": "db:0/MKT"}, "0 is not a valid port"),
        ({"dsn": "(DESCRIPTION="}, "is not a valid connect string"),
        ({"dsn": "analyst/secret@db:1521/MKT"}, "contains a user name and a password"),
        ({"dsn": "jdbc:oracle:thin:analyst/secret@db:1521:MKT"}, "contains a user name and a"),
    ],
)
def test_invalid(parts: dict[str, object], message: str) -> None:
    """The error says what is wrong, and never shows a password."""
    with pytest.raises(SettingsError, match=message) as caught:
        address_of(settings(**parts))
    assert caught.value.check == "MP-TNS-006"
    assert "secret" not in caught.value.message + caught.value.hint
