"""Synthetic markets and terms for the evaluation tests."""

from collections.abc import Callable

import numpy as np
import pytest

from MLOps.market.panel import MarketPanel
from MLOps.settings.backtest import AccountSettings, BacktestTerms, BaselineSettings, BootstrapSettings


@pytest.fixture(scope="session")
def panel_of() -> Callable[..., MarketPanel]:
    """A maker of panels with given closes (T, N) and one feature that is noise."""

    def make(close: np.ndarray) -> MarketPanel:
        sessions, tickers = close.shape
        noise = np.random.default_rng(1).normal(size=(sessions, tickers, 1))
        dates = np.datetime64("2020-01-01", "D") + np.arange(sessions)
        names = tuple(f"T{n:02d}" for n in range(tickers))
        return MarketPanel(dates, names, close.astype(np.float64), noise, ("noise",), np.zeros(sessions))

    return make


@pytest.fixture(scope="session")
def make_panel(panel_of: Callable[..., MarketPanel]) -> Callable[..., MarketPanel]:
    """A maker of geometric Brownian motions, seeded."""

    def make(sessions: int = 120, tickers: int = 4, seed: int = 0) -> MarketPanel:
        steps = np.random.default_rng(seed).normal(3e-4, 0.015, (sessions, tickers))
        return panel_of(50 * np.exp(np.cumsum(steps, axis=0)))

    return make


@pytest.fixture(scope="session")
def make_account() -> Callable[..., AccountSettings]:
    """A maker of accounts: 100,000 in cash, no costs, no lag, unless told otherwise."""

    def make(**changes: float) -> AccountSettings:
        nothing = ("buy_cost_bps", "sell_cost_bps", "slippage_bps", "linear_impact_bps", "root_impact_bps")
        values = {"starting_cash": 1e5, "execution_lag_sessions": 0, "allow_fractional_shares": False}
        return AccountSettings.model_validate(values | dict.fromkeys(nothing, 0) | changes)

    return make


@pytest.fixture(scope="session")
def terms(make_account: Callable[..., AccountSettings]) -> BacktestTerms:
    """Terms that are quick to compute."""
    return BacktestTerms(
        account=make_account(buy_cost_bps=10, sell_cost_bps=10, execution_lag_sessions=1),
        sessions_per_year=252,
        baselines=BaselineSettings(lookback_sessions=40, refit_sessions=10, random_paths=5, random_seed=3),
        bootstrap=BootstrapSettings(resamples=200, confidence_fraction=0.9, seed=4),
    )
