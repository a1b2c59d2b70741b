"""What an error of the driver or the database means: what happened, and what to do about it."""

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

_ASK = "show this line to who runs the database"
_WHERE = "look at --where and --order-by: numbers and text are compared with their like"
_THREE_WAYS = (
    "one of three: install Instant Client and set ORACLE_CLIENT_LIB_DIR to its folder; ask for a "
    "port with TLS (tcps://); or have the DBA set SQLNET.ENCRYPTION_SERVER=REQUESTED"
)

# The codes of one meaning: its error, the id of the check, what happened, what to do.
_Meaning = tuple[type[MarketPulseError], str, str, str]
_MEANINGS: dict[tuple[str, ...], _Meaning] = {
    ("ORA-01017", "ORA-01005"): (
        LoginError, "MP-LOG-001", "the user name or the password is wrong",
        "check ORACLE_USERNAME and ORACLE_PASSWORD; nothing was tried twice, so nothing is locked",
    ),
    ("ORA-28000",): (
        LoginError, "MP-LOG-002", "the account is locked", "ask the DBA to unlock it"
    ),
    ("ORA-28001", "ORA-28002"): (
        LoginError, "MP-LOG-003", "the password has expired",
        "set a new one with the database's own tools, then ORACLE_PASSWORD",
    ),
    ("ORA-01045",): (
        LoginError, "MP-LOG-004", "the user may not open a session",
        "ask the DBA to GRANT CREATE SESSION",
    ),
    ("DPY-3015", "DPY-3010"): (
        LoginError, "MP-DRV-002", "the server or the password's form is too old for the driver",
        "use Instant Client (ORACLE_CLIENT_LIB_DIR), or have the DBA set the password anew",
    ),
    ("DPI-1047", "DPY-2017", "DPY-2019"): (
        SettingsError, "MP-DRV-001", "Oracle's client library cannot be loaded",
        "set ORACLE_CLIENT_LIB_DIR to Instant Client's folder (of this machine's architecture)",
    ),
    ("DPY-3001", "ORA-12660", "ORA-12650", "DPY-5016"): (
        UnreachableError, "MP-ENC-001", "the server demands native network encryption", _THREE_WAYS
    ),
    ("DPY-6006", "DPY-6002"): (
        UnreachableError, "MP-TLS-003", "the server's certificate is for another name",
        "check ORACLE_HOST; ssl_server_dn_match=off in ORACLE_DSN accepts it all the same",
    ),
    ("DPY-4026", "DPY-4027"): (
        SettingsError, "MP-TLS-004", "the wallet is not there, or has no ewallet.pem",
        "check ORACLE_WALLET_LOCATION",
    ),
    ("ORA-01031", "ORA-01720", "ORA-41900"): (
        LoginError, "MP-PRV-001", "the user has no privilege for that",
        "ask the DBA to GRANT SELECT on the table",
    ),
    ("ORA-00942", "ORA-04043", "ORA-00980"): (
        NotFoundError, "MP-SRC-001", "there is no such table or view, or the user may not see it",
        "marketpulse list-tables shows what there is; else ask the DBA to GRANT SELECT",
    ),
    ("ORA-00904",): (
        NotFoundError, "MP-SRC-001", "there is no such column",
        "marketpulse schema TABLE shows them"
    ),
    ("ORA-01722", "ORA-01858", "ORA-01861", "ORA-01840", "ORA-01841", "ORA-01843", "ORA-00932",
     "ORA-00920", "ORA-00936", "ORA-00907", "ORA-00909", "ORA-01830", "ORA-01847"): (
        UsageError, "MP-USE-003", "a condition cannot be applied", _WHERE
    ),
    ("ORA-01555",): (
        UnreachableError, "MP-ORA-002",
        "the database no longer has the rows as they were at the start",
        "take fewer rows or tables at once, or at a quieter hour; UNDO_RETENTION is the DBA's",
    ),
    ("ORA-00028", "ORA-00031"): (
        ConnectionLostError, "MP-NET-008", "the session was ended by the database's administrator",
        "ask the DBA: the session is named marketpulse in V$SESSION",
    ),
    ("ORA-02396", "DPY-4033"): (
        ConnectionLostError, "MP-NET-008", "the session was idle for too long", "run it again"
    ),
    ("DPY-4024", "ORA-01013"): (
        UnreachableError, "MP-NET-007", "the database did not answer in time",
        "try again; --deadline gives it more",
    ),
    ("DPY-4011", "ORA-03113", "ORA-03114", "ORA-03135", "ORA-12537", "ORA-12547", "ORA-12570",
     "DPY-1001"): (
        ConnectionLostError, "MP-NET-006", "the connection was lost",
        "check the VPN, and run it again",
    ),
}  # fmt: skip
_BY_CODE = {code: meaning for codes, meaning in _MEANINGS.items() for code in codes}


def meaning_of(error: Exception, where: object) -> MarketPulseError:
    """The error in our words. `where` names the database, without credentials."""
    codes = list(_codes(error))
    for code in codes:
        if code in _BY_CODE:
            kind, check, what, hint = _BY_CODE[code]
            return kind(f"{where}: {what} ({code})", hint=hint, check=check)
    first_line = str(error).partition("\n")[0]
    return UnreachableError(f"{where}: {first_line}", hint=_ASK, check="MP-ORA-001")


def is_of_the_network(error: BaseException) -> bool:
    """Whether the way to the database is in question, rather than what it answered."""
    return not any(code in _BY_CODE and code != "DPY-4011" for code in _codes(error))


def _codes(error: BaseException | None) -> Iterator[str]:
    """The codes of an error and its causes, the innermost first: the outer ones say less."""
    if error is None:
        return
    yield from _codes(error.__cause__)
    detail = error.args[0] if error.args else None
    code = getattr(detail, "full_code", None)
    if isinstance(error, oracledb.Error) and code:
        yield str(code)
        yield from re.findall(r"\b(?:ORA|DPY|DPI)-\d{4,5}\b", str(error))
