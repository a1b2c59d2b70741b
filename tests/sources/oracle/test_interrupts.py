"""Ctrl-C while a command waits for the database, and what a login or a long wait says."""

import signal
import time

import pytest
from oracle_server.client import open_source
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from support import Tool, posix


@posix
@pytest.mark.parametrize(
    ("words", "statement"),
    [(("list-tables",), 2), (("schema", "COLORS_TABLE"), 6), (("sample", "SECURITIES"), 5)],
    ids=["tables", "keys", "columns"],
)
def test_ctrl_c(server: OracleServer, tool: Tool, words: tuple[str, ...], statement: int) -> None:
    """Ctrl-C during a question to the dictionary ends with one word, exit code 130."""
    server.faults = Faults(stall_at_statement=statement)
    process = tool.start(*words)
    while len(server.record.statements) < statement and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.1)  # the client waits for the answer by now
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")
    assert not (tool.folder / "sample_data").exists()


def test_a_password_that_expires_soon(
    server: OracleServer, caplog: pytest.LogCaptureFixture
) -> None:
    """ORA-28002 comes with a login that succeeds: it is a warning."""
    server.faults = Faults(warning="ORA-28002: the password will expire within 5 days")
    with open_source(server) as source:
        assert source.find_table("SECURITIES") == "SECURITIES"
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert record.getMessage().endswith("ORA-28002: the password will expire within 5 days")
