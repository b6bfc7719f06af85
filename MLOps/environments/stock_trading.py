"""The environment that agents learn in: normalised observations of a stock-trading account."""

from typing import Any, Protocol

import gymnasium
import numpy as np
import numpy.typing as npt

from MLOps.errors import DataError
from MLOps.inference.model_folder import Normalisation
from MLOps.inference.observation import Normaliser
from MLOps.market.panel import MarketPanel
from MLOps.settings.environment import EnvironmentSettings

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]


class Engine(Protocol):
    """What steps the market; FinRL's is in MLOps/vendors/finrl.py."""

    def reset(self) -> FloatArray:
        """Begin at the first close; gives the raw observation (D,)."""

    def step(self, action: Float32Array) -> tuple[FloatArray, float, bool]:
        """Trade on an action (N,) and go to the next close; raw observation, reward, whether it is the last."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""


class StockTradingEnvironment(gymnasium.Env[Float32Array, Float32Array]):
    """A gymnasium environment over an engine.

    An episode is one pass over the window's T closes: T - 1 steps. The last one is marked with
    ``info["episode"]``, its summed reward and length, in the form that Stable-Baselines3 reads.

    Parameters
    ----------
    engine : Engine
        Steps the market.
    tickers : int
        N, the length of an action.
    normalisation : Normalisation
        Applied to every observation; fixed.
    """

    def __init__(self, engine: Engine, tickers: int, normalisation: Normalisation) -> None:
        self._engine = engine
        self._normalise = Normaliser(normalisation)
        self._reward, self._length = 0.0, 0
        size, limit = len(normalisation.mean), normalisation.limit
        self.observation_space = gymnasium.spaces.Box(-limit, limit, (size,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (tickers,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode at the first close."""
        super().reset(seed=seed, options=options)
        self._reward, self._length = 0.0, 0
        return self._normalise(self._engine.reset()), {}

    def step(self, action: Float32Array) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Trade on an action (N,) in [-1, 1] at this close and go to the next."""
        observation, reward, is_last = self._engine.step(action)
        self._reward, self._length = self._reward + reward, self._length + 1
        info = {"episode": {"r": self._reward, "l": self._length, "t": 0.0}} if is_last else {}
        return self._normalise(observation), reward, is_last, False, info

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values, the generator of random actions among them."""
        return {
            "engine": self._engine.state(),
            "reward": self._reward,
            "length": self._length,
            "action_generator": self.action_space.np_random.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._engine.restore(state["engine"])
        self._reward, self._length = state["reward"], state["length"]
        self.action_space.np_random.bit_generator.state = state["action_generator"]


def make_environment(
    panel: MarketPanel, settings: EnvironmentSettings, normalisation: Normalisation
) -> StockTradingEnvironment:
    """The environment over a window, by the engine that the settings name.

    Parameters
    ----------
    panel : MarketPanel
        The window that is played; its features are ``settings.feature_names``.
    settings : EnvironmentSettings
        Account, costs and scales.
    normalisation : Normalisation
        Fitted on the training window, whichever window is played.

    Raises
    ------
    DataError
        If the window has fewer than two sessions.
    """
    from MLOps.vendors.finrl import FinrlEngine  # the one engine so far; settings.engine chooses once there are two

    if len(panel.dates) < 2:
        raise DataError(f"a window of {len(panel.dates)} session", "at least 2", "split.minimum_train_sessions")
    assert settings.engine == "finrl"
    assert panel.feature_names == settings.feature_names, (panel.feature_names, settings.feature_names)
    return StockTradingEnvironment(FinrlEngine(panel, settings), len(panel.tickers), normalisation)
