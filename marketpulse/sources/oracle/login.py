"""The way to a session: the mode of the driver, the probe before a login, and the login itself."""

from __future__ import annotations

import asyncio
import copy
import logging
import math
import ssl
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import oracledb

from marketpulse.errors import MarketPulseError, SettingsError, UnreachableError
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.errors import (
    encryption_error,
    join_lines,
    may_be_network_error,
    translate_error,
    translate_login_error,
)
from marketpulse.sources.oracle.refusals import FileGuard, LoginGuard, NoGuard, SharedGuard
from marketpulse.sources.oracle.relay import Relay, relay_is_possible
from marketpulse.sources.oracle.retries import retry
from marketpulse.sources.oracle.timeouts import GRACE_SECONDS, Deadline
from marketpulse.sources.oracle.tns import Address, ServiceAnswer, probe
from marketpulse.stopping import run_stoppable

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings

_LOG = logging.getLogger("marketpulse.oracle")
_CONNECT_SECONDS = 20.0  # for connecting and logging in together
TCP_SECONDS = 10.0
_PROBE_SECONDS = 0.5  # after a deadline: an answer or its absence shows so soon
_KEEP_ALIVE_MINUTES = 2
_WAITS = (0.3, 1.0)  # seconds before connecting again
# A closed port, a lost connection, a busy listener. A refused login is never retried: it would
# lock the account.
_TRANSIENT_CHECKS = {"MP-NET-002", "MP-NET-006", "MP-TNS-004"}
# What only Oracle's own library can do: native encryption, old servers.
_THICK_CHECKS = {"MP-ENC-001", "MP-DRV-002"}
# What a probe finds that the driver would meet as well, or wait for without end. Other faults are
# left to the driver: it may know a way that the probe does not, such as a proxy.
_FINAL_CHECKS = {"MP-NET-004", "MP-TNS-004", "MP-TLS-004"}
# The addresses whose last login did not fail. The others are probed first.
_HEALTHY: set[str] = set()


