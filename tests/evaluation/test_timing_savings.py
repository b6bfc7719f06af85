"""Prices paid, savings and advantages: by hand, in a fair game, and how sure they are."""

import math

import numpy as np
import pytest

from MLOps.evaluation.paired_seeds import Effect
from MLOps.evaluation.timing_savings import (
    advantage_bps,
    finding_of,
    in_words,
    late_prices_paid,
    mean_effect,
    prices_paid,
    saving_bps,
)
from MLOps.market.accounting import FloatArray
from MLOps.market.price_cycles import Cycles
from MLOps.settings.backtest import BootstrapSettings

BOOTSTRAP = BootstrapSettings(resamples=500, confidence_fraction=0.9, seed=3)
POWER = 0.8


def cycles_of(prices: list[list[float]]) -> Cycles:
    rows = np.array(prices, dtype=np.float64)
    count, steps = rows.shape
    times = np.datetime64("2020-01-01", "us") + np.arange(rows.size) * np.timedelta64(1, "h")
    return Cycles(rows.ravel(), np.arange(count) * steps, steps, 1, times)


def test_price_paid_holds_the_fee() -> None:
    cycles = cycles_of([[100, 200], [50, 40]])
    np.testing.assert_allclose(prices_paid(cycles, np.array([1, 0]), fee_bps=10), [200.2, 50.05], rtol=1e-14)


def test_price_a_step_later_is_the_next_close_even_beyond_the_cycle() -> None:
    """Who buys last waits as long as who buys before: 50 is the first close after the first cycle."""
    cycles = cycles_of([[100, 200, 300], [50, 40, 30]])
    assert late_prices_paid(cycles, np.array([0, 1]), fee_bps=0).tolist() == [200, 30]
    assert late_prices_paid(cycles, np.array([2, 0]), fee_bps=100).tolist() == [50.5, 40.4]


def test_delay_alone_moves_nobody_past_another_where_prices_fall_evenly() -> None:
    """From 100 down by 1: buying last of three is 2 cheaper than first, at once as well as late."""
    cycles = cycles_of([[100, 99, 98], [97, 96, 95]])._replace(starts=np.array([0]))
    for paid in (prices_paid, late_prices_paid):
        assert (paid(cycles, np.array([0]), 0) - paid(cycles, np.array([2]), 0)).tolist() == [2]


def test_saving_by_hand() -> None:
    """Mean prices 150 and 45: 100 saves a third; 50 with a fee of 1% costs 5.5 of 45 more."""
    paid = prices_paid(cycles_of([[100, 200], [50, 40]]), np.array([0, 0]), fee_bps=100)
    assert saving_bps(paid, np.array([150.0, 45.0])) == pytest.approx([10_000 * 49 / 150, -10_000 * 5.5 / 45])


def test_advantage_by_hand() -> None:
    assert advantage_bps(np.array([99.0, 202.0]), np.array([100.0, 200.0]), np.array([100.0, 200.0])) == pytest.approx(
        [100, -100]
    )


def test_advantage_is_fair_where_the_saving_is_not() -> None:
    """From 100 to 120 or to 80, each with one chance in two: a fair game, in which waiting is worth nothing.

    Buying last saves (110 - 120) / 110 or (90 - 80) / 90, which is 101 basis points on average; buying first the
    opposite. In parts of the first price, both pay 1.
    """
    cycles = cycles_of([[100, 120], [100, 80]])
    first, last = (prices_paid(cycles, np.full(2, step), fee_bps=0) for step in (0, 1))
    means = np.array([110.0, 90.0])
    assert saving_bps(last, means).mean() == pytest.approx(5_000 * (1 / 9 - 1 / 11))
    assert saving_bps(first, means).mean() == pytest.approx(-5_000 * (1 / 9 - 1 / 11))
    assert advantage_bps(last, first, np.array([100.0, 100.0])).mean() == pytest.approx(0)


def test_effect_of_what_never_varies_is_certain() -> None:
    effect = mean_effect(np.full((1, 30), 7.0), BOOTSTRAP, POWER)
    assert (effect.mean, effect.lower, effect.upper, effect.detectable) == (7, 7, 7, 0)
    assert effect.by_seed == (7,)


def test_effect_is_the_mean_over_seeds_and_cycles() -> None:
    effect = mean_effect(np.array([[1.0, 3.0], [5.0, 7.0]]), BOOTSTRAP, POWER)
    assert effect.by_seed == (2, 6)
    assert effect.mean == 4


def test_standard_error_of_independent_cycles_is_that_of_a_mean() -> None:
    """As a mean over 30 samples, for the block length is found anew in each of them."""
    samples = np.random.default_rng(1).normal(0, 10, (30, 1, 400))
    errors = [mean_effect(values, BOOTSTRAP, POWER).standard_error for values in samples]
    assert np.mean(errors) == pytest.approx(10 / 20, rel=0.1)


