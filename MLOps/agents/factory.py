"""The agent that the settings name."""

from typing import TYPE_CHECKING

from MLOps.agents.agent import Agent
from MLOps.settings.agent import AgentSettings, ElegantRlDdpg, ElegantRlPpo

if TYPE_CHECKING:
    from MLOps.environments.trading_batch import TradingBatch


def accounts_of(settings: AgentSettings) -> int:
    """How many accounts the agent plays at once; ElegantRL's play one."""
    return 1 if isinstance(settings, ElegantRlPpo | ElegantRlDdpg) else settings.hyperparameters.n_envs


def make_agent(settings: AgentSettings, batch: "TradingBatch", seed: int) -> Agent:
    """An untrained agent on `batch`; only its own library is imported.

    Parameters
    ----------
    settings : AgentSettings
        Library, algorithm, network and hyperparameters.
    batch : TradingBatch
        `accounts_of` accounts, played by the agent alone.
    seed : int
        Seeds the global generators that the libraries draw from; see MLOps/training/random_state.py.
    """
    assert batch.n_envs == accounts_of(settings), (batch.n_envs, accounts_of(settings))
    if isinstance(settings, ElegantRlPpo | ElegantRlDdpg):
        from MLOps.agents.elegantrl import ElegantRlAgent
        from MLOps.environments.gymnasium_face import StockTradingEnv

        return ElegantRlAgent(settings, StockTradingEnv(batch), seed)

    from MLOps.agents.sb3 import Sb3Agent
    from MLOps.environments.sb3_face import StockTradingVecEnv

    return Sb3Agent(settings, StockTradingVecEnv(batch), seed)
