"""A read-only session in an Oracle database: `OracleDatabase`."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import oracledb
import pyarrow as pa

from marketpulse.errors import (
    ConnectionLostError,
    DataError,
    MarketPulseError,
    SettingsError,
    UnreachableError,
    UsageError,
)
from marketpulse.model import TableSchema
from marketpulse.sources.oracle.catalog import Catalog
from marketpulse.sources.oracle.columns import ColumnDef, RowDecoder, batch_rows, project
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.errors import (
    add_place,
    encryption_error,
    is_network_error,
    translate_error,
    warning_text,
)
from marketpulse.sources.oracle.identifiers import fold_identifier
from marketpulse.sources.oracle.native_encryption import Protection
from marketpulse.sources.oracle.refusals import FileGuard, LoginGuard, NoGuard, SharedGuard
from marketpulse.sources.oracle.relay import Relay, relay_is_possible
from marketpulse.sources.oracle.retries import retry
from marketpulse.sources.oracle.timeouts import call_within, end_later
from marketpulse.sources.oracle.tns import Address, ServiceAnswer, probe

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings
    from marketpulse.sources.oracle.dictionary import Dictionary

_LOG = logging.getLogger("marketpulse.oracle")
_CONNECT_SECONDS = 20.0  # for connecting and logging in together
_TCP_SECONDS = 10.0
_INTERRUPT_SECONDS = 1.0  # for the log-off after Ctrl-C
_GRACE_SECONDS = 0.3  # after a deadline, for an answer to the driver's break and for the log-off
_PROBE_SECONDS = 0.5  # after a deadline: an answer or its absence shows so soon
_PATIENCE_SECONDS = 10.0  # of waiting for an answer, before a message says so
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

# A text in a condition then means the same on every machine, and times are in UTC.
_SESSION_FORMATS = (
    "ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS' "
    "NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF' "
    "NLS_TIMESTAMP_TZ_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM' "
    "NLS_DATE_LANGUAGE = AMERICAN NLS_NUMERIC_CHARACTERS = '.,' "
    "NLS_SORT = BINARY NLS_COMP = BINARY TIME_ZONE = '+00:00'"
)
# The driver's types whose names differ from the dictionary's.
_TYPE_NAMES = {
    "DB_TYPE_VARCHAR": "VARCHAR2",
    "DB_TYPE_NVARCHAR": "NVARCHAR2",
    "DB_TYPE_LONG_RAW": "LONG RAW",
    "DB_TYPE_TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE",
    "DB_TYPE_TIMESTAMP_LTZ": "TIMESTAMP WITH LOCAL TIME ZONE",
    "DB_TYPE_INTERVAL_DS": "INTERVAL DAY TO SECOND",
    "DB_TYPE_INTERVAL_YM": "INTERVAL YEAR TO MONTH",
}
_LONGEST_NAME = 128  # bytes of a name that a statement may use
_NO_SCALE = -127  # the driver's scale of a NUMBER without precision

Binds: TypeAlias = Mapping[str, object] | Sequence[object]


class DateRangeError(Exception):
    """The driver met a date that Python cannot hold: before the year 1, or a Julian leap day."""


class OracleDatabase:
    """A session in an Oracle database that cannot write. A context manager.

    All reads happen in one transaction, so they see the same instant. Without settings, reads them
    from the environment, `.env` and AWS SSM. Entering raises `SettingsError`, `UnreachableError`,
    `LoginError` or `NotFoundError`. A refused password is not sent again: `guard` remembers it,
    by default in the folder that the settings name.
    """

    def __init__(
        self, settings: OracleSettings | None = None, *, guard: LoginGuard | None = None
    ) -> None:
        if settings is None:
            from marketpulse.settings.load import oracle_settings  # noqa: PLC0415 - pydantic takes 0.2 s

            settings = oracle_settings({}, os.environ, None)
        self.settings = settings
        self.address: Address = address_of(settings)
        folder = settings.state_folder
        self._guard: LoginGuard = guard or (NoGuard() if folder is None else FileGuard(folder))
        self.driver = "thin"
        self.driver_reason = "it needs no installation"
        self.round_trips = 0  # since the login
        deadline = settings.deadline
        self._deadline = None if deadline is None else time.monotonic() + deadline
        self._connection: oracledb.Connection | None = None
        self._relay: Relay | None = None
        self._end: Timer | None = None  # of the connection, at the deadline
        self._dictionary: Dictionary | None = None
        self._is_prepared = False
        self._is_cancelled = False

    @property
    def connection(self) -> oracledb.Connection:
        """The driver's connection; opened on first use, and after it was lost."""
        if self._connection is None:
            self._refuse_if_cancelled()
            self._connection = self._connect_by_driver()
            self._dictionary = None
            self._is_prepared = False
            self.run("SET TRANSACTION READ ONLY")
        return self._connection

    @property
    def protection(self) -> Protection | None:
        """The native encryption in force, where this program does it."""
        return None if self._relay is None else self._relay.protection

    @property
    def schema(self) -> str:
        """The schema whose tables need no owner in their names."""
        return fold_identifier(self.settings.schema or self.settings.username.get_secret_value())

    def sibling(self) -> OracleDatabase:
        """Return the same database for one more session, which another thread may use.

        It has the same deadline. All siblings together send a password that is refused once.
        """
        if not isinstance(self._guard, SharedGuard):
            self._guard = SharedGuard(self._guard)
        other = OracleDatabase(self.settings, guard=self._guard)
        other.driver, other.driver_reason = self.driver, self.driver_reason
        other._deadline = self._deadline
        return other

    def cancel(self) -> None:
        """End what another thread does in this session: it raises there, and none follows."""
        self._is_cancelled = True
        connection = self._connection
        if connection is not None and connection.is_healthy():
            end_later(connection, _GRACE_SECONDS)
            try:
                call_within(_INTERRUPT_SECONDS, connection.cancel, TimeoutError)
            except (oracledb.Error, OSError):
                _LOG.debug("the session does nothing that can be cancelled")

    def query(self, statement: str, binds: Binds = ()) -> pa.Table:
        """Return the result of your SELECT without loss; `.to_pandas()` makes a data frame of it.

        A semicolon at its end is left out. A NUMBER without a fixed precision becomes text. Raises
        `UsageError` for anything but one SELECT, and the database's errors, translated.
        """
        from marketpulse.sources.oracle.query_text import parse_query  # noqa: PLC0415 - 0.05 s

        statement = parse_query(statement)
        columns = self.describe_query(statement)
        for old_dates in (False, True):
            items = [project(column, old_dates=old_dates) for column in columns]
            select_list = ", ".join(item.expression for item in items)
            projected = f"SELECT {select_list} FROM ({statement})"  # noqa: S608 - the caller's own statement
            fetched = pa.schema([(item.field.name, item.fetched) for item in items])
            decoder = RowDecoder(items)
            batches = self.batches(projected, fetched, batch_rows(columns), binds)
            try:
                return pa.Table.from_batches(decoder.decode(batches, items), decoder.schema)
            except DateRangeError:
                continue
        raise unreadable_value_error("the result")

    def describe_query(self, statement: str, start: tuple[int, int] = (1, 1)) -> list[ColumnDef]:
        """Return the columns of a SELECT, without running it.

        An error of the statement has its place, counted from that at which it begins. Raises
        `UsageError` if a column has no name by which it can be selected.
        """
        self.prepare()
        with (
            add_place(statement, start),
            self.translate_errors(),
            closing(self.connection.cursor()) as cursor,
        ):
            cursor.parse(statement)
            columns = [_column_def(info) for info in cursor.description or ()]
        counts = Counter(column.name for column in columns)
        for place, column in enumerate(columns, 1):
            name = column.name
            if counts[name] > 1 or '"' in name or len(name.encode()) > _LONGEST_NAME:
                called = f"{counts[name]} are" if counts[name] > 1 else "it is"
                raise UsageError(
                    f"column {place} of the query needs its own name: {called} {name[:200]}",
                    hint="give it an alias: ... AS NAME",
                    check="MP-USE-004",
                )
        return columns

    def bind_names(self, statement: str) -> list[str]:
        """Return the names of a statement's bind variables. Sends nothing."""
        with self.translate_errors(), closing(self.connection.cursor()) as cursor:
            cursor.prepare(statement)
            return list(cursor.bindnames())

    def get_table_schema(self, table: str) -> TableSchema:
        """Return the columns, keys and comments of a table.

        Raises `NotFoundError`, which suggests similar names.
        """
        catalog = Catalog(self)
        (schema,) = catalog.describe_all([catalog.find(table)])
        return schema

    def run(self, statement: str) -> None:
        """Run a statement that returns no rows."""
        with self.translate_errors(), closing(self.connection.cursor()) as cursor:
            cursor.execute(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return all rows of a small result."""
        with self.translate_errors(), closing(self.connection.cursor()) as cursor:
            cursor.prefetchrows = cursor.arraysize = 1000
            return list(cursor.execute(statement).fetchall())

    def batches(
        self, statement: str, fields: pa.Schema, rows: int, binds: Binds = ()
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a SELECT with these types; each round trip fetches `rows` rows.

        Raises `DateRangeError` for a date that Python cannot hold.
        """
        with self.translate_errors():
            self.prepare()
            parameters = dict(binds) if isinstance(binds, Mapping) else list(binds)
            frames = self.connection.fetch_df_batches(
                statement, parameters, size=rows, requested_schema=fields
            )
            try:
                for frame in frames:
                    yield from pa.table(frame).to_batches()
            except (ValueError, OverflowError) as error:
                # The driver converts only dates through Python objects, so only they can fail.
                raise DateRangeError from error

    def prepare(self) -> None:
        """Set the session's formats, once per session."""
        connection = self.connection
        if not self._is_prepared:
            self._is_prepared = True
            with self.translate_errors(), closing(connection.cursor()) as cursor:
                cursor.execute(_SESSION_FORMATS)

    @contextmanager
    def dictionary(self) -> Iterator[Dictionary]:
        """Open the dictionary. Inside, the driver's errors become errors of MarketPulse."""
        from marketpulse.sources.oracle.dictionary import Dictionary  # noqa: PLC0415 - SQLAlchemy takes 0.2 s

        connection = self.connection
        if self._dictionary is None:
            self._dictionary = Dictionary(connection, self.schema)
        try:
            with self.translate_errors():
                yield self._dictionary
        except BaseException:
            self._dictionary = None  # SQLAlchemy uses no connection again that was interrupted
            raise

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn errors of the driver and the network into errors of MarketPulse."""
        try:
            yield
        except (oracledb.Error, OSError) as error:
            translated = translate_error(error, self.address)
            if isinstance(translated, ConnectionLostError):
                self.close()
            if isinstance(translated, UnreachableError) and self._until_deadline(1) <= 0:
                translated = self._deadline_error()
            raise translated from error

    def probe(self, seconds: float) -> ServiceAnswer:
        """Probe the listener for the service, without logging in. Raises what it finds wrong."""
        context = self.tls_context()
        if self._deadline is None:
            return probe(self.address, seconds, context)
        # Each wait has this limit, but there may be several.
        limit = max(self._until_deadline(math.inf), seconds) + _GRACE_SECONDS
        return call_within(
            limit, lambda: probe(self.address, seconds, context), self._deadline_error
        )

    def seconds_left(self, most: float) -> float:
        """Return the seconds until the deadline, at most `most`. Raises if it has passed."""
        seconds = self._until_deadline(most)
        if seconds <= 0:
            raise self._deadline_error()
        return seconds

    def ping(self) -> None:
        """Make one round trip."""
        with self.translate_errors():
            self.connection.ping()

    def close(self, seconds: float = _TCP_SECONDS) -> None:
        """End the session, within this time. The next read opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                seconds = min(seconds, max(self._until_deadline(seconds), _GRACE_SECONDS))
                call_within(seconds, connection.close, TimeoutError)
            except (oracledb.Error, OSError):
                _LOG.debug("the session had ended already")
        if self._end is not None:
            self._end.cancel()
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how the server's certificate is checked; None means as usual, or without TLS.

        Raises `SettingsError` if the folder of the wallet is missing or has none.
        """
        if not any(endpoint.tls for endpoint in self.address.endpoints):
            return None
        folder = self.settings.wallet_location
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

    def __enter__(self) -> Self:
        _ = self.connection
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After Ctrl-C nobody waits for a server that may be dead.
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        self.close(_INTERRUPT_SECONDS if is_interrupted else _TCP_SECONDS)

    def _connect_by_driver(self) -> oracledb.Connection:
        """Connect in thin mode, or as the settings or the server require."""
        driver = self.settings.driver
        if driver == "thick":
            self._switch_to_thick("the settings require it")
        elif driver == "nne":
            self._switch_to_relay("the settings require it")
        try:
            return self._connect_with_retries()
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
        return self._connect_with_retries()

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
                oracledb.init_oracle_client(lib_dir=self.settings.client_lib_dir)
        except oracledb.Error as error:
            raise translate_error(error, self.address) from error
        self.driver, self.driver_reason = "thick", reason

    def _connect_with_retries(self) -> oracledb.Connection:
        return retry(
            self._connect,
            is_transient=lambda error: (
                error.check in _TRANSIENT_CHECKS and self._until_deadline(math.inf) > max(_WAITS)
            ),
            waits=_WAITS,
        )

    def _connect(self) -> oracledb.Connection:
        name, seconds = self.address.descriptor, self.seconds_left(_CONNECT_SECONDS)
        is_new = name not in _HEALTHY
        if is_new:
            self._probe_before_login()
        _HEALTHY.discard(name)
        relay = Relay(self.address.endpoints, seconds) if self.driver == "nne" else None
        arguments = self._login_arguments(seconds, relay)
        guard_seconds = self.seconds_left(math.inf)
        with self._guard.attempt(self.settings, str(self.address), guard_seconds):
            self._refuse_if_cancelled()
            try:
                seconds = self.seconds_left(_CONNECT_SECONDS)
                if is_new:
                    self._fix_driver_mode(seconds)
                connection = call_within(
                    seconds,
                    lambda: oracledb.connect(**arguments),
                    lambda: self._login_timeout_error(seconds),
                )
            except (oracledb.Error, OSError, UnreachableError) as error:
                if relay is not None:
                    relay.close()
                raise (relay and relay.error) or self._diagnose(error) from error
        _HEALTHY.add(name)
        self._relay = relay
        if self._deadline is not None:
            self._end = end_later(connection, self._until_deadline(math.inf) + _GRACE_SECONDS)
        connection.module, connection.action = "marketpulse", "extract"
        if connection.thin:  # thick mode has no callbacks
            connection.round_trip_callback = self._before_round_trip
            connection.operation_callback = _log_statement
        self._set_timeout(connection)
        if connection.warning is not None:
            _LOG.warning("%s: %s", self.address, warning_text(connection.warning))
        return connection

    def _login_arguments(self, seconds: float, relay: Relay | None = None) -> dict[str, Any]:
        settings, descriptor = self.settings, self.address.descriptor
        wallet_password = settings.wallet_password
        return {
            "user": settings.username.get_secret_value(),
            "password": settings.password.get_secret_value(),
            "dsn": descriptor if relay is None else relay.descriptor(descriptor),
            "disable_oob": relay is not None,  # urgent data would not pass the relay
            "config_dir": settings.config_dir,
            "wallet_location": settings.wallet_location,
            "wallet_password": wallet_password.get_secret_value() if wallet_password else None,
            "tcp_connect_timeout": min(_TCP_SECONDS, seconds),
            "expire_time": _KEEP_ALIVE_MINUTES,
            "program": "marketpulse",
        }

    def _probe_before_login(self) -> None:
        """Raise if the listener is silent or busy, or demands what thin mode cannot do.

        A login at a silent listener cannot be cancelled: it would stay behind in its thread.
        """
        try:
            answer = self.probe(self.seconds_left(_TCP_SECONDS))
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
        is_thin_certain = self.settings.driver != "auto" or self.driver == "nne"
        if self.settings.client_lib_dir and not is_thin_certain:
            # Only a login shows whether thin mode will do. Asynchronous ones need no lock.
            try:
                call_within(
                    seconds,
                    lambda: asyncio.run(_try_login(self._login_arguments(seconds), seconds)),
                    lambda: self._login_timeout_error(seconds),
                )
            except TimeoutError as error:  # of the loop, which may come first
                raise self._login_timeout_error(seconds) from error
        oracledb.enable_thin_mode()  # type: ignore[no-untyped-call]  # the driver gives it no types

    def _diagnose(self, error: Exception) -> MarketPulseError:
        """Return the translated error; probe the network if that may tell more."""
        if is_network_error(error):
            try:
                self.probe(max(self._until_deadline(_TCP_SECONDS), _PROBE_SECONDS))
            except MarketPulseError as diagnosis:
                return diagnosis
        return (
            error if isinstance(error, MarketPulseError) else translate_error(error, self.address)
        )

    def _login_timeout_error(self, seconds: float) -> UnreachableError:
        if self._until_deadline(1) <= 0:
            return self._deadline_error("; the login did not complete")
        return UnreachableError(
            f"{self.address}: the login did not complete within {seconds:.3g} s",
            hint="is the VPN on? If so, show this line to the database team",
            check="MP-NET-007",
        )

    def _deadline_error(self, detail: str = "") -> UnreachableError:
        return UnreachableError(
            f"{self.address}: the deadline of {self.settings.deadline:g} s has passed{detail}",
            hint="raise --deadline",
            check="MP-NET-007",
        )

    def _until_deadline(self, most: float) -> float:
        return most if self._deadline is None else min(most, self._deadline - time.monotonic())

    def _before_round_trip(self, _operation: str) -> Callable[[object], None]:
        """Limit the round trip, and say that it takes long if it does.

        Returns the function that the driver calls after it.
        """
        self.round_trips += 1
        if self._connection is None:  # it logs off: `close` has its own limit
            return lambda _error: None
        self._refuse_if_cancelled()
        self._set_timeout(self._connection)
        limit = self.seconds_left(self.settings.call_timeout)
        waiting = Timer(_PATIENCE_SECONDS, self._say_waiting, [limit])
        waiting.daemon = True
        waiting.start()
        return lambda _error: waiting.cancel()

    def _refuse_if_cancelled(self) -> None:
        if self._is_cancelled:
            raise UnreachableError(f"{self.address}: cancelled", check="MP-NET-007")

    def _say_waiting(self, limit: float) -> None:
        _LOG.warning(
            "%s: waiting for an answer, for at most %.0f s (ORACLE_CALL_TIMEOUT, --deadline)",
            self.address,
            limit,
        )

    def _set_timeout(self, connection: oracledb.Connection) -> None:
        """Limit the next round trip to the time that is left."""
        seconds = self.seconds_left(self.settings.call_timeout)
        connection.call_timeout = max(1, int(seconds * 1000))


async def _try_login(arguments: Mapping[str, Any], seconds: float) -> None:
    async with asyncio.timeout(seconds), oracledb.connect_async(**arguments):
        pass


def unreadable_value_error(table: str) -> DataError:
    """Return the error for a value that even the server cannot convert to readable text."""
    return DataError(
        f"{table} holds a value that the driver cannot read",
        hint="leave out its column: list the other columns in --columns",
        check="MP-ORA-003",
    )


def _log_statement(operation: str, arguments: Mapping[str, object]) -> None:
    # Only the statement: the other arguments may include binds.
    statement = arguments.get("statement")
    if statement:
        _LOG.debug("%s: %s", operation, statement)


def _column_def(info: oracledb.FetchInfo) -> ColumnDef:
    """Return a column of a query's result as the dictionary would define it."""
    driver_type = info.type_code.name
    type_name = _TYPE_NAMES.get(driver_type, driver_type.removeprefix("DB_TYPE_"))
    precision, scale = info.precision or None, info.scale
    if driver_type == "DB_TYPE_TIMESTAMP":
        type_name = f"TIMESTAMP({scale})"
    if type_name == "NUMBER" and scale == _NO_SCALE:
        precision = scale = None
    return ColumnDef(
        name=info.name,
        type=type_name,
        precision=precision,
        scale=scale,
        length=info.display_size or 0,
    )
