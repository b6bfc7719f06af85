"""Plain decimal numbers in a text, read eight characters at a time without a loop over rows.

Source: D. Lemire, "Quickly parsing eight digits", 2018: eight ASCII digits in one 64-bit word are folded to
pairs, to fours, to a number, by three multiplications.
"""

import numpy as np
import numpy.typing as npt

from MLOps.market.scaled_decimals import ScaledDecimals

Positions = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

LEAD = 9  # characters that must stand before the first number: a word ends one character before a number does
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_ZEROS = np.uint64(ord("0")) * _ONES
_POINTS = np.uint64(ord(".")) * _ONES
_ABOVE_NINE = np.uint64(0x76) * _ONES  # added to a byte above 9, it sets its high bit
_FOLDS = (
    (np.uint64(10), np.uint64(8), np.uint64(0x00FF00FF00FF00FF)),
    (np.uint64(100), np.uint64(16), np.uint64(0x0000FFFF0000FFFF)),
    (np.uint64(10_000), np.uint64(32), np.uint64(0x00000000FFFFFFFF)),
)
_POWERS = 10 ** np.arange(9, dtype=np.int64)


def plain_decimals(text: bytes, starts: Positions, ends: Positions) -> ScaledDecimals | None:
    """The numbers ``text[start:end]``, or None if one of them is not of the plain form.

    The plain form is one to eight digits, or those with a point and one to eight digits after them.

    Parameters
    ----------
    text : bytes
        ASCII around the numbers; the first starts at `LEAD` or later.
    starts, ends : (N,) intp
        Bounds of the numbers.
    """
    words = np.ndarray(len(text) - 7, dtype="<u8", buffer=text, strides=(1,))  # word i: characters i to i + 7
    decimals = _decimals(words, starts, ends)
    fraction = _digits(words, ends, decimals)
    whole_ends = ends - decimals - (decimals > 0)
    lengths = whole_ends - starts
    if fraction is None or lengths.min(initial=1) < 1 or lengths.max(initial=1) > 8:
        return None
    whole = _digits(words, whole_ends, lengths)
    if whole is None:
        return None
    most = int(decimals.max(initial=0))
    return ScaledDecimals(whole * _POWERS[most] + fraction * _POWERS[most - decimals], most)


def _decimals(words: Words, starts: Positions, ends: Positions) -> Positions:
    """(N,) digits after the first point among the last nine characters of each number; 0 without a point."""
    before_last = words[ends - 9]
    others = before_last ^ _POINTS | ~_kept(ends - 1 - starts)
    found = (others - _ONES) & ~others & _HIGH_BITS  # the lowest bit that is set is that of the first point
    bits_below = np.bitwise_count((found & -found) - np.uint64(1))
    return 8 - (bits_below >> 3).astype(np.intp)


def _digits(words: Words, ends: Positions, counts: Positions) -> npt.NDArray[np.int64] | None:
    """(N,) numbers of the `counts` (at most 8) digits before `ends`; None if another character is among them."""
    number = (words[ends - 8] ^ _ZEROS) & _kept(counts)
    if ((number + _ABOVE_NINE | number) & _HIGH_BITS).any():
        return None
    for base, shift, lanes in _FOLDS:
        number = (number * base + (number >> shift)) & lanes
    return number.astype(np.int64)


def _kept(counts: Positions) -> Words:
    """(N,) masks of the last `counts` characters of a word, of all of them from 8 on; a shift by 64 gives 0."""
    return _ALL << (8 * (8 - np.minimum(counts, 8))).astype(np.uint64)