class Login:
    """Opens sessions in one database, all before one deadline.

    `driver` is the mode of the last session, or of the next, and `driver_reason` says why. `guard`
    remembers a refused password, by default in the folder that the settings name.
    """

    def __init__(self, settings: OracleSettings, guard: LoginGuard | None = None) -> None:
        self._settings = settings
        self.address: Address = address_of(settings)
        self.deadline = Deadline(settings.deadline, self.address)
        self.driver = "thin"
        self.driver_reason = "it needs no installation"
        folder = settings.state_folder
        self._guard: LoginGuard = guard or (NoGuard() if folder is None else FileGuard(folder))

    def share(self) -> Self:
        """Return the same for another thread; together they send a refused password once."""
        if not isinstance(self._guard, SharedGuard):
            self._guard = SharedGuard(self._guard)
        return copy.copy(self)

    def open(self, may_log_in: Callable[[], object]) -> tuple[oracledb.Connection, Relay | None]:
        """Log in, in thin mode or as the settings or the server require.

        Returns the connection, and the relay if there is one. `may_log_in` is called just before
        the login, and may raise. Raises `SettingsError`, `UnreachableError`, `LoginError` or
        `NotFoundError`.
        """
        driver = self._settings.driver
        if driver == "thick":
            self._switch_to_thick("the settings require it")
        elif driver == "nne":
            self._switch_to_relay("the settings require it")
        try:
            return self._open_with_retries(may_log_in)
        except MarketPulseError as error:
            if driver != "auto" or error.check not in _THICK_CHECKS or self.driver == "nne":
                raise
            reason = f"thin mode failed: {error.message}"
            try:
                self._switch_to_thick(reason)
            except SettingsError:
                if error.check != "MP-ENC-001" or not relay_is_possible(self.address):
                    raise error from None  # its hint names all ways out, not only Instant Client
                self._switch_to_relay(f"{reason}, and there is no Instant Client")
                _LOG.warning(
                    "%s requires native network encryption: marketpulse encrypts the connection "
                    "itself; `--driver nne` does so from the start",
                    self.address,
                )
        return self._open_with_retries(may_log_in)

    def probe(self, seconds: float) -> ServiceAnswer:
        """Probe the listener for the service, without logging in. Raises what it finds wrong."""
        context = self.tls_context()
        if self.deadline.left == math.inf:
            return probe(self.address, seconds, context)
        # Each wait has this limit, but there may be several.
        limit = max(self.deadline.left, seconds) + GRACE_SECONDS
        return run_stoppable(
            lambda _: probe(self.address, seconds, context), limit, self.deadline.error
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how the server's certificate is checked; None means as usual, or without TLS.

        Raises `SettingsError` if the folder of the wallet is missing or has none.
        """
        if not any(endpoint.tls for endpoint in self.address.endpoints):
            return None
        folder = self._settings.wallet_location
        wallet = Path(folder) / "ewallet.pem" if folder else None
        # Thick mode reads wallets of other forms, too.
        is_needed = oracledb.is_thin_mode() or (folder and not Path(folder).is_dir())
        if wallet is not None and not wallet.is_file() and is_needed:
            raise SettingsError(
                f"ORACLE_WALLET_LOCATION: {folder}: there is no ewallet.pem",
                hint="set it to the folder of ewallet.pem, or remove it",
                check="MP-TLS-004",
            )
        if self.address.any_name:
            context = ssl.create_default_context(cafile=None if wallet is None else str(wallet))
            context.check_hostname = False
            return context
        if wallet is None or not wallet.is_file():
            return None
        return ssl.create_default_context(cafile=str(wallet))

    def _switch_to_relay(self, reason: str) -> None:
        """Encrypt natively by a relay. Raises `SettingsError` if the address does not allow it."""
        if not relay_is_possible(self.address):
            raise SettingsError(
                f"{self.address}: native encryption needs hosts that are reached directly by TCP",
                hint="remove --driver nne (ORACLE_DRIVER): TLS (tcps://) encrypts already, and a "
                "proxy or source route needs Instant Client",
                check="MP-DRV-003",
            )
        self.driver, self.driver_reason = "nne", reason

    def _switch_to_thick(self, reason: str) -> None:
        """Use Oracle's own library, for the rest of this process."""
        try:
            if oracledb.is_thin_mode():
                oracledb.init_oracle_client(lib_dir=self._settings.client_lib_dir)
        except oracledb.Error as error:
            raise translate_error(error, self.address) from error
        self.driver, self.driver_reason = "thick", reason

    def _open_with_retries(
        self, may_log_in: Callable[[], object]
    ) -> tuple[oracledb.Connection, Relay | None]:
        return retry(
            lambda: self._log_in(may_log_in),
            is_transient=lambda error: (
                error.check in _TRANSIENT_CHECKS and self.deadline.left > max(_WAITS)
            ),
            waits=_WAITS,
        )

    def _log_in(self, may_log_in: Callable[[], object]) -> tuple[oracledb.Connection, Relay | None]:
        name, seconds = self.address.descriptor, self.deadline.limit(_CONNECT_SECONDS)
        is_new = name not in _HEALTHY
        if is_new:
            self._probe_before_login()
        _HEALTHY.discard(name)
        relay = Relay(self.address.endpoints, seconds) if self.driver == "nne" else None
        with ExitStack() as stack:
            if relay is not None:
                stack.callback(relay.close)
            arguments = self._login_arguments(seconds, relay)
            limit = self.deadline.limit(math.inf)
            with self._guard.attempt(self._settings, str(self.address), limit):
                may_log_in()
                try:
                    seconds = self.deadline.limit(_CONNECT_SECONDS)
                    if is_new:
                        self._fix_driver_mode(seconds)
                    connection = run_stoppable(
                        lambda _: oracledb.connect(**arguments),
                        seconds,
                        lambda: self._login_timeout_error(seconds),
                    )
                except (oracledb.Error, OSError, UnreachableError) as error:
                    raise (relay and relay.error) or self._diagnose(error) from error
            stack.pop_all()
        _HEALTHY.add(name)
        if connection.warning is not None:
            _LOG.warning("%s: %s", self.address, join_lines(connection.warning))
        return connection, relay

    def _login_arguments(self, seconds: float, relay: Relay | None = None) -> dict[str, Any]:
        settings, descriptor = self._settings, self.address.descriptor
        wallet_password = settings.wallet_password
        return {
            "user": settings.username.get_secret_value(),
            "password": settings.password.get_secret_value(),
            "dsn": descriptor if relay is None else relay.descriptor(descriptor),
            "disable_oob": relay is not None,  # urgent data would not pass the relay
            "config_dir": settings.config_dir,
            "wallet_location": settings.wallet_location,
            "wallet_password": wallet_password.get_secret_value() if wallet_password else None,
            "tcp_connect_timeout": min(TCP_SECONDS, seconds),
            "expire_time": _KEEP_ALIVE_MINUTES,
            "program": "marketpulse",
        }

    def _probe_before_login(self) -> None:
        """Raise if the listener is silent or busy, or demands what thin mode cannot do.

        A login at a silent listener cannot be cancelled: it would stay behind in its thread.
        """
        try:
            answer = self.probe(self.deadline.limit(TCP_SECONDS))
        except MarketPulseError as error:
            if error.check in _FINAL_CHECKS:
                raise
            return
        if answer.encryption_required and oracledb.is_thin_mode() and self.driver != "nne":
            raise encryption_error(self.address)

    def _fix_driver_mode(self, seconds: float) -> None:
        """Fix thin mode for the process, unless the database may need thick mode.

        While the mode is open, the driver holds a lock until it is connected: a login that never
        ends would block all later ones of the process.
        """
        if not oracledb.is_thin_mode():
            return
        is_thin_certain = self._settings.driver != "auto" or self.driver == "nne"
        if self._settings.client_lib_dir and not is_thin_certain:
            # Only a login shows whether thin mode will do. Asynchronous ones need no lock.
            try:
                run_stoppable(
                    lambda _: asyncio.run(_try_login(self._login_arguments(seconds), seconds)),
                    seconds,
                    lambda: self._login_timeout_error(seconds),
                )
            except TimeoutError as error:  # of the loop, which may come first
                raise self._login_timeout_error(seconds) from error
        oracledb.enable_thin_mode()  # type: ignore[no-untyped-call]  # the driver gives it no types

    def _diagnose(self, error: Exception) -> MarketPulseError:
        """Return the translated error; probe the network if that may tell more."""
        if may_be_network_error(error):
            try:
                self.probe(max(min(self.deadline.left, TCP_SECONDS), _PROBE_SECONDS))
            except MarketPulseError as diagnosis:
                return diagnosis
        if isinstance(error, MarketPulseError):
            return error
        return translate_login_error(error, self.address)

    def _login_timeout_error(self, seconds: float) -> UnreachableError:
        if self.deadline.left <= 0:
            return self.deadline.error("; the login did not complete")
        return UnreachableError(
            f"{self.address}: the login did not complete within {seconds:.3g} s",
            hint="is the VPN on? If so, show this line to the database team",
            check="MP-NET-007",
        )


async def _try_login(arguments: Mapping[str, Any], seconds: float) -> None:
    async with asyncio.timeout(seconds), oracledb.connect_async(**arguments):
        pass
