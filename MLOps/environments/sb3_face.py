"""The trading environment as Stable-Baselines3 takes it: a ``VecEnv`` without a loop over environments."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from MLOps.environments.trading_batch import TradingBatch


class StockTradingVecEnv(VecEnv):
    """Many accounts, stepped in one call; an account whose episode ends begins the next one at once.

    The infos of a finished account hold ``terminal_observation``, ``TimeLimit.truncated`` and ``episode``
    (summed reward, length), as the library's own wrappers write them; all others share one empty dict.

    Parameters
    ----------
    batch : TradingBatch
        Steps the market.
    """

    render_mode: str | None = None  # looked for by the library, which warns where it is missing

    def __init__(self, batch: TradingBatch) -> None:
        limit, size = batch.observation_limit, batch.observation_size
        super().__init__(
            batch.n_envs,
            gymnasium.spaces.Box(-limit, limit, (size,), batch.observation_type.type),
            gymnasium.spaces.Box(-1.0, 1.0, (batch.tickers,), np.float32),
        )
        self.batch = batch
        self._actions = np.zeros((batch.n_envs, batch.tickers), np.float32)
        self._no_infos: list[dict[str, Any]] = [{}] * batch.n_envs

    def reset(self) -> VecEnvObs:
        """Begin an episode in every account; observations (E, D)."""
        seed = self._seeds[0]
        if seed is not None:
            self.batch.seed(seed)
        self._reset_seeds()
        return self.batch.reset()

    def step_async(self, actions: np.ndarray[Any, Any]) -> None:
        """Take the actions (E, N) of the next step."""
        self._actions = np.asarray(actions, dtype=np.float32)

    def step_wait(self) -> VecEnvStepReturn:
        """Observations (E, D), rewards (E,), whether each episode has ended (E,), and the infos."""
        step = self.batch.step(self._actions)
        rewards = step.rewards.astype(np.float32)
        if not len(step.ended):
            return step.observations, rewards, step.is_last, self._no_infos
        infos = self._no_infos.copy()
        for place, account in enumerate(step.ended):
            infos[account] = {
                "terminal_observation": step.last_observations[place],
                "TimeLimit.truncated": bool(step.is_cut[account]),
                "episode": {
                    "r": float(step.episode_rewards[place]),
                    "l": int(step.episode_steps[place]),
                    "t": 0.0,
                },
            }
        return step.observations, rewards, step.is_last, infos

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values, the generator of random actions among them."""
        return {"batch": self.batch.state(), "actions": self.action_space.np_random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.batch.restore(state["batch"])
        self.action_space.np_random.bit_generator.state = state["actions"]

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The attribute of the whole, once for each of the accounts asked for."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refused: the accounts are rows of arrays."""
        raise NotImplementedError(f"{attr_name} of single environments; change the settings instead")

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refused: the accounts are rows of arrays."""
        raise NotImplementedError(f"{method_name} of single environments; they are rows of arrays")

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],  # noqa: ARG002 - the library's signature
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Never."""
        return [False] * len(list(self._get_indices(indices)))

    def get_images(self) -> Sequence[np.ndarray[Any, Any] | None]:
        """There is nothing to draw."""
        return [None] * self.num_envs
