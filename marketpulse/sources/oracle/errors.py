"""The errors of the driver and the database, translated: what happened, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator

import oracledb

from marketpulse.errors import (
    ConnectionLostError,
    LoginError,
    MarketPulseError,
    NotFoundError,
    SettingsError,
    UnreachableError,
    UsageError,
)

_ASK_HINT = "show this line to the database team"
_CONDITION_HINT = (
    "check --where and --order-by: text needs single quotes (BIAS = 'BID'), numbers need none"
)
_ENCRYPTION_HINT = (
    "do one of these: install Instant Client and set ORACLE_CLIENT_LIB_DIR to its folder; ask for "
    "a port with TLS (tcps://); or ask the DBA to set SQLNET.ENCRYPTION_SERVER=REQUESTED"
)

# For each group of codes: the class of our error, the check id, what happened, what to do.
_Translation = tuple[type[MarketPulseError], str, str, str]
_TRANSLATIONS: dict[tuple[str, ...], _Translation] = {
    ("ORA-01017", "ORA-01005"): (
        LoginError, "MP-LOG-001", "the user name or the password is wrong",
        "check ORACLE_USERNAME and ORACLE_PASSWORD; this counts as one failed login, not more",
    ),
    ("ORA-28000",): (
        LoginError, "MP-LOG-002", "the account is locked", "ask the DBA to unlock it"
    ),
    ("ORA-28001", "ORA-28002"): (
        LoginError, "MP-LOG-003", "the password has expired",
        "set a new one with the database's own tools, then update ORACLE_PASSWORD",
    ),
    ("ORA-01045",): (
        LoginError, "MP-LOG-004", "the user may not open a session",
        "ask the DBA to GRANT CREATE SESSION",
    ),
    ("DPY-3015", "DPY-3010"): (
        LoginError, "MP-DRV-002",
        "the server, or its form of the password, is too old for the driver",
        "use Instant Client (ORACLE_CLIENT_LIB_DIR), or ask the DBA to set the password again",
    ),
    ("DPI-1047", "DPY-2017", "DPY-2019"): (
        SettingsError, "MP-DRV-001", "Oracle's client library cannot be loaded",
        "set ORACLE_CLIENT_LIB_DIR to Instant Client's folder, of the same architecture as Python",
    ),
    ("DPY-3001", "ORA-12660", "ORA-12650", "DPY-5016"): (
        UnreachableError, "MP-ENC-001", "the server demands native network encryption",
        _ENCRYPTION_HINT,
    ),
    ("DPY-6006", "DPY-6002"): (
        UnreachableError, "MP-TLS-003", "the server's certificate is for another name",
        "check ORACLE_HOST; to accept it anyway, set ssl_server_dn_match=off in ORACLE_DSN",
    ),
    ("DPY-4026", "DPY-4027"): (
        SettingsError, "MP-TLS-004", "the wallet's folder is missing, or has no ewallet.pem",
        "check ORACLE_WALLET_LOCATION",
    ),
    ("ORA-01031", "ORA-01720", "ORA-41900"): (
        LoginError, "MP-PRV-001", "the user has no privilege for that",
        "ask the DBA to GRANT SELECT on the table",
    ),
    ("ORA-00942", "ORA-04043", "ORA-00980"): (
        NotFoundError, "MP-SRC-001", "there is no such table or view, or the user may not see it",
        "`marketpulse list-tables` shows those you may see; else ask the DBA to GRANT SELECT",
    ),
    ("ORA-00904",): (
        NotFoundError, "MP-SRC-001", "there is no such column",
        "`marketpulse schema TABLE` shows the columns"
    ),
    ("ORA-01722", "ORA-01858", "ORA-01861", "ORA-01840", "ORA-01841", "ORA-01843", "ORA-00932",
     "ORA-00920", "ORA-00936", "ORA-00907", "ORA-00909", "ORA-01830", "ORA-01847"): (
        UsageError, "MP-USE-003", "a condition cannot be applied", _CONDITION_HINT
    ),
    ("ORA-01555",): (
        UnreachableError, "MP-ORA-002",
        "the database no longer has the rows as they were at the start",
        "read less at once, or at a quieter time; or ask the DBA to raise UNDO_RETENTION",
    ),
    ("ORA-00028", "ORA-00031"): (
        ConnectionLostError, "MP-NET-008", "the DBA ended the session",
        "ask the DBA why; V$SESSION shows the session as program marketpulse",
    ),
    ("ORA-02396", "DPY-4033"): (
        ConnectionLostError, "MP-NET-008", "the session was idle for too long", "run it again"
    ),
    ("DPY-4024", "ORA-01013"): (
        UnreachableError, "MP-NET-007", "the database did not answer in time",
        "try again, with a longer --deadline",
    ),
    ("DPY-4011", "ORA-03113", "ORA-03114", "ORA-03135", "ORA-12537", "ORA-12547", "ORA-12570",
     "DPY-1001"): (
        ConnectionLostError, "MP-NET-006", "the connection was lost",
        "check the VPN, and run the command again",
    ),
}  # fmt: skip
_BY_CODE = {code: translation for codes, translation in _TRANSLATIONS.items() for code in codes}


def translate_error(error: Exception, address: object) -> MarketPulseError:
    """Return our error for an error of the driver; `address` is shown in its message."""
    codes = list(_codes(error))
    for code in codes:
        if code in _BY_CODE:
            error_class, check, message, hint = _BY_CODE[code]
            return error_class(f"{address}: {message} ({code})", hint=hint, check=check)
    first_line = str(error).partition("\n")[0]
    return UnreachableError(f"{address}: {first_line}", hint=_ASK_HINT, check="MP-ORA-001")


def encryption_error(address: object) -> UnreachableError:
    """Return the error for a server whose listener demands native network encryption."""
    _, check, message, hint = _BY_CODE["DPY-3001"]
    return UnreachableError(f"{address}: {message}", hint=hint, check=check)


def is_network_error(error: BaseException) -> bool:
    """Return whether the network may be the cause, and a probe can find out more.

    True unless the error has a code that names another cause.
    """
    return not any(code in _BY_CODE and code != "DPY-4011" for code in _codes(error))


def _codes(error: BaseException | None) -> Iterator[str]:
    """Yield the codes of an error and its causes, the innermost first: it is the most precise."""
    if error is None:
        return
    yield from _codes(error.__cause__)
    detail = error.args[0] if error.args else None
    code = getattr(detail, "full_code", None)
    if isinstance(error, oracledb.Error) and code:
        yield str(code)
        yield from re.findall(r"\b(?:ORA|DPY|DPI)-\d{4,5}\b", str(error))
