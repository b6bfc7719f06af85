"""n-step returns of environments that are stepped together.

A transition goes from an observation over n rewards to the observation after them:
G = r_1 + gamma r_2 + ... + gamma^(n-1) r_n, and gamma^n times the value of that observation is to be added.
Where the episode ends earlier, after k rewards, the sum has k terms; a value is added only if the episode
was cut, not if it has terminated.

Source: Sutton and Barto, Reinforcement Learning (2nd edition, 2018), section 7.1, equation 7.1.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.environments.trading_batch import Step
from MLOps.errors import ModelError
from MLOps.replay.n_step_kernel import count_complete, push_steps
from MLOps.replay.transitions import Transitions

Float32Array = npt.NDArray[np.float32]


class NStepWindow:
    """The last steps of E environments whose returns are not complete yet.

    Parameters
    ----------
    n_envs : int
        E.
    observation_size : int
        D.
    steps : int
        n, at least 1.
    discount : float
        gamma, in [0, 1].

    Raises
    ------
    ModelError
        If a parameter is out of its bounds.
    """

    def __init__(self, n_envs: int, observation_size: int, steps: int, discount: float) -> None:
        if steps < 1 or not 0.0 <= discount <= 1.0:
            given = f"returns over {steps} steps with discount {discount}"
            raise ModelError(given, "at least 1 step, a discount in [0, 1]", "the settings of the agent")
        self.n_envs, self.observation_size, self.steps, self.discount = n_envs, observation_size, steps, float(discount)
        self._observations = np.zeros((n_envs, steps, observation_size), np.float32)
        self._actions = np.zeros((n_envs, steps), np.int64)
        self._rewards = np.zeros((n_envs, steps))
        self._pending = np.zeros(n_envs, np.int64)
        self._newest = np.zeros(n_envs, np.int64)

    def push(
        self, observations: npt.ArrayLike, actions: npt.ArrayLike, rewards: npt.ArrayLike, step: Step
    ) -> Transitions:
        """Take in one step of every environment; gives the transitions that it completes.

        Parameters
        ----------
        observations : (E, D)
            Before the step.
        actions : (E,)
            Taken there.
        rewards : (E,)
            Paid for it: ``step.rewards`` or what was made of them.
        step : Step
            What followed.

        Returns
        -------
        Transitions
            By environment, in each by time: of one whose episode goes on the one that is n steps old, if it has
            come so far; of one whose episode has ended all that were pending.

        Raises
        ------
        ModelError
            If an array has another shape, or a reward is not finite; then nothing was taken in.
        """
        before = self._of_shape("observations", observations, np.float32, (self.n_envs, self.observation_size))
        taken = self._of_shape("actions", actions, np.int64, (self.n_envs,))
        paid = self._of_shape("rewards", rewards, np.float64, (self.n_envs,))
        after = self._of_shape("observations after the step", step.observations, np.float32, before.shape)
        last = self._of_shape(
            "last observations", step.last_observations, np.float32, (len(step.ended), self.observation_size)
        )
        if not np.isfinite(paid).all():
            raise ModelError(f"rewards {paid[~np.isfinite(paid)].tolist()}", "finite numbers", "the environment")
        if step.is_last.shape != paid.shape or np.count_nonzero(step.is_last) != len(step.ended):
            given = f"{len(step.ended)} ended episodes with is_last {step.is_last.tolist()}"
            raise ModelError(given, f"({self.n_envs},), true where one has ended", "the environment")
        complete = Transitions.empty(count_complete(self._pending, step.is_last, self.steps), self.observation_size)
        memory = self._observations, self._actions, self._rewards, self._pending, self._newest
        push_steps(*memory, self.discount, before, taken, paid, after, last, step.is_last, step.is_cut, *complete)
        return complete

    def state(self) -> dict[str, Any]:
        """All that `restore` needs: NumPy arrays of their own, by name."""
        return {name: values.copy() for name, values in self._memory().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken; an array may have become a tensor of torch.

        Raises
        ------
        ModelError
            If it is the state of a window of other dimensions.
        """
        given = {name: np.asarray(state[name]) for name in self._memory()}
        for name, values in self._memory().items():
            if given[name].shape != values.shape:
                raise ModelError(f"{name} of shape {given[name].shape}", f"{values.shape}", "the checkpoint")
        for name, values in self._memory().items():
            values[...] = given[name]

    def _memory(self) -> dict[str, npt.NDArray[Any]]:
        return {
            "observations": self._observations,
            "actions": self._actions,
            "rewards": self._rewards,
            "pending": self._pending,
            "newest": self._newest,
        }

    def _of_shape(self, name: str, values: npt.ArrayLike, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        array = np.ascontiguousarray(values, dtype=dtype)
        if array.shape != shape:
            raise ModelError(f"{name} of shape {array.shape}", f"{shape}", "the training loop")
        return array
