"""The binary forms of values: NUMBER in base 100, dates, intervals, text, and others."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

from oracle_server.answers import (
    ColumnInfo,
    DayInterval,
    MonthInterval,
    OracleType,
    Timestamp,
    Value,
)
from oracle_server.messages import counted, number, text

_UTF8, _UTF16 = 873, 2000  # character sets
_RAW_BYTES = 0x10FF80 - 0x80  # the offset of code points that stand for single bytes
_ROWID = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HALF = 1 << 31
_MOST_PAIRS = 20  # of digits in a NUMBER
_WIDE = Context(prec=60)

LONG, LONG_RAW, CLOB, BLOB = 8, 24, 112, 113
LOBS = {CLOB, BLOB}


@dataclass(frozen=True)
class Form:
    """The wire form of a type: its number, size, character set form, and encoder."""

    number: int
    size: int
    form: int = 0
    encode: Callable[[Any], bytes] = bytes


def encode_number(value: int | Decimal) -> bytes:
    """Encode a NUMBER: up to 40 digits, in pairs."""
    sign, digits, exponent = Decimal(value).normalize(_WIDE).as_tuple()
    if digits == (0,) or not isinstance(exponent, int):
        return b"\x80"
    text_digits = "".join(map(str, digits)) + "0" * (exponent % 2)
    text_digits = "0" * (len(text_digits) % 2) + text_digits
    pairs = [int(text_digits[start : start + 2]) for start in range(0, len(text_digits), 2)]
    power = len(pairs) - 1 + (exponent - exponent % 2) // 2
    while pairs and not pairs[-1]:
        pairs.pop()
    if not sign:
        return bytes([193 + power, *(pair + 1 for pair in pairs)])
    end = [102] if len(pairs) < _MOST_PAIRS else []
    return bytes([62 - power, *(101 - pair for pair in pairs), *end])


def decode_number(data: bytes) -> Decimal:
    """Decode a NUMBER."""
    if data == b"\x80":
        return Decimal(0)
    positive = bool(data[0] & 0x80)
    power = data[0] - 193 if positive else 62 - data[0]
    body = data[1:] if positive else data[1:].removesuffix(b"\x66")
    pairs = [byte - 1 if positive else 101 - byte for byte in body]
    whole = int("".join(f"{pair:02}" for pair in pairs))
    value = Decimal(whole).scaleb(2 * (power - len(pairs) + 1), _WIDE)
    return value if positive else -value


def encode_timestamp(value: Timestamp) -> bytes:
    """Encode a DATE or TIMESTAMP; one with an offset is sent in UTC."""
    if value.offset_minutes is not None:
        value = _add_minutes(value, -value.offset_minutes)
    century, year = divmod(abs(value.year), 100)
    sign = -1 if value.year < 0 else 1
    parts = (value.month, value.day, value.hour + 1, value.minute + 1, value.second + 1)
    data = bytes([100 + sign * century, 100 + sign * year, *parts])
    return data + struct.pack(">I", value.nanosecond) if value.nanosecond else data


def _with_fraction(value: Timestamp) -> bytes:
    return encode_timestamp(value).ljust(11, b"\0")


def _with_zone(value: Timestamp) -> bytes:
    offset = value.offset_minutes or 0
    hours, minutes = divmod(abs(offset), 60)
    sign = -1 if offset < 0 else 1
    return _with_fraction(value) + bytes([20 + sign * hours, 60 + sign * minutes])


def _add_minutes(value: Timestamp, minutes: int) -> Timestamp:
    """Add minutes; only for years that Python supports."""
    moved = datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, tzinfo=UTC
    )
    moved += timedelta(minutes=minutes)
    clock = (moved.hour, moved.minute, moved.second, value.nanosecond)
    return Timestamp(moved.year, moved.month, moved.day, *clock)


def decode_timestamp(data: bytes) -> Timestamp:
    """Decode a DATE or TIMESTAMP, with or without a time zone."""
    year = (data[0] - 100) * 100 + data[1] - 100
    nanosecond = struct.unpack(">I", data[7:11])[0] if len(data) >= 11 else 0
    local = Timestamp(year, data[2], data[3], data[4] - 1, data[5] - 1, data[6] - 1, nanosecond)
    if len(data) < 13:
        return local
    offset = (data[11] - 20) * 60 + data[12] - 60
    return replace(_add_minutes(local, offset), offset_minutes=offset)


def encode_text(value: str) -> bytes:
    """Encode text as UTF-8; code points that stand for single bytes become these bytes."""
    data = value.encode()
    if max(value, default="") < "\U0010ff80":
        return data
    return b"".join(
        bytes([ord(letter) - _RAW_BYTES]) if letter >= "\U0010ff80" else letter.encode()
        for letter in value
    )


def _national(value: str) -> bytes:
    return value.encode("utf-16-be")


def _float(value: float, kind: str) -> bytes:
    data = struct.pack(kind, value)
    if data[0] & 0x80:
        return bytes(255 - byte for byte in data)
    return bytes([data[0] | 0x80]) + data[1:]


def _decode_float(data: bytes) -> float:
    is_positive = data[0] & 0x80
    raw = bytes([data[0] & 0x7F]) + data[1:] if is_positive else bytes(255 - byte for byte in data)
    return float(struct.unpack(">d" if len(data) == 8 else ">f", raw)[0])


def _day_interval(value: DayInterval) -> bytes:
    sign = -1 if (value.days, value.seconds, value.nanoseconds) < (0, 0, 0) else 1
    hours, rest = divmod(abs(value.seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = (60 + sign * hours, 60 + sign * minutes, 60 + sign * seconds)
    return struct.pack(">I3BI", value.days + _HALF, *parts, value.nanoseconds + _HALF)


def _month_interval(value: MonthInterval) -> bytes:
    years, months = divmod(abs(value.months), 12)
    sign = -1 if value.months < 0 else 1
    return struct.pack(">IB", sign * years + _HALF, 60 + sign * months)


def _bytes(value: bytes) -> bytes:
    return value


def _boolean(value: bool) -> bytes:
    return bytes([value])


# A size of 0 means the column's own.
FORMS: Mapping[str, Form] = {
    "VARCHAR2": Form(1, 0, 1, encode_text),
    "CHAR": Form(96, 0, 1, encode_text),
    "NVARCHAR2": Form(1, 0, 2, _national),
    "NCHAR": Form(96, 0, 2, _national),
    "NUMBER": Form(2, 22, 0, encode_number),
    "FLOAT": Form(2, 22, 0, encode_number),
    "BINARY_FLOAT": Form(100, 4, 0, lambda value: _float(value, ">f")),
    "BINARY_DOUBLE": Form(101, 8, 0, lambda value: _float(value, ">d")),
    "DATE": Form(12, 7, 0, encode_timestamp),
    "TIMESTAMP": Form(180, 11, 0, encode_timestamp),
    "TIMESTAMP WITH TIME ZONE": Form(181, 13, 0, _with_zone),
    "TIMESTAMP WITH LOCAL TIME ZONE": Form(231, 11, 0, encode_timestamp),
    "INTERVAL DAY TO SECOND": Form(183, 11, 0, _day_interval),
    "INTERVAL YEAR TO MONTH": Form(182, 5, 0, _month_interval),
    "RAW": Form(23, 0, 0, _bytes),
    "LONG": Form(LONG, 0, 1, encode_text),
    "LONG RAW": Form(LONG_RAW, 0, 0, _bytes),
    "CLOB": Form(CLOB, 4000, 1, encode_text),
    "NCLOB": Form(CLOB, 4000, 2, _national),
    "BLOB": Form(BLOB, 4000, 0, _bytes),
    "ROWID": Form(11, 18),
    "BOOLEAN": Form(252, 1, 0, _boolean),
}


def encode_rowid(value: str | None) -> bytes:
    """Encode a ROWID from its eighteen characters; it is not a clr."""
    if value is None:
        return b"\0"
    digits = [_ROWID.index(character) for character in value]
    parts = [digits[start:end] for start, end in _ROWID_PARTS]
    numbered = [int("".join(f"{digit:06b}" for digit in part), 2) for part in parts]
    body = number(numbered[0]) + number(numbered[1]) + b"\0" + number(numbered[2])
    body += number(numbered[3])
    return bytes([len(body)]) + body


_ROWID_PARTS = ((0, 6), (6, 9), (9, 15), (15, 18))


def encode(value: Value, kind: OracleType, *, as_long: bool = False) -> bytes:
    """Encode a value of a row; `as_long` is the form of LONG, also available for LOBs."""
    form = FORMS[kind.name]
    if kind.name == "ROWID":
        return encode_rowid(value if isinstance(value, str) else None)
    data = None if value is None else form.encode(value)
    if as_long:
        return counted(data) + (b"\x81\x01\x02\x05\x7d" if data is None else b"\0\0")
    return counted(data)


def decode(data: bytes | None, type_number: int, form: int) -> Value:
    """Decode a bind by the type that the client declares."""
    if data is None:
        return None
    if type_number in {1, 96, LONG, CLOB}:
        return data.decode("utf-16-be" if form == 2 else "utf-8")
    if type_number == 2:
        return decode_number(data)
    if type_number in {12, 180, 181, 231}:
        return decode_timestamp(data)
    if type_number in {100, 101}:
        return _decode_float(data)
    if type_number == 252:
        return bool(data[-1])
    return data


def describe(column: ColumnInfo, position: int, *, short_scale: bool) -> bytes:
    """Encode a column of DESCRIBE; with `short_scale` the scale has one byte."""
    kind, form = column.type, FORMS[column.type.name]
    characters = kind.length or 0
    size = form.size
    if form.number in {1, 23, 96}:
        size = max(characters * (4 if kind.by_character else 1), 1)
        size = max(characters, 1) * 2 if form.form == 2 else size
    precision, scale = _precision_and_scale(kind)
    name = column.name.encode()
    charset = {1: _UTF8, 2: _UTF16}.get(form.form, 0)
    return b"".join(
        [
            bytes([form.number, 0, precision & 0xFF]),
            bytes([scale & 0xFF]) if short_scale else number(scale),
            number(size),
            number(0),
            number(0),
            text(b""),
            number(0),
            number(charset),
            bytes([form.form]),
            number(max(characters, 1) if form.number in {1, 96} else 0),
            number(0),
            bytes([column.nullable, len(name) & 0xFF]),
            text(name),
            text(b""),
            text(b""),
            number(position),
            number(0),
        ]
    )


def _precision_and_scale(kind: OracleType) -> tuple[int, int]:
    if kind.name == "NUMBER":
        if kind.precision is None:
            return (0, -127) if kind.scale is None else (38, kind.scale)
        return kind.precision, kind.scale or 0
    if kind.name == "FLOAT":
        return kind.precision or 126, -127
    if kind.name.startswith("INTERVAL"):
        return 2, 6 if "SECOND" in kind.name else 0
    if kind.name.startswith("TIMESTAMP"):
        return 0, 6 if kind.scale is None else kind.scale
    return 0, 0


def parse_type(ddl: str) -> OracleType:
    """Parse a type as in DDL: NUMBER(12,4), VARCHAR2(20 CHAR), TIMESTAMP(9) WITH TIME ZONE."""
    arguments = re.search(r"\(([^)]*)\)", ddl)
    name = re.sub(r"\([^)]*\)", "", ddl).strip()
    first, _, second = (arguments[1] if arguments else "").partition(",")
    if name == "NUMBER":
        precision = None if first in {"", "*"} else int(first)
        scale = int(second) if second else None if precision is None else 0
        return OracleType(name, precision, scale)
    if name == "INTEGER":
        return OracleType("NUMBER", None, 0)
    if name == "FLOAT":
        return OracleType(name, int(first or 126))
    if name.startswith("TIMESTAMP"):
        return OracleType(name, scale=int(first or 6))
    if not first:
        return OracleType(name)
    length, _, unit = first.partition(" ")
    national = name in {"NVARCHAR2", "NCHAR"}
    return OracleType(name, length=int(length), by_character=unit == "CHAR" or national)
