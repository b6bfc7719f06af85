"""When policies buy: by hand, and never by what comes later."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.evaluation.timing_policies import (
    ChoosesSteps,
    best_step,
    cycle_prices,
    first_step,
    greedy_step,
    last_step,
    random_step,
    secretary_step,
)
from MLOps.evaluation.timing_thresholds import Thresholds
from MLOps.market.price_cycles import Cycles

WINDOW, STEPS = 3, 6
LEVELS = np.array([0.9, 0.95, 1.0, 1.0, 1.02, np.inf])


def cycles_of(*rows: list[float], window: int = 1) -> Cycles:
    """A cycle a row; with a window, its first ``window - 1`` numbers are the history."""
    width = len(rows[0])
    closes = np.array(rows, dtype=np.float64).ravel()
    starts = np.arange(len(rows)) * width + window - 1
    times = np.datetime64("2020-01-01", "us") + np.arange(len(closes)) * np.timedelta64(1, "h")
    return Cycles(closes, starts, width - window + 1, window, times)


def test_prices_are_those_of_the_decisions() -> None:
    cycles = cycles_of([7, 8, 1, 2, 3], [9, 9, 4, 5, 6], window=3)
    assert cycle_prices(cycles).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_first_last_and_best_by_hand() -> None:
    cycles = cycles_of([5, 3, 4, 3], [1, 2, 3, 4])
    assert first_step(cycles).tolist() == [0, 0]
    assert last_step(cycles).tolist() == [3, 3]
    assert best_step(cycles).tolist() == [1, 0]  # the earlier one of two threes


def test_random_steps_come_from_the_generator_and_reach_every_step_alike() -> None:
    cycles = cycles_of(*[[1.0, 2.0, 3.0, 4.0]] * 4000)
    drawn = random_step(cycles, np.random.default_rng(3))
    np.testing.assert_array_equal(drawn, random_step(cycles, np.random.default_rng(3)))
    counts = np.bincount(drawn, minlength=4)
    assert counts.sum() == 4000
    assert (abs(counts - 1000) < 5 * np.sqrt(4000 * 0.25 * 0.75)).all()


def test_secretary_observes_two_of_six_and_takes_the_first_that_is_lower() -> None:
    cycles = cycles_of(
        [9, 7, 8, 7, 6, 5],  # 7 equals the lowest of the beginning, 6 lies below it
        [3, 4, 5, 6, 5, 4],  # never below 3: forced at the end
        [5, 6, 4, 1, 2, 3],  # 4 is taken, though 1 would come
    )
    assert secretary_step(cycles).tolist() == [4, 5, 2]


@pytest.mark.parametrize(("steps", "observed"), [(2, 1), (3, 1), (4, 1), (5, 2), (7, 3), (24, 9), (30, 11)])
def test_secretary_observes_a_share_of_one_in_e(steps: int, observed: int) -> None:
    falling = cycles_of([float(price) for price in range(steps, 0, -1)])
    assert secretary_step(falling).tolist() == [observed]  # each price is the lowest so far


def test_agent_buys_at_its_first_wish_and_at_the_end_if_it_has_none() -> None:
    assert greedy_step(np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])).tolist() == [1, 3, 0]


def by_secretary(cycles: Cycles) -> np.ndarray:
    return secretary_step(cycles)


def by_threshold_on_first_price(cycles: Cycles) -> np.ndarray:
    return Thresholds(LEVELS, "first_price").steps(cycles)


def by_threshold_on_window(cycles: Cycles) -> np.ndarray:
    return Thresholds(LEVELS, "window_mean").steps(cycles)


KNOWING = [first_step, last_step, by_secretary, by_threshold_on_first_price, by_threshold_on_window]
prices = st.lists(st.floats(50, 150), min_size=WINDOW - 1 + STEPS, max_size=WINDOW - 1 + STEPS)


@pytest.mark.parametrize("policy", KNOWING, ids=lambda policy: policy.__name__)
@given(known=prices, other=prices, at=st.integers(0, STEPS - 1))
def test_nothing_but_known_prices_decides(
    policy: ChoosesSteps, known: list[float], other: list[float], at: int
) -> None:
    """Other prices after a step change nothing of whether it was bought up to it."""
    now = WINDOW - 1 + at
    step = policy(cycles_of(known, window=WINDOW))[0]
    changed = policy(cycles_of([*known[: now + 1], *other[now + 1 :]], window=WINDOW))[0]
    assert changed == step if step <= at else changed > at


def test_hindsight_fails_the_truncation_test() -> None:
    """So that the test above is one that can fail."""
    assert best_step(cycles_of([3, 2, 1])).tolist() == [2]
    assert best_step(cycles_of([3, 2, 9])).tolist() == [1]


@given(rows=st.lists(prices, min_size=1, max_size=5))
def test_no_policy_pays_less_than_hindsight(rows: list[list[float]]) -> None:
    cycles = cycles_of(*rows, window=WINDOW)
    paid = cycle_prices(cycles)
    least = np.take_along_axis(paid, best_step(cycles)[:, None], axis=1)
    for policy in (*KNOWING, lambda given: random_step(given, np.random.default_rng(1))):
        assert (np.take_along_axis(paid, policy(cycles)[:, None], axis=1) >= least).all()


@pytest.mark.parametrize("policy", [*KNOWING, best_step], ids=lambda policy: policy.__name__)
def test_a_policy_gives_one_whole_step_a_cycle(policy: Callable[[Cycles], np.ndarray]) -> None:
    steps = policy(cycles_of([1, 2, 5, 4, 3, 6, 7, 8], [9, 2, 5, 4, 3, 6, 7, 8], window=WINDOW))
    assert steps.dtype == np.int64
    assert steps.shape == (2,)
    assert ((steps >= 0) & (steps < STEPS)).all()
