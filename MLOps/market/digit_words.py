"""Plain decimal numbers in a text, read eight characters at a time without a loop over rows.

Source: D. Lemire, "Quickly parsing eight digits", 2018: eight ASCII digits in one 64-bit word are folded to
pairs, to fours, to a number, by three multiplications.
"""

import numpy as np
import numpy.typing as npt

from MLOps.market.scaled_decimals import ScaledDecimals, exact_for

Positions = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

LEAD = 17  # characters that must stand before the first number: two words are read that end before its last one
_MOST_DIGITS = 16  # on either side of the point: two words
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
_POWERS = 10 ** np.arange(_MOST_DIGITS + 1, dtype=np.int64)


def plain_decimals(text: bytes, starts: Positions, ends: Positions) -> ScaledDecimals | None:
    """The numbers ``text[start:end]``, or None if one of them is not of the plain form.

    The plain form is one to 16 digits, or those with a point and one to 16 digits after them.

    Parameters
    ----------
    text : bytes
        What holds the numbers; the first starts at `LEAD` or later, and a character follows the last.
    starts, ends : (N,) intp
        Bounds of the numbers.
    """
    words = np.ndarray(len(text) - 7, dtype="<u8", buffer=text, strides=(1,))  # word i: characters i to i + 7
    decimals = _decimals(words, starts, ends)
    whole_ends = ends - decimals - (decimals > 0)
    lengths = whole_ends - starts
    if lengths.min(initial=1) < 1 or lengths.max(initial=1) > _MOST_DIGITS:
        return None
    whole, fraction = _digits(words, whole_ends, lengths), _digits(words, ends, decimals)
    if whole is None or fraction is None:
        return None
    most = int(decimals.max(initial=0))
    factor = int(_POWERS[most])
    values = exact_for(whole, 2 * factor) * factor + fraction * _POWERS[most - decimals]  # the fraction is below 1
    return ScaledDecimals(values, most)


def _decimals(words: Words, starts: Positions, ends: Positions) -> Positions:
    """(N,) digits after the first point among the last 17 characters of each number; 0 without a point."""
    decimals = 1 + _after_point(words, ends - 1, starts)
    if (ends - starts).max(initial=0) > 9:
        after_farther = _after_point(words, ends - 9, starts)
        decimals = np.where(after_farther < 0, decimals, 9 + after_farther)
    return decimals


def _after_point(words: Words, ends: Positions, starts: Positions) -> Positions:
    """(N,) characters between the first point in the word before `ends` and its end; -1 without a point."""
    others = words[ends - 8] ^ _POINTS | ~_kept(ends - starts)
    found = (others - _ONES) & ~others & _HIGH_BITS  # the lowest bit that is set is that of the first point
    bits_below = np.bitwise_count((found & -found) - np.uint64(1))
    return 7 - (bits_below >> 3).astype(np.intp)


def _digits(words: Words, ends: Positions, counts: Positions) -> npt.NDArray[np.int64] | None:
    """(N,) numbers of the `counts` digits before `ends`, at most 16; None if another character is among them."""
    low = _eight_digits(words, ends, counts)
    if low is None or counts.max(initial=0) <= 8:
        return low
    high = _eight_digits(words, ends - 8, counts - 8)
    return None if high is None else high * 10**8 + low


def _eight_digits(words: Words, ends: Positions, counts: Positions) -> npt.NDArray[np.int64] | None:
    """(N,) numbers of the `counts` digits before `ends`, at most the last eight of them; 0 where there are none."""
    number = (words[ends - 8] ^ _ZEROS) & _kept(counts)
    if ((number + _ABOVE_NINE | number) & _HIGH_BITS).any():
        return None
    for base, shift, lanes in _FOLDS:
        number = (number * base + (number >> shift)) & lanes
    return number.astype(np.int64)


def _kept(counts: Positions) -> Words:
    """(N,) masks of the last `counts` characters of a word, from none to all of them; a shift by 64 gives 0."""
    return _ALL << (8 * (8 - np.clip(counts, 0, 8))).astype(np.uint64)
