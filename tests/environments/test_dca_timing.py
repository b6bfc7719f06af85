"""The buy-timing environment: observations known now, rewards worked by hand, steps equal to the tables."""

import io
from collections.abc import Callable
from itertools import pairwise
from math import log, sqrt

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from MLOps.environments.dca_timing import DcaTimingBatch, observation_now, observations_of, rewards_of
from MLOps.errors import DataError, ModelError
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing import DcaTimingSettings

HOLD, BUY = 0, 1
FREE = DcaTimingSettings(fee_bps=0, reward_scale=1, random_first_step=False)
PERCENT = DcaTimingSettings(fee_bps=100, reward_scale=100, random_first_step=False)
ANYWHERE = DcaTimingSettings(fee_bps=100, reward_scale=100, random_first_step=True)

prices = st.floats(1e-3, 1e6)


def cycles_of(closes: object, starts: object, steps: int, window: int) -> Cycles:
    values = np.array(closes, dtype=np.float64)
    return Cycles(values, np.array(starts), steps, window, np.arange(len(values)).astype("datetime64[us]"))


def walk(bars: int, seed: int = 3) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, bars)))


def every_cycle(bars: int = 60, steps: int = 5, window: int = 4, seed: int = 3) -> Cycles:
    return cycles_of(walk(bars, seed), np.arange(window - 1, bars - steps + 1), steps, window)


def test_observation_worked_by_hand() -> None:
    seen = observations_of(cycles_of([100, 200, 100, 400, 50], [2], 3, 3))[0]
    # log 2 is the unit: returns +1, -1 give a size of sqrt 2; -1, +2 of sqrt 5; +2, -3 of sqrt 13
    expected = [
        [0, 1, 0, 1 / sqrt(2), 0],
        [1, 0.5, -1 / sqrt(5), -2 / sqrt(5), 0],
        [0, 0, 1 / sqrt(13), 3 / sqrt(13), 0],
    ]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)
    assert seen.dtype == np.float32


def test_position_is_reckoned_over_window_and_cycle() -> None:
    seen = observations_of(cycles_of([9, 1, 5, 4, 3, 3, 2], [1], 6, 2))[0, :, 0]
    # before the cycle 9 is in the window of two; later 1 is remembered as the cycle's, 9 no more
    np.testing.assert_allclose(seen, [0, 1, 3 / 4, 2 / 4, 2 / 4, 1 / 4], rtol=1e-6)


def test_a_price_that_never_moves_is_in_the_middle_of_nothing() -> None:
    seen = observations_of(cycles_of([7] * 6, [2], 4, 3))[0]
    assert (seen[:, 0] == 0.5).all()
    assert (seen[:, 2:] == 0).all()


@pytest.mark.parametrize("steps", [2, 3, 7, 24, 168])
def test_remaining_time_is_exactly_one_at_first_and_zero_at_last(steps: int) -> None:
    remaining = observations_of(cycles_of(walk(steps + 1), [1], steps, 2))[0, :, 1]
    assert (remaining[0], remaining[-1]) == (1, 0)
    assert (np.diff(remaining) < 0).all()


def test_reward_worked_by_hand() -> None:
    cycles = cycles_of([95, 100, 110, 120, 90], [1], 4, 2)
    # mean 105, first price 100; with 1% fee 101, 111.1, 121.2 and 90.9 are paid
    expected = [4, -6.1, -16.2, 14.1]
    np.testing.assert_allclose(rewards_of(cycles, PERCENT)[0], expected, rtol=1e-12)
    for waited, reward in enumerate(expected):
        batch = DcaTimingBatch(cycles, PERCENT, 1, 0)
        batch.reset()
        paid = [batch.step([BUY if step == waited else HOLD]).rewards[0] for step in range(waited + 1)]
        assert paid == [0] * waited + [pytest.approx(reward, rel=1e-12)]


def test_the_last_decision_buys_whatever_the_action() -> None:
    batch = DcaTimingBatch(cycles_of([95, 100, 110, 120, 90], [1], 4, 2), PERCENT, 1, 0)
    batch.reset()
    steps = [batch.step([HOLD]) for _ in range(4)]
    assert [step.is_last[0] for step in steps] == [False, False, False, True]
    assert not steps[-1].is_cut.any()
    assert steps[-1].rewards[0] == pytest.approx(14.1)  # the first price is 100
    assert steps[-1].episode_steps.tolist() == [4]


