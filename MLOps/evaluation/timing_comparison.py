"""Timing policies beside each other on the same cycles: agents, champion, baselines, and the bound of hindsight."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MLOps.errors import DataError
from MLOps.evaluation.comparison import CHAMPION, MODEL
from MLOps.evaluation.paired_seeds import Effect
from MLOps.evaluation.timing_periods import period_means, period_of, phase_means
from MLOps.evaluation.timing_policies import (
    ChoosesSteps,
    IntArray,
    best_step,
    cycle_prices,
    first_step,
    last_step,
    random_step,
    secretary_step,
)
from MLOps.evaluation.timing_savings import (
    PolicyFigures,
    advantage_bps,
    late_prices_paid,
    mean_effect,
    prices_paid,
    saving_bps,
    with_fee,
)
from MLOps.evaluation.timing_thresholds import fit_thresholds
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles, instant
from MLOps.settings.timing_evaluation import TimingBaselineSettings, TimingConditions, TimingTerms

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
SEEDS, FIRST, LAST, RANDOM, MEAN = "seeds", "buy_first", "buy_last", "random", "mean_price"
SECRETARY, THRESHOLD, HINDSIGHT = "secretary", "threshold", "hindsight"
BASELINES = (FIRST, LAST, RANDOM, MEAN, SECRETARY, THRESHOLD, HINDSIGHT)


class TimingScorecard(BaseModel):
    """The figures of an evaluation: the content of savings.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    conditions: TimingConditions = Field(description="Prices, cycles, fee and terms.")
    first_decision: datetime = Field(description="First instant at which anything was decided, UTC.")
    last_decision: datetime = Field(description="Last instant at which anything was decided, UTC.")
    cycles: int = Field(ge=1, description="Cycles, each with one purchase; they overlap.")
    periods: int = Field(ge=1, description="Stretches of a cycle's length over which their means are taken.")
    trained_seeds: int = Field(ge=1, description="Agents that differ in their seed, the judged one among them.")
    policies: dict[str, PolicyFigures] = Field(description="Figures by policy; the judged one is `model`.")
    advantages: dict[str, Effect] = Field(
        description="Of the model over each other policy, in basis points of the cycle's first price."
    )
    late_advantages: dict[str, Effect] = Field(
        description="The same with both filled one decision later, over each policy whose purchases have a step."
    )
    phase_range: tuple[float, float] = Field(
        description="Least and largest advantage over buying first among the phases of cycles laid end to end."
    )
    seed_advantages: dict[str, Effect] = Field(
        description="Like `advantages`, as a mean over the seeds; empty where there is one."
    )


def read_timing_scorecard(path: Path) -> TimingScorecard:
    """Read a savings.json.

    Raises
    ------
    DataError
        If the file is missing or is no scorecard.
    """
    try:
        return TimingScorecard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: {reason}", "a savings.json", "run evaluate_crypto_timing again") from error


@dataclass(frozen=True)
class TimingComparison:
    """Every policy's purchases in C cycles.

    Attributes
    ----------
    cycles : Cycles
        They overlap: one begins at each row where one may.
    steps : mapping of str to (C,) int64
        Step of each purchase, by policy; not of those that have none (`random`, `mean_price`, `seeds`).
    paid : mapping of str to (S, C) float64
        Prices with the fee; S is 1 for all but `seeds`.
    late : mapping of str to (C,) float64
        The same filled one decision later, of the policies in `steps`.
    scorecard : TimingScorecard
    """

    cycles: Cycles
    steps: Mapping[str, IntArray]
    paid: Mapping[str, FloatArray]
    late: Mapping[str, FloatArray]
    scorecard: TimingScorecard

    def purchases_frame(self) -> "pd.DataFrame":
        """A row a cycle: `decided_from` (UTC), `period`, `first_price`, `mean_price`, then for each policy its columns.

        They are `<policy>.price`, and `<policy>.late_price` and `<policy>.step` where its purchases have a step. What
        each single seed paid stands in `seeds.<number>.price`, from 0.
        """
        import pandas as pd

        prices = cycle_prices(self.cycles)
        columns: dict[str, object] = {
            "decided_from": pd.DatetimeIndex(self.cycles.times[self.cycles.starts]).tz_localize("UTC"),
            "period": period_of(self.cycles),
            "first_price": prices[:, 0],
            "mean_price": prices.mean(axis=1),
        }
        for name, paid in self.paid.items():
            for seed, row in enumerate(paid):
                columns[f"{name}.{seed}.price" if name == SEEDS else f"{name}.price"] = row
            if name in self.steps:
                columns[f"{name}.late_price"] = self.late[name]
                columns[f"{name}.step"] = self.steps[name]
        return pd.DataFrame(columns)


