"""Masks of values: the same value has the same mask, and two values have two masks.

A mask is the value with other letters and digits. It follows from the value's text alone, so it is
the same in a column of numbers and in a file where everything is text:

    12345E108    73905K422    letters stay letters, digits digits; the check digit of a CUSIP fits
    abc-7        qzf-2        case, blanks and punctuation stay
    101.70       583.20       zeros at either end of a number, its point and its sign stay
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from marketpulse.extraction.masks.permutation import Digits, KeyedPermutation
from marketpulse.formats.cusip import check_digits
from marketpulse.formats.encode import expand_exponents

_CELLS = 1 << 18  # characters that are masked at the same time
_NUMBER = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*$"
_CUSIP = r"^\s*[0-9A-Za-z*@#]{8}[0-9](\.0*)?\s*$"
_BLANKS = (9, 10, 12, 13, 32)  # of these patterns
_LAST_OF_TABLE = 0x30000  # no character beyond it is in common use

_Codes: TypeAlias = Digits  # of characters, a row for each text, with zeros at its end
_Flags: TypeAlias = npt.NDArray[np.bool_]

# How many ASCII characters there are of the same kind, and which is the first of them.
_RADICES = np.ones(128, np.uint32)
_FIRSTS = np.zeros(128, np.uint32)
for _first, _count in ((ord("0"), 10), (ord("A"), 26), (ord("a"), 26)):
    _RADICES[_first : _first + _count] = _count
    _FIRSTS[_first : _first + _count] = _first


def mask_texts(texts: pa.Array, permutation: KeyedPermutation) -> pa.Array:
    """Mask text. Nulls stay null."""
    return _by_distinct_value(texts, lambda values: _mask_distinct_texts(values, permutation))


def mask_numbers(
    texts: pa.Array, data_type: pa.DataType, permutation: KeyedPermutation
) -> pa.Array:
    """Mask the numbers of a type, spelled as text; return them in their type."""

    def mask(values: pa.Array) -> pa.Array:
        is_plain = pc.match_substring_regex(values, _NUMBER)  # NaN and infinities have no digits
        masked = _mask_distinct_texts(values.filter(is_plain), permutation)
        # The digits may be more than the type holds. The mask of the mask is as good.
        while pc.any(missing := _out_of_range(masked, data_type)).as_py():
            again = _mask_distinct_texts(masked.filter(missing), permutation)
            masked = pc.replace_with_mask(masked, missing, again)
        return pc.replace_with_mask(values, is_plain, masked)

    return _by_distinct_value(expand_exponents(texts), mask).cast(data_type)


def mask_bytes(cells: pa.Array, permutation: KeyedPermutation) -> pa.Array:
    """Mask binary values byte by byte."""

    def mask(values: pa.Array) -> pa.Array:
        masked: list[bytes] = [b""] * len(values)
        for rows in _similar_lengths(pc.binary_length(values)):
            parts = values.take(pa.array(rows)).to_pylist()
            lengths = np.array([len(part) for part in parts])
            width = lengths.max()
            content = b"".join(part.ljust(width, b"\0") for part in parts)
            digits = np.frombuffer(content, np.uint8).reshape(len(parts), width).astype(np.uint32)
            is_byte = np.arange(width) < lengths[:, np.newaxis]
            radices = np.where(is_byte, 256, 1).astype(np.uint32)
            lines = permutation.apply(digits, radices).astype(np.uint8)
            for row, line, length in zip(rows, lines, lengths, strict=True):
                masked[row] = line[:length].tobytes()
        return pa.array(masked, values.type)

    return _by_distinct_value(cells, mask)


def _by_distinct_value(cells: pa.Array, mask: Callable[[pa.Array], pa.Array]) -> pa.Array:
    encoded = cells.dictionary_encode()
    return mask(encoded.dictionary).take(encoded.indices)


def _similar_lengths(lengths: pa.Array) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the places of values, so many at a time that their characters fit into memory."""
    order = pc.array_sort_indices(lengths).to_numpy().astype(np.int64)
    ordered = lengths.to_numpy()[order]
    start = int(np.searchsorted(ordered, 1))  # empty ones have no mask
    while start < len(order):
        # Twice as long at most: a matrix of them is half empty at most.
        end = int(np.searchsorted(ordered, 2 * ordered[start], "right"))
        end = min(end, start + max(1, _CELLS // int(2 * ordered[start])))
        yield order[start:end]
        start = end


def _mask_distinct_texts(values: pa.Array, permutation: KeyedPermutation) -> pa.Array:
    masked: list[str] = [""] * len(values)
    for rows in _similar_lengths(pc.utf8_length(values)):
        texts = values.take(pa.array(rows))
        codes = _codes_of(texts.to_pylist())
        _mask_codes(codes, texts, permutation)
        lines = codes.view(f"U{codes.shape[1]}")[:, 0].tolist()
        for row, line, length in zip(rows, lines, pc.utf8_length(texts).to_pylist(), strict=True):
            masked[row] = line.ljust(length, "\0")  # numpy takes these off the end
    return pa.array(masked, values.type)


def _codes_of(texts: list[str]) -> _Codes:
    array = np.array(texts)
    return array.view(np.uint32).reshape(len(texts), -1).copy()


def _mask_codes(codes: _Codes, texts: pa.Array, permutation: KeyedPermutation) -> None:
    """Replace the characters of texts by those of their masks."""
    is_ascii = codes < 128
    ascii_codes = np.where(is_ascii, codes, 0)
    radices, firsts = _RADICES[ascii_codes], _FIRSTS[ascii_codes]
    _limit_numbers(codes, radices, firsts, _matches(texts, _NUMBER))
    cusips = np.flatnonzero(_matches(texts, _CUSIP))
    # Where each CUSIP begins. Its check digit follows from the other characters.
    starts = (~np.isin(codes[cusips], _BLANKS)).argmax(axis=1)
    places = starts[:, np.newaxis] + np.arange(8)
    # If none of these changes, as in 000000007, the last digit has to.
    follows = (radices[cusips[:, np.newaxis], places] > 1).any(axis=1)
    cusips, places = cusips[follows], places[follows]
    bases, checks = (cusips[:, np.newaxis], places), (cusips, places[:, 7] + 1)
    radices[checks] = 1
    before = _check_digits(codes[bases])
    digits = np.where(radices > 1, codes - firsts, 0)
    others = [
        (row, column, *place)
        for row, column in zip(*np.nonzero(~is_ascii), strict=True)
        if (place := _place_of(int(codes[row, column])))
    ]
    for row, column, alphabet, number in others:
        digits[row, column], radices[row, column] = number, len(alphabet)
    permuted = permutation.apply(digits, radices)
    changed = radices > 1
    codes[changed] = (permuted + firsts)[changed]
    for row, column, alphabet, _ in others:
        codes[row, column] = alphabet[permuted[row, column]]
    # A wrong check digit stays as wrong as it was.
    zero = ord("0")
    codes[checks] = (codes[checks] - zero + _check_digits(codes[bases]) + 10 - before) % 10 + zero


def _limit_numbers(codes: _Codes, radices: Digits, firsts: Digits, is_number: _Flags) -> None:
    """Keep zeros before and after the digits of numbers, and let no other digit become one there.

    So 7, 7.0 and 07.00 have the masks 4, 4.0 and 04.00, and each number keeps its length.
    """
    numbers = codes[is_number]
    places = np.arange(codes.shape[1])
    nonzero = (numbers > ord("0")) & (numbers <= ord("9"))
    has_digits = nonzero.any(axis=1)
    first = np.where(has_digits, nonzero.argmax(axis=1), len(places))
    last = np.where(has_digits, len(places) - 1 - nonzero[:, ::-1].argmax(axis=1), -1)
    is_point = numbers == ord(".")
    point = np.where(is_point.any(axis=1), is_point.argmax(axis=1), len(places))
    kept = places < first[:, np.newaxis]
    kept |= (places > last[:, np.newaxis]) & (places > point[:, np.newaxis])
    ends = places == first[:, np.newaxis]
    ends |= (places == last[:, np.newaxis]) & (last > point)[:, np.newaxis]
    limits = np.where(kept, 1, np.where(ends & nonzero, 9, radices[is_number]))
    radices[is_number] = limits
    firsts[is_number] = np.where(limits == 9, ord("1"), firsts[is_number])


def _matches(texts: pa.Array, pattern: str) -> _Flags:
    flags: _Flags = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return flags


def _check_digits(characters: _Codes) -> npt.NDArray[np.int64]:
    is_lower = characters >= ord("a")
    return check_digits(np.where(is_lower, characters - 32, characters).astype(np.uint8))


def _place_of(code: int) -> tuple[Sequence[int], int] | None:
    """Return the characters of the same kind as one beyond ASCII, and the place among them."""
    if code < _LAST_OF_TABLE:
        return _other_characters().get(code)
    return range(code & ~0xFF, (code & ~0xFF) + 256), code & 0xFF


@cache
def _other_characters() -> dict[int, tuple[list[int], int]]:
    """Return, for characters beyond ASCII, all of the same kind and the place among them.

    A kind is a script and a category: small Greek letters. The old version of Unicode is the same
    in every Python. What it does not have yet is of one kind with its neighbours.
    """
    unicode = unicodedata.ucd_3_2_0
    kinds: defaultdict[object, list[int]] = defaultdict(list)
    for code in range(0x80, _LAST_OF_TABLE):
        character = chr(code)
        category = unicode.category(character)
        if category[0] in "LN":
            script = unicode.name(character, "").partition(" ")[0]
            kinds[category, script, code >> 16, code < 0x100].append(code)
        elif category in {"Cn", "Co"}:
            kinds[code >> 8].append(code)
    return {
        code: (alphabet, number)
        for alphabet in kinds.values()
        if len(alphabet) > 1
        for number, code in enumerate(alphabet)
    }


def _out_of_range(texts: pa.Array, data_type: pa.DataType) -> pa.Array:
    """Which numbers the type does not hold."""
    if pa.types.is_integer(data_type):
        bits = data_type.bit_width
        is_signed = pa.types.is_signed_integer(data_type)
        highest = (1 << (bits - is_signed)) - 1
        lowest = -highest - 1 if is_signed else 0
        numbers = texts.cast(pa.decimal128(20, 0))
        ends = [pa.scalar(end, pa.decimal128(20, 0)) for end in (lowest, highest)]
        return pc.or_(pc.less(numbers, ends[0]), pc.greater(numbers, ends[1]))
    if pa.types.is_floating(data_type):
        return pc.invert(pc.is_finite(texts.cast(data_type)))
    return pa.nulls(len(texts), pa.bool_()).fill_null(False)
