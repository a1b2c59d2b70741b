"""The database of the function: credentials are read again, and no account is locked."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from function.helpers import AT, FIRST, SECOND, Cloud, call
from oracle_server.client import oracle_environment

from marketpulse.errors import LoginError, SettingsError
from marketpulse.function import events
from marketpulse.function.service import Service


def test_a_rotated_password_is_read_again(cloud: Cloud) -> None:
    """After a refused login the new password is read, and the run goes on."""
    call({"time": AT})
    cloud.database.users["ANALYST"] = SECOND
    cloud.put(password=SECOND)

    assert call({"time": "2026-03-14T08:00:00Z"})["rows"]["read"] > 100


def test_parameters_are_kept_for_a_time(cloud: Cloud) -> None:
    """SSM is asked again after some seconds only."""
    patient, eager = Service(os.environ), Service(os.environ, seconds=0)
    assert patient.tables() == eager.tables()
    cloud.put(host="PLACEHOLDER")

    assert patient.tables()
    with pytest.raises(SettingsError):
        eager.tables()


def test_a_refused_password_is_not_sent_twice(cloud: Cloud) -> None:
    """Twelve events and ten new processes make one failed login; a new version is used at once."""
    call({"time": AT})
    cloud.database.users["ANALYST"] = SECOND
    logins = len(cloud.database.record.logins)
    with pytest.raises(LoginError, match="ORA-01017"):
        call({"time": AT})
    for _ in range(5):  # AWS tries an event twice more
        with pytest.raises(LoginError, match="not sent again"):
            call({"time": AT})
    for number in range(16):
        with pytest.raises(LoginError, match=r"not sent again.*not locked") as refused:
            Service(os.environ, seconds=number % 2).tables()
    assert refused.value.check == "MP-LOG-001"
    assert "marketpulse ssm put" in refused.value.hint
    assert len(cloud.database.record.logins) - logins == 1

    cloud.put(password=SECOND)
    assert call({"time": AT})["rows"]["read"] > 100
    cloud.put(password=FIRST)
    cloud.put(password=SECOND)
    assert Service(os.environ).tables()


def test_credentials_of_the_environment_are_remembered_by_the_process(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a version in a store, a process sends a refused password once."""
    for name, value in oracle_environment(cloud.database).items():
        monkeypatch.setenv(name, value)
    service = Service(os.environ, seconds=0)
    for _ in range(3):
        with pytest.raises(LoginError):
            service.tables()
    assert len(cloud.database.record.logins) == 1
    assert cloud.objects() == {}


def test_after_a_rotation_the_old_password_is_sent_once(cloud: Cloud) -> None:
    """Of many requests at the same time one is refused, and all are answered."""
    service = events.service()
    tables = service.tables()
    cloud.database.users["ANALYST"] = SECOND
    cloud.put(password=SECOND)
    logins = len(cloud.database.record.logins)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.tables(), range(8)))

    assert answers == [tables] * 8
    assert len(cloud.database.record.logins) - logins == 8 + 1
