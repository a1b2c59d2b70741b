"""The errors of the driver and the database, translated: what happened, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import oracledb

from marketpulse.errors import (
    ConnectionLostError,
    DataError,
    LoginError,
    MarketPulseError,
    NotFoundError,
    SettingsError,
    UnreachableError,
    UsageError,
)

if TYPE_CHECKING:
    from marketpulse.sources.oracle.select_query import SelectQuery

_ASK_HINT = "show this line to the database team"
_STATEMENT_HINT = (
    "check --where, --order-by or the query: text needs single quotes (BIAS = 'BID'), numbers need "
    "none"
)
_OBJECT_HINT = "show this line to the owner of the table or view; it fails in every program"
_STARTING_HINT = "try again in a few minutes, or ask the DBA when it is open"
_ENCRYPTION_HINT = (
    "do one of these: leave out --driver and ORACLE_DRIVER, then marketpulse encrypts the "
    "connection itself; install Instant Client and set ORACLE_CLIENT_LIB_DIR to its folder; or ask "
    "for a port with TLS (tcps://)"
)

_CREDENTIALS_HINT = (
    "check ORACLE_USERNAME and ORACLE_PASSWORD, `marketpulse config` shows where they come from; "
    "several failed logins lock an account"
)
# For each group of codes: the class of our error, the check id, what happened, what to do.
_Translation = tuple[type[MarketPulseError], str, str, str]
_TRANSLATIONS: dict[tuple[str, ...], _Translation] = {
    ("ORA-01017", "ORA-01005"): (
        LoginError, "MP-LOG-001", "the user name or the password is wrong",
        _CREDENTIALS_HINT,
    ),
    ("ORA-28000",): (
        LoginError, "MP-LOG-002", "the account is locked", "ask the DBA to unlock it"
    ),
    ("ORA-28001",): (
        LoginError, "MP-LOG-003", "the password has expired",
        "set a new one with the database's own tools, then update ORACLE_PASSWORD",
    ),
    ("ORA-01045",): (
        LoginError, "MP-LOG-004", "the user may not open a session",
        "ask the DBA to GRANT CREATE SESSION",
    ),
    ("DPY-3015", "DPY-3010", "ORA-28040"): (
        LoginError, "MP-DRV-002",
        "the server or its password format is too old for the driver",
        "use Instant Client (ORACLE_CLIENT_LIB_DIR), or ask the DBA to set the password again",
    ),
    ("DPI-1047", "DPY-2017", "DPY-2019"): (
        SettingsError, "MP-DRV-001", "Oracle's client library cannot be loaded",
        "set ORACLE_CLIENT_LIB_DIR to Instant Client's folder, of the same architecture as Python",
    ),
    ("DPY-3001", "ORA-12660", "ORA-12650", "DPY-5016"): (
        UnreachableError, "MP-ENC-001", "the server requires native network encryption",
        _ENCRYPTION_HINT,
    ),
    ("DPY-6006", "DPY-6002"): (
        UnreachableError, "MP-TLS-003", "the server's certificate is for another name",
        "check ORACLE_HOST; to accept it anyway, set ssl_server_dn_match=off in ORACLE_DSN",
    ),
    ("DPY-2018", "DPY-4026", "DPY-4027"): (
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
    ("ORA-02019", "ORA-02063", "ORA-04063", "ORA-04061", "ORA-04068", "ORA-24344", "ORA-29913",
     "ORA-29400", "ORA-30653"): (
        DataError, "MP-ORA-004", "the table or view itself is broken", _OBJECT_HINT
    ),
    ("DPY-4008", "DPY-4009", "DPY-4010"): (
        UsageError, "MP-USE-003", "the bind variables do not fit the query",
        "give each a value: --bind NAME=VALUE",
    ),
    ("ORA-01555",): (
        DataError, "MP-ORA-002",
        "the database no longer has the rows as they were at the start",
        "read less at once, or at a quieter time; or ask the DBA to raise UNDO_RETENTION",
    ),
    ("ORA-01033", "ORA-01034", "ORA-01035", "ORA-01089", "ORA-01090", "ORA-01092", "ORA-01109",
     "ORA-27101"): (
        UnreachableError, "MP-NET-009", "the database is starting, stopping or not open",
        _STARTING_HINT,
    ),
    ("ORA-00018", "ORA-00020", "ORA-02391"): (
        UnreachableError, "MP-NET-010", "the database has no session left for this user",
        "close other programs that use this user, or try again later",
    ),
    ("ORA-00028", "ORA-00031"): (
        ConnectionLostError, "MP-NET-008", "the DBA ended the session",
        "ask the DBA why; V$SESSION shows the session as program marketpulse",
    ),
    ("ORA-00600", "ORA-00602", "ORA-00603", "ORA-07445", "ORA-01041"): (
        ConnectionLostError, "MP-NET-008", "the database ended the session by a fault of its own",
        _ASK_HINT,
    ),
    ("ORA-02396", "ORA-02399", "DPY-4033"): (
        ConnectionLostError, "MP-NET-008", "the session was idle or open for too long",
        "run it again",
    ),
    ("DPY-4024", "DPI-1067", "ORA-01013"): (
        UnreachableError, "MP-NET-007", "the database did not answer in time",
        "allow each answer more time with ORACLE_CALL_TIMEOUT, and the command with --deadline",
    ),
    ("DPY-4011", "ORA-01012", "ORA-03113", "ORA-03114", "ORA-03135", "ORA-12152", "ORA-12153",
     "ORA-12537", "ORA-12547", "ORA-12570", "ORA-12571", "ORA-12583", "DPY-1001", "DPI-1010",
     "DPI-1080"): (
        ConnectionLostError, "MP-NET-006", "the connection was lost",
        "check the VPN, and run the command again",
    ),
}  # fmt: skip
_BY_CODE = {code: translation for codes, translation in _TRANSLATIONS.items() for code in codes}
# Oracle's errors of a statement: its grammar, its types, its formats, values that do not fit.
_STATEMENT_CODES = (
    range(900, 1000), range(1416, 1500), range(1700, 1900), range(6502, 6580), range(19000, 19300),
    range(30089, 30100), range(30480, 30500), range(32030, 32050), range(38800, 38820),
    range(40400, 40700),
)  # fmt: skip
# Oracle Net, and its TLS.
_NETWORK_CODES = (range(12150, 12300), range(12500, 12700), range(28750, 28900))
_LINK = "ORA-02063"  # follows the errors of another database, which a database link reads
_NUMBER = re.compile(r"\b(?:ORA|DPY|DPI)-\d{4,5}\b")
_DRIVER_HELP = "Help: "  # the last line of the driver's messages: a link


def translate_error(error: Exception, address: object) -> MarketPulseError:
    """Return our error for an error of the driver; `address` is shown in its message.

    Where a known code of the network or the login says all, the message has that code; else it has
    all lines of the database's own message. A code that is not known here is an error of the
    statement or of the object that it reads, and never of the network.
    """
    codes = list(_codes(error))
    lines = join_lines(error)
    is_of_link = _LINK in codes and "DPY-4011" not in codes
    for code in codes:
        translation = _BY_CODE.get(code) or _translate_range(code)
        if translation is not None:
            if is_of_link and issubclass(translation[0], LoginError | UnreachableError):
                translation = _BY_CODE[_LINK]
            error_class, check, message, hint = translation
            is_code_enough = (
                issubclass(error_class, UnreachableError | LoginError | SettingsError)
                and hint != _ASK_HINT
                and all(name in _BY_CODE for name in codes if name.startswith("ORA"))
            )
            reason = f" ({code})" if is_code_enough else f": {lines}"
            return error_class(f"{address}: {message}{reason}", hint=hint, check=check)
    if not codes or codes[0].startswith("DPY-6"):  # the driver's codes of connecting
        return UnreachableError(f"{address}: {lines}", hint=_ASK_HINT, check="MP-ORA-001")
    return DataError(
        f"{address}: the database or the driver failed: {lines}", hint=_ASK_HINT, check="MP-ORA-001"
    )


def translate_login_error(error: Exception, address: object) -> MarketPulseError:
    """Return our error for an error of a login.

    There is no statement yet: whatever the database says without being down refuses the session,
    for example a trigger with a message of its own.
    """
    translated = translate_error(error, address)
    is_of_database = any(code.startswith("ORA") for code in _codes(error))
    if is_of_database and isinstance(translated, DataError | UsageError | NotFoundError):
        _, check, message, _ = _BY_CODE["ORA-01045"]
        return LoginError(f"{address}: {message}: {join_lines(error)}", hint=_ASK_HINT, check=check)
    return translated


@contextmanager
def add_place(statement: str, query: SelectQuery | None) -> Iterator[None]:
    """Add the name of a query's file to an error of ours, with line and column if they are known.

    The database says where a fault is in the statement, which has the text of the query in it.
    """
    try:
        yield
    except MarketPulseError as error:
        if query is not None and not isinstance(error, UnreachableError):
            cause = error.__cause__
            detail = cause.args[0] if isinstance(cause, oracledb.Error) and cause.args else None
            place = _place_in(query, statement, getattr(detail, "offset", 0))
            error.message += f" ({place}{query.file})"
            if "ORA-00942" in error.message:
                error.add_hint(
                    "in a query, write a table of another schema as OWNER.TABLE: ORACLE_SCHEMA "
                    "does not apply there"
                )
        raise


def _place_in(query: SelectQuery, statement: str, offset: int) -> str:
    """Return the line and the column for an offset in bytes; empty for 0, which is unknown."""
    begin = statement.find(query.text)
    before = statement.encode()[:offset].decode(errors="ignore")[begin:]
    if not offset or not 0 <= begin <= offset or len(before) > len(query.text):
        return ""
    line, column = query.start[0] + before.count("\n"), len(before) - before.rfind("\n")
    if line == query.start[0]:
        column += query.start[1] - 1
    return f"line {line}, column {column} of "


def encryption_error(address: object) -> UnreachableError:
    """Return the error for a server whose listener requires native network encryption."""
    _, check, message, hint = _BY_CODE["DPY-3001"]
    return UnreachableError(f"{address}: {message}", hint=hint, check=check)


def may_be_network_error(error: BaseException) -> bool:
    """Return whether a probe can find out more: no code of the error names another cause."""
    return all(
        code.startswith("DPY-6") or code == "DPY-4011" or _is_network_code(code)
        for code in _codes(error)
    )


def _translate_range(code: str) -> _Translation | None:
    """Return the translation of a code that only its number classifies, if it does."""
    if not code.startswith("ORA-"):
        return None
    number = int(code[4:])
    if any(number in numbers for numbers in _STATEMENT_CODES):
        return UsageError, "MP-USE-003", "the database cannot run the statement", _STATEMENT_HINT
    if _is_network_code(code):
        return UnreachableError, "MP-TNS-005", "the network or the listener failed", _ASK_HINT
    return None


def _is_network_code(code: str) -> bool:
    """Whether a code is one of Oracle Net's that says nothing more precise."""
    if not code.startswith("ORA-") or code in _BY_CODE:
        return False
    return any(int(code[4:]) in numbers for numbers in _NETWORK_CODES)


def _codes(error: BaseException | None) -> Iterator[str]:
    """Yield the codes of an error and its causes, the most precise first.

    That is the innermost error. The driver's own code for a closed connection stands above the
    server's, which says why it was closed.
    """
    if error is None:
        return
    yield from _codes(error.__cause__)
    detail = error.args[0] if error.args else None
    code = getattr(detail, "full_code", None)
    if isinstance(error, oracledb.Error) and code:
        named = _NUMBER.findall(str(error).partition(_DRIVER_HELP)[0])
        yield from dict.fromkeys(sorted([str(code), *named], key=lambda code: code[:3] != "ORA"))


def join_lines(message: object) -> str:
    """Return all lines of a message on one line, without the driver's link to an explanation."""
    lines = (line.strip() for line in str(message).splitlines())
    return "; ".join(line for line in lines if line and not line.startswith(_DRIVER_HELP))
