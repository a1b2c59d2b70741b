"""Oracle's native network encryption, the client's side: what is agreed, and how it protects.

Both sides agree on a cipher, on a checksum and, by Diffie-Hellman, on a key. From then on each
DATA packet carries a checksum and is encrypted. The protocol proves neither side's identity: it
protects against readers of the network, not against a forged server as TLS does.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

OVERHEAD = 128  # bytes, at most, that protection adds to a packet
_HEADER = ">IHIHB"  # the magic number, the length, the version, the number of services, flags
_HEADER_BYTES = 13
_MAGIC = 0xDEADBEEF
_VERSION = 0x0B200200
_AUTHENTICATION, _ENCRYPTION, _CHECKSUM, _SUPERVISOR = 1, 2, 3, 4  # services
_STRING, _BYTES, _UINT8, _UINT16, _UINT32, _STATUS = 0, 1, 2, 3, 5, 6  # types of a field
_CLIENT_ID = bytes([0, 0, 16, 28, 102, 236, 40, 234])
_NO_AUTHENTICATION = 0xFBFF  # by the network; the password is all
_NONE = 0  # the algorithm that protects nothing
# The algorithms by their numbers, the best first. Weaker ones are never offered.
_CIPHERS = {17: ("AES256", 32), 16: ("AES192", 24), 15: ("AES128", 16)}
_HASHES = {4: "SHA512", 6: "SHA384", 5: "SHA256"}
_BLOCK = 16
_LEAST_PRIME_BYTES = 64


class NegotiationError(Exception):
    """The server does not agree to native encryption, or not to one that protects."""


@dataclass(frozen=True, kw_only=True)
class Protection:
    """The algorithms in force. `checksum` is None if the server wants none."""

    cipher: str
    checksum: str | None

    def __str__(self) -> str:
        return f"{self.cipher}, {self.checksum or 'no checksum'}"


def offer() -> bytes:
    """Return the message that asks for encryption: AES always, a checksum if the server has one."""
    numbers = struct.pack(">4H", _SUPERVISOR, _AUTHENTICATION, _ENCRYPTION, _CHECKSUM)
    supported = struct.pack(">IHI", _MAGIC, 3, 4) + numbers
    kind = (_UINT16, b"\xe0\xe1")
    return _message(
        _service(_SUPERVISOR, (_BYTES, _CLIENT_ID), (_BYTES, supported)),
        _service(
            *(_AUTHENTICATION, kind, (_STATUS, b"\xfc\xff")),
            *((_UINT8, b"\x02"), (_STRING, b"TCPS")),
        ),
        _service(_ENCRYPTION, (_BYTES, bytes(_CIPHERS)), (_UINT8, b"\x01")),
        _service(_CHECKSUM, (_BYTES, bytes([*_HASHES, _NONE]))),
    )


def message_length(start: bytes | bytearray) -> int:
    """Return the length of a message that begins like this; `NegotiationError` if none does."""
    if len(start) < _HEADER_BYTES or start[:4] != struct.pack(">I", _MAGIC):
        raise NegotiationError("its answer is not a negotiation")
    return int.from_bytes(start[4:6], "big")


class Agreement:
    """What the server's answer to `offer` settles. Raises `NegotiationError`.

    `public_key` is the message for the server; after it both sides use `session`.
    """

    def __init__(self, answer: bytes) -> None:
        try:
            services = _parse(answer)
            cipher, checksum, status = (
                int.from_bytes(services[number][1], "big")
                for number in (_ENCRYPTION, _CHECKSUM, _AUTHENTICATION)
            )
        except (struct.error, IndexError, KeyError) as error:
            raise NegotiationError("its answer cannot be read") from error
        if status != _NO_AUTHENTICATION:
            raise NegotiationError("it requires network authentication, such as Kerberos")
        if cipher not in _CIPHERS:
            raise NegotiationError("it does not encrypt with AES")
        if checksum not in {*_HASHES, _NONE}:
            raise NegotiationError("it requires a checksum other than SHA-2")
        name, key_bytes = _CIPHERS[cipher]
        self.protection = Protection(cipher=name, checksum=_HASHES.get(checksum))
        public, shared, iv = _exchange_keys(services[_CHECKSUM])
        self.public_key = _message(_service(_CHECKSUM, (_BYTES, public), has_version=False))
        self.session = ProtectedSession(
            key=shared[:key_bytes], seed=shared[:5], iv=iv, checksum=self.protection.checksum
        )


class ProtectedSession:
    """Protects what is sent, and opens what is received. Packets stay in their order.

    `sent` and `received` change their keys where the packets of their direction have the mark that
    ends an interrupt.
    """

    def __init__(self, *, key: bytes, seed: bytes, iv: bytes, checksum: str | None) -> None:
        self._cipher = AES(key)
        self.sent = PacketChecksums(checksum, seed, iv, b"\x5a")
        self.received = PacketChecksums(checksum, seed, iv, b"\xb4")

    def protect(self, payload: bytes) -> bytes:
        """Return a payload with its checksum, encrypted."""
        text = payload + self.sent.of(payload)
        padding = -len(text) % _BLOCK
        # The protocol begins each packet with an IV of zeros.
        encryptor = Cipher(self._cipher, CBC(bytes(_BLOCK))).encryptor()
        return encryptor.update(text + bytes(padding)) + bytes([padding + 1, 0])

    def open(self, data: bytes) -> bytes:
        """Return the payload of a protected packet. Raises `ValueError` if it was changed."""
        encrypted, padding = data[:-2], data[-2] - 1 if len(data) > 1 else -1
        if len(encrypted) % _BLOCK or not 0 <= padding < _BLOCK:
            raise ValueError("its length is wrong")
        decryptor = Cipher(self._cipher, CBC(bytes(_BLOCK))).decryptor()
        text = decryptor.update(encrypted)[: len(encrypted) - padding]
        end = len(text) - self.received.size
        payload = text[: max(end, 0)]
        if end < 0 or not compare_digest(self.received.of(payload), text[end:]):
            raise ValueError("its checksum is wrong")
        return payload


class PacketChecksums:
    """The checksums of one direction. Each has a salt of its own, so no packet can be repeated."""

    def __init__(self, name: str | None, seed: bytes, iv: bytes, direction: bytes) -> None:
        self._name, self._direction = name, direction
        self.size = hashlib.new(name).digest_size if name else 0
        self._salt = bytes(self.size)
        self._keys = bytes(2 * _BLOCK)
        self._key_stream = _key_stream(seed + b"\xff" + bytes(10), iv[:_BLOCK])
        self.renew()

    def renew(self) -> None:
        """Change the keys, as both sides do after an interrupt. The salt stays."""
        self._keys = self._key_stream.update(self._keys)
        key, iv = self._keys[:_BLOCK], self._keys[_BLOCK:]
        self._key_stream = _key_stream(key, iv)
        # The two directions differ in one byte of their keys.
        self._salts = _key_stream(key[:5] + self._direction + key[6:], iv)

    def of(self, payload: bytes) -> bytes:
        """Return the checksum of the next payload."""
        if self._name is None:
            return b""
        self._salt = self._salts.update(self._salt)
        return hashlib.new(self._name, payload + self._salt).digest()


def _key_stream(key: bytes, iv: bytes) -> CipherContext:
    return Cipher(AES(key), CBC(iv)).encryptor()


def _exchange_keys(fields: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """Return the public key of this side, the shared key, and the IV. Raises `NegotiationError`."""
    if len(fields) != 8:
        raise NegotiationError("it sends no key")
    generator, prime, server_key = (int.from_bytes(field, "big") for field in fields[4:7])
    size, iv = len(fields[5]), fields[7]
    if size < _LEAST_PRIME_BYTES or not 1 < server_key < prime - 1 or len(iv) < _BLOCK:
        raise NegotiationError("its key is not valid")
    private = secrets.randbelow(prime - 3) + 2
    public, shared = pow(generator, private, prime), pow(server_key, private, prime)
    return public.to_bytes(size, "big"), shared.to_bytes(size, "big"), iv


def _message(*services: bytes) -> bytes:
    body = b"".join(services)
    length = _HEADER_BYTES + len(body)
    return struct.pack(_HEADER, _MAGIC, length, _VERSION, len(services), 0) + body


def _service(number: int, *fields: tuple[int, bytes], has_version: bool = True) -> bytes:
    version = [(_UINT32, struct.pack(">I", _VERSION))] if has_version else []
    everything = [*version, *fields]
    body = b"".join(struct.pack(">HH", len(value), kind) + value for kind, value in everything)
    return struct.pack(">HHI", number, len(everything), 0) + body


def _parse(answer: bytes) -> dict[int, Sequence[bytes]]:
    """Return the fields of each service. Raises `NegotiationError` for the server's error."""
    *_, count, _ = struct.unpack_from(_HEADER, answer)
    services: dict[int, Sequence[bytes]] = {}
    place = _HEADER_BYTES
    for _ in range(count):
        number, size, error = struct.unpack_from(">HHI", answer, place)
        if error:
            raise NegotiationError(f"ORA-{error:05}")
        place += 8
        fields = []
        for _ in range(size):
            length, _ = struct.unpack_from(">HH", answer, place)
            fields.append(answer[place + 4 : place + 4 + length])
            place += 4 + length
        services[number] = fields
    return services
