"""Login by password: the challenge of the 12c verifier, and the check of the answer."""

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
    """One login: the challenge for a user, then the check whether the client knows the password."""

    def __init__(self, password: str | None) -> None:
        # An unknown user gets a random password, so that a client cannot tell the two cases apart.
        self._password = password
        self._salt, self._server_key = secrets.token_bytes(16), secrets.token_bytes(32)
        self._session_salt = secrets.token_bytes(16)
        known = (password or secrets.token_hex(8)).encode()
        key = hashlib.pbkdf2_hmac("sha512", known, self._salt + _SPEEDY, _ROUNDS, 64)
        self._verifier = hashlib.sha512(key + self._salt).digest()[:32]

    def challenge(self) -> bytes:
        """Return the challenge for the client."""
        return (
            pairs(
                [
                    ("AUTH_SESSKEY", _encrypt(self._verifier, self._server_key), 0),
                    ("AUTH_VFR_DATA", self._salt.hex().upper(), VERIFIER),
                    ("AUTH_PBKDF2_CSK_SALT", self._session_salt.hex().upper(), 0),
                    ("AUTH_PBKDF2_VGEN_COUNT", str(_ROUNDS), 0),
                    ("AUTH_PBKDF2_SDER_COUNT", str(_SESSION_ROUNDS), 0),
                ]
            )
            + error()
        )

    def check(self, answer: Mapping[str, bytes], session: int, service: str) -> bytes | None:
        """Return the message that ends the login; None if the password is wrong."""
        client_key = _decrypt(self._verifier, answer["AUTH_SESSKEY"][:64])
        combined = (client_key + self._server_key).hex().upper().encode()
        key = hashlib.pbkdf2_hmac("sha512", combined, self._session_salt, _SESSION_ROUNDS, 32)
        padded = _decrypt(key, answer["AUTH_PASSWORD"])
        padding = PKCS7(_BLOCK * 8).unpadder()
        try:
            password = (padding.update(padded) + padding.finalize())[16:].decode()
        except ValueError:
            return None
        if self._password is None or password != self._password:
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
                    ("AUTH_SVR_RESPONSE", _encrypt(key, proof), 0),
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


def _encrypt(key: bytes, data: bytes) -> str:
    cipher = _cipher(key).encryptor()
    return (cipher.update(data) + cipher.finalize()).hex().upper()


def _decrypt(key: bytes, text: bytes) -> bytes:
    cipher = _cipher(key).decryptor()
    return cipher.update(bytes.fromhex(text.decode())) + cipher.finalize()
