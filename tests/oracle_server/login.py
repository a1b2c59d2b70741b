"""Logging in by password: the 12c verifier's challenge, and what proves that both know it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from oracle_server.messages import error, pairs

VERIFIER = 18453  # 12c
_ROUNDS, _SESSION_ROUNDS = 4096, 3
_BLOCK = 16
_SPEEDY = b"AUTH_PBKDF2_SPEEDY_KEY"


class Login:
    """One login: a challenge for a user, then whether the answer shows the password."""

    def __init__(self, password: str | None) -> None:
        # For a user that is not there a password is made up: so both cases look alike.
        self._password = password
        self._salt, self._own = secrets.token_bytes(16), secrets.token_bytes(32)
        self._mixed = secrets.token_bytes(16)
        known = (password or secrets.token_hex(8)).encode()
        key = hashlib.pbkdf2_hmac("sha512", known, self._salt + _SPEEDY, _ROUNDS, 64)
        self._verifier = hashlib.sha512(key + self._salt).digest()[:32]

    def challenge(self) -> bytes:
        """What the client has to work on."""
        return (
            pairs(
                [
                    ("AUTH_SESSKEY", _encrypted(self._verifier, self._own), 0),
                    ("AUTH_VFR_DATA", self._salt.hex().upper(), VERIFIER),
                    ("AUTH_PBKDF2_CSK_SALT", self._mixed.hex().upper(), 0),
                    ("AUTH_PBKDF2_VGEN_COUNT", str(_ROUNDS), 0),
                    ("AUTH_PBKDF2_SDER_COUNT", str(_SESSION_ROUNDS), 0),
                ]
            )
            + error()
        )

    def answer(self, told: Mapping[str, bytes], session: int, service: str) -> bytes | None:
        """The end of the login; None where the password is wrong."""
        theirs = _decrypted(self._verifier, told["AUTH_SESSKEY"][:64])
        both = (theirs + self._own).hex().upper().encode()
        key = hashlib.pbkdf2_hmac("sha512", both, self._mixed, _SESSION_ROUNDS, 32)
        padded = _decrypted(key, told["AUTH_PASSWORD"])
        padding = PKCS7(_BLOCK * 8).unpadder()
        try:
            shown = (padding.update(padded) + padding.finalize())[16:].decode()
        except ValueError:
            return None
        if self._password is None or shown != self._password:
            return None
        padder = PKCS7(_BLOCK * 8).padder()
        proof = padder.update(secrets.token_bytes(16) + b"SERVER_TO_CLIENT") + padder.finalize()
        return (
            pairs(
                [
                    ("AUTH_VERSION_NO", str(19 << 24 | 22 << 16), 0),
                    ("AUTH_VERSION_STRING", "- Production", 0),
                    ("AUTH_SESSION_ID", str(session), 0),
                    ("AUTH_SERIAL_NUM", "1", 0),
                    ("AUTH_SVR_RESPONSE", _encrypted(key, proof), 0),
                    ("AUTH_SC_SERVICE_NAME", service, 0),
                    ("AUTH_SC_DBUNIQUE_NAME", "MARKETDB", 0),
                    ("AUTH_INSTANCENAME", "market1", 0),
                    ("AUTH_DBNAME", "MARKETDB", 0),
                    ("AUTH_MAX_OPEN_CURSORS", "300", 0),
                    ("AUTH_MAX_IDEN_LENGTH", "128", 0),
                ]
            )
            + error()
        )


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK)))


def _encrypted(key: bytes, data: bytes) -> str:
    worker = _cipher(key).encryptor()
    return (worker.update(data) + worker.finalize()).hex().upper()


def _decrypted(key: bytes, shown: bytes) -> bytes:
    worker = _cipher(key).decryptor()
    return worker.update(bytes.fromhex(shown.decode())) + worker.finalize()
