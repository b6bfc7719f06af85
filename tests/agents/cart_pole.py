"""CartPole-v1 as a batch: a cart is pushed left or right so that its pole stays up; 1 for every step.

A pole that falls or a cart that leaves ends the episode; after 500 steps it is cut. The motion is that of
gymnasium's ``CartPole-v1`` (a test compares them step by step).

Source: Barto, Sutton and Anderson, Neuronlike adaptive elements that can solve difficult learning control problems
(1983).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.environments.trading_batch import Step
from MLOps.errors import ModelError

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

LIMIT_STEPS = 500
_GRAVITY, _TOTAL_MASS, _POLE_MASS, _HALF_LENGTH = 9.8, 1.1, 0.1, 0.5  # m/s2, kg, kg, m
_FORCE, _SECONDS = 10.0, 0.02
_MOST_METRES, _MOST_RADIANS = 2.4, 12 * 2 * np.pi / 360
_START = 0.05


class CartPoleBatch:
    """E carts; see `MLOps.environments.discrete_batch.DiscreteBatch`.

    Parameters
    ----------
    n_envs : int
        E.
    seed : int
        Of the starts.
    """

    observation_size, actions = 4, 2

    def __init__(self, n_envs: int, seed: int) -> None:
        self.n_envs = n_envs
        self.positions = np.zeros((n_envs, 4))  # metres, metres a second, radians, radians a second
        self.steps = np.zeros(n_envs, np.int64)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Seed the starts."""
        self._generator = np.random.default_rng(seed)

    def reset(self) -> Float32Array:
        """Begin an episode in each place; observations (E, 4)."""
        self._begin(np.arange(self.n_envs))
        return self.positions.astype(np.float32)

    def step(self, actions: IntArray) -> Step:
        """Push left (0) or right (1)."""
        given = np.asarray(actions)
        if given.shape != (self.n_envs,) or not np.isin(given, (0, 1)).all():
            raise ModelError(f"actions {given.tolist()}", f"({self.n_envs},) of 0 and 1", "the policy that gave them")
        self.positions = moved(self.positions, given)
        self.steps += 1
        has_ended = (np.abs(self.positions[:, ::2]) > (_MOST_METRES, _MOST_RADIANS)).any(axis=1)
        is_cut = (self.steps >= LIMIT_STEPS) & ~has_ended
        ended, lengths = np.flatnonzero(has_ended | is_cut), self.steps
        last, episode_steps = self.positions[ended].astype(np.float32), lengths[ended]
        if len(ended):
            self._begin(ended)
        rewards = np.ones(self.n_envs)
        episode_rewards = episode_steps.astype(np.float64)
        observations = self.positions.astype(np.float32)
        return Step(observations, rewards, has_ended | is_cut, is_cut, ended, last, episode_rewards, episode_steps)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""
        generator = self._generator.bit_generator.state
        return {"positions": self.positions.tolist(), "steps": self.steps.tolist(), "generator": generator}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        self.positions[...], self.steps[...] = state["positions"], state["steps"]
        self._generator.bit_generator.state = state["generator"]

    def _begin(self, which: IntArray) -> None:
        self.positions[which] = self._generator.uniform(-_START, _START, (len(which), 4))
        self.steps[which] = 0


def moved(positions: FloatArray, actions: IntArray) -> FloatArray:
    """Positions and speeds (E, 4) a fiftieth of a second later, by Euler's rule."""
    speed, angle, turn = positions[:, 1], positions[:, 2], positions[:, 3]
    sine, cosine = np.sin(angle), np.cos(angle)
    push = (np.where(actions == 1, _FORCE, -_FORCE) + _POLE_MASS * _HALF_LENGTH * turn**2 * sine) / _TOTAL_MASS
    inertia = _HALF_LENGTH * (4 / 3 - _POLE_MASS * cosine**2 / _TOTAL_MASS)
    turning = (_GRAVITY * sine - cosine * push) / inertia
    speeding = push - _POLE_MASS * _HALF_LENGTH * turning * cosine / _TOTAL_MASS
    return positions + _SECONDS * np.stack([speed, speeding, turn, turning], axis=1)
