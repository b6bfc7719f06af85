"""What goes into a replay and what comes out of it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Transitions(NamedTuple):
    """N transitions, each from an observation over some steps to a later one.

    Attributes
    ----------
    observations : (N, D) float32
        Where the action was taken.
    actions : (N,) int64
    returns : (N,) float32
        Discounted sum of the rewards in between.
    next_observations : (N, D) float32
        Where the sum ends.
    discounts : (N,) float32
        What the value of `next_observations` is multiplied by: gamma^k after k rewards, 0 where the episode has
        terminated there. An episode that was only cut goes on, as far as its value is concerned.
    """

    observations: Float32Array
    actions: IntArray
    returns: Float32Array
    next_observations: Float32Array
    discounts: Float32Array

    @classmethod
    def empty(cls, size: int, observation_size: int) -> "Transitions":
        """Room for `size` transitions, to be written."""
        return cls(
            np.empty((size, observation_size), np.float32),
            np.empty(size, np.int64),
            np.empty(size, np.float32),
            np.empty((size, observation_size), np.float32),
            np.empty(size, np.float32),
        )


class ReplayBatch(NamedTuple):
    """B transitions out of a replay.

    Attributes
    ----------
    indices : (B,) int64
        Their places, to be given back with new priorities.
    observations, actions, returns, next_observations, discounts
        As `Transitions`.
    weights : (B,) float32
        Importance weights, of which the largest that the replay can give is 1.
    """

    indices: IntArray
    observations: Float32Array
    actions: IntArray
    returns: Float32Array
    next_observations: Float32Array
    discounts: Float32Array
    weights: Float32Array

    @classmethod
    def empty(cls, size: int, observation_size: int) -> "ReplayBatch":
        """Room for `size` transitions, to be written."""
        transitions = Transitions.empty(size, observation_size)
        return cls(np.empty(size, np.int64), *transitions, np.empty(size, np.float32))
