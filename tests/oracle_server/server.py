"""The server: a listener on the loopback interface, with a thread for each session."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from traceback import format_exception
from types import TracebackType
from typing import Self

from oracle_server.answers import Engine, Value
from oracle_server.faults import Faults
from oracle_server.packets import ClosedError, Wire
from oracle_server.session import Session

_CLIENT_TIMEOUT = 60.0  # seconds that a session waits for its client
_STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Statement:
    """A statement that a client sent."""

    sql: str
    binds: Sequence[Value] = ()
    session: int = 0


@dataclass
class Record:
    """All that clients did."""

    statements: list[Statement] = field(default_factory=list)
    round_trips: int = 0  # after the login
    fetches: list[int] = field(default_factory=list)  # the rows that clients asked for
    logins: list[tuple[str, int]] = field(default_factory=list)  # the user, and 0 or the error
    connections: int = 0
    encrypted: int = 0  # connections
    tags: list[dict[str, str]] = field(default_factory=list)  # of each session
    oddities: list[str] = field(default_factory=list)  # requests that the server cannot read


class OracleServer:
    """A database for unmodified drivers. A context manager: leaving it stops the server."""

    def __init__(
        self,
        engine: Engine,
        *,
        users: Mapping[str, str] | None = None,
        service: str = "FREEPDB1",
        sids: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.engine = engine
        self.users = dict(users or {"SCOTT": "tiger"})
        self.service, self.sids = service, set(sids)
        self.faults = faults or Faults()
        self.record = Record()
        self.sdu = 8192
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self.host, self.port = self._listener.getsockname()
        self._stopping = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def dsn(self) -> str:
        """The connect string."""
        return f"{'tcps://' if self._tls else ''}{self.host}:{self.port}/{self.service}"

    def reset(self) -> None:
        """Start a new record."""
        self.record = Record()

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client closed it
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT)
            assert not thread.is_alive(), "a session did not end"
        self._listener.close()

    def _start(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]  # any function
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.record.connections += 1
            self._sockets.add(connection)
            self._start(self._serve, connection, self.record.connections)

    def _serve(self, connection: socket.socket, session: int) -> None:
        plain = connection
        try:
            if self._tls is not None:
                connection.settimeout(_CLIENT_TIMEOUT)
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._sockets.add(connection)
            Session(
                self, Wire(connection, _CLIENT_TIMEOUT), session, self.faults.for_next_connection()
            ).run()
        except (ClosedError, OSError) as closed:
            # A client that is gone is no oddity.
            if not isinstance(closed.__cause__, OSError | None):
                self.record.oddities.append("".join(format_exception(closed)))
        finally:
            connection.close()
            self._sockets -= {connection, plain}
