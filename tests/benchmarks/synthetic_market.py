"""A deterministic market of any size; its prices mean nothing, only their amount matters."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.market.indicators import INDICATORS, PriceArrays, compute_indicators
from MLOps.market.panel import MarketPanel

FloatArray = npt.NDArray[np.float64]
_WARM_UP = max(indicator.warm_up for indicator in INDICATORS.values())


def make_prices(sessions: int, tickers: int, seed: int = 11) -> PriceArrays:
    """Daily prices (T, N) of correlated geometric random walks."""
    generator = np.random.default_rng(seed)
    market = generator.normal(3e-4, 0.008, (sessions, 1))
    close = 60 * np.exp(np.cumsum(market + generator.normal(0, 0.012, (sessions, tickers)), axis=0))
    reach = np.abs(generator.normal(0, 0.008, (2, sessions, tickers)))
    return PriceArrays(high=close * (1 + reach[0]), low=close / (1 + reach[1]), close=close)


def make_panel(sessions: int, tickers: int, seed: int = 11) -> MarketPanel:
    """`sessions` of a market with FinRL's eight indicators, after the warm-up; turbulence is drawn, not computed."""
    prices = make_prices(sessions + _WARM_UP, tickers, seed)
    values = compute_indicators(tuple(INDICATORS), prices)
    return MarketPanel(
        dates=days(sessions),
        tickers=ticker_names(tickers),
        close=prices.close[_WARM_UP:].copy(),
        features=np.stack([values[name][_WARM_UP:] for name in INDICATORS], axis=2),
        feature_names=tuple(INDICATORS),
        turbulence=np.random.default_rng(seed).chisquare(tickers, sessions),
    )


def to_long_frame(prices: PriceArrays) -> pd.DataFrame:
    """FinRL's table of bars, sorted by (date, tic); the dates are text, as its downloader gives them."""
    sessions, tickers = prices.close.shape
    close = prices.close.ravel()
    return pd.DataFrame(
        {
            "date": np.repeat(days(sessions).astype(str).astype(object), tickers),
            "tic": np.tile(np.array(ticker_names(tickers), dtype=object), sessions),
            "open": close,
            "high": prices.high.ravel(),
            "low": prices.low.ravel(),
            "close": close,
            "volume": np.full(sessions * tickers, 1e6),
        }
    )


def ticker_names(tickers: int) -> tuple[str, ...]:
    """Names whose alphabetical order is their order."""
    return tuple(f"T{number:04d}" for number in range(tickers))


def days(sessions: int) -> npt.NDArray[np.datetime64]:
    """(sessions,) weekdays."""
    return np.busday_offset("1980-01-01", np.arange(sessions), roll="forward").astype("datetime64[D]")
