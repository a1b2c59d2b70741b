"""Where a database is: every connect string that the driver knows, or that a colleague pastes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import oracledb

from marketpulse.errors import SettingsError
from marketpulse.sources.oracle.tns import Address, Endpoint

if TYPE_CHECKING:
    from marketpulse.settings import OracleSettings

_JDBC = re.compile(r"^jdbc:oracle:(?:thin|oci):", re.IGNORECASE)
_PASTED = re.compile(r"^(?://)?([\w.-]+|\[[0-9a-fA-F:]+\]):(\d+):([\w.$#-]+)$")
_DESCRIPTOR = "(DESCRIPTION=(ADDRESS=(PROTOCOL={})(HOST={})(PORT={}))(CONNECT_DATA=({}={})))"


def address_of(settings: OracleSettings) -> Address:
    """The address that the settings give; ORACLE_DSN wins over host, port and service.

    Raises `SettingsError` for a connect string that nobody understands, or an alias that is in
    no tnsnames.ora.
    """
    if settings.dsn is None:
        # The parameters in SSM have no connect string: TLS is a matter of the host there.
        host, service = settings.host or "", settings.service_name or ""
        protocol = "tcps" if host.lower().startswith("tcps://") else "tcp"
        host = host[len("tcps://") :] if protocol == "tcps" else host
        odd = re.findall(r"[()=\s/@]", host + service)
        if host.count(":") == 1 or ":" in service:  # an address of IPv6 has several
            odd.append(":")
        if odd:
            raise SettingsError(
                f"ORACLE_HOST or ORACLE_SERVICE_NAME has {odd[0]!r} in it",
                hint="each is one name, and ORACLE_PORT has the port; a whole connect string "
                "belongs in ORACLE_DSN",
                check="MP-TNS-006",
            )
        host = host.strip("[]")
        text = _DESCRIPTOR.format(protocol, host, settings.port, "SERVICE_NAME", service)
    else:
        text = _understood(settings.dsn)
    params = oracledb.ConnectParams(config_dir=settings.config_dir)
    try:
        params.parse_connect_string(text)
    except (oracledb.Error, ValueError, OverflowError) as error:
        raise _refused(text, settings, error) from error
    hosts, ports, protocols = (_listed(it) for it in (params.host, params.port, params.protocol))
    endpoints = [
        Endpoint(str(host), int(str(port)), str(protocol) == "tcps")
        for host, port, protocol in zip(hosts, ports, protocols, strict=True)
    ]
    odd_port = next((it.port for it in endpoints if not 1 <= it.port <= 65535), None)
    if odd_port is not None:
        raise SettingsError(
            f"ORACLE_DSN: {odd_port} is not a port", hint="1521 is usual", check="MP-TNS-006"
        )
    named = _listed(params.service_name)[0] or _listed(params.sid)[0] or ""
    return Address(params.get_connect_string(), tuple(endpoints), str(named))


def _understood(dsn: str) -> str:
    """The connect string in a form that the driver knows."""
    text = dsn.strip()
    pasted = _JDBC.sub("", text)
    if pasted != text:
        credentials, _, pasted = pasted.rpartition("@")
        if credentials:
            raise _with_credentials()
    elif re.match(r"^[^()?]*/[^()?]*@", text):
        raise _with_credentials()
    if found := _PASTED.match(pasted):
        host, port, sid = found.groups()
        return _DESCRIPTOR.format("tcp", host.strip("[]"), port, "SID", sid)
    return pasted


def _with_credentials() -> SettingsError:
    return SettingsError(
        "ORACLE_DSN has a user name and a password in it",
        hint="keep what follows the @, and set ORACLE_USERNAME and ORACLE_PASSWORD",
        check="MP-TNS-006",
    )


def _refused(text: str, settings: OracleSettings, error: Exception) -> SettingsError:
    code = getattr(error.args[0], "full_code", "") if error.args else ""
    if code in {"DPY-4000", "DPY-4026", "DPY-4027"} and re.fullmatch(r"[\w.$#-]+", text):
        where = settings.config_dir or "no folder: TNS_ADMIN is not set"
        return SettingsError(
            f"ORACLE_DSN: {text!r} is in no tnsnames.ora (looked in {where})",
            hint="set TNS_ADMIN to the folder of tnsnames.ora, or give host:port/service",
            check="MP-TNS-007",
        )
    return SettingsError(
        "ORACLE_DSN is not a connect string",
        hint="host:port/service, host:port:SID, tcps://host:port/service, an alias of "
        "tnsnames.ora, or (DESCRIPTION=...)",
        check="MP-TNS-006",
    )


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]
