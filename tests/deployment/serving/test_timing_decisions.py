"""Decisions over bars: cycle after cycle up to each purchase, worked out by hand, and blind to what comes later."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployment.serving.timing_decisions import COLUMNS, decide_bars, decide_observations
from MLOps.errors import DataError
from MLOps.market.price_cycles import TimingPrices

FloatArray = npt.NDArray[np.float32]


def prices_of(closes: list[float], gap_before: int | None = None) -> TimingPrices:
    follows_gap = np.zeros(len(closes), np.bool_)
    if gap_before is not None:
        follows_gap[gap_before] = True
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(len(closes)) * np.timedelta64(1, "h")
    return TimingPrices(np.array(closes), times, follows_gap)


def buys_low(observations: FloatArray) -> FloatArray:
    """Buys where the price is the lowest seen, whose position is 0."""
    return np.stack([observations[:, 0], np.full(len(observations), 0.1, np.float32)], axis=1)


def never_buys(observations: FloatArray) -> FloatArray:
    return np.tile(np.array([1.0, 0.0], np.float32), (len(observations), 1))


def told(decisions: pd.DataFrame) -> list[tuple[float, ...]]:
    columns = ["price", "action", "cycle", "step", "is_forced"]
    return [tuple(row) for row in decisions[columns].to_numpy().tolist()]


def test_cycles_follow_one_another_and_end_with_the_purchase() -> None:
    decisions = decide_bars(prices_of([10, 11, 12, 9, 8, 10, 11]), buys_low, window=2, steps=3)
    assert tuple(decisions.columns) == COLUMNS
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (9, 1, 0, 2, 0), (8, 1, 1, 0, 0)]
    assert decisions["time"].dt.hour.tolist() == [1, 2, 3, 4]
    assert decisions["q_buy"].tolist() == pytest.approx([0.1] * 4)


def test_last_decision_of_a_cycle_is_forced_and_an_unfinished_cycle_forces_none() -> None:
    decisions = decide_bars(prices_of([10, 11, 12, 13, 14, 15]), never_buys, window=2, steps=3)
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (13, 1, 0, 2, 1), (14, 0, 1, 0, 0), (15, 0, 1, 1, 0)]


def test_cycles_begin_anew_after_a_gap_with_a_history_of_their_own() -> None:
    decisions = decide_bars(prices_of([10, 11, 12, 13, 14, 15], gap_before=3), never_buys, window=2, steps=4)
    assert told(decisions) == [(11, 0, 0, 0, 0), (12, 0, 0, 1, 0), (14, 0, 1, 0, 0), (15, 0, 1, 1, 0)]


def test_first_time_leaves_out_what_lies_before() -> None:
    prices = prices_of([10, 11, 12, 13, 14, 15])
    decisions = decide_bars(prices, never_buys, window=2, steps=2, first_time=prices.times[3])
    assert told(decisions) == [(13, 0, 0, 0, 0), (14, 1, 0, 1, 1), (15, 0, 1, 0, 0)]


@pytest.mark.parametrize(("closes", "gap"), [([10.0], None), ([10.0, 11.0], 1)])
def test_bars_without_a_single_window_are_told(closes: list[float], gap: int | None) -> None:
    with pytest.raises(DataError, match="no 2 follow one another without a gap"):
        decide_bars(prices_of(closes, gap), never_buys, window=2, steps=3)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(1, 1000), min_size=8, max_size=40), st.data())
def test_no_decision_depends_on_what_comes_later(closes: list[float], data: st.DataObject) -> None:
    window, steps = data.draw(st.integers(2, 4)), data.draw(st.integers(2, 5))
    now = data.draw(st.integers(window, len(closes)))
    gap = data.draw(st.none() | st.integers(1, now - 1))
    whole = decide_bars(prices_of(closes, gap), buys_low, window, steps)
    known = prices_of(closes, gap)
    known = TimingPrices(known.closes[:now], known.times[:now], known.follows_gap[:now])
    expected = whole[whole["time"] <= known.times[-1]]
    if expected.empty:
        with pytest.raises(DataError):
            decide_bars(known, buys_low, window, steps)
    else:
        pd.testing.assert_frame_equal(decide_bars(known, buys_low, window, steps), expected)


def test_observations_get_a_line_each_without_time_and_price() -> None:
    decisions = decide_observations(np.array([[0.0, 1.0], [1.0, 1.0]], np.float32), buys_low)
    assert tuple(decisions.columns) == COLUMNS
    assert decisions["action"].tolist() == [1, 0]
    assert decisions[["time", "price", "cycle", "step", "is_forced"]].isna().all().all()
