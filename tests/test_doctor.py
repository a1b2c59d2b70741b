"""The connection test: the order of its steps, where it stops, what a failure says.

tests/sources/oracle has the same with a process and every fault of the server.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from oracle_server.engine import DuckEngine
from oracle_server.faults import Faults
from oracle_server.market import market
from oracle_server.server import OracleServer
from pydantic import SecretStr

from marketpulse.doctor import DoctorOptions, Step, diagnose
from marketpulse.errors import SettingsError, UsageError
from marketpulse.settings.load import OracleSettings

LAYERS = [
    "installation", "settings", "aws", "name", "tcp", "tls", "listener", "login", "encryption",
    "privileges", "character set", "round trip", "s3",
]  # fmt: skip
PASSWORD = "not-shown-88"


def run_doctor(settings: Callable[[], OracleSettings], table: str | None = None) -> list[Step]:
    """All steps of a test."""
    return list(diagnose(DoctorOptions(settings=settings, region="us-east-1", table=table)))


def server_settings(server: OracleServer, password: str = PASSWORD) -> OracleSettings:
    """The settings of a connection to the server."""
    return OracleSettings(
        username=SecretStr("analyst"),
        password=SecretStr(password),
        dsn=server.dsn,
        schema="MARKET",
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> OracleServer:
    """A database with the demo's tables. no AWS credentials found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/no/such/file")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return OracleServer(DuckEngine(market(rows=20)), users={"ANALYST": PASSWORD})


def test_all_layers_in_their_order(server: OracleServer) -> None:
    """A working connection passes every layer; each step is ok or skipped."""
    with server:
        steps = run_doctor(lambda: server_settings(server), table="COLORS_TABLE")

    assert [step.layer for step in steps] == LAYERS
    states = {step.layer: step.state for step in steps}
    assert {layer for layer, state in states.items() if state == "skipped"} == {
        "aws", "tls", "encryption", "s3",
    }  # fmt: skip
    assert set(states.values()) == {"ok", "skipped"}
    details = {step.layer: step.detail for step in steps}
    assert details["privileges"].endswith("COLORS_TABLE can be read")
    assert len(server.record.logins) == 1


def test_the_first_failure_ends_the_test(server: OracleServer) -> None:
    """A wrong password fails the step `login` with the check, hint and exit code of the error."""
    with server:
        steps = run_doctor(lambda: server_settings(server, password="wrong"))

    assert [step.layer for step in steps] == LAYERS[: LAYERS.index("login") + 1]
    last = steps[-1]
    assert (last.state, last.check, last.exit_code) == ("failed", "MP-LOG-001", 5)
    assert last.hint
    assert len(server.record.logins) == 1


@pytest.mark.parametrize(
    ("schema", "hint"), [("MARKT", "did you mean MARKET; "), ("HR", "there is ")]
)
def test_a_misspelt_schema_is_seen(server: OracleServer, schema: str, hint: str) -> None:
    """Names without an owner would be looked for where no table is."""
    with server:
        *_, last = run_doctor(lambda: replace(server_settings(server), schema=schema))

    assert (last.layer, last.state, last.exit_code) == ("privileges", "failed", 6)
    assert last.detail == f"ORACLE_SCHEMA: no table of a schema {schema} is visible"
    assert last.hint.startswith(hint)


def test_missing_settings_fail_their_step() -> None:
    """An error of the settings is a failed step, not an exception."""

    def missing() -> OracleSettings:
        raise SettingsError("ORACLE_HOST is not set", hint="set it", check="MP-SET-002")

    _, step = run_doctor(missing)
    assert step.as_json() == {
        "layer": "settings",
        "state": "failed",
        "seconds": round(step.seconds, 3),
        "detail": "ORACLE_HOST is not set",
        "hint": "set it",
        "check": "MP-SET-002",
        "exit_code": 3,
    }


def test_steps_arrive_one_by_one(server: OracleServer) -> None:
    """A step is yielded before the next one begins: the user sees the progress."""
    server.faults = Faults(silent=True)
    with server:
        steps = diagnose(
            DoctorOptions(settings=lambda: server_settings(server), region="us-east-1")
        )
        assert [next(steps).layer, next(steps).layer] == ["installation", "settings"]
        assert server.record.logins == []


def test_an_invalid_bucket_is_refused_before_the_first_step() -> None:
    """A wrong address of --bucket is a usage error."""
    with pytest.raises(UsageError):
        DoctorOptions(
            settings=lambda: pytest.fail("not called"), region="us-east-1", bucket="s3://"
        )
