"""What a timing policy saves: prices paid, savings in basis points, and how sure the differences are.

Two measures, both positive where less was paid:

- the saving, ``(mean price of the cycle - paid) / mean price of the cycle``, which is easy to read.
  The mean holds prices after the purchase, so that even where prices are a fair game a rule can gain by it: buying
  last saves on average, for where prices fall the mean is small and the saving large (decision 0053);
- the advantage of one policy over another, ``(paid by the other - paid) / first price of the cycle``. The first
  price is known before anything is decided: where prices are a fair game no rule has an advantage over another, for
  all of them pay the first price on average. Differences between policies, and gates, are told in it.
"""

from statistics import NormalDist
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.long_run_error import MeanError, mean_error
from MLOps.evaluation.paired_seeds import Effect, draw_rows, effect_of
from MLOps.evaluation.significance import block_length
from MLOps.evaluation.timing_policies import IntArray
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles
from MLOps.settings.backtest import BootstrapSettings

BPS_A_UNIT = 10_000.0
_LEAST_BLOCK = 3.0  # periods
Finding = Literal["edge", "loss", "no_edge"]


class PolicyFigures(BaseModel):
    """What one policy paid, as a mean over the periods, and over the seeds where there are several."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    price_paid: float = Field(gt=0, description="Mean price of a purchase, the fee included, in US dollars a coin.")
    saving: Effect = Field(description="Against the cycle's mean price without a fee, in basis points of it.")
    advantage: Effect = Field(description="Over buying at the first step, in basis points of the first price.")
    late_advantage: Effect | None = Field(
        description="The same with both filled one decision later; null where a purchase has no step."
    )
    captured_fraction: float | None = Field(
        description="Its advantage over the first step as a share of that of hindsight; null where that is 0."
    )
    mean_step: float | None = Field(description="Step of the purchases, from 0; null where a purchase has none.")
    last_step_fraction: float | None = Field(description="Purchases at the forced last step; null likewise.")


def prices_paid(cycles: Cycles, steps: IntArray, fee_bps: float) -> FloatArray:
    """(C,) US dollars a coin, the fee included, of purchases at given steps (C,)."""
    return with_fee(cycles.closes[cycles.starts + steps], fee_bps)


def late_prices_paid(cycles: Cycles, steps: IntArray, fee_bps: float) -> FloatArray:
    """(C,) the same with each purchase filled at the close after the one that it was decided on.

    A purchase at the last step, forced or not, is filled at the first close after its cycle, as whoever decides on a
    close must: all policies wait equally long, and those that buy last gain nothing by having no later decision.
    """
    return prices_paid(cycles, steps + 1, fee_bps)


def with_fee(prices: FloatArray, fee_bps: float) -> FloatArray:
    """Prices with the fee on top."""
    return np.asarray(prices * (1 + fee_bps / BPS_A_UNIT))


def saving_bps(paid: FloatArray, means: FloatArray) -> FloatArray:
    """Savings (..., C) in basis points of the cycles' mean prices (C,)."""
    return np.asarray(BPS_A_UNIT * (means - paid) / means)


def advantage_bps(paid: FloatArray, paid_by_other: FloatArray, firsts: FloatArray) -> FloatArray:
    """How much less (..., C) was paid than by another policy, in basis points of the cycles' first prices (C,)."""
    return np.asarray(BPS_A_UNIT * (paid_by_other - paid) / firsts)


def mean_effect(values: FloatArray, settings: BootstrapSettings, power_fraction: float) -> Effect:
    """The mean of a figure over seeds and periods, with its interval.

    Parameters
    ----------
    values : (S, P) float64
        Of S seeds in P periods that follow one another, P >= 1: means over the cycles of each
        (timing_periods.py); S is 1 for what was not trained. A single period tells nothing of how it strays.
    settings : BootstrapSettings
        Resamples, coverage, seed.
    power_fraction : float
        In (0.5, 1), of the smallest difference that would have shown.

    Notes
    -----
    The cycles of a period reach into the next one, so that neighbours share prices; and calm and stormy weeks last
    longer than a period. So periods are drawn in blocks of random length (stationary bootstrap), whose mean follows
    Politis and White on the mean over the seeds, and is 3 periods at least, for on few periods that rule does
    not see what overlap brings: a correlation of neighbours of 1/4 where all buy at a fixed step of a fair game.
    Seeds are drawn too, the same for all periods, as in paired_seeds.py, where the sources stand. With one seed the
    interval says nothing of others.

    Such draws stray too little: blocks keep a part of what neighbours share, and few periods show too little of it.
    So the percentile interval gives the shape alone; it is stretched about the mean until its width is that of
    Student's interval with the long-run error (long_run_error.py), in the way of T. Hesterberg's expanded percentiles,
    "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015). How often it holds the truth
    is measured in decision 0053.
    """
    seeds, periods = values.shape
    generator = np.random.default_rng(settings.seed)
    block = max(_LEAST_BLOCK, block_length(values.mean(axis=0)))
    rows = draw_rows(periods, block, settings.resamples, generator)
    pairs = generator.multinomial(seeds, np.full(seeds, 1 / seeds), settings.resamples) / seeds
    drawn = ((rows @ values.T / periods) * pairs).sum(axis=1)
    effect = effect_of(values.mean(axis=1), drawn, settings.confidence_fraction, power_fraction)
    assert effect is not None, "figures of positive prices are finite"
    return effect if periods == 1 else _expanded(effect, mean_error(values), settings, power_fraction)


def _expanded(effect: Effect, known: MeanError, settings: BootstrapSettings, power_fraction: float) -> Effect:
    """The effect with its interval about the mean as wide as Student's with the error that is known."""
    from scipy.special import stdtrit

    if effect.standard_error == 0:
        return effect
    within = (1 + settings.confidence_fraction) / 2
    wide, powerful = (float(stdtrit(known.freedom, share)) for share in (within, power_fraction))
    stretch = wide * known.error / (NormalDist().inv_cdf(within) * effect.standard_error)
    ends = {
        "lower": effect.mean + stretch * (effect.lower - effect.mean),
        "upper": effect.mean + stretch * (effect.upper - effect.mean),
    }
    errors = {"standard_error": known.error, "detectable": (wide + powerful) * known.error}
    return effect.model_copy(update=ends | errors)


def finding_of(difference: Effect) -> Finding:
    """What the interval of an advantage allows to say: nothing, where it holds 0."""
    if difference.lower > 0:
        return "edge"
    return "loss" if difference.upper < 0 else "no_edge"


def in_words(difference: Effect, other: str) -> str:
    """An advantage over `other` in one sentence."""
    if difference.mean == difference.standard_error == 0:
        return f"Paid what {other} paid, cycle by cycle: no edge over it."
    interval = f"{difference.mean:+.1f} basis points, interval {difference.lower:+.1f} to {difference.upper:+.1f}"
    told = {
        "edge": f"Cheaper than {other}: {interval}.",
        "loss": f"Dearer than {other}: {interval}.",
        "no_edge": f"No edge over {other}: {interval}, which holds 0; a true edge had to be about "
        f"{difference.detectable:.1f} to be found.",
    }
    return told[finding_of(difference)]
