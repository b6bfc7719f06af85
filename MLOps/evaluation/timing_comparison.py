"""Timing policies beside each other on the same cycles: agents, champion, baselines, and the bound of hindsight."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from MLOps.errors import DataError
from MLOps.evaluation.comparison import CHAMPION, MODEL
from MLOps.evaluation.paired_seeds import Effect
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
from MLOps.market.price_cycles import Cycles
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
    last_decision: datetime = Field(description="Last instant at which anything could be bought, UTC.")
    cycles: int = Field(ge=1, description="Cycles, each with one purchase.")
    trained_seeds: int = Field(ge=1, description="Agents that differ in their seed, the judged one among them.")
    policies: dict[str, PolicyFigures] = Field(description="Figures by policy; the judged one is `model`.")
    advantages: dict[str, Effect] = Field(
        description="Of the model over each other policy, in basis points of the cycle's first price."
    )
    seed_advantages: dict[str, Effect] = Field(
        description="The same as a mean over the seeds; empty where there is one."
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
        They follow one another.
    steps : mapping of str to (C,) int64
        Step of each purchase, by policy; not of those that have none (`random`, `mean_price`, `seeds`).
    paid : mapping of str to (S, C) float64
        Prices with the fee; S is 1 for all but `seeds`.
    scorecard : TimingScorecard
    """

    cycles: Cycles
    steps: Mapping[str, IntArray]
    paid: Mapping[str, FloatArray]
    scorecard: TimingScorecard

    def purchases_frame(self) -> "pd.DataFrame":
        """A row a cycle: `decided_from` (UTC), `first_price`, `mean_price`, then `<policy>.price` and `<policy>.step`.

        What each single seed paid stands in `seeds.<number>.price`, from 0.
        """
        import pandas as pd

        prices = cycle_prices(self.cycles)
        columns: dict[str, object] = {
            "decided_from": pd.DatetimeIndex(self.cycles.times[self.cycles.starts]).tz_localize("UTC"),
            "first_price": prices[:, 0],
            "mean_price": prices.mean(axis=1),
        }
        for name, paid in self.paid.items():
            for seed, row in enumerate(paid):
                columns[f"{name}.{seed}.price" if name == SEEDS else f"{name}.price"] = row
            if name in self.steps:
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
        What is compared on; they follow one another and do not overlap.
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
    _LOG.info("let %d policies buy in %d cycles", len(paid), len(test.starts))
    return TimingComparison(test, steps, paid, _scorecard(test, steps, paid, conditions, len(agents)))


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
    conditions: TimingConditions,
    seeds: int,
) -> TimingScorecard:
    terms, times, firsts = conditions.terms, test.times, cycle_prices(test)[:, 0]

    def advantages(name: str) -> dict[str, Effect]:
        return {
            other: _effect(advantage_bps(paid[name], theirs, firsts), terms)
            for other, theirs in paid.items()
            if other not in (MODEL, SEEDS)
        }

    return TimingScorecard(
        conditions=conditions,
        first_decision=_instant(times[test.starts[0]]),
        last_decision=_instant(times[test.starts[-1] + test.steps - 1]),
        cycles=len(test.starts),
        trained_seeds=seeds,
        policies={name: _figures(test, prices, paid, steps.get(name), conditions) for name, prices in paid.items()},
        advantages=advantages(MODEL),
        seed_advantages=advantages(SEEDS) if SEEDS in paid else {},
    )


def _figures(
    test: Cycles,
    prices: FloatArray,
    paid: Mapping[str, FloatArray],
    steps: IntArray | None,
    conditions: TimingConditions,
) -> PolicyFigures:
    cycle, terms = cycle_prices(test), conditions.terms
    advantage = _effect(advantage_bps(prices, paid[FIRST], cycle[:, 0]), terms)
    possible = float(advantage_bps(paid[HINDSIGHT], paid[FIRST], cycle[:, 0]).mean())
    return PolicyFigures(
        price_paid=float(prices.mean()),
        saving=_effect(saving_bps(prices, cycle.mean(axis=1)), terms),
        advantage=advantage,
        late_advantage=None if steps is None else _late_advantage(test, steps, conditions),
        captured_fraction=advantage.mean / possible if possible > 0 else None,
        mean_step=None if steps is None else float(steps.mean()),
        last_step_fraction=None if steps is None else float((steps == test.steps - 1).mean()),
    )


def _late_advantage(test: Cycles, steps: IntArray, conditions: TimingConditions) -> Effect:
    fee_bps = conditions.environment.fee_bps
    late, late_first = (late_prices_paid(test, chosen, fee_bps)[None] for chosen in (steps, first_step(test)))
    return _effect(advantage_bps(late, late_first, cycle_prices(test)[:, 0]), conditions.terms)


def _effect(values: FloatArray, terms: TimingTerms) -> Effect:
    return mean_effect(values, terms.bootstrap, terms.power_fraction)


def _instant(time: np.datetime64) -> datetime:
    instant: datetime = time.astype("datetime64[us]").item()
    return instant.replace(tzinfo=UTC)
