"""Connect strings: the driver's own forms, and those that people copy from other tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import oracledb

from marketpulse.errors import SettingsError
from marketpulse.sources.oracle.tns import Address, Endpoint

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings

_JDBC = re.compile(r"^jdbc:oracle:(?:thin|oci):", re.IGNORECASE)
_HOST_PORT_SID = re.compile(
    r"^(?:(tcps?):)?(?://)?([\w.-]+|\[[0-9a-fA-F:]+\]):(\d+):([\w.$#-]+)$", re.IGNORECASE
)
# JDBC's own way to name the folder of tnsnames.ora.
_ALIAS_AND_FOLDER = re.compile(r"^([\w.$#-]+)\?TNS_ADMIN=([^&]+)$", re.IGNORECASE)
_ANY_NAME = "(SSL_SERVER_DN_MATCH=OFF)"  # accept a certificate for another host
_DESCRIPTOR = "(DESCRIPTION=(ADDRESS=(PROTOCOL={})(HOST={})(PORT={}))(CONNECT_DATA=({}={})))"
# The driver's errors for an alias: no tnsnames.ora, or the alias is not in it.
_ALIAS_ERRORS = {"DPY-4000", "DPY-4026", "DPY-4027"}


def address_of(settings: OracleSettings) -> Address:
    """Return the address that the settings give; ORACLE_DSN wins over host, port and service.

    Raises `SettingsError` if the connect string is invalid, or no tnsnames.ora has the alias.
    """
    dsn = settings.dsn
    text = _descriptor_of(settings) if dsn is None else _normalize(dsn)
    if match := _ALIAS_AND_FOLDER.match(text):
        text, settings = match[1], replace(settings, config_dir=match[2])
    params = oracledb.ConnectParams(config_dir=settings.config_dir)
    try:
        params.parse_connect_string(text)
    except (oracledb.Error, ValueError, OverflowError) as error:
        raise _invalid_dsn_error(text, settings, error) from error
    # Each is a list if the descriptor has several addresses.
    hosts, ports, protocols = map(_as_list, (params.host, params.port, params.protocol))
    endpoints = tuple(
        Endpoint(str(host), int(str(port)), tls=str(protocol) == "tcps")
        for host, port, protocol in zip(hosts, ports, protocols, strict=True)
    )
    for endpoint in endpoints:
        if not 1 <= endpoint.port <= 65535:
            raise SettingsError(
                f"ORACLE_DSN: {endpoint.port} is not a valid port",
                hint="it is usually 1521",
                check="MP-TNS-006",
            )
    service = _as_list(params.service_name)[0] or _as_list(params.sid)[0] or ""
    matches = [value is not False for value in _as_list(params.ssl_server_dn_match)]
    descriptor = _with_any_name(params.get_connect_string(), matches)
    return Address(descriptor, endpoints, str(service), any_name=not all(matches))


def _with_any_name(descriptor: str, matches: Sequence[bool]) -> str:
    """Return the descriptor with what the driver has left out of it: `ssl_server_dn_match=off`.

    `matches` says for each DESCRIPTION whether the name in the certificate counts.
    """
    before, *parts = re.split(r"(?=\(DESCRIPTION=)", descriptor)
    for index, is_matched in enumerate(matches[: len(parts)]):
        if not is_matched:
            part = parts[index].replace("(SECURITY=)", "")
            place = "(SECURITY=" if "(SECURITY=" in part else "(DESCRIPTION="
            security = _ANY_NAME if place == "(SECURITY=" else f"(SECURITY={_ANY_NAME})"
            parts[index] = part.replace(place, place + security, 1)
    return "".join([before, *parts])


def _descriptor_of(settings: OracleSettings) -> str:
    """Return the descriptor of host, port and service. Raises `SettingsError`."""
    host, service = settings.host or "", settings.service_name or ""
    # SSM has a parameter for the host, but none for a connect string: TLS is requested in the host.
    protocol = "tcps" if host.lower().startswith("tcps://") else "tcp"
    host = host[len("tcps://") :] if protocol == "tcps" else host
    invalid = re.findall(r"[()=\s/@]", host + service)
    if host.count(":") == 1 or ":" in service:  # an IPv6 address has several colons
        invalid.append(":")
    if invalid:
        raise SettingsError(
            f"ORACLE_HOST or ORACLE_SERVICE_NAME contains {invalid[0]!r}",
            hint="each is a single name, and the port belongs in ORACLE_PORT; put a whole connect "
            "string into ORACLE_DSN",
            check="MP-TNS-006",
        )
    return _DESCRIPTOR.format(protocol, host.strip("[]"), settings.port, "SERVICE_NAME", service)


def _normalize(dsn: str) -> str:
    """Return the connect string in a form that the driver knows.

    Raises `SettingsError` if it contains a user name and a password.
    """
    dsn = dsn.strip()
    if len(dsn) > 2 and dsn[0] == dsn[-1] and dsn[0] in "'\"":
        dsn = dsn[1:-1].strip()  # quotes of a shell or of a .env file
    text = _JDBC.sub("", dsn)
    if text != dsn:
        credentials, _, text = text.rpartition("@")
        if credentials:
            raise _credentials_error()
    elif re.match(r"^[^()?]*/[^()?]*@", dsn):
        raise _credentials_error()
    if match := _HOST_PORT_SID.match(text):
        protocol, host, port, sid = match.groups()
        return _DESCRIPTOR.format((protocol or "tcp").lower(), host.strip("[]"), port, "SID", sid)
    return text


def _credentials_error() -> SettingsError:
    # The message must not repeat the connect string: it contains the password.
    return SettingsError(
        "ORACLE_DSN contains a user name and a password",
        hint="keep only what follows the @, and set ORACLE_USERNAME and ORACLE_PASSWORD",
        check="MP-TNS-006",
    )


def _invalid_dsn_error(text: str, settings: OracleSettings, error: Exception) -> SettingsError:
    code = getattr(error.args[0], "full_code", "") if error.args else ""
    if code in _ALIAS_ERRORS and re.fullmatch(r"[\w.$#-]+", text):
        folder = settings.config_dir or "no folder: TNS_ADMIN is not set"
        return SettingsError(
            f"ORACLE_DSN: {text!r} is not in any tnsnames.ora (looked in {folder})",
            hint="set TNS_ADMIN to the folder of tnsnames.ora, or use host:port/service",
            check="MP-TNS-007",
        )
    return SettingsError(
        "ORACLE_DSN is not a valid connect string",
        hint="use host:port/service, host:port:SID, tcps://host:port/service, an alias of "
        "tnsnames.ora, or (DESCRIPTION=...)",
        check="MP-TNS-006",
    )


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]
