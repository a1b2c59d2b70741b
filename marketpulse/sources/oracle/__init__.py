"""A live Oracle database: one session, one read-only transaction, and no digit lost."""

from __future__ import annotations

import logging
import os
import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import oracledb
import pyarrow as pa

from marketpulse.errors import (
    ConnectionLostError,
    DataError,
    MarketPulseError,
    NotFoundError,
    SettingsError,
    UnreachableError,
)
from marketpulse.model import Column, ForeignKey, OnMalformedLine, SourceInfo, Table, TableSchema
from marketpulse.names import capitals, quoted
from marketpulse.sources.base import Source, unknown
from marketpulse.sources.oracle.columns import (
    ColumnDef,
    RowDecoder,
    SelectItem,
    batch_rows,
    project,
)
from marketpulse.sources.oracle.dsn import address_of
from marketpulse.sources.oracle.errors import is_of_the_network, meaning_of
from marketpulse.sources.oracle.tns import Address, Service, probe, within

if TYPE_CHECKING:
    from marketpulse.settings import OracleSettings
    from marketpulse.sources.oracle.dictionary import Dictionary, Key, Keys, Relation

_LOG = logging.getLogger("marketpulse.oracle")
_CONNECT_SECONDS = 20.0  # for all of connecting and logging in
_TCP_SECONDS = 10.0
_TRIP_SECONDS = 60.0  # for one round trip, where no deadline says otherwise
_KEEP_ALIVE_MINUTES = 2
_PAUSES = (0.3, 1.0)  # seconds before the network is tried again
_TRIED_AGAIN = {"MP-NET-002", "MP-NET-006", "MP-TNS-004"}
_TRIES = 3

# So that text in a condition means the same on every machine, and an instant is in UTC.
_SESSION = (
    "ALTER SESSION SET NLS_DATE_FORMAT = 'YYYY-MM-DD HH24:MI:SS' "
    "NLS_TIMESTAMP_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF' "
    "NLS_TIMESTAMP_TZ_FORMAT = 'YYYY-MM-DD HH24:MI:SS.FF TZH:TZM' "
    "NLS_NUMERIC_CHARACTERS = '.,' NLS_SORT = BINARY NLS_COMP = BINARY TIME_ZONE = '+00:00'"
)
_NLS = (
    "SELECT parameter, value FROM nls_database_parameters "
    "WHERE parameter IN ('NLS_CHARACTERSET', 'NLS_NCHAR_CHARACTERSET')"
)
_SCN = "SELECT 'SCN', TO_CHAR(current_scn) FROM v$database"

# NAME or OWNER.NAME, each of them plain or in double quotes.
_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'
_PARTS = re.compile(rf"(?:(?P<owner>{_PART})\.)?(?P<name>{_PART})")

T = TypeVar("T")


class _DateOutOfRangeError(Exception):
    """A date of the Julian calendar, or before the year 1."""


