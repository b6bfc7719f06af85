"""Replay in which every transition has the same chance; the same face as the prioritised one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError
from MLOps.replay.ring import TransitionRing, gather_rows
from MLOps.replay.transitions import ReplayBatch, Transitions


class UniformReplay:
    """The newest transitions, drawn with equal chances and put back.

    Parameters
    ----------
    capacity : int
        At least 1.
    observation_size : int
        D.
    generator : numpy.random.Generator
        Draws the batches; its state is saved and restored with the replay's.

    Raises
    ------
    ModelError
        If a parameter is out of its bounds.
    """

    def __init__(self, capacity: int, observation_size: int, generator: np.random.Generator) -> None:
        self._ring = TransitionRing(capacity, observation_size)
        self._generator = generator

    def __len__(self) -> int:
        """How many transitions there are to draw from."""
        return self._ring.size

    def add(self, transitions: Transitions) -> None:
        """Take in N transitions.

        Raises
        ------
        ModelError
            If an array has another shape than `Transitions` tells.
        """
        self._ring.add(transitions)

    def sample(self, batch_size: int, importance_exponent: float = 0.0) -> ReplayBatch:  # noqa: ARG002
        """Draw B transitions; all weigh 1, whatever the exponent.

        Raises
        ------
        ModelError
            If the replay is empty or the batch has no room.
        """
        if not self._ring.size:
            raise ModelError("a batch asked of an empty replay", "transitions added before", "the training loop")
        if batch_size < 1:
            raise ModelError(f"batch size {batch_size}", "at least 1", "the settings of the training")
        batch = ReplayBatch.empty(batch_size, self._ring.observation_size)
        batch.indices[:] = self._generator.integers(self._ring.size, size=batch_size)
        batch.weights[:] = 1.0
        gather_rows(self._ring.rows, self._ring.labels, *batch[:-1])
        return batch

    def set_priorities(self, indices: npt.ArrayLike, priorities: npt.ArrayLike) -> None:
        """Nothing: here no transition is preferred."""

    def state(self) -> dict[str, Any]:
        """All that `restore` needs, as `PrioritizedReplay.state`."""
        return {"ring": self._ring.state(), "generator": self._generator.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken.

        Raises
        ------
        ModelError
            If it is the state of a replay of another capacity or observation.
        """
        self._ring.restore(state["ring"])
        self._generator.bit_generator.state = state["generator"]
