"""A password from a command, line ends that would cost a login, and the user's state folder."""

import os
import sys
from pathlib import Path

import pytest

from marketpulse.errors import SettingsError, command_line
from marketpulse.settings.credentials import run_password_command, state_folder
from marketpulse.settings.load import oracle_settings

SECRET = "Planted-Rye-5150"
NEEDED = {"ORACLE_HOST": "db", "ORACLE_SERVICE_NAME": "X", "ORACLE_USERNAME": "me"}


def command(script: str) -> str:
    """A command that runs this Python."""
    return command_line([sys.executable, "-c", script])


@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n"])
def test_a_command_prints_the_password(end: str) -> None:
    """The line end does not count; blanks within the line do."""
    assert run_password_command(command(f"print('a b $x', end='{end}')")) == "a b $x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (command(f"print('{SECRET}'); raise SystemExit(7)"), "exit code 7"),
        (command(f"print('{SECRET}'); print('more')"), "printed 2 lines"),
        (command("pass"), "printed 0 lines"),
        (command(r"import sys; sys.stdout.buffer.write(b'\xff')"), "not UTF-8"),
        (f"/no/such/program {SECRET}", "cannot be started"),
        pytest.param(
            f"'{SECRET}",
            "a quote in it is not closed",
            marks=pytest.mark.skipif(os.name == "nt", reason="there each program reads its quotes"),
        ),
        ("  ", "it is empty"),
    ],
)
def test_a_failing_command(text: str, message: str) -> None:
    """Each fault has a message and a hint; neither repeats the command or what it printed."""
    with pytest.raises(SettingsError, match=message) as caught:
        run_password_command(text)
    assert caught.value.check == "MP-SET-003"
    assert caught.value.hint
    assert SECRET not in repr(caught.value) + str(caught.value.hint)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_command_runs_only_for_a_missing_password(tmp_path: Path) -> None:
    """A password of the environment wins, and then no command runs."""
    script = f"from pathlib import Path; Path({str(tmp_path / 'ran')!r}).touch(); print('{SECRET}')"
    environment = {**NEEDED, "ORACLE_PASSWORD_COMMAND": command(script)}
    options = {"MARKETPULSE_CREDENTIALS": "env"}
    given = oracle_settings(options, {**environment, "ORACLE_PASSWORD": "x"}, None)
    assert given.password.get_secret_value() == "x"
    assert not (tmp_path / "ran").exists()

    assert oracle_settings(options, environment, None).password.get_secret_value() == SECRET


@pytest.mark.parametrize("variable", ["ORACLE_USERNAME", "ORACLE_PASSWORD"])
def test_a_line_end_in_a_login_is_refused(variable: str) -> None:
    """It would cost a failed login."""
    environment = {**NEEDED, "ORACLE_PASSWORD": SECRET}
    environment[variable] += "\n"
    with pytest.raises(SettingsError, match=f"{variable}.*line end") as caught:
        oracle_settings({"MARKETPULSE_CREDENTIALS": "env"}, environment, None)
    assert caught.value.check == "MP-SET-004"
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HOME": "/home/me"}, Path("/home/me/.local/state/marketpulse")),
        ({"HOME": "/home/me", "XDG_STATE_HOME": "/state"}, Path("/state/marketpulse")),
        ({"LOCALAPPDATA": r"C:\me"}, Path(r"C:\me") / "marketpulse"),
        ({}, None),
    ],
)
def test_the_state_folder(environment: dict[str, str], folder: Path | None) -> None:
    """It follows the system's habits; without a home there is none."""
    assert state_folder(environment) == folder
