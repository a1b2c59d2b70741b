"""A lock on the prefix of a push, for pushes that overwrite: one at a time.

S3 has no locks, but conditional writes: whoever creates `.push.json` has the lock, and renews it
while it works. A lock that nobody has renewed for some time was left by a push that died, and is
taken over. Clocks are not compared: a push that waits checks whether the object changes.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from marketpulse.errors import AwsError

if TYPE_CHECKING:
    from marketpulse.aws.bucket import Bucket

LOCK_KEY = ".push.json"
LEASE = 30.0  # seconds without a renewal, after which a lock counts as left behind
_NOT_IMPLEMENTED = "MP-AWS-009"
_log = logging.getLogger(__name__)


class ConcurrentPushError(AwsError):
    """Another push of the same run, or to the same prefix, is under way."""

    check = "MP-AWS-004"


class PushLock:
    """The lock of a prefix. `check` raises `ConcurrentPushError` if it was lost."""

    def __init__(self, bucket: Bucket, key: str, lease: float = LEASE) -> None:
        self._bucket = bucket
        self._key = key
        self._lease = lease
        self._owner = secrets.token_hex(8)
        self._number = 0
        self._etag = ""
        self._lost = False
        self._released = threading.Event()

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Hold the lock; yields `check`. Raises `ConcurrentPushError` if another push keeps it.

        A store without conditional writes has no lock.
        """
        try:
            self._acquire()
        except AwsError as error:
            if error.check != _NOT_IMPLEMENTED:
                raise
            _log.info(
                "the store has no conditional writes: pushes at the same time are not prevented"
            )
            yield lambda: None
            return
        threading.Thread(target=self._renew_until_released, daemon=True).start()
        try:
            yield self.check
        finally:
            self._released.set()
            if not self._lost:
                # A lock that cannot be deleted expires, as nobody renews it.
                with suppress(AwsError):
                    self._bucket.delete(self._key)

    def check(self) -> None:
        """Raise `ConcurrentPushError` if another push has taken the lock over."""
        if self._lost:
            raise ConcurrentPushError(
                f"{self._bucket.address(self._key)}: another push took the lock over, because this "
                "one did not renew it",
                hint="push again when the other one has ended",
            )

    def _acquire(self) -> None:
        seen, since = "", time.monotonic()
        deadline = since + 2 * self._lease
        while True:
            etag = self._present_etag()
            if etag != seen:
                seen, since = etag, time.monotonic()
            is_left = time.monotonic() - since >= self._lease
            if (not etag or is_left) and self._write(etag):
                return
            if time.monotonic() >= deadline:
                raise ConcurrentPushError(
                    f"{self._bucket.address(self._key)}: another push with --force is under way",
                    hint="push again when it has ended",
                )
            time.sleep(min(1, self._lease / 10))

    def _present_etag(self) -> str:
        found = self._bucket.find([self._key]).get(self._key)
        return found.etag if found else ""

    def _write(self, etag: str) -> bool:
        self._number += 1
        text = json.dumps({"push": self._owner, "renewal": self._number})
        new_etag = self._bucket.replace(self._key, text.encode(), etag=etag)
        self._etag = new_etag or ""
        return new_etag is not None

    def _renew_until_released(self) -> None:
        while not self._released.wait(self._lease / 3):
            try:
                kept = self._write(self._etag)
            except AwsError:
                continue  # the next renewal may get through
            if not kept and not self._released.is_set():
                self._lost = True
                return