def test_dependent_cycles_are_less_certain_than_independent_ones() -> None:
    """Savings that come in runs: as many cycles, fewer independent ones."""
    generator = np.random.default_rng(2)
    runs = np.repeat(generator.normal(0, 10, 40), 10)
    together = mean_effect(runs[None], BOOTSTRAP, POWER).standard_error
    apart = mean_effect(generator.permutation(runs)[None], BOOTSTRAP, POWER).standard_error
    assert together > 2 * apart
    assert together == pytest.approx(runs.std() / math.sqrt(40), rel=0.35)


def test_seeds_that_differ_widen_the_interval() -> None:
    noise = np.random.default_rng(6).normal(0, 10, 200)
    alike = mean_effect(np.stack([noise, noise, noise]), BOOTSTRAP, POWER)
    apart = mean_effect(np.stack([noise - 20, noise, noise + 20]), BOOTSTRAP, POWER)
    assert apart.mean == pytest.approx(alike.mean)
    assert apart.upper - apart.lower > 2 * (alike.upper - alike.lower)


def test_neighbours_are_drawn_together_even_on_few_periods() -> None:
    """Of ten periods the rule for the block's length says nothing; what they share widens the interval all the same."""
    runs = np.repeat([3.0, -3.0], 5)
    independent = 3 / math.sqrt(10)
    assert mean_effect(runs[None], BOOTSTRAP, POWER).standard_error > 1.2 * independent


def fair_periods(periods: int, generator: np.random.Generator) -> FloatArray:
    """(P,) of mean 0: heavy tails, calm and stormy times, neighbours that correlate by 1/4, as overlap has it."""
    storm = np.zeros(periods + 61)
    for t in range(1, len(storm)):
        storm[t] = 0.9 * storm[t - 1] + 0.25 * generator.standard_normal()
    shocks = np.exp(storm) * generator.standard_t(5, len(storm))
    return np.asarray((shocks[1:] + 0.268 * shocks[:-1])[-periods:])


@pytest.mark.parametrize("periods", [33, 179])
def test_interval_holds_the_truth_as_often_as_it_says_on_few_periods_too(periods: int) -> None:
    """90% intervals, 400 of them: 90% hold it, give or take 6, four standard errors. Percentiles alone: 81% of 33."""
    generator = np.random.default_rng(8)
    settings, held = BootstrapSettings(resamples=200, confidence_fraction=0.9, seed=4), 0
    for _ in range(400):
        effect = mean_effect(fair_periods(periods, generator)[None], settings, POWER)
        held += effect.lower <= 0 <= effect.upper
    assert held / 400 == pytest.approx(0.9, abs=0.06)


def test_interval_over_few_seeds_holds_the_truth_as_often_as_it_says() -> None:
    """Three seeds whose own means stray as far as the periods' noise; rather too wide than too narrow."""
    generator = np.random.default_rng(9)
    settings, held = BootstrapSettings(resamples=200, confidence_fraction=0.9, seed=4), 0
    for _ in range(400):
        of_seeds, of_periods = generator.normal(0, 1, (3, 1)), generator.normal(0, 7, 60)
        effect = mean_effect(of_seeds + of_periods, settings, POWER)
        held += effect.lower <= 0 <= effect.upper
    assert 0.84 <= held / 400 <= 0.98


def test_a_stretched_interval_keeps_the_shape_of_the_draws() -> None:
    """Of a few large gains the upper end lies farther from the mean than the lower one."""
    gains = np.random.default_rng(4).exponential(10, 60)
    effect = mean_effect(gains[None], BOOTSTRAP, POWER)
    assert effect.upper - effect.mean > effect.mean - effect.lower


def _effect(lower: float, upper: float) -> Effect:
    mean = (lower + upper) / 2
    return Effect(by_seed=(mean,), mean=mean, lower=lower, upper=upper, standard_error=1, detectable=9)


@pytest.mark.parametrize(
    ("ends", "finding", "told"),
    [
        ((1.0, 3.0), "edge", "Cheaper than random: +2.0 basis points, interval +1.0 to +3.0."),
        ((-3.0, -1.0), "loss", "Dearer than random: -2.0 basis points, interval -3.0 to -1.0."),
        ((-1.0, 3.0), "no_edge", "No edge over random: +1.0 basis points, interval -1.0 to +3.0, which holds 0"),
        ((0.0, 3.0), "no_edge", "No edge over random"),
        ((0.0, 0.0), "no_edge", "No edge over random"),
    ],
)
def test_no_edge_is_said_where_the_interval_holds_zero(ends: tuple[float, float], finding: str, told: str) -> None:
    assert finding_of(_effect(*ends)) == finding
    assert in_words(_effect(*ends), "random").startswith(told)


def test_policy_that_pays_the_same_in_each_cycle_has_no_edge_to_be_found() -> None:
    same = Effect(by_seed=(0.0,), mean=0, lower=0, upper=0, standard_error=0, detectable=0)
    assert in_words(same, "buying first") == "Paid what buying first paid, cycle by cycle: no edge over it."


def test_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(9).normal(size=(2, 50))
    assert mean_effect(values, BOOTSTRAP, POWER) == mean_effect(values, BOOTSTRAP, POWER)
