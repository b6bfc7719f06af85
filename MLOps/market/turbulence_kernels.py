"""The turbulence's arithmetic, compiled: running sums of cross products, and one elimination a session.

A session's row is z = (1, y_1 .. y_N), its returns after a one. The sums of z z' over a window hold the
window's length, the sums of its returns and those of their products; eliminating the leading one from
them is to centre the returns.
"""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]

_LEAST_PIVOT = 1e-6
"""Share of a ticker's sum of squares that mean and other tickers must leave; below it digits run out."""


@compiled
def advance(sums: FloatArray, rows: FloatArray, first: int, distances: FloatArray) -> None:
    """Write each session's squared Mahalanobis distance from the window before it, and move the window on.

    Two sums run: one has the newest row added and the oldest taken away. The other only ever adds,
    and takes the first one's place whenever it holds exactly a window; so no rounding error outlives
    two windows, and no session costs more than another.

    Parameters
    ----------
    sums : (2, 2, N + 1, N + 1) float64
        The moving and the growing sums of z z', each as high and low part; right of the diagonal
        only. Zero before the first session; updated.
    rows : (window + T, N + 1) float64
        z of the past window, zero where there was no session, and of the sessions asked for.
    first : int
        Number of the first session asked for, from 0.
    distances : (T,) float64
        Output; NaN where the window is not full or its covariance (nearly) singular.
    """
    window = len(rows) - len(distances)
    system = np.empty((rows.shape[1], rows.shape[1] + 1))
    for t in range(len(distances)):
        session = first + t
        newest = rows[window + t]
        distances[t] = _distance(sums[0], newest, system) if session > window else np.nan
        _accumulate(sums[0], newest, 1.0)
        _accumulate(sums[0], rows[t], -1.0)
        _accumulate(sums[1], newest, 1.0)
        if session % window == 0:
            sums[0] = sums[1]
            sums[1] = 0.0


@compiled
def _accumulate(total: FloatArray, row: FloatArray, sign: float) -> None:
    """Add ``sign * row row'`` to the high part, and what that loses to the low part (Knuth's two-sum).

    Products are rounded alike when they come and when they go, so they cancel; a spike that leaves
    the window takes its rounding errors with it.
    """
    for i in range(row.size):
        factor = sign * row[i]
        high, low, others = total[0, i, i:], total[1, i, i:], row[i:]
        for j in range(others.size):
            product = factor * others[j]
            rounded = high[j] + product
            part = rounded - high[j]
            low[j] += (high[j] - (rounded - part)) + (product - part)
            high[j] = rounded


@compiled
def _distance(total: FloatArray, today: FloatArray, system: FloatArray) -> float:
    """Give the squared distance by elimination without pivoting, which is Cholesky's, or NaN if a pivot is too small.

    ``today`` rides along as the last column: eliminated with the rest, its squares over the pivots add
    up to ``z' (sum z z')^-1 z``, of which the returns' share is the distance / (window - 1).
    """
    size = today.size
    window: float = total[0, 0, 0]
    for i in range(size):
        for j in range(i, size):
            system[i, j] = total[0, i, j] + total[1, i, j]
        system[i, size] = today[i]
    distance = 0.0
    for k in range(size):
        pivot = system[k, k]
        if not pivot > _LEAST_PIVOT * total[0, k, k]:
            return np.nan
        if k > 0:
            distance += system[k, size] / pivot * system[k, size]
        for i in range(k + 1, size):
            factor = system[k, i] / pivot
            target, source = system[i, i:], system[k, i:]
            for j in range(target.size):
                target[j] -= factor * source[j]
    return distance * (window - 1.0)
