"""Logins of all processes of the function: however many there are, a version fails once."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext, suppress
from multiprocessing.synchronize import Barrier

import pytest
from function.helpers import FIRST, LOGIN_KEY, SECOND, Cloud
from pydantic import SecretStr
from s3_server import Store, StoreFault

from marketpulse.aws.bucket import Bucket
from marketpulse.errors import AwsError, LoginError, MarketPulseError
from marketpulse.function.logins import LOGIN_FILE, SharedLogins
from marketpulse.function.service import Service
from marketpulse.settings.load import OracleSettings

TOGETHER = 10
REFUSED = LoginError("refused", check="MP-LOG-001")
_barrier: Barrier
_service: Service


def _start(barrier: Barrier, environment: dict[str, str]) -> None:
    """Become a process of the function."""
    global _barrier, _service
    os.environ.update(environment)
    _barrier, _service = barrier, Service(os.environ)


def _log_in(_: int) -> str:
    """Log in at the same moment as all others; returns the check of the error, or nothing."""
    _barrier.wait(60)
    try:
        _service.tables()
    except MarketPulseError as error:
        return error.check
    return ""


@pytest.fixture
def pool(cloud: Cloud) -> Iterator[ProcessPoolExecutor]:
    """Processes of the function."""
    if sys.platform == "win32":
        pytest.skip("the processes are forked, from one that has imported the function")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["marketpulse.function.service", "function.test_logins"])
    barrier = context.Barrier(TOGETHER)
    with ProcessPoolExecutor(TOGETHER, context, _start, (barrier, cloud.environment)) as executor:
        yield executor


def test_processes_that_log_in_together_make_one_failed_login(
    cloud: Cloud, pool: ProcessPoolExecutor
) -> None:
    """Warm ones when the database has another password, and all with a wrong new version."""
    assert list(pool.map(_log_in, range(TOGETHER))) == [""] * TOGETHER
    for change in ({}, {"password": "wrong"}):
        cloud.database.users["ANALYST"] = SECOND
        cloud.put(**change)
        before = len(cloud.database.record.logins)
        checks = list(pool.map(_log_in, range(TOGETHER)))
        failed = cloud.database.record.logins[before:]

        assert set(checks) == {"MP-LOG-001"}
        assert failed == [("ANALYST", 1017)]
    kept = cloud.read(LOGIN_KEY).decode()
    assert json.loads(kept)["state"] == "refused"
    assert "ORACLE_PASSWORD 2" in kept
    assert not any(secret in kept for secret in (FIRST, SECOND))


def new_process(store: Store, stale_after: float = 60, end_seconds: float = 10) -> SharedLogins:
    """What a process of the function knows of logins when it starts."""
    bucket = Bucket("b", region="us-east-1", endpoint_url=store.url)
    return SharedLogins(bucket, LOGIN_FILE, stale_after=stale_after, end_seconds=end_seconds)


def settings_of(version: int) -> OracleSettings:
    """Credentials with a version."""
    return OracleSettings(
        username=SecretStr("u"), password=SecretStr("p"), version=f"SSM {version}"
    )


def log_in(
    process: SharedLogins, version: int, error: LoginError | None = None, seconds: float = 60
) -> bool:
    """Log in with a version of the password; whether it was sent. `error` is the answer."""
    sent = False
    with suppress(LoginError), process.attempt(settings_of(version), "db:1521", seconds):
        sent = True
        if error is not None:
            raise error
    return sent


def test_a_warm_process_makes_two_requests(store: Store) -> None:
    """One before the login and one after it, as long as no other process logs in."""
    process = new_process(store)
    log_in(process, 1)
    store.requests.clear()

    assert log_in(process, 1)
    assert [request.split()[0] for request in store.requests] == ["PUT", "PUT"]
    log_in(new_process(store), 1)
    assert log_in(process, 1)


def test_old_and_new_versions_in_turn_are_refused_once_each(store: Store) -> None:
    """Processes that still have the old version do not make the others forget the new one."""
    old, new = new_process(store), new_process(store)
    log_in(old, 1)
    sent = [log_in(process, version, REFUSED) for process, version in [(new, 2), (old, 1)] * 3]

    assert sent == [True, True, False, False, False, False]
    assert log_in(new_process(store), 3)


def test_a_process_that_died_at_its_login_blocks_nobody(store: Store) -> None:
    """Its claim is taken over when it is old, by its time or for a process that watches it."""
    log_in(new_process(store), 1)
    state = json.loads(store.objects[LOGIN_FILE].content)
    for at in ("2026-03-13T08:00:00Z", "2999-01-01T00:00:00Z"):
        body = json.dumps({**state, "state": "trying", "at": at}).encode()
        store.objects[LOGIN_FILE].content = body

        assert log_in(new_process(store, stale_after=1), 1)


def test_a_claim_whose_answer_was_lost_is_its_own(store: Store) -> None:
    """The store has done the write, and refuses it when it is repeated."""
    first = True

    def cut_once(request: str) -> StoreFault | None:
        nonlocal first
        fault = StoreFault.CUT_AFTER if first and request.startswith("PUT") else None
        first = first and fault is None
        return fault

    store.choose_fault = cut_once
    assert log_in(new_process(store), 1)
    assert not first


def test_without_the_bucket_nothing_is_sent(store: Store) -> None:
    """Nobody knows then whether the password was refused. After the login the result counts."""
    process = new_process(store)
    log_in(process, 1)
    store.choose_fault = lambda _: StoreFault.DENIED
    with pytest.raises(AwsError):
        log_in(process, 1)
    store.choose_fault = lambda _: None
    puts = len(store.requests) + 1
    store.choose_fault = lambda _: StoreFault.DENIED if len(store.requests) > puts else None
    assert log_in(process, 1)


def test_a_silent_bucket_takes_no_more_than_the_time_that_is_left(store: Store) -> None:
    """Nothing is sent before it answers."""
    store.silence(f"PUT {LOGIN_FILE}")
    with pytest.raises(AwsError, match="record of logins does not answer in time") as silent:
        log_in(new_process(store), 1, seconds=0.3)
    assert "MARKETPULSE_DEADLINE" in silent.value.hint


@pytest.mark.parametrize("error", [None, REFUSED, LoginError("locked", check="MP-LOG-002")])
@pytest.mark.parametrize("fault", [StoreFault.STALL, StoreFault.DENIED])
def test_the_result_of_a_login_counts_whatever_the_bucket_does(
    store: Store, error: LoginError | None, fault: StoreFault, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows are read, or the database's own error is raised, soon."""
    process = new_process(store, end_seconds=0.3)
    attempt = process.attempt(settings_of(1), "db:1521", 60)
    started = time.monotonic()
    with pytest.raises(LoginError, match=error.message) if error else nullcontext(), attempt:
        store.choose_fault = lambda _: fault
        if error:
            raise error
    assert time.monotonic() - started < 5
    assert "the result of a login is not kept" in caplog.text


def test_a_state_of_an_earlier_version_is_read(store: Store) -> None:
    """It kept the last refusal alone."""
    log_in(new_process(store), 1, REFUSED)
    state = json.loads(store.objects[LOGIN_FILE].content)
    old = {name: state[name] for name in ("credentials", "state", "at")}
    store.objects[LOGIN_FILE].content = json.dumps(old).encode()

    assert not log_in(new_process(store), 1)
    store.objects[LOGIN_FILE].content = b"{}"
    assert log_in(new_process(store), 1)
