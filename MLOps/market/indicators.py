"""FinRL's standard technical indicators over all tickers at once, for a history or one more session.

Equal to stockstats 0.6.10, which FinRL uses, wherever enough of the past is known. stockstats also
answers before that, from a window that is not full yet or with an invented constant (rsi 50, cci 0);
here those rows are NaN, and the chain drops them. Row t uses rows up to t only, each ticker by itself.

A history is the same advance as a session, with more rows: both give the same bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError, SettingsError
from MLOps.market import indicator_kernels as kernels
from MLOps.market.engine_state import StateArray, copied, first_state, load_into, session_rows, with_past

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PriceArrays:
    """(T, N) float64 adjusted prices in the quote currency; high and low are NaN where unknown."""

    high: FloatArray
    low: FloatArray
    close: FloatArray


class Indicator(Protocol):
    """A formula that goes on from a state, so that the next session costs the same after any history.

    Attributes
    ----------
    warm_up : int
        First sessions for which the value is not known.
    needs_high_low : bool
        Whether it reads high and low.
    """

    @property
    def warm_up(self) -> int: ...

    @property
    def needs_high_low(self) -> bool: ...

    def start(self, tickers: int) -> FloatArray:
        """(rows, N) float64 the state before the first session: past prices NaN, averages and weights 0."""

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        """(T, N) float64 the values of the next T sessions; `state` is updated."""


@dataclass(frozen=True)
class _OfFullWindow:
    """Known as soon as the last `window` prices are; remembers all of them but the newest."""

    window: int
    needs_high_low: ClassVar[bool] = False

    @property
    def warm_up(self) -> int:
        return self.window - 1

    def start(self, tickers: int) -> FloatArray:
        return first_state(self.window - 1, 0, tickers)


@dataclass(frozen=True)
class Macd:
    """Moving average convergence divergence: the fast minus the slow exponential average, in price units.

    ``EMA_t = sum_i (1-a)^i x_{t-i} / sum_i (1-a)^i`` with ``a = 2 / (span + 1)``, over all of the
    past. Known from row ``slow - 1`` on. Source: Appel, Technical Analysis (2005).
    """

    fast: int = 12
    slow: int = 26
    needs_high_low: ClassVar[bool] = False

    @property
    def warm_up(self) -> int:
        return self.slow - 1

    def start(self, tickers: int) -> FloatArray:
        return first_state(0, 4, tickers)

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        values = np.empty_like(prices.close)
        kernels.macd(state, 2.0 / (self.fast + 1), 2.0 / (self.slow + 1), prices.close, values)
        return values


@dataclass(frozen=True)
class BollingerBand(_OfFullWindow):
    """A Bollinger band: moving average plus `width` sample standard deviations (divisor window - 1).

    `width` is 2 for the upper and -2 for the lower band. Known from row ``window - 1`` on. Source:
    Bollinger on Bollinger Bands (2001); stockstats' choice of divisor.
    """

    width: float

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        values = np.empty_like(prices.close)
        kernels.bollinger_band(with_past(state, prices.close), self.width, values)
        return values


@dataclass(frozen=True)
class Rsi:
    """Relative strength index, 0 to 100: share of the gains in all movement.

    ``100 * S(gain) / (S(gain) + S(loss))`` with Wilder's smoothing S (``a = 1 / window``); 50 where
    the price never moved. Known from row `window` on, when `window` changes are known. Source:
    Wilder, New Concepts in Technical Trading Systems (1978).
    """

    window: int
    needs_high_low: ClassVar[bool] = False

    @property
    def warm_up(self) -> int:
        return self.window

    def start(self, tickers: int) -> FloatArray:
        return first_state(1, 3, tickers)

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        values = np.empty_like(prices.close)
        kernels.rsi(state, 1.0 / self.window, prices.close, values)
        return values


@dataclass(frozen=True)
class Cci(_OfFullWindow):
    """Commodity channel index: distance of the typical price from its average in mean deviations.

    ``(p - SMA(p)) / (0.015 * MAD(p))`` with ``p = (high + low + close) / 3``; MAD is the mean
    absolute distance of the window's prices from the window's mean. 0 where p did not move in the
    window, NaN where the window holds an unknown price. Known from row ``window - 1`` on. Source:
    Lambert, Commodities (October 1980).
    """

    needs_high_low: ClassVar[bool] = True

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        typical = (prices.high + prices.low + prices.close) / 3.0
        values = np.empty_like(typical)
        kernels.cci(with_past(state, typical), values)
        return values


@dataclass(frozen=True)
class Dx:
    """Directional movement index, 0 to 100: how one-sided the daily highs and lows move.

    ``100 * |S(+DM) - S(-DM)| / (S(+DM) + S(-DM))`` with Wilder's smoothing S. The true range, by
    which +DI and -DI are scaled, cancels. 0 where neither high nor low moved out, NaN at a session
    whose high or low is unknown. Known from row `window` on. Source: Wilder, New Concepts in
    Technical Trading Systems (1978).
    """

    window: int
    needs_high_low: ClassVar[bool] = True

    @property
    def warm_up(self) -> int:
        return self.window

    def start(self, tickers: int) -> FloatArray:
        return first_state(2, 3, tickers)

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        values = np.empty_like(prices.high)
        kernels.dx(state, 1.0 / self.window, prices.high, prices.low, values)
        return values


@dataclass(frozen=True)
class SimpleMovingAverage(_OfFullWindow):
    """Mean of the last `window` closes, in price units; known from row ``window - 1`` on."""

    def advance(self, state: FloatArray, prices: PriceArrays) -> FloatArray:
        values = np.empty_like(prices.close)
        kernels.simple_moving_average(with_past(state, prices.close), values)
        return values


INDICATORS: dict[str, Indicator] = {
    "macd": Macd(),
    "boll_ub": BollingerBand(20, 2.0),
    "boll_lb": BollingerBand(20, -2.0),
    "rsi_30": Rsi(30),
    "cci_30": Cci(30),
    "dx_30": Dx(30),
    "close_30_sma": SimpleMovingAverage(30),
    "close_60_sma": SimpleMovingAverage(60),
}
"""Every indicator by FinRL's name for it."""


