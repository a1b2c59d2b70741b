"""Native network encryption, the server's side: its negotiation, and the packets after it."""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

OVERHEAD = 128  # bytes, at most, that encryption adds to a packet
_MAGIC = 0xDEADBEEF
_VERSION = 0x13000000
_AUTHENTICATION, _ENCRYPTION, _INTEGRITY, _SUPERVISOR = 1, 2, 3, 4
_BYTES, _BYTE, _SHORT, _LONG, _STATUS = 1, 2, 3, 5, 6
_KEY_BYTES = {15: 16, 16: 24, 17: 32}
_HASHES = {4: "sha512", 5: "sha256", 6: "sha384"}
# The group 2 of RFC 2409: 1024 bits.
_PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404"
    "DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406"
    "B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
    16,
)
_GENERATOR = 2
_PRIME_BYTES = 128


@dataclass(frozen=True)
class Algorithms:
    """What a server insists on: numbers of the protocol; 0 is none."""

    encryption: int = 17  # AES256
    integrity: int = 5  # SHA256
    error: int = 0  # an ORA number that ends the negotiation


AES256_SHA256 = Algorithms()


class Negotiation:
    """One negotiation: `answer`, and after the client's public key `secrecy`."""

    def __init__(self, algorithms: Algorithms) -> None:
        self._algorithms = algorithms
        self._private = secrets.randbits(8 * _PRIME_BYTES - 1)
        self._iv = secrets.token_bytes(32)

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a client's request. Raises `ValueError` if it is none."""
        offers = _offers(request)
        chosen = self._algorithms
        refused = chosen.error or (
            12660
            if chosen.encryption not in offers[_ENCRYPTION]
            or chosen.integrity not in offers[_INTEGRITY]
            else 0
        )
        public = pow(_GENERATOR, self._private, _PRIME).to_bytes(_PRIME_BYTES, "big")
        prime = _PRIME.to_bytes(_PRIME_BYTES, "big")
        bits = struct.pack(">H", 8 * _PRIME_BYTES)
        services = [
            _service(_SUPERVISOR, 0, (_STATUS, b"\0\x1f"), (_BYTES, _services_list())),
            _service(_AUTHENTICATION, 0, (_STATUS, b"\xfb\xff")),
            _service(_ENCRYPTION, refused, (_BYTE, bytes([chosen.encryption]))),
            _service(
                _INTEGRITY,
                0,
                (_BYTE, bytes([chosen.integrity])),
                *((_SHORT, bits), (_SHORT, bits)),
                (_BYTES, _GENERATOR.to_bytes(_PRIME_BYTES, "big")),
                *((_BYTES, prime), (_BYTES, public), (_BYTES, self._iv)),
            ),
        ]
        body = b"".join(services)
        return struct.pack(">IHIHB", _MAGIC, 13 + len(body), _VERSION, len(services), 0) + body

    def secrecy(self, message: bytes) -> Secrecy:
        """Return what encrypts from now on, given the message with the client's public key."""
        magic, _, _, services, _ = struct.unpack(">IHIHB", message[:13])
        number, parts, _ = struct.unpack(">HHI", message[13:21])
        length, kind = struct.unpack(">HH", message[21:25])
        if (magic, services, number, parts, kind) != (_MAGIC, 1, _INTEGRITY, 1, _BYTES):
            raise ValueError("no public key")
        public = int.from_bytes(message[25 : 25 + length], "big")
        shared = pow(public, self._private, _PRIME).to_bytes(_PRIME_BYTES, "big")
        return Secrecy(self._algorithms, shared, self._iv)


class Secrecy:
    """Encrypts and decrypts the payload of DATA packets."""

    def __init__(self, algorithms: Algorithms, shared: bytes, iv: bytes) -> None:
        self._cipher = AES(shared[: _KEY_BYTES[algorithms.encryption]])
        self._hash = _HASHES.get(algorithms.integrity)
        self._material = bytes(32)
        self._source = _cbc(shared[:5] + b"\xff" + bytes(10), iv[:16])
        self._received, self._sent = _Chain(self._hash), _Chain(self._hash)
        self.renew()

    def renew(self) -> None:
        """Begin with new keys for checksums, as both sides do after a break.

        The salts stay: so do two public drivers, whose cancelled sessions go on.
        """
        self._material = self._source.update(self._material)
        key, iv = self._material[:16], self._material[16:]
        self._source = _cbc(key, iv)
        self._received.stream = _cbc(key[:5] + bytes([90]) + key[6:], iv)
        self._sent.stream = _cbc(key[:5] + bytes([180]) + key[6:], iv)

    def encrypt(self, payload: bytes) -> bytes:
        """Return the payload with its checksum, encrypted."""
        data = payload + self._sent.checksum(payload)
        padding = -len(data) % 16
        encrypted = Cipher(self._cipher, CBC(bytes(16))).encryptor().update(data + bytes(padding))
        return encrypted + bytes([padding + 1, 0])

    def decrypt(self, data: bytes) -> bytes:
        """Return the payload. Raises `ValueError` if its checksum is wrong."""
        padding = data[-2] - 1
        plain = Cipher(self._cipher, CBC(bytes(16))).decryptor().update(data[:-2])
        plain = plain[: len(plain) - padding]
        size = self._received.size
        payload = plain[: len(plain) - size]
        if self._received.checksum(payload) != plain[len(plain) - size :]:
            raise ValueError("a wrong checksum")
        return payload


class _Chain:
    """The checksums of one direction; each depends on the number of those before it."""

    stream: CipherContext

    def __init__(self, name: str | None) -> None:
        self._name = name
        self.size = hashlib.new(name).digest_size if name else 0
        self._salt = bytes(self.size)

    def checksum(self, payload: bytes) -> bytes:
        """Return the checksum of the next payload."""
        if self._name is None:
            return b""
        self._salt = self.stream.update(self._salt)
        return hashlib.new(self._name, payload + self._salt).digest()


def _cbc(key: bytes, iv: bytes) -> CipherContext:
    return Cipher(AES(key), CBC(iv)).encryptor()


def _services_list() -> bytes:
    numbers = (_SUPERVISOR, _AUTHENTICATION, _ENCRYPTION, _INTEGRITY)
    return struct.pack(">IHI4H", _MAGIC, 3, 4, *numbers)


def _service(number: int, error: int, *parts: tuple[int, bytes]) -> bytes:
    everything = [(_LONG, struct.pack(">I", _VERSION)), *parts]
    body = b"".join(struct.pack(">HH", len(data), kind) + data for kind, data in everything)
    return struct.pack(">HHI", number, len(everything), error) + body


def _offers(request: bytes) -> dict[int, bytes]:
    """Return the algorithms that a client offers for encryption and integrity."""
    magic, length, _, services, _ = struct.unpack(">IHIHB", request[:13])
    if magic != _MAGIC or length != len(request):
        raise ValueError("no negotiation")
    offers, place = {}, 13
    for _ in range(services):
        number, parts, _ = struct.unpack(">HHI", request[place : place + 8])
        place += 8
        for part in range(parts):
            size, _ = struct.unpack(">HH", request[place : place + 4])
            if part == 1:
                offers[number] = request[place + 4 : place + 4 + size]
            place += 4 + size
    if place != length:
        raise ValueError("a wrong length")
    return offers
