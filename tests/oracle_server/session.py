"""One session: a client's requests, message by message, and the answers."""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oracle_server.answers import (
    Answer,
    ColumnInfo,
    EngineSession,
    OracleError,
    RepeatedRows,
    Value,
)
from oracle_server.encryption import OVERHEAD, Negotiation
from oracle_server.faults import Faults, error_text
from oracle_server.login import Login
from oracle_server.messages import (
    NO_MORE_ROWS,
    Message,
    Reader,
    ShortError,
    counted,
    error,
    login_warning,
    number,
    numbers,
    parameter,
    row_header,
    status,
    text,
)
from oracle_server.packets import (
    ClosedError,
    Kind,
    Mark,
    Wire,
    accept,
    data_packets,
    refuse,
)
from oracle_server.values import LOBS, LONG, LONG_RAW, decode, describe, encode

if TYPE_CHECKING:
    from oracle_server.server import OracleServer

_VERSION, _SDU = 318, 8192
_NO_SERVICES = 0x04  # a flag of CONNECT: no native encryption
_LONG_BIND = 32767  # bytes; longer binds come last
_PARSE, _BIND, _DEFINE, _EXECUTE, _FETCH = 0x01, 0x08, 0x10, 0x20, 0x40
_REQUEST_BYTES = 1 << 24  # of the largest request
_COMPILE = bytearray(45)
for _offset, _value in {
    0: 6, 4: 0xEA, 7: 12, 8: 1, 9: 1, 15: 0x09, 16: 0x11, 17: 3, 18: 3, 19: 3, 21: 1,
    23: 0xCF, 26: 4, 27: 1, 37: 0x20, 42: 5,
}.items():  # fmt: skip
    _COMPILE[_offset] = _value
_RUNTIME = bytes([2, 0, 0, 0, 0, 0, 4])


@dataclass
class Cursor:
    """A parsed statement, and the state of its result."""

    number: int
    sql: str
    columns: Sequence[ColumnInfo] = ()
    binds: list[tuple[int, int, int]] = field(default_factory=list)  # type, form, size
    defined: list[int] = field(default_factory=list)  # the types that the client chose
    rows: Iterator[Sequence[Value]] = field(default_factory=lambda: iter(()))
    repeated: RepeatedRows | None = None
    sent: int = 0
    done: bool = True

    @property
    def has_lobs(self) -> bool:
        """Whether the client must first choose the types of LOBs."""
        return any(info.type.name in {"CLOB", "NCLOB", "BLOB"} for info in self.columns)