def test_the_rewards_sum_to_the_saving_against_the_mean_price() -> None:
    cycles, generator = every_cycle(), np.random.default_rng(8)
    batch = DcaTimingBatch(cycles, DcaTimingSettings(fee_bps=30, reward_scale=2, random_first_step=True), 3, 0)
    batch.reset()
    total, saved = np.zeros(3), np.zeros(3)
    for _ in range(400):
        begun, taken = batch.starts.copy(), batch.steps_passed.copy()
        actions = (generator.random(3) < 0.3).astype(np.int64)
        step = batch.step(actions)
        total += step.rewards
        for place in step.ended:
            cycle = cycles.closes[begun[place] : begun[place] + cycles.steps]
            saved[place] += 2 * (cycle.mean() - cycle[taken[place]] * 1.003) / cycle[0]
    np.testing.assert_allclose(total, saved, rtol=1e-9)
    assert np.abs(saved).min() > 0


def test_waiting_pays_nothing_where_prices_are_a_fair_game() -> None:
    """From 100 to 120 or to 80 alike: both decisions have the same mean reward, 0 without a fee."""
    up, down = (rewards_of(cycles_of([100, 100, last], [1], 2, 2), FREE)[0] for last in (120, 80))
    np.testing.assert_allclose((up + down) / 2, [0, 0], atol=1e-15)
    assert np.abs(up).min() > 0


@pytest.mark.parametrize("terms", [PERCENT, ANYWHERE])
def test_each_step_is_that_of_the_tables(terms: DcaTimingSettings) -> None:
    cycles, generator = every_cycle(), np.random.default_rng(5)
    seen, paid = observations_of(cycles), rewards_of(cycles, terms)
    batch = DcaTimingBatch(cycles, terms, 6, 1)
    observations = batch.reset()
    first = batch.steps_passed.copy()
    for _ in range(300):
        cycle, taken = batch.starts - cycles.starts[0], batch.steps_passed.copy()
        np.testing.assert_array_equal(observations, seen[cycle, taken])
        actions = (generator.random(6) < 0.25).astype(np.int64)
        step = batch.step(actions)
        is_last = (actions == BUY) | (taken == cycles.steps - 1)
        np.testing.assert_array_equal(step.is_last, is_last)
        np.testing.assert_array_equal(step.ended, np.flatnonzero(is_last))
        np.testing.assert_allclose(step.rewards, np.where(is_last, paid[cycle, taken], 0), rtol=1e-12)
        np.testing.assert_array_equal(step.last_observations, observations[is_last])
        np.testing.assert_array_equal(step.episode_rewards, step.rewards[is_last])
        np.testing.assert_array_equal(step.episode_steps, (taken - first)[is_last] + 1)
        np.testing.assert_array_equal(batch.steps_passed[~is_last], taken[~is_last] + 1)
        first[is_last] = batch.steps_passed[is_last]
        assert first.any() == terms.random_first_step
        observations = step.observations


@settings(deadline=None)
@given(
    drawn.arrays(np.float64, st.integers(12, 30), elements=prices),
    drawn.arrays(np.float64, 30, elements=prices | st.just(np.nan)),
    st.data(),
)
def test_no_observation_knows_a_later_price(closes: np.ndarray, others: np.ndarray, data: st.DataObject) -> None:
    check_no_look_ahead(closes, others, steps=5, window=4, now=data.draw(st.integers(3, len(closes) - 1)))


@settings(deadline=None, max_examples=40)
@given(row=st.integers(0, 4_000), seed=st.integers(0, 1_000))
def test_no_observation_of_real_prices_knows_a_later_one(
    real_crypto_bars: dict[str, pd.DataFrame], row: int, seed: int
) -> None:
    closes = real_crypto_bars["BTC"]["close"].to_numpy()[row : row + 90]
    check_no_look_ahead(closes, walk(90, seed), steps=24, window=30, now=29 + seed % 60)


def check_no_look_ahead(closes: np.ndarray, others: np.ndarray, steps: int, window: int, now: int) -> None:
    """Whatever comes after row `now`, all that is seen up to it stays as it is, bit by bit; or if nothing comes."""
    starts = np.arange(window - 1, len(closes) - steps + 1)
    changed = closes.copy()
    changed[now + 1 :] = others[: len(closes) - now - 1]
    rows = starts[:, None] + np.arange(steps)
    is_known = rows <= now
    true = observations_of(cycles_of(closes, starts, steps, window))
    assert np.isfinite(true).all()
    np.testing.assert_array_equal(observations_of(cycles_of(changed, starts, steps, window))[is_known], true[is_known])
    for cycle, taken in zip(*np.nonzero(rows == now), strict=True):
        cut = observation_now(closes[: now + 1], int(taken), steps, window)
        np.testing.assert_array_equal(cut, true[cycle, taken])


@settings(deadline=None)
@given(drawn.arrays(np.float64, st.integers(10, 30), elements=prices))
def test_observations_stay_within_their_bounds(closes: np.ndarray) -> None:
    window, steps = 5, 4
    cycles = cycles_of(closes, np.arange(window - 1, len(closes) - steps + 1), steps, window)
    seen = observations_of(cycles)
    assert ((seen[..., :2] >= 0) & (seen[..., :2] <= 1)).all()
    assert (np.abs(seen[..., 2:]) <= DcaTimingBatch(cycles, FREE, 1, 0).history_limit).all()
    assert (seen[..., -1] == 0).all()


