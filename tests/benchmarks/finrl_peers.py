"""FinRL's two environments, unchanged, on a market of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.market.panel import MarketPanel

Float32Array = npt.NDArray[np.float32]

MAX_SHARES_PER_ORDER = 100
INITIAL_CASH = 1e6
COST_FRACTION = 1e-3
REWARD_SCALING = 1e-4
_NEVER_TURBULENT = 1e9  # a finite threshold: FinRL multiplies by it


def stock_trading_env(panel: MarketPanel, initial_cash: float = INITIAL_CASH) -> Any:
    """FinRL's ``StockTradingEnv`` over its pandas table."""
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

    tickers = len(panel.tickers)
    return StockTradingEnv(
        df=panel.to_frame(),
        stock_dim=tickers,
        hmax=MAX_SHARES_PER_ORDER,
        initial_amount=initial_cash,
        num_stock_shares=[0] * tickers,
        buy_cost_pct=[COST_FRACTION] * tickers,
        sell_cost_pct=[COST_FRACTION] * tickers,
        reward_scaling=REWARD_SCALING,
        state_space=1 + tickers * (2 + len(panel.feature_names)),
        action_space=tickers,
        tech_indicator_list=list(panel.feature_names),
        print_verbosity=10**9,
    )


def numpy_env(panel: MarketPanel, initial_cash: float = INITIAL_CASH) -> Any:
    """FinRL's ``env_stocktrading_np``, with the settings by which its rule of trading is that of ``StockTradingEnv``.

    ``min_stock_rate=0`` lets it fill small orders too. Its cash limit leaves the cost out of account, and
    its buys come in the tickers' order: as long as the cash suffices for all orders, neither shows.
    """
    from finrl.meta.env_stock_trading.env_stocktrading_np import StockTradingEnv

    market = {
        "price_array": panel.close,
        "tech_array": panel.features.reshape(len(panel.dates), -1),
        "turbulence_array": panel.turbulence,
        "if_train": False,
    }
    return StockTradingEnv(
        market,
        turbulence_thresh=_NEVER_TURBULENT,
        min_stock_rate=0.0,
        max_stock=MAX_SHARES_PER_ORDER,
        initial_capital=initial_cash,
        buy_cost_pct=COST_FRACTION,
        sell_cost_pct=COST_FRACTION,
    )


@contextmanager
def stable_sort_in_finrl() -> Iterator[None]:
    """While open, FinRL orders equal orders by ticker, as ours does.

    NumPy's default sort leaves the order of equal values to the processor, so FinRL's results do too.
    """
    from finrl.meta.env_stock_trading import env_stocktrading

    original, env_stocktrading.np = env_stocktrading.np, _StableNumpy("numpy")
    try:
        yield
    finally:
        env_stocktrading.np = original


class _StableNumpy(ModuleType):
    """NumPy with a stable argsort."""

    argsort = staticmethod(partial(np.argsort, kind="stable"))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)
