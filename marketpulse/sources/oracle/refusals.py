"""Refused passwords, kept outside the process: none is sent twice, so that no account is locked."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from marketpulse.atomic import folder_lock, write_file
from marketpulse.errors import LoginError, OutputError
from marketpulse.formats.timestamps import current_timestamp

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings

WRONG_PASSWORD = "MP-LOG-001"  # noqa: S105 - a check id
_LOG = logging.getLogger("marketpulse.oracle")
_FILE = "refused-logins.json"
_MOST = 100  # refusals in the file
_PATIENCE = 30.0  # seconds, for another process that logs in


class KnownRefusalError(LoginError):
    """Credentials were not sent, because the database has refused them before."""


class LoginGuard(Protocol):
    """Decides whether credentials may be sent, and remembers which were refused."""

    def attempt(
        self, settings: OracleSettings, address: str, seconds: float
    ) -> AbstractContextManager[None]:
        """Log in inside. Raises `LoginError` instead if the database has refused this before.

        `seconds` limits the wait for other processes, and for the place that keeps refusals.
        """


class NoGuard:
    """Remembers nothing."""

    def attempt(self, *_: object) -> AbstractContextManager[None]:
        """Let every login pass."""
        return nullcontext()


class SharedGuard:
    """Lets several sessions log in one after the other, and none after a refusal."""

    def __init__(self, guard: LoginGuard) -> None:
        self._guard = guard
        self._lock = Lock()
        self._refusal: LoginError | None = None

    @contextmanager
    def attempt(self, settings: OracleSettings, address: str, seconds: float) -> Iterator[None]:
        """Log in inside. Raises the refusal of an earlier login instead, if there was one."""
        with self._lock:
            if (refusal := self._refusal) is not None:
                raise LoginError(refusal.message, hint=refusal.hint, check=refusal.check)
            try:
                with self._guard.attempt(settings, address, seconds):
                    yield
            except LoginError as error:
                self._refusal = error
                raise


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Credentials that were refused: where, when, and a salted hash of them."""

    address: str
    at: str
    digest: str


class FileGuard:
    """Keeps refusals in a file of the user, and lets one process log in at a time.

    The file has a salted scrypt hash of user name and password, or of their version in the store
    that they come from. If the folder cannot be written, nothing is remembered.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _FILE

    @contextmanager
    def attempt(self, settings: OracleSettings, address: str, seconds: float) -> Iterator[None]:
        """Log in inside. Raises `LoginError` instead if the database has refused this before."""
        with ExitStack() as stack:
            try:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                stack.enter_context(folder_lock(self._folder, min(_PATIENCE, seconds)))
            except (OSError, OutputError) as error:
                _LOG.debug("refused logins are not remembered: %s", error)
            salt, refusals = self._read()
            if found := _find(settings, address, salt, refusals):
                raise refused_error(settings, address, found.at, self.remedy())
            try:
                yield
            except LoginError as error:
                if error.check == WRONG_PASSWORD:
                    self._remember(settings, address, salt, refusals)
                raise

    def refused_at(self, settings: OracleSettings, address: str) -> str | None:
        """Return when the database refused these credentials; None if it did not."""
        found = _find(settings, address, *self._read())
        return found.at if found else None

    def remedy(self) -> str:
        """How to try refused credentials again, when the account has changed since."""
        return f"delete {self._path}"

    def _read(self) -> tuple[str, list[Refusal]]:
        """The salt and the refusals; a new salt if there is no readable file."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return str(content["salt"]), [Refusal(**item) for item in content["refused"]]
        except (OSError, ValueError, KeyError, TypeError):
            return secrets.token_hex(16), []

    def _remember(
        self, settings: OracleSettings, address: str, salt: str, refusals: list[Refusal]
    ) -> None:
        digest = _digest(identity(settings), address, salt)
        refusal = Refusal(address=address, at=current_timestamp(), digest=digest)
        kept = [*refusals, refusal][-_MOST:]
        try:
            write_file(
                self._path,
                json.dumps({"salt": salt, "refused": [asdict(item) for item in kept]}, indent=2),
            )
        except OutputError as error:
            _LOG.warning("%s; the refused password may be sent again", error.message)


def refused_error(settings: OracleSettings, address: str, at: str, clear: str) -> KnownRefusalError:
    """The error for credentials that were refused before; `clear` says how to try them again."""
    remedy = (
        "write the right ones with `marketpulse ssm put username password`: each new version is "
        "tried once"
        if settings.version.startswith("SSM")
        else "put the right ones there: each new version is tried once"
        if settings.version
        else f"set the right ones; if the database accepts these by now, {clear}"
    )
    return KnownRefusalError(
        f"{address}: the user name or the password is wrong: the database refused them at {at} "
        "(ORA-01017), and they are not sent again, so that the account is not locked",
        hint=remedy,
        check=WRONG_PASSWORD,
    )


def identity(settings: OracleSettings) -> str:
    """What changes when other credentials are used: their version, or they themselves."""
    if settings.version:
        return settings.version
    return f"{settings.username.get_secret_value()}\0{settings.password.get_secret_value()}"


def _find(
    settings: OracleSettings, address: str, salt: str, refusals: list[Refusal]
) -> Refusal | None:
    candidates = [refusal for refusal in refusals if refusal.address == address]
    if not candidates:
        return None  # the usual case costs no hash
    digest = _digest(identity(settings), address, salt)
    return next((refusal for refusal in candidates if refusal.digest == digest), None)


def _digest(text: str, address: str, salt: str) -> str:
    # Slow on purpose: the file must not make it cheap to guess the password.
    key = f"{address}\0{text}".encode()
    return hashlib.scrypt(key, salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=16).hex()
