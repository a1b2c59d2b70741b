"""Connect strings: all usual forms give the right address, and errors say what is wrong."""

from pathlib import Path

import pytest
from oracle_server.client import open_source, settings_for
from oracle_server.server import OracleServer
from pydantic import SecretStr

from marketpulse.errors import SettingsError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.tns import Endpoint


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
    with pytest.raises(SettingsError, match=r"'DUSK' is in no tnsnames\.ora") as caught:
        address_of(settings_for(server, dsn="DUSK", config_dir=str(tmp_path)))
    assert str(tmp_path) in caught.value.message
    assert caught.value.check == "MP-TNS-007"


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
