"""A small market, and every agent of config/rl_agents with a budget that a test can afford."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from MLOps.agents.agent import Agent
from MLOps.agents.factory import accounts_of, make_agent
from MLOps.environments.sb3_face import StockTradingVecEnv
from MLOps.environments.stock_trading import make_batch
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import fit_normalisation
from MLOps.market.panel import MarketPanel
from MLOps.settings.compose import SettingsFile, compose_settings
from MLOps.settings.project import project_root
from MLOps.settings.training import TrainRlAgentSettings

_SMALL = {
    "ppo": ["n_envs=1", "n_steps=32", "batch_size=16", "n_epochs=2"],
    "a2c": ["n_envs=1", "n_steps=8"],
    "ddpg": ["n_envs=1", "gradient_steps=1", "learning_starts=20", "batch_size=16", "buffer_size=100"],
    "td3": ["n_envs=1", "gradient_steps=1", "learning_starts=20", "batch_size=16", "buffer_size=100"],
    "sac": ["n_envs=1", "gradient_steps=1", "learning_starts=20", "batch_size=16", "buffer_size=100"],
    "elegantrl_ppo": ["horizon_len=32", "batch_size=16", "repeat_times=1"],
    "elegantrl_ddpg": ["horizon_len=32", "batch_size=16", "buffer_size=100", "warmup_steps=40"],
}
AGENTS = tuple(_SMALL)


@pytest.fixture(params=AGENTS)
def agent_name(request: pytest.FixtureRequest) -> str:
    """Each agent in turn: the start of its file's name in config/rl_agents."""
    return str(request.param)


@pytest.fixture(scope="session")
def panel() -> MarketPanel:
    """61 sessions of two tickers with two indicators."""
    generator = np.random.default_rng(11)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(61),
        tickers=("AA", "BB"),
        close=50 * np.exp(np.cumsum(generator.normal(0, 0.02, (61, 2)), axis=0)),
        features=generator.normal(size=(61, 2, 2)),
        feature_names=("macd", "rsi_30"),
        turbulence=generator.uniform(0, 10, 61),
    )


@pytest.fixture(scope="session")
def normalisation(panel: MarketPanel) -> Normalisation:
    return fit_normalisation(panel, 1_000_000, 10)


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., TrainRlAgentSettings]:
    """``make_settings("ppo", "agent.network.hidden_sizes=[8]")``."""

    @cache
    def make(name: str, *overrides: str) -> TrainRlAgentSettings:
        file = project_root() / "config" / "rl_agents" / f"{name}_stocktrading_params.yaml"
        small = [f"agent.hyperparameters.{text}" for text in _SMALL[name]]
        shared = [
            "agent.network.hidden_sizes=[16,8]",
            "environment.indicators=[macd,rsi_30]",
            "environment.random_start=false",
        ]
        return compose_settings(
            TrainRlAgentSettings,
            "train_rl_agent",
            [*shared, *small, *overrides],
            [SettingsFile(file, "agent", replaces=True)],
        )

    return make


@pytest.fixture(scope="session")
def make_small_agent(
    panel: MarketPanel, normalisation: Normalisation, make_settings: Callable[..., TrainRlAgentSettings]
) -> Callable[..., Agent]:
    """``make_small_agent("ppo", seed=3)``: an untrained agent on the small market."""

    def make(name: str, *overrides: str, seed: int = 3) -> Agent:
        settings = make_settings(name, *overrides)
        batch = make_batch(panel, settings.environment, normalisation, accounts_of(settings.agent), seed)
        return make_agent(settings.agent, batch, seed)

    return make


@pytest.fixture(scope="session")
def make_vec_env(
    panel: MarketPanel, normalisation: Normalisation, make_settings: Callable[..., TrainRlAgentSettings]
) -> Callable[..., StockTradingVecEnv]:
    """``make_vec_env(3, random_start=True)``: accounts on the small market, for a library to play."""
    settings = make_settings("ppo").environment

    def make(n_envs: int, **changes: object) -> StockTradingVecEnv:
        return StockTradingVecEnv(make_batch(panel, settings.model_copy(update=changes), normalisation, n_envs, seed=2))

    return make
