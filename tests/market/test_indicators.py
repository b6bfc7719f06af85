"""Equal to stockstats where that is right, silent (NaN) where it guesses, blind to the future and to other tickers."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from MLOps.errors import SettingsError
from MLOps.market.indicators import (
    INDICATORS,
    BollingerBand,
    Cci,
    Dx,
    Indicator,
    Macd,
    PriceArrays,
    Rsi,
    compute_indicators,
)
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


def of_closes(indicator: Indicator, *closes: float) -> np.ndarray:
    """(T, 1) an indicator of one ticker of which only the closes matter."""
    close = np.array(closes)[:, None]
    return indicator.advance(indicator.start(1), PriceArrays(close, close, close))


def test_golden_macd() -> None:
    """Two prices, spans 1 and 3: the slow average weighs them 1 and 1/2."""
    np.testing.assert_allclose(of_closes(Macd(fast=1, slow=3), 3.0, 6.0)[1], 6.0 - (6 + 3 * 0.5) / 1.5)


def test_golden_bollinger_band() -> None:
    """Prices 1, 2, 3 and then 2, 3, 7: means 2 and 4, sample deviations 1 and sqrt(7)."""
    upper = of_closes(BollingerBand(width=2.0, window=3), 1.0, 2.0, 3.0, 7.0)
    np.testing.assert_allclose(upper[:, 0], [np.nan, np.nan, 4.0, 4 + 2 * 7**0.5])


def test_golden_rsi() -> None:
    """Changes +2, -1 with a = 1/2: gain (0 + 2/2) against loss (1 + 0)."""
    np.testing.assert_allclose(of_closes(Rsi(2), 10.0, 12.0, 11.0)[2], 50.0)


def test_golden_cci() -> None:
    """Prices 1, 2, 6: mean 3, mean deviation (2 + 1 + 3) / 3 = 2, so the last is 3 / 0.03 away."""
    np.testing.assert_allclose(of_closes(Cci(3), 1.0, 2.0, 6.0)[2], 100.0)


def test_golden_dx() -> None:
    """Highs rise by 3, then lows fall by 1, with a = 1/2: 100 * |1.5 - 1| / 2.5."""
    prices = PriceArrays(
        high=np.array([[10.0], [13.0], [13.0]]), low=np.array([[8.0], [8.0], [7.0]]), close=np.full((3, 1), 9.0)
    )
    np.testing.assert_allclose(Dx(2).advance(Dx(2).start(1), prices)[2], 20.0)


@pytest.mark.parametrize("price", [0.1, 1e-7, 123456789.123])
def test_a_price_that_never_moves_is_exactly_neutral(price: float) -> None:
    flat = PriceArrays(*(np.full((80, 1), price),) * 3)
    neutral = {"macd": 0.0, "rsi_30": 50.0, "cci_30": 0.0, "dx_30": 0.0}
    for name, values in compute_indicators(NAMES, flat).items():
        known = values[INDICATORS[name].warm_up :]
        assert (known == neutral.get(name, price)).all(), name


@settings(deadline=None)
@given(arrays(np.float64, (64, 2), elements=st.floats(0.01, 1e6)))
def test_bounded_and_finite_on_any_prices(close: np.ndarray) -> None:
    values = compute_indicators(NAMES, PriceArrays(close * 1.01, close * 0.99, close))
    for name in NAMES:
        assert np.isfinite(values[name][INDICATORS[name].warm_up :]).all(), name
    for name in ("rsi_30", "dx_30"):
        assert ((values[name][30:] >= 0) & (values[name][30:] <= 100)).all(), name
    assert (values["boll_ub"][19:] >= values["boll_lb"][19:]).all()


@st.composite
def eventful_markets(draw: st.DrawFn, may_leap: bool) -> PriceArrays:
    """One ticker that walks, stands still, trends and may leap, at prices from a millionth to a billion."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    steps = {
        "walk": lambda count: generator.normal(0, 0.02, count),
        "stand still": np.zeros,
        "rise": lambda count: np.full(count, 0.01),
        "fall": lambda count: np.full(count, -0.01),
    }
    stretches = draw(st.lists(st.tuples(st.sampled_from(sorted(steps)), st.integers(1, 90)), min_size=2, max_size=5))
    step = np.concatenate([np.zeros(1), *(steps[kind](count) for kind, count in stretches)])
    close = draw(st.sampled_from([1e-6, 1.0, 1e9])) * np.exp(np.cumsum(step))
    above, below = np.where(step == 0, 0, np.abs(generator.normal(0, 0.01, (2, step.size))))
    if may_leap and draw(st.booleans()):
        close[draw(st.integers(0, close.size - 1))] *= draw(st.sampled_from([1e6, 1e-6]))
    return PriceArrays(*(a[:, None] for a in (close * (1 + above), close * (1 - below), close)))


