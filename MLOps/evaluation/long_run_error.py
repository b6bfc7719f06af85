"""How far a mean over seeds and dependent periods strays, and with how many degrees of freedom that is known."""

import math
from typing import NamedTuple

import numpy as np

from MLOps.market.accounting import FloatArray


class MeanError(NamedTuple):
    """Standard error of a mean.

    Attributes
    ----------
    error : float
        In the values' unit.
    freedom : float
        Degrees of freedom of Student's distribution that the mean, divided by it, follows.
    """

    error: float
    freedom: float


def mean_error(values: FloatArray) -> MeanError:
    """The error of the mean of values (S, P) of S seeds over P periods that follow one another, P >= 2.

    Notes
    -----
    Over the periods: the long-run variance of the mean over the seeds, from the first ``nu = 0.41 P^(2/3)`` cosine
    weighted sums, each of which is an estimate of it by itself; hence `nu` degrees of freedom. It needs no model of
    the dependence, and its Student interval holds on few periods, where resampling in blocks is too sure.
    Source: E. Lazarus, D. J. Lewis, J. H. Stock and M. W. Watson, "HAR Inference: Recommendations for Practice",
    Journal of Business & Economic Statistics 36 (2018), the equal-weighted cosine estimator.

    Over the seeds, where there are several: the variance of their means. What belongs neither to a seed nor to a
    period alone is in both, so that the sum is rather too large. Its degrees of freedom are those of Satterthwaite
    (Biometrics Bulletin 2, 1946).
    """
    seeds, periods = values.shape
    over_periods, freedom = _long_run_variance(values.mean(axis=0)) / periods, cosines(periods)
    if seeds == 1:
        return MeanError(math.sqrt(over_periods), freedom)
    over_seeds = float(values.mean(axis=1).var(ddof=1)) / seeds
    total = over_periods + over_seeds
    if total == 0:
        return MeanError(0.0, freedom)
    shares = (over_periods / total) ** 2 / freedom + (over_seeds / total) ** 2 / (seeds - 1)
    return MeanError(math.sqrt(total), 1 / shares)


def cosines(periods: int) -> int:
    """Number of cosines for so many periods, at least one."""
    return max(1, round(0.41 * math.pow(periods, 2 / 3)))


def _long_run_variance(series: FloatArray) -> float:
    """Of a series (P,); the cosines are orthogonal to a constant, so that its mean need not be taken out."""
    periods, count = len(series), cosines(len(series))
    places = (np.arange(periods) + 0.5) / periods
    weights = math.sqrt(2 / periods) * np.cos(np.pi * np.outer(np.arange(1, count + 1), places))
    return float(np.square(weights @ (series - series.mean())).mean())
