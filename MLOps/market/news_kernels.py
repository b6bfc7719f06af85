"""The news join's arithmetic, compiled: sums that fade between sessions."""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_US_AN_HOUR = 3_600_000_000


@compiled
def faded_sums(
    closed_at: IntArray,
    known: IntArray,
    column: IntArray,
    scores: FloatArray,
    half_life_hours: float,
    weights: FloatArray,
    weighted: FloatArray,
) -> None:
    """Write each session's sums over all articles that were known strictly before it closed.

    An article weighs 1 when it becomes known and half of it after each half-life. A session's sums go on
    from those of the session before, so that they depend on nothing that comes later.

    Parameters
    ----------
    closed_at : (T,) int64
        Instants of the decisions, ascending, in microseconds.
    known : (K,) int64
        When the articles were known, ascending, in microseconds.
    column : (K,) int64
        Column of `weights` that an article belongs to.
    scores : (K,) float64
    half_life_hours : float
    weights, weighted : (T, C) float64
        Output: the sum of the weights, and of the weights times the scores.
    """
    microseconds = half_life_hours * _US_AN_HOUR
    article = 0
    for t in range(len(closed_at)):
        if t == 0:
            weights[0], weighted[0] = 0.0, 0.0
        else:
            fading = 2.0 ** ((closed_at[t - 1] - closed_at[t]) / microseconds)
            for i in range(weights.shape[1]):
                weights[t, i] = weights[t - 1, i] * fading
                weighted[t, i] = weighted[t - 1, i] * fading
        while article < len(known) and known[article] < closed_at[t]:
            weight = 2.0 ** ((known[article] - closed_at[t]) / microseconds)
            weights[t, column[article]] += weight
            weighted[t, column[article]] += weight * scores[article]
            article += 1
