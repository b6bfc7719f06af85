"""The Rainbow agent: it acts, remembers and learns.

Source: Hessel et al., 2018, "Rainbow: Combining Improvements in Deep Reinforcement Learning". Each of its parts has a
switch in `RainbowModelSettings`; with all of them off what remains is DQN (Mnih et al., 2015).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from MLOps.agents.rainbow_learner import RainbowLearner, Update
from MLOps.environments.trading_batch import Step
from MLOps.networks.dueling_categorical import RainbowNetwork
from MLOps.replay.n_step import NStepWindow
from MLOps.replay.prioritized import PrioritizedReplay
from MLOps.replay.uniform import UniformReplay
from MLOps.settings.rainbow import RainbowModelSettings, RainbowTrainingSettings

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class RainbowAgent:
    """An agent for E episodes that are played at once.

    Every draw comes from generators of its own, so that equal calls give equal numbers.

    Parameters
    ----------
    observation_size, actions : int
        D and A.
    model : RainbowModelSettings
        Network and switches.
    training : RainbowTrainingSettings
        E, replay, learning.
    """

    def __init__(
        self, observation_size: int, actions: int, model: RainbowModelSettings, training: RainbowTrainingSettings
    ) -> None:
        self._model, self._training, self._actions = model, training, actions
        weights, noise, chances, draws = np.random.SeedSequence(training.seed).spawn(4)
        initial = torch.Generator().manual_seed(int(weights.generate_state(1)[0]))
        self.network, target = (RainbowNetwork(observation_size, actions, model, initial) for _ in range(2))
        noise_generator = torch.Generator().manual_seed(int(noise.generate_state(1)[0]))
        self.learner = RainbowLearner(self.network, target, model, training, noise_generator)
        self.replay = _replay(observation_size, model, training, np.random.default_rng(draws))
        self._window = NStepWindow(training.n_envs, observation_size, model.n_steps, training.discount)
        self._chances = np.random.default_rng(chances)

    def act(self, observations: Float32Array, progress: float) -> IntArray:
        """Actions (E,) to explore by, for observations (E, D): under new noise, or at random now and then.

        Parameters
        ----------
        observations : (E, D)
        progress : float
            Share of the training that is done, in [0, 1].
        """
        best: IntArray = self.learner.values(observations, with_noise=self._model.is_noisy).argmax(1)
        if self._model.is_noisy:
            return best
        is_random = self._chances.random(len(best)) < self.epsilon(progress)
        return np.where(is_random, self._chances.integers(0, self._actions, len(best)), best)

    def epsilon(self, progress: float) -> float:
        """Share of random actions: falls in a line, then stays; 0 where the weights carry noise."""
        if self._model.is_noisy:
            return 0.0
        training = self._training
        fallen = min(progress / training.epsilon_fraction, 1.0)
        return training.epsilon_start + fallen * (training.epsilon_end - training.epsilon_start)

    def remember(self, observations: Float32Array, actions: IntArray, step: Step) -> None:
        """Take in what followed on actions (E,) at observations (E, D)."""
        self.replay.add(self._window.push(observations, actions, step.rewards, step))

    def learn(self, progress: float) -> Update:
        """Take a gradient step on a batch out of the replay."""
        start = self._training.importance_exponent
        batch = self.replay.sample(self._training.batch_size, start + progress * (1.0 - start))
        update = self.learner.update(batch)
        self.replay.set_priorities(batch.indices, update.errors)
        return update

    def values(self, observations: Float32Array) -> Float32Array:
        """Expected returns (B, A) of observations (B, D), without noise."""
        return self.learner.values(np.ascontiguousarray(observations, np.float32), with_noise=False)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, the replay among it."""
        return {
            "learner": self.learner.state(),
            "replay": self.replay.state(),
            "window": self._window.state(),
            "chances": self._chances.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.learner.restore(state["learner"])
        self.replay.restore(state["replay"])
        self._window.restore(state["window"])
        self._chances.bit_generator.state = state["chances"]


def _replay(
    observation_size: int,
    model: RainbowModelSettings,
    training: RainbowTrainingSettings,
    generator: np.random.Generator,
) -> PrioritizedReplay | UniformReplay:
    if model.is_prioritized:
        return PrioritizedReplay(training.replay_capacity, observation_size, training.priority_exponent, generator)
    return UniformReplay(training.replay_capacity, observation_size, generator)
