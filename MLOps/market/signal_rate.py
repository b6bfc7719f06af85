"""Signal rate: the share of rows whose close lies above its rolling mean, decided in exact integers.

A rolling mean in floating point decides ties by the accident of its rounding. Here ``close > sum / window``
is asked as ``window * close > sum`` over scaled integers, so that a tie is a tie: no signal.
"""

import numpy as np
import numpy.typing as npt

from MLOps.market.scaled_decimals import IntegerArray, ScaledDecimals, concatenated, exact_for

BoolArray = npt.NDArray[np.bool_]


def signals(closes: ScaledDecimals, window: int) -> BoolArray:
    """Whether each close lies above the mean of the `window` closes that end with it.

    Known at the row's own close.

    Parameters
    ----------
    closes : (..., N)
        Closes in the order of time; each leading index is a series of its own.
    window : int
        Rows of the mean, at least 1.

    Returns
    -------
    (..., N) bool
        False in the first ``window - 1`` rows, which have no mean, and where close and mean are equal.
    """
    above = np.zeros(closes.values.shape, dtype=np.bool_)
    above[..., window - 1 :] = _above_mean(closes.values, window)
    return above


def _above_mean(values: IntegerArray, window: int) -> BoolArray:
    """(..., max(N - window + 1, 0)) bool, the rows that have a mean."""
    exact = exact_for(values, window)
    sums = np.cumsum(exact, axis=-1)  # int64 may wrap here; differences that fit int64 are exact all the same
    sums[..., window:] -= sums[..., :-window]
    above: BoolArray = exact[..., window - 1 :] * window > sums[..., window - 1 :]
    return above


class SignalCounter:
    """Counts the signals of one series that comes in blocks of any length.

    Holds the last ``window - 1`` closes, and up to `window` more that wait: so that a long window is not
    summed anew for each short block.

    Parameters
    ----------
    window : int
        Rows of the mean, at least 1.
    """

    def __init__(self, window: int) -> None:
        self.rows = 0
        self._window = window
        self._signals = 0
        self._parts: list[ScaledDecimals] = []  # the closes kept, then those that wait
        self._waiting = 0

    def add(self, closes: ScaledDecimals) -> None:
        """Take the next (N,) closes."""
        self._parts.append(closes)
        self._waiting += len(closes.values)
        self.rows += len(closes.values)
        if self._waiting >= self._window:
            self._count()

    @property
    def signals(self) -> int:
        """Signals so far."""
        if self._waiting:
            self._count()
        return self._signals

    @property
    def rate(self) -> float:
        """Signals so far as a share of all rows so far, those without a mean included; 0 without rows."""
        return self.signals / self.rows if self.rows else 0.0

    def _count(self) -> None:
        values, decimals = concatenated(self._parts)
        self._signals += int(np.count_nonzero(_above_mean(values, self._window)))
        kept = values[max(len(values) - self._window + 1, 0) :].copy()
        self._parts, self._waiting = [ScaledDecimals(kept, decimals)], 0
