"""What each part of Rainbow is worth to a buy-timing agent, as far as a few seeds can tell.

Each variant is trained once for each seed, and looked at on the same validation cycles while it learns. A variant is
compared with the full agent seed by seed. What varies here is the seed alone: the intervals speak of other seeds on
this very window, and of no other window.

Variants are compared by their last look. The best of several looks is the higher the more the looks vary, so that a
variant would win by it for noise alone; it is told, but nothing is found from it. The mean of several late looks would
be steadier, yet is the advantage of no weights that ever were, and depends on how many looks count as late.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from MLOps.evaluation.first_step_advantage import mean_advantage_over_first
from MLOps.evaluation.timing_policies import best_step, last_step
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles, instant
from MLOps.settings.rainbow_ablation import FULL, AblateRainbowSettings, Variant

Finding = Literal["better_without", "worse_without", "no_difference_found"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VariantRun(_Record):
    """How one training went. Advantages are over buying first, in basis points of the first price."""

    variant: Variant = Field(description="What was trained.")
    seed: int = Field(description="Of the training.")
    frames: tuple[int, ...] = Field(min_length=1, description="Decisions played at each look.")
    advantages_bps: tuple[float, ...] = Field(min_length=1, description="Advantage on the validation cycles, likewise.")
    mean_score_10: float = Field(description="Mean reward of the last ten episodes played.")

    @property
    def best_bps(self) -> float:
        """Advantage at the best look: that of the weights which a training keeps, and too good for being chosen."""
        return max(self.advantages_bps)

    @property
    def last_bps(self) -> float:
        """Advantage at the last look, which nothing chose where the whole budget was played."""
        return self.advantages_bps[-1]

    @property
    def best_frames(self) -> int:
        """Decisions played at the best look, the earliest of several."""
        return self.frames[self.advantages_bps.index(self.best_bps)]


class Spread(_Record):
    """A figure over the seeds."""

    mean: float = Field(description="Mean.")
    deviation: float = Field(ge=0, description="Standard deviation, of S - 1 degrees of freedom.")
    lowest: float = Field(description="Lowest of the seeds.")
    highest: float = Field(description="Highest of the seeds.")


class PairedDifference(_Record):
    """A figure of a variant less that of the full agent, seed by seed."""

    by_seed: tuple[float, ...] = Field(description="Difference of each seed's pair.")
    mean: float = Field(description="Mean of them.")
    lower: float = Field(description="Lower end of the interval of the mean.")
    upper: float = Field(description="Upper end of it.")
    detectable: float = Field(ge=0, description="Smallest true difference that would be found with that power.")

    @property
    def finding(self) -> Finding:
        """What the interval allows to say: nothing, where it holds 0."""
        if self.lower > 0:
            return "better_without"
        return "worse_without" if self.upper < 0 else "no_difference_found"


class VariantFigures(_Record):
    """One row of the table. Differences are those to the full agent, which has none itself."""

    variant: Variant = Field(description="What was trained.")
    last_bps: Spread = Field(description="Advantage at the last look.")
    best_bps: Spread = Field(description="Advantage at the best look, which the very cycles chose.")
    mean_score_10: Spread = Field(description="Mean reward of the last ten episodes.")
    best_frames: Spread = Field(description="Decisions played at the best look.")
    last_difference: PairedDifference | None = Field(description="Of the advantage at the last look.")


class ValidationWindow(_Record):
    """What all agents were looked at on, and their weights chosen on."""

    symbol: str = Field(description="Coin.")
    frequency: str = Field(description="Time between two decisions.")
    cycle_steps: int = Field(description="Decisions of a cycle.")
    cycles: int = Field(ge=1, description="All that may begin in the window; they overlap.")
    first_decision: datetime = Field(description="Of the first cycle, UTC.")
    last_decision: datetime = Field(description="Of the last cycle, UTC.")
    buy_last_bps: float = Field(description="Advantage over buying first of who always waits to the end.")
    hindsight_bps: float = Field(description="That of who knows the cheapest decision of each cycle: the bound.")


class RainbowAblation(_Record):
    """All figures of an ablation: the content of ablation.json."""

    validation: ValidationWindow = Field(description="What the agents were looked at on.")
    num_frames: int = Field(description="Budget of each training, in decisions.")
    seeds: tuple[int, ...] = Field(description="Of the trainings of each variant.")
    confidence_fraction: float = Field(description="Probability with which all intervals of a figure hold at once.")
    power_fraction: float = Field(description="Probability of finding the detectable difference.")
    variants: tuple[VariantFigures, ...] = Field(description="The full agent, then the others.")
    runs: tuple[VariantRun, ...] = Field(description="Every training.")

    def runs_of(self, variant: Variant) -> list[VariantRun]:
        """The trainings of a variant, in the order of the seeds."""
        return [run for run in self.runs if run.variant == variant]


def validation_window(cycles: Cycles, settings: AblateRainbowSettings) -> ValidationWindow:
    """The window of the looks, and what two policies that learned nothing would have had on it.

    Parameters
    ----------
    cycles : Cycles
        All of the validation window, which the looks are at.
    """
    fee = settings.environment.fee_bps
    return ValidationWindow(
        symbol=settings.data.symbol,
        frequency=settings.data.frequency,
        cycle_steps=cycles.steps,
        cycles=len(cycles.starts),
        first_decision=instant(cycles.times[cycles.starts[0]]),
        last_decision=instant(cycles.times[cycles.starts[-1] + cycles.steps - 1]),
        buy_last_bps=mean_advantage_over_first(cycles, last_step(cycles), fee),
        hindsight_bps=mean_advantage_over_first(cycles, best_step(cycles), fee),
    )


def summarise_ablation(
    runs: Sequence[VariantRun], validation: ValidationWindow, settings: AblateRainbowSettings
) -> RainbowAblation:
    """The figures of every variant, and its differences to the full agent.

    Parameters
    ----------
    runs : sequence of VariantRun
        One of each variant and seed of the settings.
    """
    by_place = {(run.variant, run.seed): run for run in runs}
    ordered = [by_place[variant, seed] for variant in settings.all_variants for seed in settings.seeds]
    of_variant = {name: [run for run in ordered if run.variant == name] for name in settings.all_variants}
    return RainbowAblation(
        validation=validation,
        num_frames=settings.training.num_frames,
        seeds=settings.seeds,
        confidence_fraction=settings.confidence_fraction,
        power_fraction=settings.power_fraction,
        variants=tuple(_figures_of(of_variant[name], of_variant[FULL], settings) for name in settings.all_variants),
        runs=tuple(ordered),
    )


def _figures_of(
    runs: Sequence[VariantRun], full: Sequence[VariantRun], settings: AblateRainbowSettings
) -> VariantFigures:
    variant = runs[0].variant
    last_bps, full_last = (np.array([run.last_bps for run in side]) for side in (runs, full))
    confidence, power = settings.confidence_fraction, settings.power_fraction
    difference = paired_difference(last_bps - full_last, len(settings.variants), confidence, power)
    return VariantFigures(
        variant=variant,
        last_bps=spread_of(last_bps),
        best_bps=spread_of(np.array([run.best_bps for run in runs])),
        mean_score_10=spread_of(np.array([run.mean_score_10 for run in runs])),
        best_frames=spread_of(np.array([run.best_frames for run in runs], np.float64)),
        last_difference=None if variant == FULL else difference,
    )


def spread_of(values: FloatArray) -> Spread:
    """Mean and spread of a figure of S >= 2 seeds (S,)."""
    return Spread(
        mean=float(values.mean()),
        deviation=float(values.std(ddof=1)),
        lowest=float(values.min()),
        highest=float(values.max()),
    )


def paired_difference(
    differences: FloatArray, comparisons: int, confidence_fraction: float, power_fraction: float
) -> PairedDifference:
    """The mean of paired differences (S,) with its interval, S >= 2.

    The interval is Student's, ``mean +- t_{1 - a/2, S - 1} s / sqrt(S)``, which takes the differences of seeds for
    normal; S values of a few cannot show whether they are. So that all of `comparisons` intervals hold at once with
    the confidence c, each leaves out ``a = (1 - c) / comparisons`` (Bonferroni). The smallest detectable difference
    is ``(t_{1 - a/2, S - 1} + t_{power, S - 1}) s / sqrt(S)``.

    Source: H. S. Bloom, "Minimum Detectable Effects", Evaluation Review 19 (1995).
    """
    from scipy.special import stdtrit

    seeds = len(differences)
    outside = (1 - confidence_fraction) / comparisons
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(seeds)
    wide, powerful = (float(stdtrit(seeds - 1, share)) for share in (1 - outside / 2, power_fraction))
    return PairedDifference(
        by_seed=tuple(differences.tolist()),
        mean=mean,
        lower=mean - wide * error,
        upper=mean + wide * error,
        detectable=(wide + powerful) * error,
    )
