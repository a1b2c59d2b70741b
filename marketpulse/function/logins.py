"""Logins of all processes of the function: none sends what the database has refused.

A small object beside the published runs says what has become of the last login, and which versions
of the credentials were refused. A process claims the object before each login, by a conditional
write, so of many that log in at the same time one sends the password and the others wait:

    trying -> accepted, or refused, or unknown where the database has not looked at the password
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

from marketpulse.aws.bucket import Bucket
from marketpulse.errors import AwsError, LoginError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle.refusals import WRONG_PASSWORD, now_text, refused_error

LOGIN_FILE = ".login.json"  # hidden: it has no rows
_MOST_SECONDS = 60.0  # a login that takes longer has died with its process
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


class SharedLogins:
    """Guards the logins of many processes with one object in a bucket.

    Takes credentials that have a version. Raises `AwsError` if the bucket fails before a login:
    without it nobody knows whether the password was refused. A login that takes more than `seconds`
    counts as left by a process that has died.
    """

    def __init__(self, bucket: Bucket, key: str, *, seconds: float = _MOST_SECONDS) -> None:
        self._bucket = bucket
        self._key = key
        self._seconds = seconds
        self._owner = secrets.token_hex(8)
        # The object, as this process last saw it.
        self._known: LoginState | None = None
        self._etag = ""

    @contextmanager
    def attempt(self, settings: OracleSettings, address: str) -> Iterator[None]:
        """Log in inside. Raises `LoginError` instead if the database has refused this before."""
        name = f"{settings.version} at {hashlib.sha256(address.encode()).hexdigest()[:12]}"
        self._claim(name, settings, address)
        try:
            yield
        except LoginError as error:
            self._end(name, "refused" if error.check == WRONG_PASSWORD else "accepted")
            raise
        except BaseException:
            self._end(name, "unknown")
            raise
        self._end(name, "accepted")

    def _claim(self, name: str, settings: OracleSettings, address: str) -> None:
        """Write that this process is trying, as soon as no other one is."""
        known = self._known
        is_proven = known and (known.credentials, known.state) == (name, "accepted")
        # Mostly nobody has logged in since, and the write alone says so.
        if is_proven and self._write(self._state(name, "trying")):
            return
        watched, since = "", time.monotonic()
        while True:
            known = self._look()
            if known and (at := known.refusals.get(name)):
                raise refused_error(settings, address, at, "")
            if self._etag != watched:
                watched, since = self._etag, time.monotonic()
            watched_for = time.monotonic() - since
            if known and watched_for < self._seconds and self._is_under_way(known):
                time.sleep(_POLL)
            elif self._write(self._state(name, "trying")):
                return

    def _is_under_way(self, known: LoginState) -> bool:
        """Whether another process is trying, as far as its clock says."""
        # A claim of our own stands there if the answer to it was lost.
        if known.state != "trying" or known.owner == self._owner:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(known.at)
        return age.total_seconds() <= self._seconds

    def _end(self, name: str, state: str) -> None:
        """Write the result. Where another process has claimed the object, only a refusal."""
        result = self._state(name, state)
        try:
            if self._write(result) or state != "refused":
                return
            for _ in range(_ATTEMPTS):
                known = self._look()
                result = self._state(name, state)
                if self._write(replace(known, refusals=result.refusals) if known else result):
                    return
            _log.warning("the refusal of a login is not kept: other processes write all the time")
        except AwsError as error:
            # The login counts. The next one waits until this claim is stale.
            _log.warning("the result of a login is not kept: %s", error.message)

    def _state(self, name: str, state: str) -> LoginState:
        """The state to write, with the refusals known so far."""
        at = now_text()
        refusals = dict(self._known.refusals) if self._known else {}
        if state == "refused":
            refusals = dict([*refusals.items(), (name, at)][-_MOST_REFUSALS:])
        return LoginState(
            credentials=name, state=state, at=at, owner=self._owner, refusals=refusals
        )

    def _look(self) -> LoginState | None:
        """Read the object; None if there is none, or an unreadable one."""
        self._known, self._etag = None, ""
        # Listed first: without s3:ListBucket on all keys a missing object is "forbidden".
        found = self._bucket.read_with_etag(self._key) if self._bucket.find([self._key]) else None
        if found is not None:
            content, self._etag = found
            self._known = _parse_state(content)
        return self._known

    def _write(self, state: LoginState) -> bool:
        """Write the state, if the object is still the one that was seen."""
        body = json.dumps(asdict(state)).encode()
        etag = self._bucket.replace(self._key, body, etag=self._etag)
        if etag is None:
            return False
        self._known, self._etag = state, etag
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
