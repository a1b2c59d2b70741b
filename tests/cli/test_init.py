"""`init`: questions on a real terminal, a real login, and the file that is written."""

import os
import select
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from oracle_server.engine import DuckEngine
from oracle_server.market import market
from oracle_server.server import OracleServer
from support import Tool, one_message, posix

pytestmark = posix
PASSWORD = "0pen #Sesame' \\11$x"
ADDRESS, USER = "Host of the database, or a whole connect string", "User name"
SECRET = "Password of analyst: "
OWNER, TABLE = "Schema: the owner of the tables [ANALYST]: ", "Default table: "


@pytest.fixture(scope="module")
def database() -> Iterator[OracleServer]:
    """A database whose user has an awkward password."""
    with OracleServer(DuckEngine(market(rows=9)), users={"ANALYST": PASSWORD}) as server:
        yield server


def converse(tool: Tool, turns: Sequence[tuple[str, str]], *words: str) -> tuple[int, str]:
    """Answer the questions of a command on a terminal; return its exit code and what it showed."""
    import pty  # noqa: PLC0415 - not on Windows

    near, far = pty.openpty()
    process = tool.start(*words, stdin=far, stdout=far, stderr=far, start_new_session=True)
    os.close(far)
    shown = b""
    for question, answer in turns:
        while not shown.endswith(question.encode()):
            assert select.select([near], [], [], 60)[0], shown
            shown += os.read(near, 1000)
        os.write(near, f"{answer}\n".encode())
    with suppress(OSError):  # the process has closed its end
        while select.select([near], [], [], 60)[0] and (piece := os.read(near, 1000)):
            shown += piece
    os.close(near)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_it_asks_tests_and_writes(database: OracleServer, tool: Tool) -> None:
    """A wrong password is corrected at once; the file is its owner's, and doctor reads it.

    The wrong one, typed again, is not sent again.
    """
    database.reset()
    (tool.folder / ".env").write_text("# mine\nORACLE_DSN=old:1/X\nMARKETPULSE_RULES=r.json\n")
    jdbc = f"jdbc:oracle:thin:@//{database.host}:{database.port}/{database.service}"
    login = [
        (f"{USER}: ", "analyst"),
        (SECRET, "wrong"),
        (OWNER, "MARKET"),
        (TABLE, "COLORS_TABLE"),
    ]
    again = [
        ("again? [Y/n]: ", ""),
        (f"{ADDRESS} [{jdbc}]: ", ""),
        (f"{USER} [analyst]: ", ""),
        (SECRET, "wrong"),
        (f"refused-logins.json\r\n{SECRET}", PASSWORD),
        ("Schema: the owner of the tables [MARKET]: ", ""),
        ("Default table [COLORS_TABLE]: ", ""),
    ]

    code, shown = converse(tool, [(f"{ADDRESS} [old:1/X]: ", jdbc), *login, *again], "init")

    assert code == 0, shown
    assert "  understood as " in shown
    assert "ORA-01017" in shown
    assert "not sent again\n  hint: type another one" in shown
    assert [error for _, error in database.record.logins if error] == [1017]
    assert "COLORS_TABLE can be read" in shown
    assert PASSWORD not in shown
    path = tool.folder / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("# mine\nMARKETPULSE_RULES=r.json\n")
    assert "ORACLE_DSN=jdbc:oracle:thin:@//" in path.read_text()
    tested = tool.run("doctor")
    assert tested.code == 0, tested.out
    assert tested.err == ""


def test_a_host_alone_is_asked_for_port_and_service(database: OracleServer, tool: Tool) -> None:
    """What is refused is not written, unless the user wants it."""
    turns = [
        (f"{ADDRESS}: ", "host with blanks/x"),
        (f"{ADDRESS}: ", database.host),
        ("Port [1521]: ", str(database.port)),
        ("Service name: ", "OTHER"),
        (f"{USER}: ", "analyst"),
        (SECRET, PASSWORD),
        (OWNER, "MARKET"),
        (TABLE, ""),
        ("again? [Y/n]: ", "n"),
    ]

    code, _ = converse(tool, [*turns, ("anyway? [Y/n]: ", "n")], "init")
    assert code == 6
    assert not (tool.folder / ".env").exists()
    code, _ = converse(tool, [*turns, ("anyway? [Y/n]: ", "y")], "init")
    assert code == 6
    assert f"ORACLE_PORT={database.port}\n" in (tool.folder / ".env").read_text()


def test_the_keyring_has_the_password(database: OracleServer, tool: Tool) -> None:
    """The file has a command that prints it, and no password."""
    tool.env["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"
    turns = [
        (f"{ADDRESS}: ", database.dsn),
        (f"{USER}: ", "analyst"),
        (SECRET, PASSWORD),
        (OWNER, "MARKET"),
        (TABLE, ""),
    ]

    code, shown = converse(tool, turns, "init", "--keyring")

    assert code == 0, shown
    written = (tool.folder / ".env").read_text()
    assert PASSWORD not in written
    assert "-m keyring get marketpulse" in written
    assert tool.run("doctor").code == 0


def test_a_terminal_is_asked_for_a_missing_password(database: OracleServer, tool: Tool) -> None:
    """Off a terminal nobody is asked: the message names what is missing."""
    (tool.folder / ".env").write_text(
        f"ORACLE_DSN={database.dsn}\nORACLE_USERNAME=analyst\nORACLE_SCHEMA=MARKET\n"
    )

    code, shown = converse(tool, [(SECRET, PASSWORD)], "list-tables", "--like", "COLORS_TABLE")
    silent = tool.run("list-tables")

    assert code == 0, shown
    assert "COLORS_TABLE" in shown
    assert PASSWORD not in shown
    assert silent.code == 3
    assert "ORACLE_PASSWORD is not set" in one_message(silent.err)


def test_ctrl_d_at_a_question_interrupts(tool: Tool) -> None:
    """It is no bug, which exit code 1 stands for, and writes nothing."""
    code, shown = converse(tool, [("connect string: ", "\x04")], "init")

    assert (code, shown.splitlines()[-1]) == (130, "interrupted")
    assert not (tool.folder / ".env").exists()


def test_it_needs_a_terminal(tool: Tool) -> None:
    """A script gets one message."""
    refused = tool.run("init")

    assert refused.code == 2
    assert "there is no terminal" in one_message(refused.err)
