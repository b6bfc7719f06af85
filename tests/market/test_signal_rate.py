"""Signals equal those of rational arithmetic: in one array, in blocks of any length, at any size of number."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.market.scaled_decimals import ScaledDecimals, exact_for, from_floats
from MLOps.market.signal_rate import SignalCounter, signals

SMALL = st.integers(0, 6)  # ties are common among few values
LARGE = st.integers(0, 2**70)
WINDOWS = st.integers(1, 9)


def exact_signals(closes: list[int], window: int) -> list[bool]:
    """The definition, word by word."""
    told = [False] * len(closes)
    for row in range(window - 1, len(closes)):
        mean = Fraction(sum(closes[row - window + 1 : row + 1]), window)
        told[row] = closes[row] > mean
    return told


def scaled(closes: list[int], decimals: int = 2) -> ScaledDecimals:
    fits = max(closes, default=0) < 2**63
    return ScaledDecimals(np.array(closes, dtype=np.int64 if fits else object), decimals)


def test_golden() -> None:
    """Means of three: -, -, 2, 3, 7/3, 2; the row equal to its mean gives no signal."""
    found = signals(scaled([1, 2, 3, 4, 0, 2]), window=3)
    assert found.tolist() == [False, False, True, True, False, False]


@given(st.lists(SMALL | LARGE), WINDOWS)
def test_equal_to_rational_arithmetic(closes: list[int], window: int) -> None:
    assert signals(scaled(closes), window).tolist() == exact_signals(closes, window)


@given(st.lists(SMALL, max_size=60), WINDOWS, st.lists(st.integers(0, 60), max_size=8))
def test_blocks_count_what_the_whole_counts(closes: list[int], window: int, cuts: list[int]) -> None:
    counter = SignalCounter(window)
    for block in np.split(np.array(closes, dtype=np.int64), sorted(cuts)):
        counter.add(ScaledDecimals(block, 0))
    assert (counter.rows, counter.signals) == (len(closes), sum(exact_signals(closes, window)))


def test_count_may_be_asked_for_at_any_time() -> None:
    closes = [3, 1, 4, 1, 5, 9, 2, 6]
    counter = SignalCounter(4)
    for row, close in enumerate(closes):
        counter.add(scaled([close]))
        assert counter.signals == sum(exact_signals(closes[: row + 1], 4))


def test_later_block_with_more_decimals_rescales_what_is_kept() -> None:
    """1.1 and 1.10 are equal, 1.101 lies above; so do they in the other order of scales."""
    counter = SignalCounter(2)
    for values, decimals in (([11], 1), ([110], 2), ([1101], 3), ([11], 1), ([11010000], 7)):
        counter.add(scaled(values, decimals))
    assert counter.signals == 2


def test_block_beyond_int64_is_followed_by_plain_ones() -> None:
    closes = [1, 2**63 - 1, 2**62, 5, 6, 7, 8]
    counter = SignalCounter(3)
    for close in closes:
        counter.add(scaled([close]))
    assert counter.signals == sum(exact_signals(closes, 3))


def test_sums_may_wrap_around_int64() -> None:
    """A running sum of 40 x 2**60 passes 2**63 five times; windows of 4 stay below it."""
    closes = [2**60 + (row % 3) for row in range(40)]
    assert exact_for(scaled(closes).values, 4).dtype == np.int64
    assert signals(scaled(closes), 4).tolist() == exact_signals(closes, 4)


@pytest.mark.parametrize("window", [1, 5, 20, 5000])
def test_each_series_of_an_array_is_its_own(window: int) -> None:
    closes = np.random.default_rng(5).integers(0, 9, (3, 400))
    together = signals(ScaledDecimals(closes, 0), window)
    assert together.tolist() == [exact_signals(series.tolist(), window) for series in closes]


def test_ties_that_pandas_decides_by_accident() -> None:
    """The mean of .3, .1, .2 is .2, as the last close; pandas makes it .19999999999999998."""
    closes = pd.Series([0.3, 0.1, 0.2])
    assert (closes > closes.rolling(3).mean()).tolist() == [False, False, True]
    assert not signals(from_floats(closes.to_numpy()), window=3).any()


def test_rate_counts_rows_without_a_mean() -> None:
    counter = SignalCounter(3)
    assert counter.rate == 0.0
    counter.add(scaled([1, 2, 3, 3]))
    assert counter.rate == 0.5
