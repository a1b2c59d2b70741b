"""Errors: each fault has its check id, its exit code and a hint, the same in every command."""

import json
import time

import oracledb
import pytest
from oracle_server.encryption import Algorithms
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool

from marketpulse.errors import (
    ConnectionLostError,
    DataError,
    LoginError,
    NotFoundError,
    UnreachableError,
    UsageError,
)
from marketpulse.sources.oracle.errors import (
    may_be_network_error,
    translate_error,
    translate_login_error,
)

# For each fault: the server's fault, changes of the environment, the check id, the exit code.
FAULTS: dict[str, tuple[Faults, dict[str, str], str, int]] = {
    "wrong password": (Faults(), {"ORACLE_PASSWORD": "not-the-one"}, "MP-LOG-001", 5),
    "locked": (Faults(login=28000), {}, "MP-LOG-002", 5),
    "expired": (Faults(login=28001), {}, "MP-LOG-003", 5),
    "no session": (Faults(login=1045), {}, "MP-LOG-004", 5),
    "unknown service": (Faults(), {"ORACLE_SERVICE_NAME": "NOWHERE"}, "MP-TNS-001", 6),
    "a SID": (Faults(), {"ORACLE_SERVICE_NAME": "ORCLCDB"}, "MP-TNS-002", 6),
    "no handler": (Faults(refuse=12516), {}, "MP-TNS-004", 4),
    "no such host": (Faults(), {"ORACLE_HOST": "nowhere.invalid"}, "MP-NET-001", 4),
    "a host and its port": (Faults(), {"ORACLE_HOST": "db.example.com:1521"}, "MP-TNS-006", 3),
    "a host's address": (Faults(), {"ORACLE_HOST": "https://db.example.com"}, "MP-TNS-006", 3),
    "closed port": (Faults(), {"ORACLE_PORT": "1"}, "MP-NET-002", 4),
    "HTTP": (Faults(garbage=b"HTTP/1.1 400 Bad Request\r\n\r\n"), {}, "MP-NET-005", 4),
    "silence": (Faults(silent=True), {"MARKETPULSE_DEADLINE": "4"}, "MP-NET-004", 4),
    "encryption": (Faults(demand_encryption=True), {"ORACLE_DRIVER": "thin"}, "MP-ENC-001", 4),
    "no agreement": (
        Faults(demand_encryption=True, algorithms=Algorithms(error=12660)),
        {},
        "MP-ENC-002",
        4,
    ),
    "no privilege": (Faults(), {"ORACLE_TABLE_NAME": "FORBIDDEN"}, "MP-PRV-001", 5),
    "no such table": (Faults(), {"ORACLE_TABLE_NAME": "COLOR_TABLE"}, "MP-SRC-001", 6),
    "nothing set": (Faults(), {"ORACLE_HOST": "", "ORACLE_PASSWORD": ""}, "MP-SET-002", 3),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(server: OracleServer, tool: Tool, fault: str) -> None:
    """Doctor and sample report a fault in the same way, in time, and log in at most once each."""
    server.faults, changes, check, code = FAULTS[fault]
    started = time.monotonic()
    # Of a broken login the driver forgets the socket, which pytest reports.
    run = tool.run_process if server.faults.garbage or server.faults.silent else tool.run
    diagnosis = run("doctor", "--format", "json", env=tool.env | changes)
    logins = len(server.record.logins)
    sampled = run("sample", "--format", "json", env=tool.env | changes)

    *_, last = json.loads(diagnosis.out)["steps"]
    error = json.loads(sampled.err.splitlines()[-1])["error"]
    assert (last["state"], last["check"], diagnosis.code) == ("failed", check, code)
    assert (error["check"], error["exit_code"], sampled.code) == (check, code, code)
    assert last["hint"]
    assert error["hint"]
    assert logins <= 1
    assert len(server.record.logins) <= 2 - (check == "MP-LOG-001")
    assert time.monotonic() - started < 90
    assert not (tool.folder / "sample_data" / "manifest.json").exists()


def test_doctor_without_faults(tool: Tool) -> None:
    """Doctor checks all layers, and shows them as lines."""
    done = tool.run("doctor")

    assert done.code == 0, done.out + done.err
    assert "COLORS_TABLE can be read" in done.out
    assert "AL32UTF8" in done.out


@pytest.mark.parametrize(
    ("text", "error_class", "check"),
    [
        ("ORA-01017: invalid username/password", LoginError, "MP-LOG-001"),
        ("ORA-00942: table or view does not exist", NotFoundError, "MP-SRC-001"),
        ("ORA-12170: TNS:Connect timeout occurred", UnreachableError, "MP-TNS-005"),
        ("ORA-01821: date format not recognized", UsageError, "MP-USE-003"),
        ("ORA-01481: invalid number format model", UsageError, "MP-USE-003"),
        ("ORA-01795: maximum number of expressions in a list is 1000", UsageError, "MP-USE-003"),
        ("ORA-01476: divisor is equal to zero", UsageError, "MP-USE-003"),
        ("DPY-4010: a bind variable replacement value was not provided", UsageError, "MP-USE-003"),
        ('ORA-04063: view "A.B" has errors', DataError, "MP-ORA-004"),
        ("ORA-01555: snapshot too old", DataError, "MP-ORA-002"),
        (
            "ORA-01033: ORACLE initialization or shutdown in progress",
            UnreachableError,
            "MP-NET-009",
        ),
        ("ORA-01017: wrong\nORA-02063: preceding line from DB2", DataError, "MP-ORA-004"),
        ("ORA-12541: no listener\nORA-02063: preceding line from DB2", DataError, "MP-ORA-004"),
        ("ORA-01722: no number\nORA-02063: preceding line from DB2", UsageError, "MP-USE-003"),
        ("ORA-01035: only with RESTRICTED SESSION", UnreachableError, "MP-NET-009"),
        ("ORA-28040: no matching authentication protocol", LoginError, "MP-DRV-002"),
        ("ORA-28860: fatal SSL error", UnreachableError, "MP-TNS-005"),
        ("ORA-12571: TNS:packet writer failure", ConnectionLostError, "MP-NET-006"),
        ("ORA-00603: session terminated by fatal error", ConnectionLostError, "MP-NET-008"),
        ("ORA-99999: something else", DataError, "MP-ORA-001"),
        ("DPY-6999: something new of the network", UnreachableError, "MP-ORA-001"),
        ("DPY-5999: something new of the driver", DataError, "MP-ORA-001"),
    ],
)
def test_translate(text: str, error_class: type[Exception], check: str) -> None:
    """An error's code decides the class and the check id; the message has the address."""
    error = driver_error(text)
    translated = translate_error(error, "db:1521/MKT")
    assert type(translated) is error_class
    assert translated.check == check
    assert translated.message.startswith("db:1521/MKT: ")
    assert text[:9] in translated.message
    assert translated.hint


def test_all_lines_are_shown() -> None:
    """The message has every line of Oracle's, on one line, without the driver's link."""
    text = (
        "ORA-29913: error in callout\nORA-29400: data cartridge error\nKUP-04040: no file\nHelp: x"
    )
    message = translate_error(driver_error(text), "db").message
    assert message.endswith(
        "ORA-29913: error in callout; ORA-29400: data cartridge error; KUP-04040: no file"
    )


def test_why_a_connection_was_closed() -> None:
    """The driver's code for a closed connection does not hide the server's reason."""
    killed = driver_error("DPY-4011: closed\nORA-00028: your session has been killed")
    assert "the DBA ended the session" in translate_error(killed, "db").message
    broken = driver_error("DPY-4011: closed\nORA-00600: internal error code")
    translated = translate_error(broken, "db")
    assert "a fault of its own" in translated.message
    assert "ORA-00600: internal error code" in translated.message
    assert "VPN" not in translated.hint


def test_a_login_that_the_database_refuses() -> None:
    """Before there is a statement, an unknown code of the database refuses the session."""
    text = "ORA-00604: error at level 1\nORA-20001: not before 8 o'clock"
    refused = translate_login_error(driver_error(text), "db")
    assert type(refused) is LoginError
    assert refused.check == "MP-LOG-004"
    assert "ORA-20001: not before 8 o'clock" in refused.message
    assert type(translate_login_error(driver_error("DPY-5999: new"), "db")) is DataError


def test_the_innermost_code_counts() -> None:
    """Of an error and its causes the innermost known code decides."""
    outer = driver_error("DPY-6005: cannot connect")
    outer.__cause__ = driver_error("DPY-6006: the certificate does not match")
    assert translate_error(outer, "db").check == "MP-TLS-003"


def test_network_errors() -> None:
    """A lost connection may be the network's, a refused login or another answer is not."""
    assert not may_be_network_error(driver_error("ORA-99999: something else"))
    assert may_be_network_error(TimeoutError())
    assert may_be_network_error(driver_error("DPY-4011: the connection was closed"))
    assert may_be_network_error(driver_error("DPY-6001: not registered (Similar to ORA-12514)"))
    assert not may_be_network_error(driver_error("ORA-12660: encryption parameters incompatible"))
    assert not may_be_network_error(driver_error("ORA-01017: invalid username/password"))


def driver_error(text: str) -> oracledb.Error:
    """Return an error as the driver raises it."""

    class Detail:
        full_code = text.partition(":")[0]

        def __str__(self) -> str:
            return text

    return oracledb.DatabaseError(Detail())