def compute_indicators(names: Sequence[str], prices: PriceArrays) -> dict[str, FloatArray]:
    """The named indicators over a history, each (T, N) float64, NaN in its warm-up rows.

    Raises
    ------
    SettingsError
        If a name is unknown.
    """
    return IndicatorEngine(names, prices.close.shape[1]).advance(prices)


class IndicatorEngine:
    """The named indicators of N tickers, session by session; memory and time a session are bounded.

    Parameters
    ----------
    names : sequence of str
        Of `INDICATORS`.
    tickers : int
        N.

    Raises
    ------
    SettingsError
        If a name is unknown.
    """

    def __init__(self, names: Sequence[str], tickers: int) -> None:
        if unknown := [name for name in names if name not in INDICATORS]:
            raise SettingsError(
                f"unknown indicator {', '.join(unknown)}", ", ".join(INDICATORS), "the setting `indicators`"
            )
        self._tickers = tickers
        self._sessions = np.zeros((), dtype=np.int64)
        self._states = {name: INDICATORS[name].start(tickers) for name in names}

    def update(self, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
        """(len(names), N) float64 the values at the next session's close, from its (N,) prices.

        Raises
        ------
        DataError
            If the prices are not those of N tickers.
        """
        values = self.advance(PriceArrays(high[None], low[None], close[None]))
        return np.concatenate([np.empty((0, self._tickers)), *values.values()])

    def advance(self, prices: PriceArrays) -> dict[str, FloatArray]:
        """Each indicator, (T, N) float64, over the next T sessions; NaN in its warm-up rows.

        Raises
        ------
        DataError
            If the prices are not those of N tickers, or high, low and close not of the same sessions.
        """
        rows = self._checked(prices)
        values = {name: INDICATORS[name].advance(state, rows) for name, state in self._states.items()}
        for name, array in values.items():
            array[: max(INDICATORS[name].warm_up - int(self._sessions), 0)] = np.nan
        self._sessions += len(rows.close)
        return values

    def state(self) -> dict[str, StateArray]:
        """What `restore` needs to go on from here: copies, plain arrays by name."""
        return copied(self._arrays())

    def restore(self, state: Mapping[str, StateArray]) -> None:
        """Go on from where `state` was taken.

        Raises
        ------
        DataError
            If it is of other indicators or of another number of tickers; nothing has changed then.
        """
        load_into(self._arrays(), state)

    def _checked(self, prices: PriceArrays) -> PriceArrays:
        high, low, close = (session_rows(array, self._tickers) for array in (prices.high, prices.low, prices.close))
        if not len(high) == len(low) == len(close):
            given = f"high, low and close of {len(high)}, {len(low)} and {len(close)} sessions"
            raise DataError(given, "the same sessions in each", "the bars")
        return PriceArrays(high, low, close)

    def _arrays(self) -> dict[str, StateArray]:
        return {"sessions": self._sessions} | self._states
