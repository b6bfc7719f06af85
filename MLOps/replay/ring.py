"""Room for the newest transitions, each in one stretch of memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled, inlined
from MLOps.errors import ModelError
from MLOps.replay.transitions import Transitions

Float32Array = npt.NDArray[np.float32]
Int32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]

EXTRAS = 3
"""Numbers of a row behind its two observations: return, discount, and the action as an integer of 32 bits."""


class TransitionRing:
    """The newest `capacity` transitions; an older one makes way for a newer one.

    A transition lies in one row, because a random one costs a wait for memory with every stretch that is touched.

    Parameters
    ----------
    capacity : int
        At least 1.
    observation_size : int
        D.

    Attributes
    ----------
    rows : (capacity, 2 D + 3) float32
        Observation, next observation, return, discount, action.
    labels : (capacity, 2 D + 3) int32
        The same memory, to read the action from.
    size : int
        How many rows are filled, from the first on.
    position : int
        The row that is written next.

    Raises
    ------
    ModelError
        If there is no place.
    """

    def __init__(self, capacity: int, observation_size: int) -> None:
        if capacity < 1 or observation_size < 1:
            given = f"a replay of capacity {capacity} for observations of {observation_size} numbers"
            raise ModelError(given, "at least 1 each", "the settings of the replay")
        self.capacity, self.observation_size = capacity, observation_size
        self.rows = np.zeros((capacity, 2 * observation_size + EXTRAS), np.float32)
        self.labels = self.rows.view(np.int32)
        self.size = self.position = 0

    def add(self, transitions: Transitions) -> IntArray:
        """Write N transitions over the oldest; gives their rows (N,) int64.

        Raises
        ------
        ModelError
            If an array has another shape than `Transitions` tells.
        """
        given = _as_arrays(transitions, self.observation_size)
        count = len(given.actions)
        places = (self.position + np.arange(count)) % self.capacity
        write_rows(self.rows, self.labels, places, *given)
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)
        return places

    def state(self) -> dict[str, Any]:
        """All that `restore` needs: ``rows``, a (size, 2 D + 3) float32 array of its own, and ``position``."""
        return {"rows": self.rows[: self.size].copy(), "position": self.position}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken.

        Raises
        ------
        ModelError
            If it is the state of a ring of another capacity or observation.
        """
        rows = np.asarray(state["rows"])
        size, position = len(rows), int(state["position"])
        fits = rows.shape == (size, self.rows.shape[1]) and size <= self.capacity and rows.dtype == self.rows.dtype
        if not fits or position != (size % self.capacity if size < self.capacity else position % self.capacity):
            given = f"replay rows {rows.dtype} {rows.shape} and position {position}"
            raise ModelError(given, f"float32 (up to {self.capacity}, {self.rows.shape[1]})", "the checkpoint")
        self.rows[:size] = rows
        self.size, self.position = size, position


def _as_arrays(transitions: Transitions, size: int) -> Transitions:
    """The same in the types and the order of memory that `Transitions` tells, copied only where they are not."""
    given = Transitions(
        np.ascontiguousarray(transitions.observations, dtype=np.float32),
        np.ascontiguousarray(transitions.actions, dtype=np.int64),
        np.ascontiguousarray(transitions.returns, dtype=np.float32),
        np.ascontiguousarray(transitions.next_observations, dtype=np.float32),
        np.ascontiguousarray(transitions.discounts, dtype=np.float32),
    )
    count = len(given.actions)
    shapes = [values.shape for values in given]
    wanted = [(count, size), (count,), (count,), (count, size), (count,)]
    if shapes != wanted:
        raise ModelError(f"transitions of shapes {shapes}", f"{wanted}", "whoever made the transitions")
    return given


@compiled
def write_rows(
    rows: Float32Array,
    labels: Int32Array,
    places: IntArray,
    observations: Float32Array,
    actions: IntArray,
    returns: Float32Array,
    next_observations: Float32Array,
    discounts: Float32Array,
) -> None:
    """Write N transitions into the rows `places` (N,), one after the other."""
    count, size = np.uint64(len(places)), np.uint64(observations.shape[1])
    at_return, at_discount, at_action = _places_of_extras(size)
    for i in range(count):
        row = np.uint64(places[i])
        for k in range(size):
            rows[row, k] = observations[i, k]
        for k in range(size):
            rows[row, size + k] = next_observations[i, k]
        rows[row, at_return], rows[row, at_discount] = returns[i], discounts[i]
        labels[row, at_action] = actions[i]


@compiled
def gather_rows(
    rows: Float32Array,
    labels: Int32Array,
    places: IntArray,
    observations: Float32Array,
    actions: IntArray,
    returns: Float32Array,
    next_observations: Float32Array,
    discounts: Float32Array,
) -> None:
    """Read the rows `places` (B,) into the other arrays.

    Places are unsigned, so that none may count from the end: with signed ones it took three times as long.
    """
    count, size = np.uint64(len(places)), np.uint64(observations.shape[1])
    at_return, at_discount, at_action = _places_of_extras(size)
    for i in range(count):
        row = np.uint64(places[i])
        for k in range(size):
            observations[i, k] = rows[row, k]
        for k in range(size):
            next_observations[i, k] = rows[row, size + k]
        returns[i], discounts[i] = rows[row, at_return], rows[row, at_discount]
        actions[i] = labels[row, at_action]


@inlined
def _places_of_extras(size: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64]:
    first = size + size
    return first, first + np.uint64(1), first + np.uint64(2)
