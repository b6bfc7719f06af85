"""Prioritised replay: what surprised most is drawn most, and weighs less for it.

A transition of priority p is drawn with chance P = p^a / sum p^a (a: the priority exponent; 0 is uniform), and
weighs w = (N P)^-b (b: the importance exponent; at 1 the draws are without bias), divided by the largest w that any
transition in the replay has. N and the sum cancel: w = (smallest p^a / p^a)^b.

A batch of B cuts the total into B equal parts and draws one mass in each (stratified proportional sampling).

Source: Schaul et al., Prioritized Experience Replay (2016), section 3.3, equation 1 and section 3.4.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError
from MLOps.replay.prioritized_kernel import draw, set_priorities
from MLOps.replay.ring import TransitionRing
from MLOps.replay.sum_tree import SumTree
from MLOps.replay.sum_tree_kernel import set_leaves
from MLOps.replay.transitions import ReplayBatch, Transitions

LEAST_PRIORITY = 1e-6
"""What smaller priorities are raised to, so that nothing is never drawn again."""


class PrioritizedReplay:
    """The newest transitions, drawn in proportion to their priorities.

    Parameters
    ----------
    capacity : int
        At least 1.
    observation_size : int
        D.
    priority_exponent : float
        At least 0.
    generator : numpy.random.Generator
        Draws the batches; its state is saved and restored with the replay's.

    Raises
    ------
    ModelError
        If a parameter is out of its bounds.
    """

    def __init__(
        self, capacity: int, observation_size: int, priority_exponent: float, generator: np.random.Generator
    ) -> None:
        if not 0.0 <= priority_exponent < np.inf:
            raise ModelError(f"priority exponent {priority_exponent}", "at least 0", "the settings of the replay")
        self._ring = TransitionRing(capacity, observation_size)
        self._tree = SumTree(capacity)
        self._exponent, self._generator = float(priority_exponent), generator
        self._largest = 1.0  # priority, to the exponent, of what comes in: the largest so far, and never less than 1

    def __len__(self) -> int:
        """How many transitions there are to draw from."""
        return self._ring.size

    @property
    def tree(self) -> SumTree:
        """The priorities, each already raised to the exponent; not to be written."""
        return self._tree

    def add(self, transitions: Transitions) -> None:
        """Take in N transitions with the largest priority ever set, at least 1.

        Raises
        ------
        ModelError
            If an array has another shape than `Transitions` tells.
        """
        tree, places = self._tree, self._ring.add(transitions)
        set_leaves(tree.sums, tree.minima, tree.offsets, places, np.full(len(places), self._largest))

    def sample(self, batch_size: int, importance_exponent: float) -> ReplayBatch:
        """Draw B transitions, one out of each B-th part of the total priority.

        Parameters
        ----------
        batch_size : int
            B, at least 1. The same transition may be drawn twice.
        importance_exponent : float
            At least 0; usually annealed to 1.

        Raises
        ------
        ModelError
            If the replay is empty or an argument out of its bounds.
        """
        if not self._ring.size:
            raise ModelError("a batch asked of an empty replay", "transitions added before", "the training loop")
        if batch_size < 1 or not 0.0 <= importance_exponent < np.inf:
            given = f"batch size {batch_size}, importance exponent {importance_exponent}"
            raise ModelError(given, "at least 1, at least 0", "the settings of the training")
        tree, ring, batch = self._tree, self._ring, ReplayBatch.empty(batch_size, self._ring.observation_size)
        draw(
            tree.sums,
            tree.minima,
            tree.offsets,
            ring.rows,
            ring.labels,
            self._generator.random(batch_size),
            float(importance_exponent),
            *batch,
        )
        return batch

    def set_priorities(self, indices: npt.ArrayLike, priorities: npt.ArrayLike) -> None:
        """Give transitions new priorities, usually their absolute errors.

        Parameters
        ----------
        indices : (B,) int64
            As a batch has them; of one that is named twice the last priority counts.
        priorities : (B,)
            Their sizes count, at least `LEAST_PRIORITY`.

        Raises
        ------
        ModelError
            If an index names no transition, or a priority is not finite; then nothing has changed.
        """
        places = np.ascontiguousarray(indices, dtype=np.int64)
        given = np.ascontiguousarray(priorities, dtype=np.float64)
        if places.ndim != 1 or given.shape != places.shape:
            raise ModelError(f"{given.shape} priorities for {places.shape} indices", "(B,) each", "the learner")
        tree, size, exponent = self._tree, self._ring.size, self._exponent
        largest, outside, not_finite = set_priorities(
            tree.sums, tree.minima, tree.offsets, size, places, given, LEAST_PRIORITY, exponent
        )
        if outside >= 0:
            raise ModelError(f"index {places[outside]}", f"below {size}, not negative", "the learner")
        if not_finite >= 0:
            raise ModelError(f"priority {given[not_finite]}", "a finite number", "the learner that gave it")
        self._largest = max(self._largest, largest)

    def state(self) -> dict[str, Any]:
        """All that `restore` needs.

        NumPy arrays and plain values; ``torch.load(weights_only=True)`` reads the arrays only if they were given to
        ``torch.save`` as tensors (``torch.from_numpy``), which `restore` takes as well.
        """
        return {
            "ring": self._ring.state(),
            "tree": self._tree.state(),
            "largest": self._largest,
            "generator": self._generator.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken; what is drawn next is the same to the last bit.

        Raises
        ------
        ModelError
            If it is the state of a replay of another capacity or observation.
        """
        self._ring.restore(state["ring"])
        self._tree.restore(state["tree"])
        self._largest = float(state["largest"])
        self._generator.bit_generator.state = state["generator"]
