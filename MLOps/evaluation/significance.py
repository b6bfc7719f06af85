"""How sure a Sharpe difference is: the stationary bootstrap on paired returns."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.performance import sharpe_ratio
from MLOps.market.accounting import FloatArray
from MLOps.settings.backtest import BootstrapSettings


class SharpeDifference(BaseModel):
    """Sharpe of the model less that of a baseline, with a two-sided percentile interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: float = Field(description="As measured on the window.")
    lower: float = Field(description="Lower end of the interval.")
    upper: float = Field(description="Upper end of the interval.")
    confidence_fraction: float = Field(description="Coverage of the interval.")
    resamples: int = Field(description="Number of resampled histories.")
    block_sessions: float = Field(description="Mean length of a block, in sessions.")


def sharpe_difference(
    model: FloatArray, baseline: FloatArray, sessions_per_year: int, settings: BootstrapSettings
) -> SharpeDifference | None:
    """Bootstrap the Sharpe difference of two strategies over the same sessions.

    Both series are drawn together, in blocks of random length that wrap round, so that their
    correlation and their dependence over time stay in each resample.

    Parameters
    ----------
    model, baseline : (K,) float64
        Simple returns of the same sessions.

    Returns
    -------
    SharpeDifference or None
        None where a Sharpe ratio is undefined, on the window or in any resample: a strategy that
        stood still has none, and then nothing can be decided.

    Notes
    -----
    Sources: D. N. Politis and J. P. Romano, "The Stationary Bootstrap", JASA 89 (1994); the mean
    block length by D. N. Politis and H. White, "Automatic Block-Length Selection for the Dependent
    Bootstrap", Econometric Reviews 23 (2004), on the difference of the returns.
    """
    from arch.bootstrap import StationaryBootstrap

    returns = np.column_stack([model, baseline])

    def difference(sample: FloatArray) -> FloatArray:
        return np.asarray(np.subtract(*sharpe_ratio(sample, sessions_per_year)))

    measured = float(difference(returns))
    if not np.isfinite(measured):
        return None
    block = block_length(model - baseline)
    seed = np.random.default_rng(settings.seed)
    bootstrap = StationaryBootstrap(block, returns, seed=seed)  # type: ignore[arg-type]  # a mean length may be a fraction
    drawn = bootstrap.apply(difference, settings.resamples)
    if not np.isfinite(drawn).all():
        return None
    outside = (1 - settings.confidence_fraction) / 2
    lower, upper = np.quantile(drawn, [outside, 1 - outside])
    return SharpeDifference(
        difference=measured,
        lower=float(lower),
        upper=float(upper),
        confidence_fraction=settings.confidence_fraction,
        resamples=settings.resamples,
        block_sessions=block,
    )


def block_length(series: FloatArray) -> float:
    """Mean block length of the stationary bootstrap for a series (K,), by Politis and White; at least 1.

    It is 1 where the rule has no answer: a constant series, or one of fewer than 20 values.
    """
    from arch.bootstrap import optimal_block_length

    if len(series) < 20 or np.ptp(series) == 0:
        return 1.0
    return max(1.0, float(optimal_block_length(series)["stationary"].iloc[0]))
