"""What both replays offer."""

from typing import Any, Protocol

import numpy.typing as npt

from MLOps.replay.transitions import ReplayBatch, Transitions


class Replay(Protocol):
    """The newest transitions, to be drawn again."""

    def __len__(self) -> int:
        """How many transitions there are to draw from."""

    def add(self, transitions: Transitions) -> None:
        """Take in N transitions over the oldest."""

    def sample(self, batch_size: int, importance_exponent: float) -> ReplayBatch:
        """Draw B transitions."""

    def set_priorities(self, indices: npt.ArrayLike, priorities: npt.ArrayLike) -> None:
        """Say how much there is to learn from transitions that were drawn."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