def compare_timing(
    agents: Sequence[ChoosesSteps],
    champion: ChoosesSteps | None,
    train: Cycles,
    test: Cycles,
    conditions: TimingConditions,
) -> TimingComparison:
    """Let all policies buy in the same cycles and measure them.

    Parameters
    ----------
    agents : sequence of policies
        The judged one first, then others that differ in their seed.
    champion : policy, optional
    train : Cycles
        What thresholds are fitted on.
    test : Cycles
        What is compared on, as `cycles_to_judge` gives them: all that may begin, each followed by one more close.
    """
    terms, fee_bps = conditions.terms, conditions.environment.fee_bps
    policies = {MODEL: agents[0]} | ({CHAMPION: champion} if champion else {}) | _baselines(train, terms)
    steps = {name: policy(test) for name, policy in policies.items()}
    paid = {name: prices_paid(test, chosen, fee_bps)[None] for name, chosen in steps.items()}
    paid[MEAN] = with_fee(cycle_prices(test).mean(axis=1), fee_bps)[None]
    paid[RANDOM] = _random_prices(test, terms.baselines, fee_bps)[None]
    if len(agents) > 1:
        seeds = [paid[MODEL][0], *(prices_paid(test, agent(test), fee_bps) for agent in agents[1:])]
        paid[SEEDS] = np.array(seeds)
    names = [name for name in (MODEL, SEEDS, CHAMPION, *BASELINES) if name in paid]
    paid = {name: paid[name] for name in names}
    late = {name: late_prices_paid(test, chosen, fee_bps) for name, chosen in steps.items()}
    _LOG.info("let %d policies buy in %d cycles", len(paid), len(test.starts))
    return TimingComparison(test, steps, paid, late, _scorecard(test, steps, paid, late, conditions))


def _baselines(train: Cycles, terms: TimingTerms) -> dict[str, ChoosesSteps]:
    return {
        FIRST: first_step,
        LAST: last_step,
        SECRETARY: secretary_step,
        THRESHOLD: fit_thresholds(train, terms.baselines.threshold_relative_to).steps,
        HINDSIGHT: best_step,
    }


def _random_prices(test: Cycles, settings: TimingBaselineSettings, fee_bps: float) -> FloatArray:
    """(C,) mean price over many draws of the step."""
    generator = np.random.default_rng(settings.random_seed)
    draws = [prices_paid(test, random_step(test, generator), fee_bps) for _ in range(settings.random_draws)]
    return np.asarray(np.mean(draws, axis=0))


def _scorecard(
    test: Cycles,
    steps: Mapping[str, IntArray],
    paid: Mapping[str, FloatArray],
    late: Mapping[str, FloatArray],
    conditions: TimingConditions,
) -> TimingScorecard:
    figures = _Figures(test, conditions.terms)
    firsts = cycle_prices(test)[:, 0]

    def over(ours: FloatArray, others: Mapping[str, FloatArray]) -> dict[str, Effect]:
        rivals = {name: theirs for name, theirs in others.items() if name not in (MODEL, SEEDS)}
        return {name: figures.effect(advantage_bps(ours, theirs, firsts)) for name, theirs in rivals.items()}

    by_phase = phase_means(advantage_bps(paid[MODEL][0], paid[FIRST][0], firsts), test)
    return TimingScorecard(
        conditions=conditions,
        first_decision=instant(test.times[test.starts[0]]),
        last_decision=instant(test.times[test.starts[-1] + test.steps - 1]),
        cycles=len(test.starts),
        periods=int(figures.periods[-1]) + 1,
        trained_seeds=len(paid.get(SEEDS, paid[MODEL])),
        policies={name: figures.of_policy(name, steps, paid, late) for name in paid},
        advantages=over(paid[MODEL], paid),
        late_advantages=over(late[MODEL], late),
        phase_range=(float(by_phase.min()), float(by_phase.max())),
        seed_advantages=over(paid[SEEDS], paid) if SEEDS in paid else {},
    )


class _Figures:
    """Means over the periods of what was measured in each cycle."""

    def __init__(self, test: Cycles, terms: TimingTerms) -> None:
        self._test, self._terms, self._prices = test, terms, cycle_prices(test)
        self.periods = period_of(test)

    def of_policy(
        self,
        name: str,
        steps: Mapping[str, IntArray],
        paid: Mapping[str, FloatArray],
        late: Mapping[str, FloatArray],
    ) -> PolicyFigures:
        firsts, chosen = self._prices[:, 0], steps.get(name)
        advantage = self.effect(advantage_bps(paid[name], paid[FIRST], firsts))
        possible = self._mean(advantage_bps(paid[HINDSIGHT], paid[FIRST], firsts))
        return PolicyFigures(
            price_paid=self._mean(paid[name]),
            saving=self.effect(saving_bps(paid[name], self._prices.mean(axis=1))),
            advantage=advantage,
            late_advantage=self.effect(advantage_bps(late[name], late[FIRST], firsts)) if name in late else None,
            captured_fraction=advantage.mean / possible if possible > 0 else None,
            mean_step=None if chosen is None else self._mean(chosen),
            last_step_fraction=None if chosen is None else self._mean(chosen == self._test.steps - 1),
        )

    def effect(self, values: FloatArray) -> Effect:
        """Of values (C,) or (S, C)."""
        means = np.atleast_2d(period_means(values, self.periods))
        return mean_effect(means, self._terms.bootstrap, self._terms.power_fraction)

    def _mean(self, values: npt.NDArray[np.generic]) -> float:
        return float(period_means(values.astype(np.float64), self.periods).mean())
