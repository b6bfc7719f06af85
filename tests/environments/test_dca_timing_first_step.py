"""Episodes of buy-timing that begin at a random decision of their cycle: seen as by one who held until then."""

import numpy as np

from MLOps.environments.dca_timing import DcaTimingBatch, observations_of, rewards_of
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing import DcaTimingSettings

HOLD, BUY = 0, 1
STEPS, WINDOW = 24, 3
ANYWHERE = DcaTimingSettings(fee_bps=10, reward_scale=100, random_first_step=True)
AT_FIRST = DcaTimingSettings(fee_bps=10, reward_scale=100, random_first_step=False)


def cycles_of(closes: object, starts: object, steps: int, window: int) -> Cycles:
    values = np.array(closes, dtype=np.float64)
    return Cycles(values, np.array(starts), steps, window, np.arange(len(values)).astype("datetime64[us]"))


def every_cycle() -> Cycles:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, 120)))
    return cycles_of(closes, np.arange(WINDOW - 1, len(closes) - STEPS + 1), STEPS, WINDOW)


def first_steps(settings: DcaTimingSettings, seed: int, ends: int = 300) -> np.ndarray:
    """(16 * (ends + 1),) steps at which the episodes of a batch begin that buys at once."""
    batch = DcaTimingBatch(every_cycle(), settings, 16, seed)
    batch.reset()
    begun = [batch.steps_passed.copy()]
    for _ in range(ends):
        batch.step([BUY] * 16)
        begun.append(batch.steps_passed.copy())
    return np.concatenate(begun)


def test_the_first_observation_is_that_of_one_who_held_until_then() -> None:
    cycles = every_cycle()
    seen, batch = observations_of(cycles), DcaTimingBatch(cycles, ANYWHERE, 200, 4)
    observations, begun = batch.reset(), set()
    for _ in range(20):
        begun |= set(batch.steps_passed.tolist())
        rows = batch.starts - cycles.starts[0], batch.steps_passed
        np.testing.assert_array_equal(observations.view(np.uint32), seen[rows].view(np.uint32))
        observations = batch.step([BUY] * 200).observations
    assert begun == set(range(STEPS))


def test_the_range_of_a_late_beginning_holds_what_the_window_has_forgotten() -> None:
    # window of two, 9 before the cycle; the cycle's 1 and 5 are its range wherever the episode begins after them
    cycles = cycles_of([9, 1, 5, 4, 3, 3, 2], [1], 6, 2)
    batch = DcaTimingBatch(cycles, ANYWHERE, 100, 0)
    position, expected = batch.reset()[:, 0], np.array([0, 1, 3 / 4, 2 / 4, 2 / 4, 1 / 4], np.float32)
    assert set(batch.steps_passed.tolist()) == set(range(6))
    np.testing.assert_array_equal(position, expected[batch.steps_passed])


def test_each_step_is_begun_at_as_often_as_any_other() -> None:
    counts = np.bincount(first_steps(ANYWHERE, 5), minlength=STEPS)
    expected = counts.sum() / STEPS
    assert len(counts) == STEPS
    assert counts.min() >= expected / 2
    assert ((counts - expected) ** 2 / expected).sum() < 49.7  # the .999 quantile of chi-squared with 23 degrees


def test_the_seed_decides_on_the_first_steps() -> None:
    np.testing.assert_array_equal(first_steps(ANYWHERE, 1, 20), first_steps(ANYWHERE, 1, 20))
    assert (first_steps(ANYWHERE, 1, 20) != first_steps(ANYWHERE, 2, 20)).any()


def test_without_random_first_steps_all_begin_at_the_first() -> None:
    assert not first_steps(AT_FIRST, 5).any()


def test_a_cycle_begun_at_its_last_step_is_one_forced_purchase() -> None:
    cycles = every_cycle()
    batch, paid = DcaTimingBatch(cycles, ANYWHERE, 200, 4), rewards_of(cycles, ANYWHERE)
    observations = batch.reset()
    is_last = batch.steps_passed == STEPS - 1
    rows = batch.starts - cycles.starts[0]
    step = batch.step([HOLD] * 200)
    assert 0 < is_last.sum() < 200
    np.testing.assert_array_equal(step.ended, np.flatnonzero(is_last))
    assert (step.last_observations[:, 1] == 0).all()
    np.testing.assert_array_equal(step.last_observations, observations[is_last])
    assert (step.episode_steps == 1).all()
    np.testing.assert_allclose(step.rewards[is_last], paid[rows[is_last], -1], rtol=1e-12)
    assert (step.rewards[~is_last] == 0).all()


def test_one_who_holds_decides_from_the_first_step_to_the_last() -> None:
    batch = DcaTimingBatch(every_cycle(), ANYWHERE, 50, 6)
    batch.reset()
    left = STEPS - batch.steps_passed
    steps, decisions = np.zeros(50, np.int64), np.zeros(50, np.int64)
    for taken in range(1, STEPS + 1):
        step = batch.step([HOLD] * 50)
        is_new = steps[step.ended] == 0
        decisions[step.ended[is_new]] = step.episode_steps[is_new]
        steps[step.ended[is_new]] = taken
    np.testing.assert_array_equal(steps, left)
    np.testing.assert_array_equal(decisions, left)
