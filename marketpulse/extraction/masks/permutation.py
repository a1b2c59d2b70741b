"""A keyed permutation of rows of digits, each of which has a radix of its own.

It is built like FF1 of NIST SP 800-38G: ten rounds of a Feistel network, whose function is a
CBC-MAC of AES-256. FF1 has one radix for all digits; here a round adds to every digit modulo its
own radix. The network Q shuffles the numbers of a domain, and the permutation is Q⁻¹, plus one, Q:
a single cycle, so no row of digits stays as it is.

All rows are computed at the same time, a block of each with every call of AES.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

_ROUNDS = 10
_BLOCK = 16  # bytes
_CELLS = 1 << 18  # digits that are computed at the same time

Digits = npt.NDArray[np.uint32]
_N = TypeVar("_N", np.uint8, np.uint32)
_Bytes = npt.NDArray[np.uint8]


class KeyedPermutation:
    """A permutation for each sequence of radices, all of one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        # A MAC is made of single blocks: nothing is encrypted in this mode.
        self._aes = Cipher(AES(key), ECB())  # noqa: S305 - see above

    def apply(self, digits: Digits, radices: Digits) -> Digits:
        """Permute each row of digits, which are below their radices of 1 to 65,535.

        The result differs from the row unless all radices are 1. Digits of the radix 1 change
        nothing, wherever they are.
        """
        # All digits that count come first. How many columns there are follows from them alone.
        places = np.argsort(radices == 1, axis=1, stable=True)
        ordered, moduli = (np.take_along_axis(part, places, 1) for part in (digits, radices))
        columns = ordered.shape[1]
        widths = np.array([0, *(1 << (n - 1).bit_length() for n in range(1, columns + 1))])
        widths = widths[(radices > 1).sum(axis=1)]
        for width in np.unique(widths[widths > 0]).tolist():
            rows = np.flatnonzero(widths == width)
            for start in range(0, len(rows), max(1, _CELLS // width)):
                part = rows[start : start + max(1, _CELLS // width)]
                permuted = self._permute(
                    _widen(ordered[part, :width], width), _widen(moduli[part, :width], width, 1)
                )
                ordered[part, :width] = permuted[:, :columns]
        result = np.empty_like(digits)
        np.put_along_axis(result, places, ordered, 1)
        return result

    def _permute(self, digits: Digits, radices: Digits) -> Digits:
        width = digits.shape[1]
        if width == 1:  # a network needs two halves
            return self._permute_one(digits, radices)
        state = np.zeros((len(digits), _BLOCK), np.uint8)
        state = self._mac(state, _with_first(width, radices))
        self._mix(digits, radices, state, backward=True)
        carry = np.ones(len(digits), bool)
        for place in range(width):
            digits[:, place] += carry
            carry &= digits[:, place] == radices[:, place]
            digits[carry, place] = 0
            if not carry.any():
                break
        self._mix(digits, radices, state, backward=False)
        return digits

    def _permute_one(self, digits: Digits, radices: Digits) -> Digits:
        """Replace single digits by the next one in an order of the key."""
        for radix in np.unique(radices).tolist():
            numbers = np.arange(radix, dtype=np.uint32).reshape(-1, 1)
            macs = self._mac(np.zeros((radix, _BLOCK), np.uint8), _with_first(radix, numbers))
            order = np.lexsort(macs.T)
            following = np.empty(radix, np.uint32)
            following[order] = np.roll(order, -1)
            chosen = radices == radix
            digits[chosen] = following[digits[chosen]]
        return digits

    def _mix(self, digits: Digits, radices: Digits, state: _Bytes, *, backward: bool) -> None:
        """Run the rounds: each adds to the digits at even places what the others say, or to odd."""
        for number in reversed(range(_ROUNDS)) if backward else range(_ROUNDS):
            own, other = slice(number % 2, None, 2), slice(1 - number % 2, None, 2)
            moduli = radices[:, own]
            mac = self._mac(state, _with_first(number, digits[:, other]))
            added = self._expand(mac, moduli.shape[1]) % moduli
            digits[:, own] = (digits[:, own] + (moduli - added if backward else added)) % moduli

    def _mac(self, state: _Bytes, numbers: Digits) -> _Bytes:
        """Continue the CBC-MAC of each row with its numbers below 65,536."""
        message = numbers.astype(">u2").view(np.uint8)
        blocks = -(-message.shape[1] // _BLOCK)
        message = _widen(message, blocks * _BLOCK)
        if blocks > len(message):  # long rows: one call for each instead of each block
            macs = map(self._mac_of_row, state, message)
            return np.frombuffer(b"".join(macs), np.uint8).reshape(state.shape)
        for start in range(0, message.shape[1], _BLOCK):
            state = self._encrypt(state ^ message[:, start : start + _BLOCK])
        return state

    def _mac_of_row(self, state: _Bytes, message: _Bytes) -> bytes:
        # The MAC is the last block of this mode.
        cipher = Cipher(self._aes.algorithm, CBC(state.tobytes()))
        return cipher.encryptor().update(message.tobytes())[-_BLOCK:]

    def _expand(self, mac: _Bytes, count: int) -> Digits:
        """Return numbers of 32 bits for each row: those of its MAC, then of counted blocks."""
        blocks = np.repeat(mac[:, np.newaxis], -(-count * 4 // _BLOCK), axis=1)
        if blocks.shape[1] > 1:
            blocks[:, :, -4:] ^= (
                np.arange(blocks.shape[1], dtype=">u4").view(np.uint8).reshape(-1, 4)
            )
            blocks[:, 1:] = self._encrypt(blocks[:, 1:])
        return blocks.reshape(len(mac), -1).view(">u4")[:, :count].astype(np.uint32)

    def _encrypt(self, blocks: _Bytes) -> _Bytes:
        # An encryptor of its own for each call: two threads cannot use the same one.
        encrypted = self._aes.encryptor().update(np.ascontiguousarray(blocks).data)
        return np.frombuffer(encrypted, np.uint8).reshape(blocks.shape)


def _widen(numbers: npt.NDArray[_N], width: int, fill: int = 0) -> npt.NDArray[_N]:
    """Return the rows with more numbers at their end."""
    wide = np.full((len(numbers), width), fill, numbers.dtype)
    wide[:, : numbers.shape[1]] = numbers
    return wide


def _with_first(number: int, numbers: Digits) -> Digits:
    """Return the rows with a number before them."""
    return np.hstack([np.full((len(numbers), 1), number, np.uint32), numbers])
