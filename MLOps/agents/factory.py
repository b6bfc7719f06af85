"""The agent that the settings name."""

from typing import TYPE_CHECKING

from MLOps.agents.agent import Agent
from MLOps.settings.agent import AgentSettings, ElegantRlDdpg, ElegantRlPpo

if TYPE_CHECKING:
    from MLOps.environments.stock_trading import StockTradingEnvironment


def make_agent(settings: AgentSettings, environment: "StockTradingEnvironment", seed: int) -> Agent:
    """An untrained agent on `environment`; only its own library is imported.

    Parameters
    ----------
    settings : AgentSettings
        Library, algorithm, network and hyperparameters.
    environment : StockTradingEnvironment
        Played by the agent alone.
    seed : int
        Seeds the global generators that the libraries draw from; see MLOps/training/random_state.py.
    """
    if isinstance(settings, ElegantRlPpo | ElegantRlDdpg):
        from MLOps.agents.elegantrl import ElegantRlAgent

        return ElegantRlAgent(settings, environment, seed)

    from MLOps.agents.sb3 import Sb3Agent

    return Sb3Agent(settings, environment, seed)
