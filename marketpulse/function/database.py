"""The function's access to the database: credentials, and logins that do not lock an account."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import RLock

from marketpulse.errors import LoginError
from marketpulse.settings.load import OracleSettings, oracle_settings
from marketpulse.sources import Source, open_source

_log = logging.getLogger(__name__)


class Database:
    """Opens the database with credentials that it keeps for some time. Threads may share it.

    `seconds` is how long it uses credentials without asking SSM again, and how long it does not
    repeat a refused login.
    """

    def __init__(self, environment: Mapping[str, str], *, seconds: float) -> None:
        self._environment = environment
        self._seconds = seconds
        self._lock = RLock()
        self._read: tuple[float, OracleSettings] | None = None
        self._refused: tuple[float, OracleSettings, LoginError] | None = None

    def credentials(self) -> OracleSettings:
        """The settings of the connection. Raises `SettingsError` and `AwsError`."""
        with self._lock:
            now = time.monotonic()
            if self._read is None or now - self._read[0] > self._seconds:
                self._read = now, oracle_settings({}, self._environment, None)
            return self._read[1]

    @contextmanager
    def connect(self) -> Iterator[Source]:
        """Log in. After a refused login read the credentials again, and try the new ones.

        One thread logs in at a time, and never with credentials that were refused a moment ago:
        Lambda repeats failed events, and repeated refusals lock the account.
        """
        with ExitStack() as stack:
            with self._lock:
                source = self._log_in(stack)
            yield source

    def _log_in(self, stack: ExitStack) -> Source:
        known = self.credentials()
        try:
            return self._open(stack, known)
        except LoginError:
            self._read = None
            fresh = self.credentials()
            if fresh == known:
                raise
            _log.info("the credentials have changed")
        return self._open(stack, fresh)

    def _open(self, stack: ExitStack, credentials: OracleSettings) -> Source:
        if self._refused is not None:
            moment, refused, error = self._refused
            if refused == credentials and time.monotonic() - moment < self._seconds:
                raise LoginError(error.message, hint=error.hint, check=error.check)
        try:
            return stack.enter_context(open_source("oracle", oracle=credentials))
        except LoginError as error:
            self._refused = time.monotonic(), credentials, error
            raise