class OracleDatabase:
    """A session in an Oracle database that can write nothing. A context manager.

    Everything is read in one transaction, so all of it is as it was at one instant. Without
    settings those of the environment, of `.env` and of AWS SSM are taken. Entering raises
    `SettingsError`, `UnreachableError`, `LoginError` or `NotFoundError`; a refused login
    is not tried again.
    """

    def __init__(self, settings: OracleSettings | None = None) -> None:
        if settings is None:
            from marketpulse.settings import oracle_settings  # noqa: PLC0415 - 0.2 s

            settings = oracle_settings({}, os.environ, None)
        self.settings = settings
        self.address: Address = address_of(settings)
        self.driver = "thin"
        self.why_driver = "it needs nothing installed"
        self.round_trips = 0  # after the login
        self._until = None if settings.deadline is None else time.monotonic() + settings.deadline
        self._raw: oracledb.Connection | None = None
        self._conditions_set = False

    @property
    def raw(self) -> oracledb.Connection:
        """The driver's connection; opened when it is first needed."""
        if self._raw is None:
            self._raw = self._opened()
            self._conditions_set = False
            self.run("SET TRANSACTION READ ONLY")
        return self._raw

    @property
    def home(self) -> str:
        """The schema that a name without one belongs to."""
        wanted = self.settings.schema
        if wanted:
            return wanted[1:-1] if wanted.startswith('"') else wanted.upper()
        user = self.settings.username.get_secret_value()
        return user[1:-1] if user.startswith('"') else user.upper()

    def query(self, statement: str, binds: Mapping[str, Any] | Sequence[Any] = ()) -> pa.Table:
        """What a SELECT of yours gives, exact: `.to_pandas()` where a data frame is wanted.

        A number that has no fixed precision in the database arrives as text. Raises what the
        database says against it, in our words.
        """
        with self.told(), closing(self.raw.cursor()) as cursor:
            cursor.parse(statement)
            columns = [_described(it) for it in cursor.description or ()]
        for old_dates in (False, True):
            projected = [project(it, old_dates=old_dates) for it in columns]
            chosen = ", ".join(it.expression for it in projected)
            outer = f"SELECT {chosen} FROM ({statement})"  # noqa: S608 - the caller's own statement
            fetched = pa.schema([(it.field.name, it.fetched) for it in projected])
            arrival = RowDecoder(projected)
            batches = self.batches(outer, fetched, batch_rows(columns), binds)
            try:
                return pa.Table.from_batches(arrival.of(batches), arrival.schema)
            except _DateOutOfRangeError:
                continue
        raise _unreadable("the answer")

    def get_table_schema(self, table: str) -> TableSchema:
        """The columns, keys and comments of a table.

        Raises `NotFoundError`, with the nearest names.
        """
        source = OracleSource(self)
        return source.describe(source.named(table))

    def run(self, statement: str) -> None:
        """Run what is no query."""
        with self.told(), closing(self.raw.cursor()) as cursor:
            cursor.execute(statement)

    def rows(self, statement: str) -> list[Any]:
        """The rows of a small answer."""
        with self.told(), closing(self.raw.cursor()) as cursor:
            cursor.prefetchrows = cursor.arraysize = 1000
            return list(cursor.execute(statement).fetchall())

    def batches(
        self,
        statement: str,
        fields: pa.Schema,
        rows: int,
        binds: Mapping[str, Any] | Sequence[Any] = (),
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a statement in these types, so many a round trip."""
        with self.told():
            self.prepare()
            asked = dict(binds) if isinstance(binds, Mapping) else list(binds)
            frames = self.raw.fetch_df_batches(statement, asked, size=rows, requested_schema=fields)
            try:
                for frame in frames:
                    yield from pa.table(frame).to_batches()
            except (ValueError, OverflowError) as error:
                # The driver makes Python's dates of dates, and of nothing else.
                raise _DateOutOfRangeError from error

    def prepare(self) -> None:
        """Make the session understand text in conditions as we mean it; once."""
        raw = self.raw
        if not self._conditions_set:
            self._conditions_set = True
            with self.told(), closing(raw.cursor()) as cursor:
                cursor.execute(_SESSION)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say in our words what the driver or the database has against something."""
        try:
            yield
        except (oracledb.Error, OSError) as error:
            fault = meaning_of(error, self.address)
            if isinstance(fault, ConnectionLostError):
                self.close()
            raise fault from error

    def probe(self, seconds: float) -> Service:
        """Go to the listener and ask for the service, without a login. Raises what is wrong."""
        return probe(self.address, seconds, self.trusted())

    def ping(self) -> None:
        """Make one round trip."""
        with self.told():
            self.raw.ping()

    def close(self) -> None:
        """End the session. It is opened again where something else is asked."""
        raw, self._raw = self._raw, None
        if raw is not None:
            try:
                within(_TCP_SECONDS, raw.close, TimeoutError)
            except (oracledb.Error, OSError):
                _LOG.debug("the session was gone already")

    def __enter__(self) -> Self:
        _ = self.raw
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> oracledb.Connection:
        """A connection by the driver that the server and the settings want."""
        wanted = self.settings.driver
        if wanted == "thick":
            self._become_thick("it was asked for")
        try:
            return self._patiently_connected()
        except MarketPulseError as fault:
            if wanted != "auto" or fault.check not in {"MP-ENC-001", "MP-DRV-002"}:
                raise
            try:
                self._become_thick(f"thin cannot: {fault.message}")
            except SettingsError:
                raise fault from None  # it names the ways out
        return self._patiently_connected()

    def _become_thick(self, why: str) -> None:
        """Let Oracle's own library do it; for good, in this process."""
        try:
            if oracledb.is_thin_mode():
                oracledb.init_oracle_client(lib_dir=self.settings.client_lib_dir)
        except oracledb.Error as error:
            raise meaning_of(error, self.address) from error
        self.driver, self.why_driver = "thick", why

    def _patiently_connected(self) -> oracledb.Connection:
        for pause in _PAUSES:
            try:
                return self._connected()
            except MarketPulseError as fault:
                if fault.check not in _TRIED_AGAIN:
                    raise
                _LOG.info("%s; trying again", fault.message)
                time.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - no secret
        return self._connected()

    def _connected(self) -> oracledb.Connection:
        settings, seconds = self.settings, self._seconds_left(_CONNECT_SECONDS)
        wallet = settings.wallet_password

        def connect() -> oracledb.Connection:
            return oracledb.connect(
                user=settings.username.get_secret_value(),
                password=settings.password.get_secret_value(),
                dsn=self.address.descriptor,
                config_dir=settings.config_dir,
                wallet_location=settings.wallet_location,
                wallet_password=wallet.get_secret_value() if wallet else None,
                tcp_connect_timeout=min(_TCP_SECONDS, seconds),
                expire_time=_KEEP_ALIVE_MINUTES,
                program="marketpulse",
            )

        try:
            raw = within(seconds, connect, self._late)
        except (oracledb.Error, OSError, UnreachableError) as error:
            raise self._diagnosed(error) from error
        raw.module, raw.action = "marketpulse", "extract"
        if raw.thin:
            raw.round_trip_callback = self._before_trip
            raw.operation_callback = _log_statement
        self._limit(raw)
        return raw

    def _diagnosed(self, error: Exception) -> MarketPulseError:
        """What is in the way, found by going it step by step where the driver does not say."""
        if is_of_the_network(error):
            try:
                self.probe(self._seconds_left(_TCP_SECONDS))
            except MarketPulseError as fault:
                return fault
        return error if isinstance(error, MarketPulseError) else meaning_of(error, self.address)

    def trusted(self) -> ssl.SSLContext | None:
        """The certificates that the wallet trusts; None where the system's are to be taken."""
        folder = self.settings.wallet_location
        wallet = Path(folder) / "ewallet.pem" if folder else None
        if wallet is None or not wallet.is_file():
            return None
        return ssl.create_default_context(cafile=str(wallet))

    def _late(self) -> UnreachableError:
        return UnreachableError(
            f"{self.address} did not let us in within {_CONNECT_SECONDS:g} s",
            hint="is the VPN on? Else show this to who runs the database",
            check="MP-NET-007",
        )

    def _seconds_left(self, most: float) -> float:
        if self._until is None:
            return most
        left = self._until - time.monotonic()
        if left <= 0:
            raise UnreachableError(
                f"{self.address}: the deadline of {self.settings.deadline:g} s has passed",
                hint="--deadline gives it more",
                check="MP-NET-007",
            )
        return min(most, left)

    def _before_trip(self, _name: str) -> None:
        self.round_trips += 1
        if self._raw is not None:
            self._limit(self._raw)

    def _limit(self, raw: oracledb.Connection) -> None:
        """Let no round trip take longer than what is left."""
        most = _TRIP_SECONDS if self._until is None else self._seconds_left(float("inf"))
        raw.call_timeout = max(1, int(most * 1000))


def _unreadable(what: str) -> DataError:
    return DataError(
        f"{what} holds a value that the driver cannot read",
        hint="leave its column out: --columns names those that are wanted",
        check="MP-ORA-003",
    )


def _log_statement(operation: str, arguments: Mapping[str, Any]) -> None:
    statement = arguments.get("statement")
    if statement:
        _LOG.debug("%s: %s", operation, statement)


def _described(told: Any) -> ColumnDef:
    """A column of an answer as a dictionary would declare it."""
    words = {
        "DB_TYPE_VARCHAR": "VARCHAR2",
        "DB_TYPE_NVARCHAR": "NVARCHAR2",
        "DB_TYPE_LONG_RAW": "LONG RAW",
        "DB_TYPE_TIMESTAMP": f"TIMESTAMP({told.scale})",
        "DB_TYPE_TIMESTAMP_TZ": "TIMESTAMP WITH TIME ZONE",
        "DB_TYPE_TIMESTAMP_LTZ": "TIMESTAMP WITH LOCAL TIME ZONE",
        "DB_TYPE_INTERVAL_DS": "INTERVAL DAY TO SECOND",
        "DB_TYPE_INTERVAL_YM": "INTERVAL YEAR TO MONTH",
    }.get(told.type_code.name, told.type_code.name.removeprefix("DB_TYPE_"))
    precision, scale = told.precision or None, told.scale
    if words == "NUMBER" and scale == -127:
        precision = scale = None
    return ColumnDef(told.name, words, precision, scale, told.display_size or 0)


class OracleSource(Source):
    """The tables of a live database, as the dictionary spells them.

    Those of the home schema go by their name, others by OWNER.NAME.
    """

    def __init__(
        self, database: OracleDatabase, *, max_lob: int | None = None, system: bool = False
    ) -> None:
        self.database = database
        self._max_lob = max_lob
        self._system = system  # whether Oracle's own schemas are listed
        self._relations: dict[str, Relation] = {}
        self._columns: dict[Key, list[ColumnDef]] = {}
        self._remarks: dict[str, RowDecoder] = {}
        self._old_dates: set[Key] = set()
        self._used: tuple[oracledb.Connection, Dictionary] | None = None

    def info(self) -> SourceInfo:
        return SourceInfo("oracle", str(self.database.address), dict(self._facts))

    def tables(self) -> Sequence[Table]:
        return [self._table(name, it) for name, it in self._known.items()]

    def named(self, name: str | None = None) -> str:
        name = self.database.settings.table_name if name is None else name
        if name is None:
            return super().named(name)
        parts = _PARTS.fullmatch(name)
        if parts is None:
            raise unknown("table", name, [*self._known])
        owner, bare = parts["owner"], _spelled(parts["name"])
        if owner is not None:
            return self._place_of(_spelled(owner), bare) or super().named(name)
        if _plain(bare) in self._known:
            return _plain(bare)
        elsewhere = [full for full, it in self._known.items() if it.key.name == bare]
        if elsewhere and name not in self._known:
            raise NotFoundError(
                f"there is no table {name!r} in the schema {self.database.home}",
                hint=f"there is: {', '.join(elsewhere[:5])}; ORACLE_SCHEMA says whose tables go "
                "by their name alone",
            )
        return super().named(name)

    def listed(self, table: str) -> str:
        return table if table in self._known else self.named(table)

    def describe(self, table: str) -> TableSchema:
        return self.describe_all([table])[0]

    def describe_all(self, tables: Sequence[str]) -> Sequence[TableSchema]:
        names = [self.listed(table) for table in tables]
        keys = [self._target(name) for name in names]
        self._read_columns(keys)
        constraints = self._ask(lambda dictionary: dictionary.keys(list(dict.fromkeys(keys))))
        return [
            self._schema(name, key, constraints[key]) for name, key in zip(names, keys, strict=True)
        ]

    def scan(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        on_malformed_line: OnMalformedLine | None = None,  # noqa: ARG002 - a database has none
        where: str | None = None,
        order: str | None = None,
    ) -> pa.RecordBatchReader:
        from marketpulse.sources.selection import condition_in_oracle, first_rows, order_in_oracle  # noqa: PLC0415 - it brings DuckDB

        name = self.listed(table)
        key = self._target(name)
        self._read_columns([key])

        def asked(*, old_dates: bool) -> tuple[str, list[SelectItem]]:
            """The statement, and what it brings."""
            readable = {
                it.name: project(it, self._max_lob, old_dates=old_dates)
                for it in self._columns[key]
            }
            readable = {it: one for it, one in readable.items() if not one.column.unreadable}
            for column in columns or ():
                if column not in readable:
                    raise unknown("column", column, list(readable))
            chosen = [readable[it] for it in (readable if columns is None else columns)]
            # Without names of their own: else ORDER BY would find the text of a number.
            selected = ", ".join(it.expression for it in chosen)
            statement = f"SELECT {selected} FROM {quoted(key.owner)}.{quoted(key.name)}"  # noqa: S608 - names of the dictionary
            fields = pa.schema([it.field for it in readable.values()])
            if where is not None:
                statement += f" WHERE {condition_in_oracle(where, fields)}"
            if order is not None:
                statement += f" ORDER BY {order_in_oracle(order, fields)}"
            if limit is not None and not any("LONG" in it.type for it in self._columns[key]):
                statement += f" FETCH FIRST {limit:d} ROWS ONLY"
            return statement, chosen

        fetch = batch_rows(it for it in self._columns[key] if columns is None or it.name in columns)
        fetch = fetch if limit is None else min(fetch, limit + 1)  # one more tells the end
        _, chosen = asked(old_dates=False)
        arrival = self._remarks[name] = RowDecoder(chosen, self._max_lob)
        batches = self._arriving(key, arrival, asked, max(fetch, 2))
        batches = batches if limit is None else first_rows(batches, limit)
        return pa.RecordBatchReader.from_batches(arrival.schema, batches)

    def _arriving(
        self,
        key: Key,
        arrival: RowDecoder,
        asked: Callable[..., tuple[str, list[SelectItem]]],
        rows: int,
    ) -> Iterator[pa.RecordBatch]:
        """The rows; asked again where there are dates that only the server can spell."""
        begun = False
        for old_dates in sorted({key in self._old_dates, True}):
            statement, arrival.projected = asked(old_dates=old_dates)
            fetched = pa.schema([(it.field.name, it.fetched) for it in arrival.projected])
            try:
                for batch in arrival.of(self.database.batches(statement, fetched, rows)):
                    begun = True
                    yield batch
            except _DateOutOfRangeError as error:
                self._old_dates.add(key)
                if old_dates:
                    raise _unreadable(key.name) from error
                if begun:
                    raise ConnectionLostError(
                        f"{key.name} has dates that Python has not",
                        hint="read it again from the start",
                        check="MP-ORA-003",
                    ) from error
            else:
                return

    def remarks(self, table: str) -> Sequence[str]:
        arrival = self._remarks.get(self.listed(table))
        return [] if arrival is None else list(arrival.remarks())

    def count(self, table: str) -> int:
        key = self._target(self.listed(table))
        counted = f"SELECT COUNT(*) FROM {quoted(key.owner)}.{quoted(key.name)}"  # noqa: S608 - so too
        return int(self.database.rows(counted)[0][0])

    def __enter__(self) -> Self:
        self.database.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.database.close()

    @cached_property
    def _facts(self) -> dict[str, str]:
        """What is to be known of the database; what may not be read is left out."""
        raw = self.database.raw
        facts = {"version": raw.version, "driver": self.database.driver}
        facts |= {"schema": self.database.home, "database": raw.db_name or ""}
        for statement in (f"{_NLS} UNION ALL {_SCN}", _NLS):  # few may know the SCN
            try:
                rows = self._again(partial(self.database.rows, statement))
            except ConnectionLostError:
                raise
            except MarketPulseError as fault:
                _LOG.info("not read: %s", fault.message)
                continue
            return facts | {_FACTS[name]: str(value) for name, value in rows}
        return facts

    @property
    def _known(self) -> dict[str, Relation]:
        if not self._relations:
            for relation in self._ask(lambda dictionary: dictionary.relations(system=self._system)):
                self._remember(relation)
        return self._relations

    def _look_into(self, owner: str) -> None:
        """Oracle's own schemas are not listed, and may be asked for by name."""
        for relation in self._ask(lambda dictionary: dictionary.relations([owner])):
            self._remember(relation)

    def _remember(self, relation: Relation) -> None:
        owner, name = relation.key.owner, relation.key.name
        if relation.kind == "synonym" and owner == "PUBLIC":
            self._relations.setdefault(_plain(name), relation)
        else:
            self._relations[self._placed(owner, name)] = relation

    def _place_of(self, owner: str, name: str) -> str | None:
        """What this very table is called here; None where the user sees none.

        Its name alone does not tell: a public synonym goes by its name alone, too.
        """
        place = _plain(name) if owner == "PUBLIC" else self._placed(owner, name)
        for looked in (False, True):
            if looked:  # Oracle's own schemas are not in the list
                self._look_into(owner)
            relation = self._known.get(place)
            if relation and (relation.key.owner, relation.key.name) == (owner, name):
                return place
        return None

    def _placed(self, owner: str, name: str) -> str:
        """How a table is called here."""
        plain = _plain(name)
        return plain if owner == self.database.home else f"{_plain(owner)}.{plain}"

    def _table(self, name: str, relation: Relation) -> Table:
        rows, width = relation.rows, relation.row_bytes
        target = relation.target
        return Table(
            name,
            relation.kind,
            rows,
            relation.comment,
            relation.key.owner,
            f"{relation.analyzed:%Y-%m-%d}" if relation.analyzed else "",
            None if rows is None or width is None else rows * width,
            f"{relation.changed:%Y-%m-%d}" if relation.changed else "",
            ""
            if target is None
            else self._placed(target.owner, target.name)
            + (f"@{relation.link}" if relation.link else ""),
        )

    def _target(self, name: str) -> Key:
        """The table itself, where the name is a synonym's."""
        relation = self._known[name]
        for _ in range(10):
            if relation.target is None:
                return relation.key
            if relation.link:
                raise NotFoundError(
                    f"{name} is a synonym for a table of another database ({relation.link})",
                    hint="extract it from there, or ask for a view of it",
                    check="MP-SRC-008",
                )
            there = self._placed(relation.target.owner, relation.target.name)
            place = self._place_of(relation.target.owner, relation.target.name)
            if place is None:
                break
            relation = self._known[place]
        raise NotFoundError(
            f"{name} is a synonym for {there}, which is not there, or not for this user",
            hint="ask the DBA to GRANT SELECT on it",
            check="MP-SRC-008",
        )

    def _read_columns(self, keys: Sequence[Key]) -> None:
        self.database.prepare()
        new = [key for key in dict.fromkeys(keys) if key not in self._columns]
        if new:
            self._columns |= self._ask(lambda dictionary: dictionary.columns(new))

    def _schema(self, name: str, key: Key, keys: Keys) -> TableSchema:
        columns: list[Column] = [project(it).column for it in self._columns[key]]
        foreign = [
            ForeignKey(it.columns, self._placed(target.owner, target.name), it.references)
            for target, it in keys.foreign
        ]
        return TableSchema(
            self._table(name, self._known[name]),
            tuple(columns),
            keys.primary,
            keys.unique,
            tuple(foreign),
            keys.checks,
            keys.indexes,
        )

    def _ask(self, question: Callable[[Dictionary], T]) -> T:
        """The dictionary's answer."""
        return self._again(partial(self._asked, question))

    def _again(self, question: Callable[[], T]) -> T:
        """The answer; asked for again in a new session where one was lost."""
        for _ in range(_TRIES - 1):
            try:
                return question()
            except ConnectionLostError as lost:
                _LOG.info("%s; asking again", lost.message)
        return question()

    def _asked(self, question: Callable[[Dictionary], T]) -> T:
        from marketpulse.sources.oracle.dictionary import Dictionary  # noqa: PLC0415 - SQLAlchemy, 0.2 s

        raw = self.database.raw
        if self._used is None or self._used[0] is not raw:
            self._used = raw, Dictionary(raw, self.database.home)
        with self.database.told():
            return question(self._used[1])


_FACTS = {
    "SCN": "scn",
    "NLS_CHARACTERSET": "character_set",
    "NLS_NCHAR_CHARACTERSET": "national_character_set",
}


def _spelled(part: str) -> str:
    """A name as the dictionary spells it: to the letter in double quotes, else in capitals."""
    if len(part) > 2 and part[0] == part[-1] == '"':
        return part[1:-1].replace('""', '"')
    return capitals(part)


def _plain(name: str) -> str:
    """A name among others, in quotes where a point in it could mislead."""
    return f'"{name}"' if "." in name else name
