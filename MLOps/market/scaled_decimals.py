"""Decimal numbers as integers at a common scale: sums and comparisons on them are exact."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError
from MLOps.market.written_numbers import WrittenNumber, written_number

IntegerArray = npt.NDArray[Any]  # int64, or object: Python integers where int64 is too narrow
FloatArray = npt.NDArray[np.float64]

_INT64_BOUND = 2**63
_EXACT_POWERS = 22  # 10**22 is the last power of ten that float64 holds exactly
_UNIQUE_BELOW = 1e15  # no two decimals of up to 15 digits round to the same float64


class ScaledDecimals(NamedTuple):
    """Numbers ``values / 10**decimals``.

    Parameters
    ----------
    values : (..., N) int64 or object
        Object holds Python integers.
    decimals : int
        Digits after the point, at least 0.
    """

    values: IntegerArray
    decimals: int

    def rescaled(self, decimals: int) -> "ScaledDecimals":
        """The same numbers with more digits after the point, in Python integers where int64 is too narrow."""
        factor = 10 ** (decimals - self.decimals)
        return ScaledDecimals(exact_for(self.values, factor) * factor, decimals)


def exact_for(values: IntegerArray, factor: int) -> IntegerArray:
    """`values` in a type that holds each of them `factor` times, and the sum of any `factor` of them.

    int64 does where ``factor * max(abs(values)) < 2**63``; Python integers always do.
    """
    largest = max(-int(values.min(initial=0)), int(values.max(initial=0)), 1)  # the factor itself must fit too
    return values.astype(np.int64 if factor * largest < _INT64_BOUND else object, copy=False)


def concatenated(parts: Sequence[ScaledDecimals]) -> ScaledDecimals:
    """The numbers of `parts`, each (N,), one after the other at the largest of their scales."""
    decimals = max(part.decimals for part in parts)
    return ScaledDecimals(np.concatenate([part.rescaled(decimals).values for part in parts]), decimals)


def from_written(numbers: Sequence[WrittenNumber]) -> ScaledDecimals:
    """(N,) numbers at the scale of the one with most digits after the point."""
    most = max((number.decimals for number in numbers), default=0)
    most = max(most, 0)
    values = [number.digits * 10 ** (most - number.decimals) for number in numbers]
    fits = min(values, default=0) > -_INT64_BOUND and max(values, default=0) < _INT64_BOUND
    return ScaledDecimals(np.array(values, dtype=np.int64 if fits else object), most)


def from_texts(texts: Iterable[str]) -> ScaledDecimals:
    """(N,) numbers from how they are written.

    Raises
    ------
    DataError
        If a text says no finite number, or one with too many digits.
    """
    return from_written([_number(text) for text in texts])


def _number(text: str) -> WrittenNumber:
    try:
        number = written_number(text)
    except OverflowError as error:
        raise DataError(f"{text} has {error}", "fewer digits") from error
    if number is None:
        raise DataError(f"{text!r}", "a finite number")
    return number


def from_floats(floats: FloatArray) -> ScaledDecimals:
    """(..., N) float64 as the decimals that ``repr`` writes: the shortest that round to the same float.

    So .1 is one tenth, as it was in the file from which it was once read.

    Raises
    ------
    DataError
        If a number is NaN or infinite.
    """
    if not np.isfinite(floats).all():
        raise DataError("a number is NaN or infinite", "finite numbers")
    largest, decimals = float(np.abs(floats).max(initial=0.0)), 0
    while decimals <= _EXACT_POWERS and largest * 10.0**decimals < _UNIQUE_BELOW:
        scaled = np.rint(floats * 10.0**decimals)
        if np.array_equal(scaled / 10.0**decimals, floats):  # both exact, so the quotient is the nearest float
            return ScaledDecimals(scaled.astype(np.int64), decimals)
        decimals += 1
    written = from_texts(map(repr, floats.ravel().tolist()))
    return ScaledDecimals(written.values.reshape(floats.shape), written.decimals)
