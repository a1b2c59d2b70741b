"""Refused passwords: none is sent twice, over processes and days."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from oracle_server.client import PASSWORD, settings_for
from oracle_server.faults import Faults
from oracle_server.server import OracleServer
from pydantic import SecretStr

from marketpulse.errors import LoginError, MarketPulseError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle import OracleDatabase

WRONG = "Planted-Rye-Wrong"


def log_in(settings: OracleSettings) -> MarketPulseError | None:
    """Log in as a new process does. Returns the error, if any."""
    try:
        with OracleDatabase(settings):
            return None
    except MarketPulseError as error:
        return error


@pytest.fixture
def wrong(server: OracleServer, tmp_path: Path) -> OracleSettings:
    """The settings of a user with a wrong password."""
    return settings_for(server, password=SecretStr(WRONG), state_folder=tmp_path / "state")


def test_a_refused_password_is_sent_once(server: OracleServer, wrong: OracleSettings) -> None:
    """Later logins fail without the database; the message says so, and how to clear it."""
    first, *others = [log_in(wrong) for _ in range(4)]
    assert isinstance(first, LoginError)
    path = wrong.state_folder / "refused-logins.json" if wrong.state_folder else Path()
    for error in others:
        assert isinstance(error, LoginError)
        assert error.check == "MP-LOG-001"
        assert "not sent again" in error.message
        assert f"delete {path}" in error.hint
    assert server.record.logins == [("ANALYST", 1017)]
    assert not {WRONG, "analyst", "ANALYST"} & set(path.read_text().replace('"', " ").split())

    path.unlink()
    log_in(wrong)
    assert len(server.record.logins) == 2


def test_another_password_is_sent(server: OracleServer, wrong: OracleSettings) -> None:
    """Other credentials, or the same ones elsewhere, are no refused ones."""
    log_in(wrong)
    folder = wrong.state_folder
    assert log_in(settings_for(server, state_folder=folder)) is None
    assert log_in(settings_for(server, state_folder=folder, username=SecretStr("market"))) is None
    elsewhere = settings_for(
        server, password=SecretStr(WRONG), state_folder=folder, dsn=f"{server.dsn}?sdu=8192"
    )
    assert "not sent again" in str(log_in(elsewhere))  # another spelling of the same place
    assert len(server.record.logins) == 3


def test_a_version_counts_instead_of_the_password(
    server: OracleServer, wrong: OracleSettings, tmp_path: Path
) -> None:
    """The same password is tried again as another version of its store."""
    for version in ("SSM /path/ 1", "SSM /path/ 1", "SSM /path/ 2"):
        log_in(
            settings_for(server, password=wrong.password, state_folder=tmp_path, version=version)
        )
    assert len(server.record.logins) == 2


def test_processes_at_the_same_time_make_one_failed_login(
    server: OracleServer, wrong: OracleSettings
) -> None:
    """One logs in at a time; the others know the result."""
    with ThreadPoolExecutor(10) as pool:
        errors = list(pool.map(lambda _: log_in(wrong), range(10)))
    assert all(isinstance(error, LoginError) for error in errors)
    assert server.record.logins == [("ANALYST", 1017)]


@pytest.mark.parametrize("code", [28000, 1045], ids=["locked", "no session"])
def test_only_wrong_passwords_are_remembered(
    server: OracleServer, tmp_path: Path, code: int
) -> None:
    """What a DBA puts right is tried again."""
    server.faults = Faults(login=code)
    settings = settings_for(server, state_folder=tmp_path)
    log_in(settings)
    server.faults = Faults()
    assert log_in(settings) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"salt": "x", "refused": [{}]}'])
def test_a_damaged_file_is_replaced(wrong: OracleSettings, tmp_path: Path, content: str) -> None:
    """What cannot be read counts as nothing remembered."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/refused-logins.json").write_text(content)
    log_in(wrong)
    assert "not sent again" in str(log_in(wrong))


def test_without_a_folder_a_login_still_works(server: OracleServer, tmp_path: Path) -> None:
    """A folder that cannot be made costs the memory, not the login."""
    (tmp_path / "file").touch()
    settings = settings_for(server, state_folder=tmp_path / "file" / "state")
    assert settings.password.get_secret_value() == PASSWORD
    assert log_in(settings) is None