class Session:
    """One connection, from CONNECT to its end."""

    def __init__(self, server: OracleServer, wire: Wire, number: int, faults: Faults) -> None:
        self._server, self._wire, self._number, self._faults = server, wire, number, faults
        self._engine_session: EngineSession | None = None
        self._cursors: dict[int, Cursor] = {}
        self._numbers = itertools.count(1)
        self._lobs: dict[int, bytes] = {}
        self._lob_numbers = itertools.count(1)
        self._statements = 0
        self._sdu = _SDU
        self._short_scale = True
        self._tags: dict[str, str] = {}
        self._login: Login | None = None
        self._user = ""

    def run(self) -> None:
        """Answer requests until the client closes the session. Raises `ClosedError`."""
        self._wire.cut_after = self._faults.cut_from_start
        try:
            self._connect()
            while self._request():
                pass
        except (ValueError, IndexError, KeyError, struct.error) as invalid:
            raise ClosedError(f"an invalid request: {invalid}") from invalid
        finally:
            if self._engine_session is not None:
                self._engine_session.close()

    def _connect(self) -> None:
        faults = self._faults
        if faults.silent:
            self._wire.wait_until_closed()
        packet = self._wire.read()
        if faults.garbage:
            self._wire.send_raw(faults.garbage)
            raise ClosedError
        if packet.kind != Kind.CONNECT:
            raise ClosedError
        body = packet.body
        version, _, _, sdu = struct.unpack(">HHHH", body[:8])
        length, offset = struct.unpack(">HH", body[16:20])
        descriptor = body[offset - 8 : offset - 8 + length]
        while len(descriptor) < length:
            descriptor += self._wire.read().body[2:]
        code = faults.refuse or self._refusal(descriptor.decode())
        if code:
            self._wire.send(Kind.REFUSE, refuse(code))
            raise ClosedError
        self._sdu = max(512, min(sdu, self._server.sdu))
        answer = accept(
            min(version, _VERSION), self._sdu, demand_encryption=faults.demand_encryption
        )
        self._wire.send(Kind.ACCEPT, answer)
        self._wire.wide = True
        if faults.demand_encryption and not body[24] & _NO_SERVICES:
            self._negotiate(Negotiation(faults.algorithms))

    def _negotiate(self, negotiation: Negotiation) -> None:
        """Agree on native encryption."""
        answer = negotiation.answer(self._wire.read().body[2:])
        self._wire.send_all(data_packets(answer, self._sdu))
        self._wire.secrecy = negotiation.secrecy(self._wire.read().body[2:])
        self._server.record.encrypted += 1
        self._sdu -= OVERHEAD

    def _refusal(self, descriptor: str) -> int:
        """Return the listener's error code for the service or SID; 0 if it is known."""
        program = re.search(r"\(PROGRAM=([^()]*)\)", descriptor, re.IGNORECASE)
        self._tags = {"program": program[1] if program else ""}
        self._server.record.tags.append(self._tags)
        target = re.search(r"\((SERVICE_NAME|SID)=([^()]*)\)", descriptor, re.IGNORECASE)
        if target is None:
            return 12514
        by_sid, name = target[1].upper() == "SID", target[2].upper()
        if by_sid:
            return 0 if name in {sid.upper() for sid in self._server.sids} else 12505
        return 0 if name == self._server.service.upper() else 12514

    def _request(self) -> bool:
        """Read and answer one request; return whether others may follow."""
        payload = b""
        answer = None
        while answer is None:
            packet = self._wire.read()
            if packet.kind == Kind.MARKER:
                self._break(packet.body[2])
                return True
            if packet.kind != Kind.DATA or len(payload) > _REQUEST_BYTES:
                raise ClosedError
            if packet.body[:2] == b"\0\x40":
                return False
            payload += packet.body[2:]
            try:
                answer = self._answer(Reader(payload))
            except ShortError:
                continue
        has_more, message = answer
        delay = self._faults.delay if self._engine_session is not None else 0
        if delay and self._wire.has_input(delay):
            return True  # the client interrupts this one
        self._wire.send_all(data_packets(message, self._sdu))
        return has_more

    def _break(self, mark: int) -> None:
        """Handle an interrupt by the client."""
        if mark == Mark.RESET:
            return
        self._wire.send(Kind.MARKER, bytes([1, 0, Mark.RESET]))
        while self._wire.read().kind != Kind.MARKER:
            pass
        if self._wire.secrecy is not None:
            self._wire.secrecy.renew()
        self._wire.send_all(data_packets(error(1013, error_text(1013)), self._sdu))

    def _answer(self, reader: Reader) -> tuple[bool, bytes]:
        kind = reader.u8()
        if kind == Message.PROTOCOL:
            return True, _protocol()
        if kind == Message.DATA_TYPES:
            return True, self._data_types(reader)
        while kind == Message.PIGGYBACK:
            self._piggyback(reader)
            kind = reader.u8()
        if kind != Message.FUNCTION:
            raise ClosedError(f"message {kind}")
        function, _ = reader.u8(), reader.u8()
        if function == self._faults.stall_at_function:
            self._wire.wait_until_closed()
        if function == 118:
            return True, self._challenge(reader)
        if function == 115:
            return self._authenticate(reader)
        if self._engine_session is None:
            raise ClosedError("not logged in")
        message = self._function(function, reader)
        self._server.record.round_trips += 1
        return function != 9, message

    def _function(self, function: int, reader: Reader) -> bytes:
        if function in {9, 14, 15, 147}:  # log off, commit, rollback, ping
            return status()
        if function == 94:
            return self._execute(reader)
        if function in {4, 78}:
            return self._execute_again(reader, fetching=function == 78)
        if function == 5:
            cursor, rows = reader.numbers(2)
            return self._fetch_rows(self._cursors[cursor], rows)
        if function == 96:
            return self._lob(reader)
        if function == 105:
            self._close_cursors(reader)
            return status()
        raise ClosedError(f"function {function}")

    def _data_types(self, reader: Reader) -> bytes:
        data = reader.raw(reader.left)
        if not data.endswith(b"\0\0") or len(data) < 2000:
            raise ShortError
        self._short_scale = b"\0\x1b\0\x1b\0\x01" not in data
        return bytes([Message.DATA_TYPES, 0, 0])

    def _piggyback(self, reader: Reader) -> None:
        function, _ = reader.u8(), reader.u8()
        if function == 105:
            self._close_cursors(reader)
        elif function == 135:
            self._end_to_end(reader)
        elif function == 152:
            reader.u8()
            reader.text()
        else:
            raise ClosedError(f"piggyback {function}")

    def _close_cursors(self, reader: Reader) -> None:
        reader.u8()
        for cursor in reader.numbers(reader.number()):
            self._cursors.pop(cursor, None)

    def _end_to_end(self, reader: Reader) -> None:
        reader.raw(2)
        reader.number()
        names = ("client_identifier", "module", "action", "", "", "client_info", "", "", "dbop")
        lengths = []
        for name in names:
            reader.u8()
            lengths.append((name, reader.number()))
        for name, length in lengths:
            if length:
                self._tags[name] = (reader.counted() or b"").decode()

    def _challenge(self, reader: Reader) -> bytes:
        user, _ = self._credentials(reader)
        self._user = user[1:-1] if user.startswith('"') else user.upper()
        self._login = Login(self._server.users.get(self._user))
        return self._login.challenge()

    def _authenticate(self, reader: Reader) -> tuple[bool, bytes]:
        _, credentials = self._credentials(reader)
        if self._login is None:
            raise ClosedError("no challenge was sent")
        answer = self._login.check(credentials, self._number, self._server.service)
        code = 1017 if answer is None else self._faults.login
        self._server.record.logins.append((self._user, code))
        if answer is None or code:
            return True, error(code, error_text(code))
        self._engine_session = self._server.engine.open_session(self._user)
        self._wire.sent = 0
        self._wire.cut_after, self._wire.stall_after = (
            self._faults.cut_after,
            self._faults.stall_after,
        )
        self._wire.pause = self._faults.pause
        return True, login_warning(self._faults.warning) + answer

    def _credentials(self, reader: Reader) -> tuple[str, dict[str, bytes]]:
        reader.u8()
        length = reader.number()
        reader.number()
        reader.u8()
        count = reader.number()
        reader.raw(2)
        user = reader.counted() if length else b""
        return (user or b"").decode(), dict(reader.pair() for _ in range(count))

    def _execute(self, reader: Reader) -> bytes:
        options, cursor_number = reader.numbers(2)
        reader.u8()
        length = reader.number()
        reader.u8()
        reader.number()
        reader.raw(2)
        reader.number()
        prefetch, _ = reader.numbers(2)
        reader.u8()
        binds = reader.number()
        reader.raw(5)
        reader.u8()
        defines, _ = reader.numbers(2)
        reader.raw(3)
        reader.number()
        reader.u8()
        reader.numbers(2)
        reader.u8()
        reader.number()
        reader.u8()
        reader.u8()
        reader.number()
        reader.u8()
        reader.number()
        reader.u8()
        reader.u8()
        reader.number()
        sql = (reader.counted() or b"").decode() if length else ""
        execute_options = reader.numbers(13)
        cursor = self._cursors.get(cursor_number)
        if options & _DEFINE:
            defined = [self._definition(reader) for _ in range(defines)]
            if cursor is None:
                raise ClosedError("a define without a cursor")
            cursor.defined = [kind for kind, _, _ in defined]
            if not options & _EXECUTE:
                if options & _FETCH:
                    return self._fetch_rows(cursor, execute_options[1] or prefetch)
                return parameter() + error(cursor=cursor.number)
        declared = [self._definition(reader) for _ in range(binds)] if binds else None
        if declared is None and cursor is not None:
            declared = cursor.binds if options & _BIND else []
        values = self._bind_row(reader, declared) if declared else []
        if cursor is None:
            cursor = Cursor(next(self._numbers), sql)
        elif sql:
            cursor.sql, cursor.defined = sql, []
        cursor.binds = declared or []
        self._cursors[cursor.number] = cursor
        rows = 0
        if options & _FETCH or options & _PARSE:
            rows = prefetch
        parsing = bool(options & _PARSE)
        return self._run(cursor, values, rows, parsing=parsing, execute=bool(options & _EXECUTE))

    def _execute_again(self, reader: Reader, *, fetching: bool) -> bytes:
        cursor_number, rows = reader.numbers(2)
        reader.numbers(2)
        cursor = self._cursors[cursor_number]
        values = self._bind_row(reader, cursor.binds) if cursor.binds else []
        return self._run(cursor, values, rows if fetching else 0, parsing=False, execute=True)

    def _run(
        self, cursor: Cursor, values: list[Value], rows: int, *, parsing: bool, execute: bool
    ) -> bytes:
        from oracle_server.server import Statement  # noqa: PLC0415 - server imports this module

        self._statements += 1
        self._server.record.statements.append(Statement(cursor.sql, tuple(values), self._number))
        faults = self._faults
        if faults.stall_at_statement == self._statements:
            self._wire.wait_until_closed()
        try:
            answer = self._run_statement(cursor.sql, values)
        except OracleError as failure:
            self._cursors.pop(cursor.number, None)
            return error(failure.code, failure.text, at=failure.place_in(cursor.sql))
        changed = parsing or answer.columns != cursor.columns
        cursor.columns = answer.columns
        if not answer.columns:
            return parameter() + error(cursor=cursor.number)
        cursor.rows = iter(answer.rows) if execute else iter(())
        cursor.repeated = answer.rows if isinstance(answer.rows, RepeatedRows) else None
        cursor.sent, cursor.done = 0, False
        description = self._description(cursor) if changed else b""
        if cursor.has_lobs and not cursor.defined:
            return description + parameter() + error(cursor=cursor.number)
        return description + self._fetch_rows(cursor, rows)

    def _run_statement(self, sql: str, values: list[Value]) -> Answer:
        failing = self._faults.fail_at_statement
        if failing and failing[0] == self._statements:
            place = len(sql[: max(sql.find(self._faults.fail_at_text), 0)].encode())
            raise OracleError(failing[1], error_text(failing[1]), place)
        assert self._engine_session is not None
        return self._engine_session.execute(sql, values)

    def _description(self, cursor: Cursor) -> bytes:
        columns = [
            describe(column, position, short_scale=self._short_scale)
            for position, column in enumerate(cursor.columns, 1)
        ]
        return b"".join(
            [
                bytes([Message.DESCRIBE]),
                counted(bytes(7)),
                numbers(1000, len(columns)),
                b"\x01",
                *columns,
                text(b""),
                numbers(0, 0, 0, 0),
                text(b""),
            ]
        )

    def _fetch_rows(self, cursor: Cursor, count: int) -> bytes:
        """Return the next rows, and whether there may be others."""
        self._server.record.fetches.append(count)
        rows = self._encoded_rows(cursor, count)
        failing = self._faults.fail_at_row
        while len(rows) < count and not cursor.done:
            if failing and failing[0] == cursor.sent + len(rows) + 1:
                return error(failing[1], error_text(failing[1]), cursor=cursor.number)
            if self._faults.stall_at_row == cursor.sent + len(rows) + 1:
                self._wire.wait_until_closed()
            if self._faults.cut_at_row == cursor.sent + len(rows) + 1:
                self._wire.cut()
            try:
                row = next(cursor.rows, None)
            except OracleError as failure:
                return error(failure.code, failure.text, cursor=cursor.number)
            if row is None:
                cursor.done = True
            else:
                rows.append(bytes([Message.ROW_DATA]) + self._row(cursor, row))
        cursor.sent += len(rows)
        code, message = (NO_MORE_ROWS, "ORA-01403: no data found") if cursor.done else (0, "")
        end = error(code, message, cursor=cursor.number, rows=cursor.sent)
        header = row_header() if rows else b""
        return b"".join([header, *rows]) + parameter() + end

    def _encoded_rows(self, cursor: Cursor, count: int) -> list[bytes]:
        """Return the next rows of a result that repeats itself."""
        repeated = cursor.repeated
        if repeated is None:
            return []
        if not repeated.encoded:
            repeated.encoded += [
                bytes([Message.ROW_DATA]) + self._row(cursor, row) for row in repeated.rows
            ]
        count = min(count, repeated.total - cursor.sent)
        start = cursor.sent % len(repeated.encoded)
        cursor.done = cursor.sent + count == repeated.total
        rows = repeated.encoded[start : start + count]
        while len(rows) < count:
            rows += repeated.encoded[: count - len(rows)]
        return rows

    def _row(self, cursor: Cursor, row: Sequence[Value]) -> bytes:
        defined = cursor.defined or [0] * len(row)
        cells = zip(row, cursor.columns, defined, strict=True)
        return b"".join(
            self._cell(value, column, client_type) for value, column, client_type in cells
        )

    def _cell(self, value: Value, column: ColumnInfo, client_type: int) -> bytes:
        if column.type.name in {"LONG", "LONG RAW"} or client_type in {LONG, LONG_RAW}:
            return encode(value, column.type, as_long=True)
        if client_type in LOBS:
            return self._locator(value)
        return encode(value, column.type)

    def _locator(self, value: Value) -> bytes:
        if value is None:
            return b"\0"
        is_text = isinstance(value, str)
        data = value.encode("utf-16-be") if isinstance(value, str) else bytes(value)  # type: ignore[arg-type]  # a BLOB's bytes
        lob_number = next(self._lob_numbers)
        self._lobs[lob_number] = data
        locator = bytearray(40)
        locator[0:2] = b"\0\x26"
        locator[4] = 0 if is_text else 1
        locator[5] = 0x08
        locator[6] = 0x80 if is_text else 0
        locator[16:24] = lob_number.to_bytes(8, "big")
        size = len(data) // (2 if is_text else 1)
        return numbers(40, size, 8060) + counted(bytes(locator))

    def _lob(self, reader: Reader) -> bytes:
        reader.u8()
        size = reader.number()
        reader.u8()
        reader.numbers(3)
        reader.raw(1)
        reader.u8()
        reader.u8()
        operation = reader.number()
        reader.raw(2)
        offset = reader.number()
        reader.number()
        with_amount = reader.u8()
        reader.raw(6)
        locator = reader.raw(size)
        amount = reader.number() if with_amount else 0
        width = 2 if locator[6] & 0x80 else 1
        data = self._lobs[int.from_bytes(locator[16:24], "big")]
        head, length = b"", len(data) // width
        if operation == 2:
            part = data[(offset - 1) * width : (offset - 1 + amount) * width]
            head = bytes([Message.LOB_DATA]) + counted(part) if part else b""
            length = len(part) // width
        elif operation == 0x4000:
            length = 8060  # the chunk size
        end = number(length) if with_amount else b""
        return head + bytes([Message.PARAMETER]) + locator + end + error()

    def _definition(self, reader: Reader) -> tuple[int, int, int]:
        """Read the type of a bind or define, its character set form, and its size."""
        kind = reader.u8()
        reader.raw(3)
        size = reader.number()
        reader.number()
        reader.number()
        reader.text()
        reader.number()
        reader.number()
        form = reader.u8()
        reader.numbers(2)
        return kind, form, size

    def _bind_row(self, reader: Reader, declared: Sequence[tuple[int, int, int]]) -> list[Value]:
        if reader.u8() != Message.ROW_DATA:
            raise ClosedError("no bind row")
        order = sorted(range(len(declared)), key=lambda index: declared[index][2] > _LONG_BIND)
        values: list[Value] = [None] * len(declared)
        for index in order:
            kind, form, _ = declared[index]
            values[index] = decode(reader.counted(), kind, form)
        return values


def _protocol() -> bytes:
    fdo = bytes(9) + b"\x07\xd0"
    body = b"\x01\x06\0x86_64/Linux 2.4.xx\0" + struct.pack("<HBH", 873, 1, 0)
    body += struct.pack(">H", len(fdo)) + fdo
    return body + bytes([len(_COMPILE)]) + bytes(_COMPILE) + bytes([len(_RUNTIME)]) + _RUNTIME
