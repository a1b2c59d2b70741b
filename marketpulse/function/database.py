"""The function's access to the database: credentials, and logins that do not lock an account."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import RLock

from marketpulse.errors import LoginError
from marketpulse.formats.timestamps import current_timestamp
from marketpulse.function.logins import LOGIN_FILE, SharedLogins
from marketpulse.function.published import open_store
from marketpulse.settings.load import OracleSettings, load_settings, oracle_settings
from marketpulse.sources import Source
from marketpulse.sources.oracle import OracleDatabase, OracleSource, QuerySource, SelectQuery
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.refusals import WRONG_PASSWORD, KnownRefusalError, refused_error

_ANSWER_SECONDS = 10.0  # for each small request about logins
_log = logging.getLogger(__name__)


class Database:
    """Opens the database with credentials that it keeps for some time. Threads may share it.

    `seconds` is how long it uses credentials without reading them again. Refused ones it never
    sends again; if they come from a store with versions, no other process of the function does.
    """

    def __init__(self, environment: Mapping[str, str], *, seconds: float) -> None:
        self._environment = environment
        self._seconds = seconds
        self._lock = RLock()  # a login reads the credentials, which takes the lock again
        self._read: tuple[float, OracleSettings] | None = None
        self._refused: tuple[OracleSettings, str] | None = None  # what, and when

    def credentials(self) -> OracleSettings:
        """The settings of the connection. Raises `SettingsError` and `AwsError`."""
        with self._lock:
            now = time.monotonic()
            if self._read is None or now - self._read[0] > self._seconds:
                self._read = now, oracle_settings({}, self._environment, None)
            return self._read[1]

    @contextmanager
    def connect(self, query: SelectQuery | None = None) -> Iterator[Source]:
        """Log in, to read tables or the query.

        After a refused login it reads the credentials again, and tries them if they are new. One
        thread logs in at a time, and never with credentials that were refused: Lambda repeats
        failed events, and repeated refusals lock the account.
        """
        with ExitStack() as stack:
            with self._lock:
                source = self._log_in(stack, query)
            yield source

    def _log_in(self, stack: ExitStack, query: SelectQuery | None) -> Source:
        known = self.credentials()
        try:
            return self._open(stack, known, query)
        except LoginError:
            # Perhaps the password was rotated since it was read.
            self._read = None
            fresh = self.credentials()
            if fresh == known:
                raise
            _log.info("the credentials have changed")
        return self._open(stack, fresh, query)

    def _open(
        self, stack: ExitStack, credentials: OracleSettings, query: SelectQuery | None
    ) -> Source:
        if self._refused is not None and self._refused[0] == credentials:
            address = str(address_of(credentials))
            raise refused_error(credentials, address, self._refused[1], "start this process again")
        guard = self._shared_logins if credentials.version else None
        try:
            database = OracleDatabase(credentials, guard=guard)
            source = OracleSource(database) if query is None else QuerySource(database, query)
            return stack.enter_context(source)
        except KnownRefusalError:
            raise
        except LoginError as error:
            # A locked or expired account can be repaired with the same password.
            if error.check == WRONG_PASSWORD:
                self._refused = credentials, current_timestamp()
            raise

    @cached_property
    def _shared_logins(self) -> SharedLogins | None:
        """What all processes know of logins; None if the function publishes nowhere."""
        settings = load_settings({}, self._environment, None)
        if settings.push is None:
            return None
        bucket, location = open_store(settings, settings.push, _ANSWER_SECONDS)
        return SharedLogins(bucket, location.key(LOGIN_FILE))
