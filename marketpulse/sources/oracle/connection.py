"""A read-only session in an Oracle database: `OracleDatabase`."""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from threading import Timer
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import oracledb
import pyarrow as pa

from marketpulse.errors import ConnectionLostError, DataError, UnreachableError, UsageError
from marketpulse.model import TableSchema
from marketpulse.sources.names import fold_identifier
from marketpulse.sources.oracle.catalog import Catalog
from marketpulse.sources.oracle.columns import ColumnDef, RowDecoder, batch_rows, project
from marketpulse.sources.oracle.errors import add_place, translate_error
from marketpulse.sources.oracle.login import TCP_SECONDS, Login
from marketpulse.sources.oracle.native_encryption import Protection
from marketpulse.sources.oracle.refusals import LoginGuard
from marketpulse.sources.oracle.relay import Relay
from marketpulse.sources.oracle.timeouts import GRACE_SECONDS, end_later
from marketpulse.sources.oracle.tns import Address
from marketpulse.stopping import run_stoppable

if TYPE_CHECKING:
    from marketpulse.settings.load import OracleSettings
    from marketpulse.sources.oracle.dictionary import Dictionary
    from marketpulse.sources.oracle.select_query import SelectQuery

_LOG = logging.getLogger("marketpulse.oracle")
_INTERRUPT_SECONDS = 1.0  # for the log-off after Ctrl-C
_PATIENCE_SECONDS = 10.0  # of waiting for an answer, before a message says so

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
        self.login = Login(settings, guard)
        self.round_trips = 0  # since the login
        self._connection: oracledb.Connection | None = None
        self._relay: Relay | None = None
        self._end: Timer | None = None  # of the connection, at the deadline
        self._dictionary: Dictionary | None = None
        self._is_prepared = False
        self._is_cancelled = False

    @property
    def connection(self) -> oracledb.Connection:
        """The driver's connection; opened on first use, and after it was lost."""
        return self._open() if self._connection is None else self._connection

    @property
    def address(self) -> Address:
        """Where the database is."""
        return self.login.address

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
        other = OracleDatabase(self.settings)
        other.login = self.login.share()
        return other

    def cancel(self) -> None:
        """End what another thread does in this session: it raises there, as all later calls do."""
        self._is_cancelled = True
        connection = self._connection
        if connection is not None and connection.is_healthy():
            end_later(connection, GRACE_SECONDS)
            try:
                run_stoppable(lambda _: connection.cancel(), _INTERRUPT_SECONDS, TimeoutError)
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

    def describe_query(self, statement: str, query: SelectQuery | None = None) -> list[ColumnDef]:
        """Return the columns of a SELECT, without running it.

        An error has its place in the file of the query that the statement is. Raises
        `UsageError` if a column has no name by which it can be selected.
        """
        self.prepare()
        with (
            add_place(statement, query),
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
        # After an error it is gone: SQLAlchemy uses no connection again that was interrupted.
        dictionary, self._dictionary = self._dictionary, None
        dictionary = dictionary or Dictionary(connection, self.schema)
        with self.translate_errors():
            yield dictionary
        self._dictionary = dictionary

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Turn errors of the driver and the network into errors of MarketPulse."""
        try:
            yield
        except (oracledb.Error, OSError) as error:
            translated = translate_error(error, self.address)
            if isinstance(translated, ConnectionLostError):
                self.close()
            if isinstance(translated, UnreachableError) and self.login.deadline.left <= 0:
                translated = self.login.deadline.error()
            raise translated from error

    def ping(self) -> None:
        """Make one round trip."""
        with self.translate_errors():
            self.connection.ping()

    def close(self, seconds: float = TCP_SECONDS) -> None:
        """End the session, within this time. The next read opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                seconds = min(seconds, max(self.login.deadline.left, GRACE_SECONDS))
                run_stoppable(lambda _: connection.close(), seconds, TimeoutError)
            except (oracledb.Error, OSError):
                _LOG.debug("the session had ended already")
        if self._end is not None:
            self._end.cancel()
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def __enter__(self) -> Self:
        _ = self.connection
        return self

    def __exit__(self, *exception: object) -> None:
        # After Ctrl-C nobody waits for a server that may be dead.
        is_interrupted = not isinstance(exception[1], Exception | None)
        self.close(_INTERRUPT_SECONDS if is_interrupted else TCP_SECONDS)

    def _open(self) -> oracledb.Connection:
        self._refuse_if_cancelled()
        with ExitStack() as stack:
            stack.push(self.__exit__)  # a session that is not read-only is never used
            self._connection, self._relay = self.login.open(self._refuse_if_cancelled)
            connection = self._connection
            seconds = self.login.deadline.left
            if seconds < math.inf:
                self._end = end_later(connection, seconds + GRACE_SECONDS)
            connection.module, connection.action = "marketpulse", "extract"
            if connection.thin:  # thick mode has no callbacks
                connection.round_trip_callback = self._before_round_trip
                connection.operation_callback = _log_statement
            self._set_timeout(connection)
            self._dictionary = None
            self._is_prepared = False
            self.run("SET TRANSACTION READ ONLY")
            stack.pop_all()
        return connection

    def _before_round_trip(self, _operation: str) -> Callable[[object], None]:
        """Limit the round trip, and say that it takes long if it does.

        Returns the function that the driver calls after it.
        """
        self.round_trips += 1
        if self._connection is None:  # it logs off: `close` has its own limit
            return lambda _error: None
        self._refuse_if_cancelled()
        self._set_timeout(self._connection)
        limit = self.login.deadline.limit(self.settings.call_timeout)
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
        seconds = self.login.deadline.limit(self.settings.call_timeout)
        connection.call_timeout = max(1, int(seconds * 1000))


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
