"""Fixtures of the market's tests."""

from collections.abc import Callable

import pandas as pd
import pytest

from MLOps.market.bars import as_bars


@pytest.fixture(scope="session")
def make_bars(make_prices: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """A maker of synthetic bars of the contract; takes the arguments of `make_prices`."""

    def make(tickers: tuple[str, ...] = ("AAA", "BBB", "CCC"), sessions: int = 400, seed: int = 7) -> pd.DataFrame:
        prices = make_prices(tickers, sessions, seed)
        closed_at = (prices["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
        plain = {"dividend": 0.0, "split_ratio": 1.0, "is_close_only": False, "is_delisted": False}
        return as_bars(prices.assign(timestamp=closed_at, **plain))

    return make


@pytest.fixture(scope="session")
def make_finrl_frame() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """From bars to the long frame that FinRL's FeatureEngineer reads."""

    def make(bars: pd.DataFrame) -> pd.DataFrame:
        long = bars.rename(columns={"ticker": "tic"}).assign(date=bars["session"].dt.strftime("%Y-%m-%d"))
        return long[["date", "tic", "open", "high", "low", "close", "volume"]]

    return make
