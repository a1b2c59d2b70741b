"""The way to a session: which logins are repeated, and what a silent listener leaves behind."""

import subprocess
import sys

import pytest
from oracle_server.client import PASSWORD, settings_for
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import ROOT, Tool

from marketpulse.errors import LoginError
from marketpulse.sources.oracle import OracleDatabase


def test_the_session_names_its_program(server: OracleServer, tool: Tool) -> None:
    """The DBA sees the program in V$SESSION."""
    tool.run("list-tables")

    assert server.record.tags[-1]["program"] == "marketpulse"


def test_a_refused_login_is_not_retried(server: OracleServer) -> None:
    """A wrong password is sent once: each further attempt may lock the account."""
    server.faults = Faults(login=1017)
    with pytest.raises(LoginError), OracleDatabase(settings_for(server)):
        pass
    assert server.record.logins == [("ANALYST", 1017)]


def test_a_busy_listener_is_retried(server: OracleServer) -> None:
    """A listener without a free handler is asked again, and the second answer counts."""
    server.faults = Faults(refuse=12516, connections=2)  # the probe, or the login and its probe
    with OracleDatabase(settings_for(server)) as database:
        assert database.rows("SELECT dummy FROM dual") == [("X",)]


class SilentConnections(Faults):
    """Some connections meet silence: their numbers, from 1."""

    def __init__(self, *silent: int) -> None:
        super().__init__()
        self.numbers = silent
        self.count = 0

    def for_next_connection(self) -> Faults:
        """Return the faults of the next connection."""
        self.count += 1
        return Faults(silent=self.count in self.numbers)


LOG_IN_THREE_TIMES = """
import sys
from pydantic import SecretStr
from marketpulse.errors import UnreachableError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase

dsn, password, *library = sys.argv[1:]
settings = OracleSettings(
    username=SecretStr("analyst"), password=SecretStr(password), dsn=dsn, deadline=1.5,
    client_lib_dir=library[0] if library else None,
)
for _ in range(3):
    try:
        with OracleDatabase(settings) as database:
            print(database.rows("SELECT dummy FROM dual"))
    except UnreachableError as error:
        print(error.check)
"""


@pytest.mark.parametrize("library", [[], ["/no/client"]], ids=["thin", "thick is possible"])
def test_a_process_survives_a_silent_listener(server: OracleServer, library: list[str]) -> None:
    """Silence at the first probe, then at the first login; a later login of the process works."""
    server.faults = SilentConnections(1, 3)
    done = subprocess.run(
        [sys.executable, "-c", LOG_IN_THREE_TIMES, server.dsn, PASSWORD, *library],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["MP-NET-004", "MP-NET-007", "[('X',)]"], done.stderr
