"""The buy-timing environment as Gymnasium takes it: one cycle after the other."""

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.environments.dca_timing_kernel import CONTEXT

Float32Array = npt.NDArray[np.float32]


class DcaTimingEnv(gymnasium.Env[Float32Array, np.int64]):
    """One episode a cycle; the purchase terminates it, at the last decision whatever the action.

    The last step is marked with ``info["episode"]``, its reward and length, in the form that
    Stable-Baselines3 reads.

    Parameters
    ----------
    batch : DcaTimingBatch
        Of a single episode.
    """

    def __init__(self, batch: DcaTimingBatch) -> None:
        assert batch.n_envs == 1, batch.n_envs
        self._batch = batch
        low = np.zeros(batch.observation_size, np.float32)
        high = np.ones(batch.observation_size, np.float32)
        low[CONTEXT:], high[CONTEXT:] = -batch.history_limit, batch.history_limit
        self.observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(batch.actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32Array, dict[str, Any]]:
        """Begin a cycle drawn at random."""
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._batch.seed(seed)
        return self._batch.reset()[0], {}

    def step(self, action: np.int64) -> tuple[Float32Array, float, bool, bool, dict[str, Any]]:
        """Hold (0) or buy (1) at this close."""
        step = self._batch.step(np.asarray(action).reshape(1))
        reward = float(step.rewards[0])
        if not len(step.ended):
            return step.observations[0], reward, False, False, {}
        info = {"episode": {"r": float(step.episode_rewards[0]), "l": int(step.episode_steps[0]), "t": 0.0}}
        return step.last_observations[0], reward, True, False, info

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values, the generator of random actions among them."""
        return {"batch": self._batch.state(), "actions": self.action_space.np_random.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self._batch.restore(state["batch"])
        self.action_space.np_random.bit_generator.state = state["actions"]
