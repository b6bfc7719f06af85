"""Thresholds found backwards: by hand, and where the optimum is known."""

import math

import numpy as np
import pytest

from MLOps.errors import DataError
from MLOps.evaluation.timing_thresholds import Thresholds, fit_thresholds, relative_prices
from MLOps.market.price_cycles import Cycles


def cycles_of(prices: np.ndarray, window: int = 1) -> Cycles:
    """A cycle a row of `prices`, whose first ``window - 1`` columns are history."""
    rows, width = prices.shape
    times = np.datetime64("2020-01-01", "us") + np.arange(rows * width) * np.timedelta64(1, "h")
    starts = np.arange(rows) * width + window - 1
    return Cycles(prices.ravel().astype(np.float64), starts, width - window + 1, window, times)


def test_two_cycles_by_hand() -> None:
    """Step 1: 9 against 12 saves 3, 11 against 8 costs 3: the cut lies between. Step 0: 10 against 9 and 8 costs 3."""
    thresholds = fit_thresholds(cycles_of(np.array([[10, 9, 12], [10, 11, 8]])), "first_price")
    assert thresholds.levels.tolist() == [-math.inf, 1.0, math.inf]
    assert thresholds.steps(cycles_of(np.array([[10, 9, 12], [10, 11, 8], [20, 20, 1]]))).tolist() == [1, 2, 1]


def test_costs_are_relative_so_that_a_dear_year_counts_no_more() -> None:
    """Waiting saves 1 and costs 2 dollars, but saves a tenth and costs a hundredth of the first price."""
    thresholds = fit_thresholds(cycles_of(np.array([[10, 9], [200, 202]])), "first_price")
    assert thresholds.levels.tolist() == [-math.inf, math.inf]


def test_equal_prices_are_on_the_same_side() -> None:
    """At step 0 all relative prices are 1: buy always, or never. On the whole waiting costs 1 - 0.5 here."""
    prices = np.array([[10, 11], [10, 9.5]])
    assert fit_thresholds(cycles_of(prices), "first_price").levels.tolist() == [math.inf, math.inf]


def test_relative_prices_by_hand() -> None:
    cycles = cycles_of(np.array([[2, 4, 6, 3]]), window=3)
    np.testing.assert_allclose(relative_prices(cycles, "first_price"), [[1, 0.5]])
    np.testing.assert_allclose(relative_prices(cycles, "window_mean"), [[6 / 4, 3 / (13 / 3)]])


def test_finds_the_optimum_where_prices_are_drawn_evenly() -> None:
    """After a first price of 1, n prices from 0.5 to 1.5 alike: wait for less than what waiting is worth.

    That is V(1) = 1 and V(n + 1) = E min(U, V(n)) = V(n) - (V(n) - 0.5)^2 / 2 (L. Moser, Scripta Mathematica 22, 1956).
    """
    later = 6
    values = [1.0]
    for _ in range(later - 1):
        values.append(values[-1] - (values[-1] - 0.5) ** 2 / 2)
    generator = np.random.default_rng(4)

    def drawn(rows: int) -> Cycles:
        return cycles_of(np.column_stack([np.ones(rows), generator.uniform(0.5, 1.5, (rows, later))]))

    thresholds = fit_thresholds(drawn(100_000), "first_price")
    assert thresholds.levels[0] == -math.inf  # a price of 1 is worth less than V(6) = 0.778...
    np.testing.assert_allclose(thresholds.levels[1:-1], values[-2::-1], atol=0.02)
    unseen = drawn(100_000)
    prices = unseen.closes[unseen.starts + thresholds.steps(unseen)]
    assert prices.mean() == pytest.approx(values[-1], abs=4 * prices.std() / math.sqrt(len(prices)))


def test_gains_nothing_in_a_fair_game_that_it_has_not_seen() -> None:
    """A tenth up or down with the same chance: whatever was fitted, the mean price paid is the first one."""
    generator = np.random.default_rng(5)

    def drawn(rows: int) -> Cycles:
        factors = generator.choice([0.9, 1.1], (rows, 8))
        factors[:, 0] = 1.0
        return cycles_of(100 * factors.cumprod(axis=1))

    thresholds = fit_thresholds(drawn(300), "first_price")
    unseen = drawn(50_000)
    paid = unseen.closes[unseen.starts + thresholds.steps(unseen)]
    assert paid.mean() == pytest.approx(100, abs=4 * paid.std() / math.sqrt(len(paid)))


def test_no_cycle_is_one_line() -> None:
    empty = cycles_of(np.array([[1.0, 2.0]]))._replace(starts=np.array([], np.int64))
    with pytest.raises(DataError, match=r"no cycle to fit thresholds on; allowed: .*; mend: data.train_start"):
        fit_thresholds(empty, "first_price")


def test_level_of_minus_infinity_never_buys_before_the_end() -> None:
    thresholds = Thresholds(np.array([-np.inf, -np.inf, np.inf]), "window_mean")
    assert thresholds.steps(cycles_of(np.array([[5.0, 1.0, 9.0]]))).tolist() == [2]
