"""What every engine of the trading environment offers: accounts that are stepped together."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Step(NamedTuple):
    """What one step of E accounts gives.

    Attributes
    ----------
    observations : (E, D) float32 (float64 if not normalised)
        After the step; of an account whose episode has ended, the first of its next episode.
    rewards : (E,) float64
    is_last : (E,) bool
        Whether the episode has ended.
    is_cut : (E,) bool
        Whether it was ended by the limit of its length alone, the window going on.
    ended : (K,) int64
        The accounts whose episode has ended, ascending.
    last_observations : (K, D)
        Their last observations.
    episode_rewards : (K,) float64
        Sums of their rewards.
    episode_steps : (K,) int64
        Lengths of their episodes.
    """

    observations: npt.NDArray[Any]
    rewards: FloatArray
    is_last: BoolArray
    is_cut: BoolArray
    ended: IntArray
    last_observations: npt.NDArray[Any]
    episode_rewards: FloatArray
    episode_steps: IntArray


class TradingBatch(Protocol):
    """Many accounts, stepped together; an account whose episode ends begins the next one in the same step."""

    n_envs: int
    tickers: int
    observation_size: int
    observation_limit: float
    observation_type: np.dtype[Any]

    def reset(self) -> npt.NDArray[Any]:
        """Begin an episode in every account; observations (E, D)."""

    def step(self, actions: Float32Array) -> Step:
        """Trade on actions (E, N) in [-1, 1] and go to the next close."""

    def seed(self, seed: int) -> None:
        """Seed the draws of random starts."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""


def as_actions(actions: npt.ArrayLike, n_envs: int, tickers: int) -> Float32Array:
    """Actions (E, N) as float32 in C order, copied only where they are not.

    Raises
    ------
    ModelError
        If they are of another shape.
    """
    given = np.ascontiguousarray(actions, dtype=np.float32)
    if given.shape != (n_envs, tickers):
        raise ModelError(f"actions of shape {given.shape}", f"({n_envs}, {tickers})", "the policy that gave them")
    return given
