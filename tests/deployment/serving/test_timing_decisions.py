"""Decisions over bars: cycle after cycle up to each purchase, worked out by hand, and blind to what comes later."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.serving.timing_decisions import COLUMNS, CycleGrid, decide_bars, decide_observations
from MLOps.errors import DataError
from MLOps.market.price_cycles import TimingPrices

FloatArray = npt.NDArray[np.float32]


def prices_of(closes: list[float], gap_before: int | None = None) -> TimingPrices:
    follows_gap = np.zeros(len(closes), np.bool_)
    if gap_before is not None:
        follows_gap[gap_before] = True
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(len(closes)) * np.timedelta64(1, "h")
    return TimingPrices(np.array(closes), times, follows_gap)


def every(steps: int, anchor: str = "2020-01-01T01:00") -> CycleGrid:
    """Cycles of hourly closes; by default one begins with the second bar."""
    return CycleGrid(np.datetime64(anchor, "us"), steps, np.timedelta64(1, "h"))


def buys_low(observations: FloatArray) -> FloatArray:
    """Buys where the price is the lowest seen, whose position is 0."""
    return np.stack([observations[:, 0], np.full(len(observations), 0.1, np.float32)], axis=1)


def never_buys(observations: FloatArray) -> FloatArray:
    return np.tile(np.array([1.0, 0.0], np.float32), (len(observations), 1))


def told(decisions: pd.DataFrame) -> list[tuple[float, ...]]:
    columns = ["price", "action", "cycle", "step", "is_forced"]
    return [tuple(row) for row in decisions[columns].to_numpy().tolist()]


def test_cycles_follow_one_another_and_end_with_the_purchase() -> None:
    decisions = decide_bars(prices_of([10, 11, 12, 9, 8, 10, 11]), buys_low, window=2, grid=every(3))
    assert tuple(decisions.columns) == COLUMNS
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (9, 1, 0, 2, 0), (8, 1, 1, 0, 0)]
    assert decisions["time"].dt.hour.tolist() == [1, 2, 3, 4]
    assert decisions["q_buy"].tolist() == pytest.approx([0.1] * 4)


def test_last_decision_of_a_cycle_is_forced_and_an_unfinished_cycle_forces_none() -> None:
    decisions = decide_bars(prices_of([10, 11, 12, 13, 14, 15]), never_buys, window=2, grid=every(3))
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (13, 1, 0, 2, 1), (14, 0, 1, 0, 0), (15, 0, 1, 1, 0)]


def test_after_a_gap_the_next_cycle_with_a_history_of_its_own_begins() -> None:
    prices = prices_of([10, 11, 12, 13, 14, 15, 16, 17, 18], gap_before=3)
    decisions = decide_bars(prices, never_buys, window=2, grid=every(3))
    expected = [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0)]  # 13 follows the gap: no history
    expected += [(14, 0, 1, 0, 0), (15, 0, 1, 1, 0), (16, 1, 1, 2, 1), (17, 0, 2, 0, 0), (18, 0, 2, 1, 0)]
    assert told(decisions) == expected


def test_a_gap_within_a_cycle_ends_it_without_a_purchase() -> None:
    prices = prices_of([10, 11, 12, 13, 14, 15, 16], gap_before=4)
    decisions = decide_bars(prices, never_buys, window=2, grid=every(4))
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (13, 0, 0, 2, 0), (15, 0, 1, 0, 0), (16, 0, 1, 1, 0)]


@pytest.mark.parametrize(("anchor", "first"), [("2020-01-01T02:00", 2), ("2031-07-04T01:00", 1), ("1970-01-01", 3)])
def test_cycles_begin_where_the_grid_says_before_and_after_its_anchor(anchor: str, first: int) -> None:
    prices = prices_of([10, 11, 12, 13, 14, 15, 16])
    decisions = decide_bars(prices, never_buys, window=2, grid=every(3, anchor))
    assert decisions["time"].iloc[0] == pd.Timestamp(prices.times[first])


def test_first_time_leaves_out_the_cycles_that_begin_before() -> None:
    prices = prices_of([10, 11, 12, 13, 14, 15])
    decisions = decide_bars(prices, never_buys, window=2, grid=every(2), first_time=prices.times[2])
    assert told(decisions) == [(13, 0, 0, 0, 0), (14, 1, 0, 1, 1), (15, 0, 1, 0, 0)]


@pytest.mark.parametrize(("closes", "gap"), [([10.0], None), ([10.0, 11.0], 1), ([10.0, 11.0, 12.0], 1)])
def test_bars_in_which_no_cycle_begins_are_told(closes: list[float], gap: int | None) -> None:
    told = "no cycle begins with 2 closes known and no gap among them; allowed: a cycle begins every 3 bars"
    with pytest.raises(DataError, match=told):
        decide_bars(prices_of(closes, gap), never_buys, window=2, grid=every(3))


def test_a_grid_that_no_close_meets_is_told() -> None:
    with pytest.raises(DataError, match="from 2020-01-01 01:30 on"):
        decide_bars(prices_of([10, 11, 12, 13]), never_buys, window=2, grid=every(2, "2020-01-01T01:30"))


Decided = tuple[pd.DataFrame, TimingPrices, int, CycleGrid]


@st.composite
def decided(draw: st.DrawFn) -> Decided:
    """Decisions over bars with a gap or without, the bars, the window and the grid."""
    closes = draw(st.lists(st.floats(1, 1000), min_size=12, max_size=40))
    window, steps, offset = draw(st.integers(2, 4)), draw(st.integers(2, 5)), draw(st.integers(-9, 9))
    grid = CycleGrid(np.datetime64("2020-01-01", "us") + offset * np.timedelta64(1, "h"), steps, np.timedelta64(1, "h"))
    prices = prices_of(closes, draw(st.none() | st.integers(1, 3)))  # the rest is long enough for a cycle to begin
    return decide_bars(prices, buys_low, window, grid), prices, window, grid


def part(prices: TimingPrices, rows: slice) -> TimingPrices:
    return TimingPrices(prices.closes[rows], prices.times[rows], prices.follows_gap[rows])


@settings(deadline=None, max_examples=60)
@given(decided(), st.data())
def test_no_decision_depends_on_what_comes_later(case: Decided, data: st.DataObject) -> None:
    whole, prices, window, grid = case
    known = part(prices, slice(data.draw(st.integers(window, len(prices.closes)))))
    expected = whole[whole["time"] <= known.times[-1]]
    if expected.empty:
        with pytest.raises(DataError):
            decide_bars(known, buys_low, window, grid)
    else:
        pd.testing.assert_frame_equal(decide_bars(known, buys_low, window, grid), expected)


@settings(deadline=None, max_examples=60)
@given(decided(), st.data())
def test_no_decision_depends_on_what_the_file_begins_with(case: Decided, data: st.DataObject) -> None:
    whole, prices, window, grid = case
    first = data.draw(st.integers(0, len(prices.closes) - 1))
    later = part(prices, slice(first, None))
    try:
        decisions = decide_bars(later, buys_low, window, grid)
    except DataError:
        assert len(later.closes) < 4 + window + grid.steps - 1  # the gap lies within the first four
        return
    same = whole[whole["time"] >= decisions["time"].iloc[0]].drop(columns="cycle").reset_index(drop=True)
    pd.testing.assert_frame_equal(decisions.drop(columns="cycle"), same)


def test_observations_get_a_line_each_without_time_and_price() -> None:
    decisions = decide_observations(np.array([[0.0, 1.0], [1.0, 1.0]], np.float32), buys_low)
    assert tuple(decisions.columns) == COLUMNS
    assert decisions["action"].tolist() == [1, 0]
    assert decisions[["time", "price", "cycle", "step", "is_forced"]].isna().all().all()
