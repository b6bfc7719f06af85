"""What a change does to an agent: the difference over seeds and sessions, how sure it is, and what would have shown.

An agent is trained with and without the change for S seeds, and all 2 S agents trade the same sessions. Two
things make the measured difference a matter of luck: which seeds were drawn, and which sessions came. Both are
resampled.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.significance import block_length
from MLOps.market.accounting import FloatArray
from MLOps.settings.backtest import BootstrapSettings


class Effect(BaseModel):
    """One figure with the change less the same figure without it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_seed: tuple[float, ...] = Field(description="Difference of each seed's pair.")
    mean: float = Field(description="Mean over the seeds, as measured.")
    lower: float = Field(description="Lower end of the two-sided interval of the mean.")
    upper: float = Field(description="Upper end of it.")
    standard_error: float = Field(
        ge=0,
        description="Of the mean: its standard deviation over the resamples, or as its maker says.",
    )
    detectable: float = Field(ge=0, description="Smallest true difference that would be found with that power.")


class PairedEffects(BaseModel):
    """What the change does to the return and to the Sharpe ratio, and how that was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annual_return: Effect = Field(description="Of the compound yearly return, as a fraction.")
    sharpe: Effect | None = Field(description="Of the annualised Sharpe ratio; null where one is undefined.")
    seeds: int = Field(ge=1, description="Pairs of agents.")
    returns: int = Field(ge=2, description="Daily returns of each agent.")
    confidence_fraction: float = Field(description="Coverage of the intervals.")
    power_fraction: float = Field(description="Probability of finding the detectable difference.")
    resamples: int = Field(description="Resampled sessions and seeds.")
    block_sessions: float = Field(description="Mean length of a block, in sessions.")


def paired_effects(
    changed: FloatArray,
    unchanged: FloatArray,
    sessions_per_year: int,
    settings: BootstrapSettings,
    power_fraction: float,
) -> PairedEffects:
    """Bootstrap the mean difference of paired seeds over the same sessions.

    Each resample draws sessions, the same for all agents, in blocks of random length that wrap round; and seeds,
    the same for all sessions. So what agents or days have in common stays in it.

    Parameters
    ----------
    changed, unchanged : (S, K) float64
        Simple returns of K sessions, K >= 2; row by row the same seed.
    sessions_per_year : int
        To annualise.
    settings : BootstrapSettings
        Resamples, coverage, seed.
    power_fraction : float
        In (0.5, 1).

    Notes
    -----
    To draw rows and columns each for themselves is the pigeonhole bootstrap (A. B. Owen, Annals of Applied
    Statistics 1, 2007). No bootstrap is exact for such crossed effects; this one counts what belongs neither to
    a seed nor to a session alone up to three times, so that its intervals are rather too wide.
    Of what belongs to the seeds alone it sees ``(S - 1) / S``, as every bootstrap of S values: take ten or more.
    The blocks are those of MLOps/evaluation/significance.py, their length found on the mean difference.

    The smallest detectable difference is ``(z_{1-alpha/2} + z_{power}) standard_error``, alpha being what lies
    outside the interval: were the true difference that far from 0, an interval would leave out 0 with that power.
    Source: H. S. Bloom, "Minimum Detectable Effects", Evaluation Review 19 (1995).
    """
    assert changed.shape == unchanged.shape, (changed.shape, unchanged.shape)
    seeds, sessions = changed.shape
    generator = np.random.default_rng(settings.seed)
    block = block_length((changed - unchanged).mean(axis=0))
    days = draw_rows(sessions, block, settings.resamples, generator)
    pairs = generator.multinomial(seeds, np.full(seeds, 1 / seeds), settings.resamples) / seeds

    def effect(figure: Callable[[FloatArray, FloatArray, int], FloatArray]) -> Effect | None:
        def differences(counts: FloatArray) -> FloatArray:
            return figure(counts, changed, sessions_per_year) - figure(counts, unchanged, sessions_per_year)

        by_seed, drawn = differences(np.ones((1, sessions)))[0], (differences(days) * pairs).sum(axis=1)
        return effect_of(by_seed, drawn, settings.confidence_fraction, power_fraction)

    annual_return = effect(_annual_returns)
    assert annual_return is not None  # a return is always defined
    return PairedEffects(
        annual_return=annual_return,
        sharpe=effect(_sharpe_ratios),
        seeds=seeds,
        returns=sessions,
        confidence_fraction=settings.confidence_fraction,
        power_fraction=power_fraction,
        resamples=settings.resamples,
        block_sessions=block,
    )


def draw_rows(rows: int, block: float, resamples: int, generator: np.random.Generator) -> FloatArray:
    """How often each of K rows is in each resample (R, K), drawn in blocks; no figure here asks for their order."""
    from arch.bootstrap import StationaryBootstrap

    bootstrap = StationaryBootstrap(block, np.arange(rows), seed=generator)  # type: ignore[arg-type]  # a mean length may be a fraction
    drawn = [np.bincount(bootstrap.update_indices(), minlength=rows) for _ in range(resamples)]
    return np.array(drawn, dtype=np.float64)


def _annual_returns(counts: FloatArray, returns: FloatArray, sessions_per_year: int) -> FloatArray:
    """Compound yearly returns (R, S) of agents (S, K) over sessions that are counted (R, K)."""
    years = returns.shape[1] / sessions_per_year
    growth: FloatArray = np.expm1(counts @ np.log1p(returns).T / years)
    return growth


def _sharpe_ratios(counts: FloatArray, returns: FloatArray, sessions_per_year: int) -> FloatArray:
    """Sharpe ratios (R, S), as MLOps/evaluation/performance.py defines them; NaN where a resample does not vary."""
    sessions = returns.shape[1]
    centred = returns - returns.mean(axis=1, keepdims=True)  # the variance of what is far from 0 would cancel
    offset = counts @ centred.T / sessions
    variance = (counts @ np.square(centred).T - sessions * np.square(offset)) / (sessions - 1)
    is_constant = variance <= 1e-24
    ratio = math.sqrt(sessions_per_year) * (offset + returns.mean(axis=1)) / np.sqrt(np.where(is_constant, 1, variance))
    return np.where(is_constant, np.nan, ratio)


def effect_of(by_seed: FloatArray, drawn: FloatArray, confidence: float, power: float) -> Effect | None:
    """The summary of measured (S,) and drawn (R,) differences; None where one of them is undefined."""
    if not (np.isfinite(by_seed).all() and np.isfinite(drawn).all()):
        return None
    outside = (1 - confidence) / 2
    lower, upper = np.quantile(drawn, [outside, 1 - outside])
    error = float(drawn.std(ddof=1))
    quantile = NormalDist().inv_cdf
    return Effect(
        by_seed=tuple(by_seed.tolist()),
        mean=float(by_seed.mean()),
        lower=float(lower),
        upper=float(upper),
        standard_error=error,
        detectable=(quantile(1 - outside) + quantile(power)) * error,
    )
