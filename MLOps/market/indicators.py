"""FinRL's standard technical indicators as array code over (sessions, tickers).

Equal to stockstats 0.6.10, which FinRL uses, wherever enough of the past is known. stockstats also
answers before that, from a window that is not full yet or with an invented constant (rsi 50, cci 0);
here those rows are NaN, and the chain drops them. Row t uses rows up to t only, each ticker by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import SettingsError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PriceArrays:
    """(T, N) float64 adjusted prices in the quote currency; high and low are NaN where unknown."""

    high: FloatArray
    low: FloatArray
    close: FloatArray


@dataclass(frozen=True)
class Indicator:
    """A formula, the number of first rows for which it is not known, and whether it reads high and low."""

    compute: Callable[[PriceArrays], FloatArray]
    warm_up: int
    needs_high_low: bool = False


def macd(close: FloatArray, fast: int = 12, slow: int = 26) -> FloatArray:
    """Moving average convergence divergence: the fast minus the slow exponential average, in price units.

    ``EMA_t = sum_i (1-a)^i x_{t-i} / sum_i (1-a)^i`` with ``a = 2 / (span + 1)``, over all of the
    past. Known from row ``slow - 1`` on. Source: Appel, Technical Analysis (2005).
    """
    frame = pd.DataFrame(close)
    return _array(frame.ewm(span=fast, adjust=True).mean() - frame.ewm(span=slow, adjust=True).mean())


def bollinger_band(close: FloatArray, width: float, window: int = 20) -> FloatArray:
    """A Bollinger band: moving average plus `width` sample standard deviations (divisor window - 1).

    `width` is 2 for the upper and -2 for the lower band. Known from row ``window - 1`` on. Source:
    Bollinger on Bollinger Bands (2001); stockstats' choice of divisor.
    """
    rolling = pd.DataFrame(close).rolling(window)
    return _array(rolling.mean() + width * rolling.std())


def rsi(close: FloatArray, window: int) -> FloatArray:
    """Relative strength index, 0 to 100: share of the gains in all movement.

    ``100 * S(gain) / (S(gain) + S(loss))`` with Wilder's smoothing S (``a = 1 / window``); 50 where
    the price never moved. Known from row `window` on, when `window` changes are known. Source:
    Wilder, New Concepts in Technical Trading Systems (1978).
    """
    change = np.diff(close, axis=0, prepend=close[:1])
    gain, loss = _wilder(np.maximum(change, 0.0), window), _wilder(np.maximum(-change, 0.0), window)
    return 100.0 * _ratio(gain, gain + loss, otherwise=0.5)


def cci(prices: PriceArrays, window: int) -> FloatArray:
    """Commodity channel index: distance of the typical price from its average in mean deviations.

    ``(p - SMA(p)) / (0.015 * MAD(p))`` with ``p = (high + low + close) / 3``; MAD is the mean
    absolute distance of the window's prices from the window's mean. 0 where p did not move in the
    window. Known from row ``window - 1`` on. Source: Lambert, Commodities (October 1980).
    """
    typical = (prices.high + prices.low + prices.close) / 3.0
    rolling = pd.DataFrame(typical).rolling(window)
    mean = _array(rolling.mean())
    deviation = np.full_like(typical, np.nan)
    deviation[window - 1 :] = 0.0
    last = len(typical)
    for lag in range(window):  # a few passes over (T, N) instead of a copy of every window
        deviation[window - 1 :] += np.abs(typical[window - 1 - lag : last - lag] - mean[window - 1 :]) / window
    has_moved = _array(rolling.max()) > _array(rolling.min())
    return _ratio(typical - mean, np.where(has_moved, 0.015 * deviation, 0.0), otherwise=0.0)


def dx(prices: PriceArrays, window: int) -> FloatArray:
    """Directional movement index, 0 to 100: how one-sided the daily highs and lows move.

    ``100 * |S(+DM) - S(-DM)| / (S(+DM) + S(-DM))`` with Wilder's smoothing S. The true range, by
    which +DI and -DI are scaled, cancels. 0 where neither high nor low moved out. Known from row
    `window` on. Source: Wilder, New Concepts in Technical Trading Systems (1978).
    """
    up = np.diff(prices.high, axis=0, prepend=prices.high[:1])
    down = -np.diff(prices.low, axis=0, prepend=prices.low[:1])
    plus = _wilder(np.where((up > 0) & (up > down), up, 0.0), window)
    minus = _wilder(np.where((down > 0) & (down > up), down, 0.0), window)
    return 100.0 * _ratio(np.abs(plus - minus), plus + minus, otherwise=0.0)


def simple_moving_average(close: FloatArray, window: int) -> FloatArray:
    """Mean of the last `window` closes, in price units; known from row ``window - 1`` on."""
    return _array(pd.DataFrame(close).rolling(window).mean())


INDICATORS: dict[str, Indicator] = {
    "macd": Indicator(lambda prices: macd(prices.close), warm_up=25),
    "boll_ub": Indicator(lambda prices: bollinger_band(prices.close, 2.0), warm_up=19),
    "boll_lb": Indicator(lambda prices: bollinger_band(prices.close, -2.0), warm_up=19),
    "rsi_30": Indicator(lambda prices: rsi(prices.close, 30), warm_up=30),
    "cci_30": Indicator(lambda prices: cci(prices, 30), warm_up=29, needs_high_low=True),
    "dx_30": Indicator(lambda prices: dx(prices, 30), warm_up=30, needs_high_low=True),
    "close_30_sma": Indicator(lambda prices: simple_moving_average(prices.close, 30), warm_up=29),
    "close_60_sma": Indicator(lambda prices: simple_moving_average(prices.close, 60), warm_up=59),
}
"""Every indicator by FinRL's name for it."""


def compute_indicators(names: Sequence[str], prices: PriceArrays) -> dict[str, FloatArray]:
    """The named indicators, each (T, N) float64, NaN in its warm-up rows.

    Raises
    ------
    SettingsError
        If a name is unknown.
    """
    if unknown := [name for name in names if name not in INDICATORS]:
        raise SettingsError(
            f"unknown indicator {', '.join(unknown)}", ", ".join(INDICATORS), "the setting `indicators`"
        )
    values = {name: INDICATORS[name].compute(prices) for name in names}
    for name, array in values.items():
        array[: INDICATORS[name].warm_up] = np.nan
    return values


def _wilder(values: FloatArray, window: int) -> FloatArray:
    """Wilder's smoothing: the exponential average with ``a = 1 / window``."""
    return _array(pd.DataFrame(values).ewm(alpha=1.0 / window, adjust=True).mean())


def _ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float) -> FloatArray:
    """The quotient, and `otherwise` where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.full_like(numerator, otherwise), where=denominator != 0)


def _array(frame: pd.DataFrame) -> FloatArray:
    return frame.to_numpy(dtype=np.float64)
