"""Exploration and replay of the off-policy algorithms of Stable-Baselines3, without a loop over environments."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from gymnasium.spaces import Box
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.noise import ActionNoise, NormalActionNoise, VectorizedActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.type_aliases import RolloutReturn, TrainFreq
from stable_baselines3.common.vec_env import VecEnv

Float32Array = npt.NDArray[np.float32]


class GaussianNoise(VectorizedActionNoise):
    """Exploration noise (E, N) of all environments in one draw, of NumPy's global generator as the library's."""

    def __init__(self, deviation: float, n_envs: int, actions: int) -> None:
        shape = (n_envs, actions)
        self._noise = NormalActionNoise(np.zeros(shape), np.full(shape, deviation))

    def __call__(self) -> Float32Array:
        """(E, N)."""
        return self._noise()

    def reset(self, indices: Iterable[int] | None = None) -> None:
        """A draw does not depend on the one before."""


class BatchedReplay(OffPolicyAlgorithm):
    """Plays and remembers what the library's own ``collect_rollouts`` does, from the same draws, in less time.

    To be mixed in before an algorithm over a Box of actions, which counts ``train_freq`` in steps and
    has no noise but `GaussianNoise`. The noise is not saved, so that a saved model asks for no class of ours.
    """

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "action_noise"]

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        train_freq: TrainFreq,
        replay_buffer: ReplayBuffer,
        action_noise: ActionNoise | None = None,
        learning_starts: int = 0,
        log_interval: int | None = None,
    ) -> RolloutReturn:
        """Play ``train_freq.frequency`` sessions in every environment."""
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        played = episodes = 0
        for _ in range(train_freq.frequency):
            actions, scaled = self._explore(env.num_envs, learning_starts, action_noise)
            observations, rewards, dones, infos = env.step(actions)
            assert isinstance(observations, np.ndarray)
            self.num_timesteps += env.num_envs
            played += env.num_envs
            if not callback.on_step():
                return RolloutReturn(played, episodes, continue_training=False)
            ended = np.flatnonzero(dones)
            last = [infos[e] for e in ended]
            self._update_info_buffer(last)
            self._remember(replay_buffer, scaled, observations, rewards, dones, ended, last)
            self._last_obs = observations
            self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
            self._on_step()
            episodes += len(ended)
            self._episode_num += len(ended)
            if len(ended) and log_interval is not None:
                self.dump_logs()
        callback.on_rollout_end()
        return RolloutReturn(played, episodes, continue_training=True)

    def _explore(
        self, n_envs: int, learning_starts: int, action_noise: ActionNoise | None
    ) -> tuple[Float32Array, Float32Array]:
        """Actions (E, N) to play, and as they are remembered, in [-1, 1]: at first uniform ones, then the policy's."""
        space = self.action_space
        assert isinstance(space, Box)
        assert isinstance(self._last_obs, np.ndarray)
        if self.num_timesteps < learning_starts:
            actions = space.np_random.uniform(space.low, space.high, (n_envs, *space.shape)).astype(np.float32)
        else:
            actions, _ = self.predict(self._last_obs, deterministic=False)
        scaled = self.policy.scale_action(actions)
        if action_noise is not None:
            scaled = np.clip(scaled + action_noise(), -1.0, 1.0)
        return self.policy.unscale_action(scaled), scaled

    def _remember(
        self,
        memory: ReplayBuffer,
        actions: Float32Array,
        observations: Float32Array,
        rewards: Float32Array,
        dones: npt.NDArray[np.bool_],
        ended: npt.NDArray[np.int64],
        last: list[dict[str, object]],
    ) -> None:
        """Write one transition of every environment; of those that ended, to their last observation."""
        at = memory.pos
        memory.observations[at], memory.next_observations[at] = self._last_obs, observations
        memory.actions[at], memory.rewards[at], memory.dones[at] = actions, rewards, dones
        memory.timeouts[at] = 0.0
        if len(ended):
            memory.next_observations[at, ended] = [info["terminal_observation"] for info in last]
            memory.timeouts[at, ended] = [info["TimeLimit.truncated"] for info in last]
        memory.pos = (at + 1) % memory.buffer_size
        memory.full |= memory.pos == 0
