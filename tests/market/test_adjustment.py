"""Forward adjustment: the same returns as the source's, no level that a later dividend could change."""

import numpy as np
import pandas as pd

from MLOps.market.adjustment import forward_adjusted


def bars(close: list[float], adjusted: list[float], splits: list[float] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame({"ticker": "AA", "close": close, "adjusted_close": adjusted, "is_close_only": False})
    for name, shift in (("open", 1.0), ("high", 2.0), ("low", -2.0)):
        frame[name] = frame["close"] + shift
    return frame.assign(volume=100.0, split_ratio=splits or 1.0)


def test_golden_dividend() -> None:
    """A dividend of 1 on a price of 20: what is held grows by 20/19 on the ex-date, not before."""
    result = forward_adjusted(bars([20.0, 19.0, 19.0], [19.0, 19.0, 19.0]))
    np.testing.assert_allclose(result["close"], [20.0, 20.0, 20.0])
    np.testing.assert_allclose(result["open"], [21.0, 20.0 * 20 / 19, 20.0 * 20 / 19])
    np.testing.assert_allclose(result["volume"], 100.0)


def test_golden_split() -> None:
    """Two shares for one: prices double back, volume halves to the old count."""
    result = forward_adjusted(bars([20.0, 10.0, 11.0], [10.0, 10.0, 11.0], [1.0, 2.0, 1.0]))
    np.testing.assert_allclose(result["close"], [20.0, 20.0, 22.0])
    np.testing.assert_allclose(result["high"], [22.0, 24.0, 26.0])
    np.testing.assert_allclose(result["volume"], [100.0, 50.0, 50.0])


def test_a_later_dividend_restates_nothing() -> None:
    before = bars([20.0, 19.0, 21.0], [19.0, 19.0, 21.0])
    scale = 0.97  # what the source does to all of the past when the next dividend is paid
    after = before.assign(adjusted_close=before["adjusted_close"] * scale)
    pd.testing.assert_frame_equal(
        forward_adjusted(before).drop(columns="adjusted_close"),
        forward_adjusted(after).drop(columns="adjusted_close"),
        rtol=1e-12,
    )


def test_returns_are_those_of_the_source() -> None:
    source = bars([20.0, 19.0, 21.0, 10.0], [9.0, 9.1, 9.9, 10.0], [1.0, 1.0, 1.0, 2.0])
    np.testing.assert_allclose(
        forward_adjusted(source)["close"].pct_change()[1:], source["adjusted_close"].pct_change()[1:]
    )


def test_each_ticker_has_its_own_anchor() -> None:
    two = pd.concat([bars([20.0, 19.0], [19.0, 19.0]), bars([5.0, 5.0], [4.0, 4.0]).assign(ticker="BB")])
    two = two.reset_index(drop=True)
    np.testing.assert_allclose(forward_adjusted(two)["close"], [20.0, 20.0, 5.0, 5.0])


def test_close_only_bars_keep_the_adjusted_close() -> None:
    frame = bars([20.0, 19.0], [19.0, 19.5]).assign(is_close_only=True)
    frame[["open", "high", "low", "close", "volume"]] = np.nan
    result = forward_adjusted(frame)
    assert result["close"].tolist() == [19.0, 19.5]
    assert result[["open", "high", "low", "volume"]].isna().all(axis=None)
