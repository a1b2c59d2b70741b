"""The key of masks, and all that is derived from it. The key itself is kept nowhere."""

from __future__ import annotations

import hmac
import os
from hashlib import scrypt

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from marketpulse.extraction.masks.permutation import KeyedPermutation

_SALT = b"marketpulse masks"
_FEWEST_WEEKS, _MOST_WEEKS = 52, 571
_NONCE_BYTES = 12


class MaskKey:
    """What follows from a secret: a permutation, a number of days, and a fingerprint.

    `fingerprint` shows whether two bundles have masks of the same key, and nothing else about it.
    `days` is how far dates move, into the past: whole weeks, so that a weekday stays one.
    """

    def __init__(self, secret: str) -> None:
        # Slow on purpose: it makes it expensive to guess a weak secret.
        self._master = scrypt(secret.encode(), salt=_SALT, n=1 << 14, r=8, p=1, dklen=32)
        self.fingerprint = self._derive("fingerprint")[:8].hex()
        self.permutation = KeyedPermutation(self._derive("permutation"))
        number = int.from_bytes(self._derive("days"), "big")
        self.days = -7 * (_FEWEST_WEEKS + number % (_MOST_WEEKS - _FEWEST_WEEKS + 1))
        self._cipher = AESGCM(self._derive("journal"))

    def encrypt(self, content: bytes) -> bytes:
        """Encrypt what has to be on disk, but not for everyone."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, None)

    def decrypt(self, content: bytes) -> bytes:
        """Return what was encrypted. Raises `ValueError` if it was by another key."""
        try:
            return self._cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], None)
        except InvalidTag:
            raise ValueError("it was encrypted by another key") from None

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._master, purpose.encode(), "sha256")
