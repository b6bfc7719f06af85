"""What every environment with a few actions offers: episodes that are stepped together."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from MLOps.environments.trading_batch import Step

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class DiscreteBatch(Protocol):
    """E episodes, stepped together; one that ends begins anew in the same step.

    Attributes
    ----------
    n_envs : int
        E.
    observation_size : int
        D.
    actions : int
        An action is a number from 0 on, below this.
    """

    n_envs: int
    observation_size: int
    actions: int

    def reset(self) -> Float32Array:
        """Begin an episode in each place; observations (E, D)."""

    def step(self, actions: IntArray) -> Step:
        """Take actions (E,)."""

    def seed(self, seed: int) -> None:
        """Seed all that is drawn."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
