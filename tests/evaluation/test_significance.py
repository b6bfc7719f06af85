"""The bootstrap interval: what it must do on data whose answer is known."""

import numpy as np
import pytest

from MLOps.evaluation.performance import sharpe_ratio
from MLOps.evaluation.significance import block_length, sharpe_difference
from MLOps.settings.backtest import BootstrapSettings


def draws(seed, sessions=250):
    return np.random.default_rng(seed).normal(5e-4, 0.01, (2, sessions))


@pytest.fixture
def settings():
    return BootstrapSettings(resamples=300, confidence_fraction=0.9, seed=1)


def test_the_difference_is_that_of_the_sharpe_ratios(settings):
    ours, theirs = draws(0)
    found = sharpe_difference(ours, theirs, 252, settings)
    assert found.difference == pytest.approx(sharpe_ratio(ours, 252) - sharpe_ratio(theirs, 252))
    assert found.lower < found.difference < found.upper


def test_the_same_seed_gives_the_same_interval_and_another_seed_another(settings):
    ours, theirs = draws(0)
    first = sharpe_difference(ours, theirs, 252, settings)
    assert sharpe_difference(ours, theirs, 252, settings) == first
    other = settings.model_copy(update={"seed": 2})
    assert sharpe_difference(ours, theirs, 252, other).lower != first.lower


def test_a_strategy_does_not_differ_from_itself(settings):
    ours, _ = draws(0)
    found = sharpe_difference(ours, ours, 252, settings)
    assert (found.difference, found.lower, found.upper) == (0, 0, 0)


def test_changing_sides_mirrors_the_interval(settings):
    ours, theirs = draws(0)
    there, back = sharpe_difference(ours, theirs, 252, settings), sharpe_difference(theirs, ours, 252, settings)
    assert (back.lower, back.upper) == (pytest.approx(-there.upper), pytest.approx(-there.lower))


def test_pairing_narrows_the_interval_of_strategies_that_move_together(settings):
    ours, noise = draws(0)
    close, apart = ours + 0.1 * noise, noise
    near = sharpe_difference(ours, close, 252, settings)
    far = sharpe_difference(ours, apart, 252, settings)
    assert near.upper - near.lower < 0.5 * (far.upper - far.lower)


def test_more_confidence_widens_the_interval(settings):
    ours, theirs = draws(0)
    narrow = sharpe_difference(ours, theirs, 252, settings)
    wide = sharpe_difference(ours, theirs, 252, settings.model_copy(update={"confidence_fraction": 0.99}))
    assert wide.lower < narrow.lower
    assert narrow.upper < wide.upper


def test_ninety_percent_intervals_hold_the_truth_about_nine_times_in_ten(settings):
    intervals = [sharpe_difference(*draws(seed), 252, settings) for seed in range(100)]
    held = sum(found.lower <= 0 <= found.upper for found in intervals)
    assert 82 <= held <= 97  # 90 +- 2.7 standard errors


def test_nothing_is_said_of_a_strategy_that_stands_still(settings):
    ours, _ = draws(0)
    assert sharpe_difference(ours, np.zeros_like(ours), 252, settings) is None


def test_nothing_is_said_where_a_resample_may_stand_still(settings):
    barely = np.zeros(250)
    barely[100] = 0.01
    assert sharpe_difference(draws(0)[0], barely, 252, settings) is None


def test_dependent_returns_get_longer_blocks():
    noise = np.random.default_rng(0).normal(size=1000)
    persistent = np.empty(1000)
    persistent[0] = noise[0]
    for t in range(1, 1000):
        persistent[t] = 0.8 * persistent[t - 1] + noise[t]
    assert block_length(persistent) > 3 * block_length(noise)
    assert block_length(np.zeros(100)) == block_length(noise[:5]) == 1
