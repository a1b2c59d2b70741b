"""A listener on the loopback, with sessions behind it. It stops when it is left."""

from __future__ import annotations

import socket
import ssl
import threading
import traceback
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from oracle_server.answers import Engine, Value
from oracle_server.faults import Faults
from oracle_server.packets import ClosedError, Wire
from oracle_server.session import Session

_PATIENCE = 60.0  # seconds that a session waits for its client
_LEAVING = 10.0


@dataclass(frozen=True)
class Statement:
    """A statement that arrived."""

    sql: str
    binds: Sequence[Value] = ()
    session: int = 0


@dataclass
class Record:
    """What the server has seen."""

    statements: list[Statement] = field(default_factory=list)
    round_trips: int = 0  # after the login
    logins: list[tuple[str, int]] = field(default_factory=list)  # the user, and 0 or the error
    connections: int = 0
    tags: list[dict[str, str]] = field(default_factory=list)  # of each session
    oddities: list[str] = field(default_factory=list)  # requests that were not understood


class OracleServer:
    """A database that unmodified drivers log in to and query. A context manager."""

    def __init__(
        self,
        engine: Engine,
        *,
        users: Mapping[str, str] | None = None,
        service: str = "FREEPDB1",
        sids: Collection[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.engine = engine
        self.users = dict(users or {"SCOTT": "tiger"})
        self.service, self.sids = service, set(sids)
        self.faults = Faults()
        self.seen = Record()
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
        """Where it is, for a driver."""
        return f"{'tcps://' if self._tls else ''}{self.host}:{self.port}/{self.service}"

    def reset(self) -> None:
        """Forget what was seen."""
        self.seen = Record()

    def __enter__(self) -> Self:
        self._start(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for connection in list(self._sockets):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is gone
        for thread in self._threads:
            thread.join(_LEAVING)
            assert not thread.is_alive(), "a session does not end"
        self._listener.close()

    def _start(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]  # any function of ours
        self._threads.append(thread)
        thread.start()

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.seen.connections += 1
            self._sockets.add(connection)
            self._start(self._serve, connection, self.seen.connections)

    def _serve(self, connection: socket.socket, session: int) -> None:
        plain = connection
        try:
            if self._tls is not None:
                connection.settimeout(_PATIENCE)
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._sockets.add(connection)
            Session(self, Wire(connection, _PATIENCE), session, self.faults.taken()).run()
        except (ClosedError, OSError) as gone:
            if gone.__cause__ is not None:
                self.seen.oddities.append("".join(traceback.format_exception(gone)))
        finally:
            connection.close()
            self._sockets -= {connection, plain}
