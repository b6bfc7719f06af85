"""Equal to stockstats where that is right, silent (NaN) where it guesses, blind to the future and to other tickers."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MLOps.errors import SettingsError
from MLOps.market.indicators import INDICATORS, PriceArrays, compute_indicators, dx, macd, rsi
from MLOps.settings.features import IndicatorName

NAMES = tuple(INDICATORS)


def price_arrays(sessions: int = 300, tickers: int = 3, seed: int = 5) -> PriceArrays:
    """Random walks with a flat stretch and a long rise, where quotients have a zero below the line."""
    generator = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, tickers)), axis=0))
    close[100:170, 0] = close[100, 0]
    close[:80, 1] = 20 + 0.5 * np.arange(80)
    high = close * (1 + np.abs(generator.normal(0, 0.01, close.shape)))
    low = close * (1 - np.abs(generator.normal(0, 0.01, close.shape)))
    high[100:170, 0] = low[100:170, 0] = close[100, 0]
    return PriceArrays(high, low, close)


def by_stockstats(prices: PriceArrays, ticker: int) -> pd.DataFrame:
    from stockstats import StockDataFrame

    frame = pd.DataFrame({name: getattr(prices, name)[:, ticker] for name in ("high", "low", "close")})
    stock = StockDataFrame.retype(frame.assign(open=frame["close"], volume=1.0))
    return pd.DataFrame({name: stock[name].to_numpy() for name in NAMES})


@pytest.mark.parametrize("ticker", [0, 1, 2])
def test_equal_to_stockstats_after_the_warm_up(ticker: int) -> None:
    prices = price_arrays()
    ours, theirs = compute_indicators(NAMES, prices), by_stockstats(prices, ticker)
    for name in NAMES:
        known = slice(INDICATORS[name].warm_up, None)
        np.testing.assert_allclose(ours[name][known, ticker], theirs[name][known], rtol=1e-9, atol=1e-9, err_msg=name)


def test_equal_to_finrl_after_the_warm_up() -> None:
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    prices = price_arrays(sessions=120)
    days = pd.bdate_range("2020-01-01", periods=120).strftime("%Y-%m-%d")
    long = pd.concat(
        pd.DataFrame(
            {
                "date": days,
                "tic": f"T{n}",
                "open": prices.close[:, n],
                "high": prices.high[:, n],
                "low": prices.low[:, n],
                "close": prices.close[:, n],
                "volume": 1.0,
            }
        )
        for n in range(3)
    )
    theirs = FeatureEngineer(tech_indicator_list=list(NAMES)).add_technical_indicator(long)
    ours = compute_indicators(NAMES, prices)
    for name in NAMES:
        known = slice(INDICATORS[name].warm_up, None)
        pivoted = theirs.pivot(index="date", columns="tic", values=name).to_numpy()
        np.testing.assert_allclose(ours[name][known], pivoted[known], rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_exactly_in_the_warm_up(name: str) -> None:
    values, warm_up = compute_indicators([name], price_arrays())[name], INDICATORS[name].warm_up
    assert np.isnan(values[:warm_up]).all()
    assert np.isfinite(values[warm_up:]).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_is_as_long_as_the_window(name: str) -> None:
    """Before the warm-up ends stockstats answers from fewer prices than the name promises."""
    assert INDICATORS[name].warm_up >= {"macd": 26, "boll_ub": 20, "boll_lb": 20}.get(name, 30) - 1
    assert not by_stockstats(price_arrays(), 2)[name].iloc[: INDICATORS[name].warm_up].isna().all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("known", [61, 100, 171, 299])
def test_cutting_the_future_off_changes_nothing(name: str, known: int) -> None:
    prices = price_arrays()
    cut = PriceArrays(prices.high[:known], prices.low[:known], prices.close[:known])
    np.testing.assert_array_equal(
        compute_indicators([name], cut)[name], compute_indicators([name], prices)[name][:known]
    )


@pytest.mark.parametrize("name", NAMES)
def test_other_tickers_change_nothing(name: str) -> None:
    prices, other = price_arrays(), price_arrays(seed=6)
    mixed = PriceArrays(*(np.c_[a[:, :1], b[:, 1:]] for a, b in zip(_parts(prices), _parts(other), strict=True)))
    before, after = compute_indicators([name], prices)[name], compute_indicators([name], mixed)[name]
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert not np.array_equal(before[100:, 2], after[100:, 2])


def _parts(prices: PriceArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return prices.high, prices.low, prices.close


def test_golden_macd() -> None:
    """Two prices, spans 1 and 3: the slow average weighs them 1 and 1/2."""
    np.testing.assert_allclose(macd(np.array([[3.0], [6.0]]), fast=1, slow=3)[1], 6.0 - (6 + 3 * 0.5) / 1.5)


def test_golden_rsi() -> None:
    """Changes +2, -1 with a = 1/2: gain (0 + 2/2) against loss (1 + 0)."""
    np.testing.assert_allclose(rsi(np.array([[10.0], [12.0], [11.0]]), 2)[2], 50.0)


def test_golden_dx() -> None:
    """Highs rise by 3, then lows fall by 1, with a = 1/2: 100 * |1.5 - 1| / 2.5."""
    prices = PriceArrays(
        high=np.array([[10.0], [13.0], [13.0]]), low=np.array([[8.0], [8.0], [7.0]]), close=np.full((3, 1), 9.0)
    )
    np.testing.assert_allclose(dx(prices, 2)[2], 20.0)


def test_a_price_that_never_moves_is_neutral() -> None:
    flat = PriceArrays(*(np.full((80, 1), 0.1),) * 3)
    last = {name: values[-1, 0] for name, values in compute_indicators(NAMES, flat).items()}
    neutral = {"macd": 0.0, "rsi_30": 50.0, "cci_30": 0.0, "dx_30": 0.0}
    assert last == pytest.approx({name: neutral.get(name, 0.1) for name in NAMES}, abs=1e-12)


@given(arrays(np.float64, (64, 2), elements=st.floats(0.01, 1e6)))
def test_bounded_and_finite_on_any_prices(close: np.ndarray) -> None:
    values = compute_indicators(NAMES, PriceArrays(close * 1.01, close * 0.99, close))
    for name in NAMES:
        assert np.isfinite(values[name][INDICATORS[name].warm_up :]).all(), name
    for name in ("rsi_30", "dx_30"):
        assert ((values[name][30:] >= 0) & (values[name][30:] <= 100)).all(), name
    assert (values["boll_ub"][19:] >= values["boll_lb"][19:]).all()


def test_settings_know_every_indicator() -> None:
    assert get_args(IndicatorName) == NAMES


def test_refuses_an_unknown_indicator() -> None:
    with pytest.raises(SettingsError, match=r"unknown indicator rsi_31; allowed: macd, .*close_60_sma"):
        compute_indicators(["macd", "rsi_31"], price_arrays())
