"""Logins of all processes of the function: none sends what the database has refused.

A small object beside the published runs says which version of the credentials was refused last. A
new process claims the object before its first login, so of many that start at the same time one
logs in and the others wait for its result:

    (nothing) -> trying -> accepted
                        -> refused, until the credentials have another version
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from marketpulse.aws.bucket import Bucket
from marketpulse.errors import LoginError
from marketpulse.settings.load import OracleSettings
from marketpulse.sources.oracle.refusals import WRONG_PASSWORD, now_text, refused_error

LOGIN_FILE = ".login.json"  # hidden: it has no rows
_MOST_SECONDS = 60  # a login that takes longer has died with its process
_POLL = 0.5  # seconds
_ATTEMPTS = 5  # to write the result, if other processes write as well


@dataclass(frozen=True, kw_only=True)
class LoginState:
    """What is known of a version of the credentials: trying, accepted or refused."""

    credentials: str
    state: str
    at: str

    def is_stale(self) -> bool:
        """Whether the process that was trying must have died."""
        age = datetime.now(UTC) - datetime.fromisoformat(self.at)
        return age > timedelta(seconds=_MOST_SECONDS)


class SharedLogins:
    """Guards the logins of many processes with one object in a bucket.

    Takes credentials that have a version. Raises `AwsError` if the bucket fails: without it nobody
    knows whether the password was refused before.
    """

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._accepted = ""  # by the last login of this process

    @contextmanager
    def attempt(self, settings: OracleSettings, address: str) -> Iterator[None]:
        """Log in inside. Raises `LoginError` instead if the database has refused this before."""
        name = f"{settings.version} at {hashlib.sha256(address.encode()).hexdigest()[:12]}"
        self._begin(name, settings, address)
        try:
            yield
        except LoginError as error:
            self._end(name, "refused" if error.check == WRONG_PASSWORD else "accepted")
            raise
        except BaseException:
            if self._accepted != name:
                self._end(name, "unknown")
            raise
        if self._accepted != name:
            self._end(name, "accepted")
            self._accepted = name

    def _begin(self, name: str, settings: OracleSettings, address: str) -> None:
        """Claim the login, unless this process has logged in with the same before."""
        while True:
            known, etag = self._read()
            if known and known.credentials == name:
                if known.state == "refused":
                    raise refused_error(settings, address, known.at, "")
                if self._accepted == name:
                    return
                if known.state == "trying" and not known.is_stale():
                    time.sleep(_POLL)
                    continue
            if self._write(name, "trying", etag):
                return

    def _end(self, name: str, state: str) -> None:
        """Write the result, whoever has claimed the object meanwhile."""
        for _ in range(_ATTEMPTS):
            if self._write(name, state, self._read()[1]):
                return

    def _read(self) -> tuple[LoginState | None, str]:
        """The state and the object's ETag; no state and "" if there is no object."""
        # Listed first: without s3:ListBucket on all keys a missing object is "forbidden".
        found = self._bucket.read_with_etag(self._key) if self._bucket.find([self._key]) else None
        if found is None:
            return None, ""
        content, etag = found
        try:
            return LoginState(**json.loads(content)), etag
        except (ValueError, TypeError):
            return None, etag

    def _write(self, name: str, state: str, etag: str) -> bool:
        """Write the state, if the object is still the one of the ETag."""
        text = json.dumps(asdict(LoginState(credentials=name, state=state, at=now_text())))
        return self._bucket.replace(self._key, text.encode(), etag=etag) is not None
