"""The trading environment as Gymnasium takes it: one account (``Env``) or many (``VectorEnv``)."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from MLOps.environments.trading_batch import Step, TradingBatch

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def _spaces(batch: TradingBatch) -> tuple[Any, Any]:
    """Spaces of one account's observation and action."""
    limit = batch.observation_limit
    return (
        gymnasium.spaces.Box(-limit, limit, (batch.observation_size,), batch.observation_type.type),
        gymnasium.spaces.Box(-1.0, 1.0, (batch.tickers,), np.float32),
    )


class StockTradingEnv(gymnasium.Env[Float32Array, Float32Array]):
    """One account.

    The last step of an episode is marked with ``info["episode"]``, its summed reward and length, in the
    form that Stable-Baselines3 reads.

    Parameters
    ----------
    batch : TradingBatch
        Of a single account.
    """

    def __init__(self, batch: TradingBatch) -> None:
        assert batch.n_envs == 1, batch.n_envs
        self._batch = batch
        self.observation_space, self.action_space = _spaces(batch)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._batch.seed(seed)
        return self._batch.reset()[0], {}

    def step(self, action: Float32Array) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Trade on an action (N,) in [-1, 1] at this close and go to the next."""
        step = self._batch.step(np.asarray(action, dtype=np.float32)[None])
        reward, is_cut = float(step.rewards[0]), bool(step.is_cut[0])
        if not len(step.ended):
            return step.observations[0], reward, False, False, {}
        info = {"episode": {"r": float(step.episode_rewards[0]), "l": int(step.episode_steps[0]), "t": 0.0}}
        return step.last_observations[0], reward, not is_cut, is_cut, info

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values, the generator of random actions among them."""
        return {"batch": self._batch.state(), "actions": self.action_space.np_random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._batch.restore(state["batch"])
        self.action_space.np_random.bit_generator.state = state["actions"]


class StockTradingVectorEnv(VectorEnv[Float32Array, Float32Array, npt.NDArray[Any]]):
    """Many accounts, stepped in one call; an account whose episode ends begins the next one in the same step.

    ``infos["final_obs"]`` then holds the last observations of those that ended, ``infos["final_info"]`` their
    ``episode`` (summed reward, length), and the names with an underscore in front tell which ended, as
    Gymnasium's own vector environments do under ``AutoresetMode.SAME_STEP``.

    Parameters
    ----------
    batch : TradingBatch
        Steps the market.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 - the library's declaration

    def __init__(self, batch: TradingBatch) -> None:
        self._batch, self.num_envs = batch, batch.n_envs
        self.single_observation_space, self.single_action_space = _spaces(batch)
        self.observation_space = batch_space(self.single_observation_space, batch.n_envs)
        self.action_space = batch_space(self.single_action_space, batch.n_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin an episode in every account; of a list of seeds the first one counts."""
        first = seed[0] if isinstance(seed, list) else seed
        super().reset(seed=first, options=options)
        if first is not None:
            self._batch.seed(first)
        return self._batch.reset(), {}

    def step(self, actions: Float32Array) -> tuple[Float32Array, FloatArray, BoolArray, BoolArray, dict[str, Any]]:
        """Trade on actions (E, N) in [-1, 1] at each account's close and go to the next."""
        step = self._batch.step(np.asarray(actions, dtype=np.float32))
        is_terminated = step.is_last & ~step.is_cut
        if not len(step.ended):
            return step.observations, step.rewards, is_terminated, step.is_cut, {}
        return step.observations, step.rewards, is_terminated, step.is_cut, self._infos(step)

    def _infos(self, step: Step) -> dict[str, Any]:
        """What Gymnasium's own vector environments tell of the accounts whose episode has ended."""
        last = np.empty(self.num_envs, dtype=object)
        last[step.ended] = list(step.last_observations)
        episode: dict[str, npt.NDArray[Any]] = {}
        for name, values in (("r", step.episode_rewards), ("l", step.episode_steps), ("t", np.zeros(len(step.ended)))):
            episode[name] = np.zeros(self.num_envs, values.dtype)
            episode[name][step.ended] = values
            episode[f"_{name}"] = step.is_last
        final_info = {"episode": episode, "_episode": step.is_last}
        return {"final_obs": last, "_final_obs": step.is_last, "final_info": final_info, "_final_info": step.is_last}
