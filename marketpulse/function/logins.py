"""Logins of all processes of the function: none sends what the database has refused.

A small object beside the published runs says what has become of the last login, and which versions
of the credentials were refused. A process claims the object before each login, by a conditional
write, so of many that log in at the same time one sends the password and the others wait:

    trying -> accepted, or refused, or unknown where the database has not looked at the password

A slow or silent store costs a login no more than the time that is left to it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from threading import Event

from marketpulse.aws.bucket import Bucket
from marketpulse.errors import AwsError, LoginError, MarketPulseError
from marketpulse.formats.timestamps import current_timestamp
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle.refusals import WRONG_PASSWORD, refused_error
from marketpulse.stopping import run_stoppable

LOGIN_FILE = ".login.json"  # hidden: it has no rows
_MOST_SECONDS = 60.0  # a login that takes longer has died with its process
_CLAIM_SECONDS = 90.0  # to claim the object: time for a dead login, and some requests
_END_SECONDS = 10.0  # to write what became of a login; the caller waits for its rows
_POLL = 0.3  # seconds
_ATTEMPTS = 5  # to write a refusal, if other processes write as well
_MOST_REFUSALS = 20  # in the object; a version is not used again after the next rotation
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoginState:
    """The last login: trying, accepted, refused or unknown.

    `owner` is the process that makes it. `refusals` are the versions of the credentials that the
    database has refused, with the time.
    """

    credentials: str
    state: str
    at: str
    owner: str = ""
    refusals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SeenLogin:
    """The object as this process last saw it; an empty ETag means that it does not exist."""

    state: LoginState | None = None
    etag: str = ""


class SharedLogins:
    """Guards the logins of many processes with one object in a bucket.

    Takes credentials that have a version. Raises `AwsError` if the bucket fails before a login, or
    does not answer in time: without it nobody knows whether the password was refused. After a login
    its result counts, whatever the bucket does. A login that takes more than `stale_after` seconds
    counts as left by a process that has died.
    """

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        *,
        stale_after: float = _MOST_SECONDS,
        end_seconds: float = _END_SECONDS,
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._stale_after = stale_after
        self._end_seconds = end_seconds
        self._owner = secrets.token_hex(8)
        # One value: a write that was given up may still set it.
        self._seen = SeenLogin()

    @contextmanager
    def attempt(self, settings: OracleSettings, address: str, seconds: float) -> Iterator[None]:
        """Log in inside. Raises `LoginError` instead if the database has refused this before."""
        name = f"{settings.version} at {hashlib.sha256(address.encode()).hexdigest()[:12]}"
        run_stoppable(
            lambda stop: self._claim(name, settings, address, stop),
            min(seconds, _CLAIM_SECONDS),
            self._timeout_error,
        )
        state = "unknown"
        try:
            yield
            state = "accepted"
        except LoginError as error:
            state = "refused" if error.check == WRONG_PASSWORD else "accepted"
            raise
        finally:
            self._end(name, state)

    def _claim(self, name: str, settings: OracleSettings, address: str, stop: Event) -> None:
        """Write that this process is trying, as soon as no other one is."""
        seen = self._seen
        known = seen.state
        is_proven = known and (known.credentials, known.state) == (name, "accepted")
        # Mostly nobody has logged in since, and the write alone says so.
        if is_proven and self._write(seen, self._state(seen, name, "trying")):
            return
        watched, since = "", time.monotonic()
        while not stop.is_set():
            seen = self._read()
            if seen.state and (at := seen.state.refusals.get(name)):
                raise refused_error(settings, address, at, "")
            if seen.etag != watched:
                watched, since = seen.etag, time.monotonic()
            watched_for = time.monotonic() - since
            if watched_for < self._stale_after and self._is_under_way(seen.state):
                stop.wait(_POLL)
            elif not stop.is_set() and self._write(seen, self._state(seen, name, "trying")):
                return

    def _is_under_way(self, known: LoginState | None) -> bool:
        """Whether another process is trying, as far as its clock says."""
        # A claim of our own stands there if the answer to it was lost.
        if known is None or known.state != "trying" or known.owner == self._owner:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(known.at)
        return age.total_seconds() <= self._stale_after

    def _end(self, name: str, state: str) -> None:
        """Write the result. Where another process has claimed the object, only a refusal."""
        try:
            run_stoppable(
                lambda stop: self._write_result(name, state, stop),
                self._end_seconds,
                self._timeout_error,
            )
        except MarketPulseError as error:
            # The login counts. The next one waits until this claim is stale.
            _log.warning("the result of a login is not kept: %s", error.message)

    def _write_result(self, name: str, state: str, stop: Event) -> None:
        seen = self._seen
        if self._write(seen, self._state(seen, name, state)) or state != "refused":
            return
        for _ in range(_ATTEMPTS):
            seen = self._read()
            result = self._state(seen, name, state)
            if stop.is_set():
                return
            if seen.state is not None:
                result = replace(seen.state, refusals=result.refusals)
            if self._write(seen, result):
                return
        _log.warning("the refusal of a login is not kept: other processes write all the time")

    def _timeout_error(self) -> AwsError:
        return AwsError(
            f"{self._bucket.address(self._key)}: the record of logins does not answer in time",
            hint="no password is sent without it, as it may be one that was refused: check the "
            "network to S3, or raise MARKETPULSE_DEADLINE",
            check="MP-AWS-003",
        )

    def _state(self, seen: SeenLogin, name: str, state: str) -> LoginState:
        """The state to write, with the refusals known so far."""
        at = current_timestamp()
        refusals = dict(seen.state.refusals) if seen.state else {}
        if state == "refused":
            refusals = dict([*refusals.items(), (name, at)][-_MOST_REFUSALS:])
        return LoginState(
            credentials=name, state=state, at=at, owner=self._owner, refusals=refusals
        )

    def _read(self) -> SeenLogin:
        """Read the object; an unreadable one has no state."""
        # Listed first: without s3:ListBucket on all keys a missing object is "forbidden".
        found = self._bucket.read_with_etag(self._key) if self._bucket.find([self._key]) else None
        seen = SeenLogin()
        if found is not None:
            seen = SeenLogin(state=_parse_state(found[0]), etag=found[1])
        self._seen = seen
        return seen

    def _write(self, seen: SeenLogin, state: LoginState) -> bool:
        """Write the state, if the object is still the one that was seen."""
        body = json.dumps(asdict(state)).encode()
        etag = self._bucket.replace(self._key, body, etag=seen.etag)
        if etag is None:
            return False
        self._seen = SeenLogin(state=state, etag=etag)
        return True


def _parse_state(content: bytes) -> LoginState | None:
    try:
        state = LoginState(**json.loads(content))
    except (ValueError, TypeError):
        return None
    if state.state == "refused" and state.credentials not in state.refusals:
        # Written by an earlier version, which kept the last refusal alone.
        return replace(state, refusals={**state.refusals, state.credentials: state.at})
    return state