def test_the_observation_does_not_depend_on_the_unit_of_the_price() -> None:
    cycles = every_cycle()
    scaled = observations_of(cycles._replace(closes=cycles.closes * 37.5))
    np.testing.assert_allclose(scaled, observations_of(cycles), atol=1e-5)


def test_too_few_closes_for_an_observation_are_refused() -> None:
    with pytest.raises(DataError, match="4 closes; allowed: at least 5, all positive"):
        observation_now(walk(4), taken=1, steps=3, window=4)
    with pytest.raises(DataError, match="all positive"):
        observation_now(np.array([1.0, 0.0, 2.0]), taken=0, steps=3, window=3)


def test_cycles_are_drawn_evenly_and_by_the_seed() -> None:
    cycles = every_cycle(bars=20)

    def played(seed: int) -> list[int]:
        batch = DcaTimingBatch(cycles, FREE, 4, seed)
        batch.reset()
        begun = []
        for _ in range(500):
            begun += batch.starts.tolist()
            batch.step([BUY] * 4)
        return begun

    assert played(1) == played(1) != played(2)
    counts = np.bincount(played(1))[cycles.starts]
    assert len(counts) == len(cycles.starts) == 13
    expected = counts.sum() / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < 32.9  # the .999 quantile of chi-squared with 12 degrees


def test_a_seed_lets_the_draws_begin_anew() -> None:
    batch = DcaTimingBatch(every_cycle(), FREE, 4, 1)
    first = batch.reset()
    assert not np.array_equal(batch.reset(), first)
    batch.seed(1)
    np.testing.assert_array_equal(batch.reset(), first)


def through_a_file(state: dict[str, object]) -> dict[str, object]:
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


@given(st.sampled_from([PERCENT, ANYWHERE]), st.integers(0, 30), st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_a_restored_batch_goes_on_bit_for_bit(terms: DcaTimingSettings, before: int, seed: int) -> None:
    generator, cycles = np.random.default_rng(seed), every_cycle()
    actions = (generator.random((before + 40, 5)) < 0.3).astype(np.int64)
    batch, other = DcaTimingBatch(cycles, terms, 5, seed), DcaTimingBatch(cycles, terms, 5, seed + 1)
    batch.reset()
    for action in actions[:before]:
        batch.step(action)
    other.restore(through_a_file(batch.state()))
    for action in actions[before:]:
        for ours, theirs in zip(batch.step(action), other.step(action), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(batch.steps_passed, other.steps_passed)
    assert batch.state() == other.state()


@pytest.mark.parametrize("taken", [0, 3])
def test_a_malformed_action_steps_no_episode(taken: int) -> None:
    batch = DcaTimingBatch(every_cycle(), FREE, 3, 0)
    batch.reset()
    for _ in range(taken):
        batch.step([HOLD] * 3)
    state = batch.state()
    for actions, message in [
        ([BUY, 2, HOLD], "action 2; allowed: 0"),
        ([BUY, HOLD, -1], "action -1"),
        ([BUY, HOLD], r"actions of shape \(2,\)"),
        ([BUY, HOLD, 0.5], "type float64"),
    ]:
        with pytest.raises(ModelError, match=message):
            batch.step(actions)
    assert batch.state() == state


def test_steps_of_the_past_are_not_overwritten() -> None:
    batch = DcaTimingBatch(every_cycle(), FREE, 2, 0)
    first = batch.reset()
    kept = first.copy()
    step = batch.step([BUY, HOLD])
    held = [np.array(values) for values in step]
    batch.step([BUY, BUY])
    np.testing.assert_array_equal(first, kept)
    for values, before in zip(step, held, strict=True):
        np.testing.assert_array_equal(values, before)


@pytest.fixture(scope="module")
def make_long_cycles() -> Callable[[int], Cycles]:
    return lambda window: every_cycle(200, 9, window)


@pytest.mark.parametrize("window", [2, 7, 50])
def test_the_last_number_is_the_present_price_and_the_first_the_oldest(
    make_long_cycles: Callable[[int], Cycles], window: int
) -> None:
    cycles = make_long_cycles(window)
    taken, cycle = 4, 11
    now = cycles.starts[cycle] + taken
    closes = cycles.closes[now - window + 1 : now + 1]
    size = sqrt(sum(log(after / before) ** 2 for before, after in pairwise(closes)))
    expected = [log(close / closes[-1]) / size for close in closes]
    np.testing.assert_allclose(observations_of(cycles)[cycle, taken, 2:], expected, rtol=1e-5, atol=1e-6)
