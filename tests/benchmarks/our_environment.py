"""Our environment with the settings of its YAML file, less what a benchmark changes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from finrl_peers import COST_FRACTION, INITIAL_CASH, MAX_SHARES_PER_ORDER, REWARD_SCALING

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.inference.model_folder import Normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.project import project_root

Float32Array = npt.NDArray[np.float32]


def environment_settings(**changes: Any) -> EnvironmentSettings:
    """What is set for FinRL's environments in finrl_peers.py, with `changes`."""
    path = project_root() / "config" / "environments" / "stock_trading_env_config.yaml"
    as_for_finrl = {
        "max_shares_per_order": MAX_SHARES_PER_ORDER,
        "initial_amount": INITIAL_CASH,
        "buy_cost_fraction": COST_FRACTION,
        "sell_cost_fraction": COST_FRACTION,
        "reward_scaling": REWARD_SCALING,
        "random_start": False,
        "episode_sessions": None,
        "actions": "share_orders",
        "is_fractional": False,
    }
    return EnvironmentSettings(**yaml.safe_load(path.read_text()) | as_for_finrl | changes)


def make_batch(
    panel: MarketPanel, n_envs: int, normalisation: Normalisation | None = None, **changes: Any
) -> StockTradingBatch:
    """`n_envs` accounts; raw float64 observations, FinRL's own, unless a normalisation is given."""
    return StockTradingBatch(panel, environment_settings(**changes), normalisation, n_envs, seed=0)


def draw_actions(steps: int, n_envs: int, tickers: int, seed: int = 3) -> Float32Array:
    """(steps, n_envs, tickers) uniform in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (steps, n_envs, tickers)).astype(np.float32)
