"""Plain decimal numbers in a text, read eight characters at a time without a loop over rows.

Source: D. Lemire, "Quickly parsing eight digits", 2018: eight ASCII digits in one 64-bit word are folded to
pairs, to fours, to a number, by three multiplications.
"""

import numpy as np
import numpy.typing as npt

from MLOps.market.scaled_decimals import ScaledDecimals, exact_for

Positions = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]

LEAD = 24  # characters that must stand before the first number, for up to three words that end with it
_MOST_DIGITS = 16  # on either side of the point: two words
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
_LAST = np.array([2**64 - 2 ** (8 * (8 - count)) for count in range(9)], dtype=np.uint64)  # the last 0 to 8 of a word


def plain_decimals(text: bytes | bytearray, starts: Positions, ends: Positions) -> ScaledDecimals | None:
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
    lengths, last = ends - starts, words[ends - 8]
    decimals = _decimals(words, last, ends, lengths)
    fraction_lengths = decimals + (decimals > 0)  # the point too
    whole_lengths = lengths - fraction_lengths
    if _exceed(decimals, 0) or _exceed(whole_lengths, 1):
        return None
    whole_ends = ends - fraction_lengths
    is_short = lengths.max(initial=0) <= 8  # then the last word holds the whole part too
    shifts: Words = (8 * fraction_lengths).astype(np.uint64)
    whole_last = last << shifts if is_short else words[whole_ends - 8]
    whole = _digits(words, whole_last, whole_ends, whole_lengths)
    fraction = _digits(words, last, ends, decimals)
    if whole is None or fraction is None:
        return None
    most = int(decimals.max(initial=0))
    factor = int(_POWERS[most])
    values = exact_for(whole, 2 * factor) * factor + fraction * _POWERS.take(most - decimals)  # a fraction is below 1
    return ScaledDecimals(values, most)


def _exceed(counts: Positions, least: int) -> bool:
    return bool(counts.min(initial=least) < least or counts.max(initial=least) > _MOST_DIGITS)


def _decimals(words: Words, last: Words, ends: Positions, lengths: Positions) -> Positions:
    """(N,) digits after the first point among the last 24 characters of each number; 0 without a point."""
    decimals = _after_point(last, lengths)
    for skipped in (8, 16):
        if lengths.max(initial=0) > skipped:
            farther = _after_point(words[ends - 8 - skipped], lengths - skipped)
            decimals = np.where(farther < 0, decimals, farther + skipped)
    return np.maximum(decimals, 0)


def _after_point(word: Words, counts: Positions) -> Positions:
    """(N,) characters after the first point among the last `counts` of a word; -1 without a point."""
    others = word ^ _POINTS | ~_LAST.take(counts, mode="clip")
    found = (others - _ONES) & ~others & _HIGH_BITS  # the lowest bit that is set is that of the first point
    bits_below = np.bitwise_count((found & -found) - np.uint64(1))
    return 7 - (bits_below >> 3).astype(np.intp)


def _digits(words: Words, last: Words, ends: Positions, counts: Positions) -> npt.NDArray[np.int64] | None:
    """(N,) numbers of the `counts` digits before `ends`, at most 16; None if another character is among them.

    `last` holds the last eight of them.
    """
    low = _eight_digits(last, counts)
    if low is None or counts.max(initial=0) <= 8:
        return low
    high = _eight_digits(words[ends - 16], counts - 8)
    return None if high is None else high * 10**8 + low


def _eight_digits(word: Words, counts: Positions) -> npt.NDArray[np.int64] | None:
    """(N,) numbers of the last `counts` characters of a word, at most eight; 0 where there are none."""
    number = (word ^ _ZEROS) & _LAST.take(counts, mode="clip")
    if ((number + _ABOVE_NINE | number) & _HIGH_BITS).any():
        return None
    for base, shift, lanes in _FOLDS:
        number = (number * base + (number >> shift)) & lanes
    return number.view(np.int64)