def by_definition(prices: PriceArrays) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every indicator in extended precision, and the (T, N) price level in which rounding is to be measured."""
    high, low, close = (array.astype(np.longdouble) for array in _parts(prices))
    up, down = np.diff(high, axis=0, prepend=high[:1]), -np.diff(low, axis=0, prepend=low[:1])
    change = np.diff(close, axis=0, prepend=close[:1])
    gain, loss = smoothed(np.maximum(change, 0), 1 / 30), smoothed(np.maximum(-change, 0), 1 / 30)
    plus = smoothed(np.where((up > down) & (up > 0), up, 0), 1 / 30)
    minus = smoothed(np.where((down > up) & (down > 0), down, 0), 1 / 30)
    typical = windows((high + low + close) / 3, 30)
    mean, slow = typical.mean(axis=2), smoothed(close, 2 / 27)
    has_moved = typical.max(axis=2) > typical.min(axis=2)  # else the mean's rounding would be taken for movement
    deviation = has_moved * np.abs(typical - mean[:, :, None]).mean(axis=2)
    band, width = windows(close, 20).mean(axis=2), 2 * windows(close, 20).std(axis=2, ddof=1)
    values = {
        "macd": smoothed(close, 2 / 13) - slow,
        "boll_ub": band + width,
        "boll_lb": band - width,
        "rsi_30": 100 * quotient(gain, gain + loss, 0.5),
        "cci_30": quotient(typical[:, :, -1] - mean, 0.015 * deviation, 0.0),
        "dx_30": 100 * quotient(np.abs(plus - minus), plus + minus, 0.0),
        "close_30_sma": windows(close, 30).mean(axis=2),
        "close_60_sma": windows(close, 60).mean(axis=2),
    }
    return values, np.maximum(slow, windows(close, 20).max(axis=2))


def smoothed(values: np.ndarray, newest: float) -> np.ndarray:
    weight, total, averages = 0.0, 0.0, []
    for value in values:
        weight, total = 1 + (1 - newest) * weight, value + (1 - newest) * total
        averages.append(total / weight)
    return np.array(averages)


def windows(values: np.ndarray, size: int) -> np.ndarray:
    """(T, N, size) each row's window, NaN before the first row."""
    padded = np.concatenate((np.full((size - 1, values.shape[1]), np.nan), values))
    return np.lib.stride_tricks.sliding_window_view(padded, size, axis=0)


def quotient(numerator: np.ndarray, denominator: np.ndarray, otherwise: float) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full_like(numerator, otherwise), where=denominator != 0)


def assert_equal_after_warm_up(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], level: np.ndarray) -> None:
    """Equal to 1e-9; a difference of two prices, which may come near 0, to 1e-12 of these."""
    for name, values in theirs.items():
        known = slice(INDICATORS[name].warm_up, None)
        rounding = 1e-12 * level[known] if name in ("macd", "boll_ub", "boll_lb") else 1e-9
        off = np.abs(ours[name][known] - values[known])
        assert (off <= 1e-9 * np.abs(values[known]) + rounding).all(), f"{name}: {off.max()}"


@settings(deadline=None, max_examples=50)
@given(eventful_markets(may_leap=True))
def test_equal_to_the_definition_on_eventful_markets(prices: PriceArrays) -> None:
    assert_equal_after_warm_up(compute_indicators(NAMES, prices), *by_definition(prices))


@settings(deadline=None, max_examples=50)
@given(eventful_markets(may_leap=False))
def test_equal_to_stockstats_on_eventful_markets(prices: PriceArrays) -> None:
    """But for 0 / 0 in dx. Without leaps, whose rounding errors stay in pandas' running means and deviations."""
    theirs = by_stockstats(prices, 0).fillna({"dx_30": 0.0})
    columns = {name: column.to_numpy()[:, None] for name, column in theirs.items()}
    assert_equal_after_warm_up(compute_indicators(NAMES, prices), columns, by_definition(prices)[1])


def test_ten_thousand_sessions_leave_no_trace() -> None:
    prices = price_arrays(sessions=10_000, tickers=2)
    prices.close[5_000] *= 1e6
    assert_equal_after_warm_up(compute_indicators(NAMES, prices), *by_definition(prices))


def test_settings_know_every_indicator() -> None:
    assert get_args(IndicatorName) == NAMES


def test_refuses_an_unknown_indicator() -> None:
    with pytest.raises(SettingsError, match=r"unknown indicator rsi_31; allowed: macd, .*close_60_sma"):
        compute_indicators(["macd", "rsi_31"], price_arrays())
