"""Splits and dividends read from raw and adjusted closes, against figures worked by hand."""

import numpy as np
import pandas as pd

from MLOps.market.corporate_actions import infer_actions


def _bars(close: list[float], factor: list[float], ticker: str = "AAA") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session": pd.date_range("2020-01-02", periods=len(close)),
            "ticker": ticker,
            "close": close,
            "adjusted_close": np.multiply(close, factor),
        }
    )


def test_a_split_and_a_dividend_are_told_apart() -> None:
    # Day 2: 2-for-1 split. Day 3: 0.50 dividend on a last close of 51, Yahoo's factor 1 - 0.50 / 51.
    before_dividend = 1 - 0.5 / 51
    bars = infer_actions(_bars([100, 51, 50, 52], [before_dividend / 2, before_dividend, 1, 1]))
    np.testing.assert_allclose(bars["split_ratio"], [1, 2, 1, 1])
    np.testing.assert_allclose(bars["dividend"], [0, 0, 0.5, 0])


def test_a_reverse_split_has_a_ratio_below_one() -> None:
    bars = infer_actions(_bars([1, 10], [10, 1]))
    np.testing.assert_allclose(bars["split_ratio"], [1, 0.1])
    np.testing.assert_allclose(bars["dividend"], [0, 0])


def test_tickers_do_not_touch_one_another() -> None:
    bars = infer_actions(pd.concat([_bars([100, 101], [1, 1]), _bars([10, 11], [0.5, 0.5], "BBB")], ignore_index=True))
    np.testing.assert_allclose(bars["split_ratio"], 1)
    np.testing.assert_allclose(bars["dividend"], 0)


def test_unknown_raw_closes_tell_nothing() -> None:
    bars = _bars([100, 101], [1, 1]).assign(close=float("nan"))
    result = infer_actions(bars)
    np.testing.assert_allclose(result["split_ratio"], 1)
    np.testing.assert_allclose(result["dividend"], 0)
