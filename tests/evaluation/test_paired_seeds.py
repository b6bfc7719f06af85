"""The interval over seeds and sessions, and its power: what they must do on data whose answer is known."""

import numpy as np
import pytest

from MLOps.evaluation.paired_seeds import paired_effects
from MLOps.evaluation.performance import annual_return, sharpe_ratio
from MLOps.settings.backtest import BootstrapSettings

POWER = 0.8


@pytest.fixture(scope="module")
def settings():
    return BootstrapSettings(resamples=300, confidence_fraction=0.9, seed=1)


def draws(seed, effect=0.0, seeds=6, sessions=80):
    """Returns with a change and without: what days do to all agents, what a seed does to its pair, and the rest."""
    generator = np.random.default_rng(seed)
    market = generator.normal(0, 0.01, sessions)
    of_days = generator.normal(0, 0.002, sessions)
    of_seeds = generator.normal(0, 0.0004, (seeds, 1))
    rest = generator.normal(0, 0.001, (2, seeds, sessions))
    return market + effect + of_days + of_seeds + rest[0], market + rest[1]


def test_each_seeds_difference_is_that_of_the_backtests_figures(settings):
    changed, unchanged = draws(0)
    found = paired_effects(changed, unchanged, 252, settings, POWER)

    def yearly(returns):
        return annual_return(np.concatenate(([1.0], np.cumprod(1 + returns))), 252)

    pairs = list(zip(changed, unchanged, strict=True))
    np.testing.assert_allclose(found.annual_return.by_seed, [yearly(ours) - yearly(theirs) for ours, theirs in pairs])
    ratios = [sharpe_ratio(ours, 252) - sharpe_ratio(theirs, 252) for ours, theirs in pairs]
    np.testing.assert_allclose(found.sharpe.by_seed, ratios)
    assert found.annual_return.mean == pytest.approx(np.mean(found.annual_return.by_seed))
    assert found.annual_return.lower < found.annual_return.mean < found.annual_return.upper
    assert (found.seeds, found.returns) == (6, 80)


def test_a_change_that_changes_nothing_has_no_effect_and_no_error(settings):
    _, unchanged = draws(0)
    effect = paired_effects(unchanged, unchanged, 252, settings, POWER).annual_return
    assert (effect.mean, effect.lower, effect.upper, effect.standard_error, effect.detectable) == (0, 0, 0, 0, 0)


def test_changing_sides_mirrors_the_interval(settings):
    changed, unchanged = draws(0)
    there = paired_effects(changed, unchanged, 252, settings, POWER).annual_return
    back = paired_effects(unchanged, changed, 252, settings, POWER).annual_return
    assert (back.lower, back.upper) == (pytest.approx(-there.upper), pytest.approx(-there.lower))


def test_the_order_of_the_seeds_does_not_change_what_was_measured(settings):
    changed, unchanged = draws(0)
    there = paired_effects(changed, unchanged, 252, settings, POWER).annual_return
    back = paired_effects(changed[::-1], unchanged[::-1], 252, settings, POWER).annual_return
    assert back.by_seed == pytest.approx(there.by_seed[::-1])
    assert back.mean == pytest.approx(there.mean)


def test_what_all_agents_gain_together_does_not_shrink_with_more_seeds(settings):
    """Fifty copies of one pair know no more than two of them."""
    changed, unchanged = (returns[:1] for returns in draws(0))
    errors = [
        paired_effects(changed.repeat(n, 0), unchanged.repeat(n, 0), 252, settings, POWER).annual_return.standard_error
        for n in (2, 50)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.2)


def test_seeds_that_differ_widen_the_interval_though_every_day_agrees(settings):
    days = np.random.default_rng(0).normal(0, 0.01, 80)
    unchanged = np.tile(days, (6, 1))
    shifts = np.array([-3, -2, -1, 1, 2, 3])[:, None] * 1e-3
    equal = paired_effects(unchanged + 1e-3, unchanged, 252, settings, POWER).sharpe
    spread = paired_effects(unchanged + 1e-3 + shifts, unchanged, 252, settings, POWER).sharpe
    assert spread.standard_error > 5 * equal.standard_error


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says(settings):
    """Rather too wide by construction: nine in ten or more, less two standard errors of a hundred trials."""
    found = [paired_effects(*draws(seed), 252, settings, POWER).annual_return for seed in range(100)]
    assert sum(effect.lower <= 0 <= effect.upper for effect in found) >= 84


def test_a_difference_as_large_as_the_detectable_one_is_found_about_that_often(settings):
    quiet = [paired_effects(*draws(seed), 252, settings, POWER).annual_return for seed in range(100)]
    detectable = float(np.mean([effect.detectable for effect in quiet]))
    shift = np.log1p(detectable) / 252  # a day, for that much more in a year
    loud = [paired_effects(*draws(seed, shift), 252, settings, POWER).annual_return for seed in range(100)]
    assert 0.65 <= np.mean([effect.lower > 0 for effect in loud]) <= 0.95
    assert np.mean([effect.lower > 0 for effect in quiet]) <= 0.1


def test_the_detectable_difference_is_blooms(settings):
    effect = paired_effects(*draws(0), 252, settings, POWER).annual_return
    assert effect.detectable == pytest.approx((1.644854 + 0.841621) * effect.standard_error, rel=1e-6)


def test_more_sessions_detect_smaller_differences(settings):
    short, long = (
        paired_effects(*draws(3, sessions=sessions), 252, settings, POWER).annual_return.detectable
        for sessions in (60, 600)
    )
    assert long < short / 1.8


def test_the_same_seed_gives_the_same_interval_and_another_seed_another(settings):
    first = paired_effects(*draws(0), 252, settings, POWER)
    assert paired_effects(*draws(0), 252, settings, POWER) == first
    other = settings.model_copy(update={"seed": 2})
    assert paired_effects(*draws(0), 252, other, POWER).annual_return.lower != first.annual_return.lower


def test_nothing_is_said_of_the_sharpe_ratio_where_an_agent_stands_still(settings):
    changed, unchanged = draws(0)
    unchanged[2] = 0.0
    found = paired_effects(changed, unchanged, 252, settings, POWER)
    assert found.sharpe is None
    assert found.annual_return.by_seed[2] != 0
