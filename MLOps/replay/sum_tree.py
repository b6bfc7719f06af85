"""Priorities under a running sum: drawn in proportion, and changed, in time that hardly grows with their number.

Source: Schaul et al., Prioritized Experience Replay (2016), appendix B.2.1, there with two children a node.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from MLOps.errors import ModelError
from MLOps.replay.sum_tree_kernel import WIDTH, find_leaves, first_outside, first_without_mass, set_leaves

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class SumTree:
    """Priorities of the places 0 .. capacity - 1, at first all zero.

    Parameters
    ----------
    capacity : int
        At least 1.

    Raises
    ------
    ModelError
        If there is no place.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ModelError(f"a sum tree of capacity {capacity}", "at least 1", "whoever made it")
        self.capacity = capacity
        lengths = _lengths(capacity)
        self.offsets = np.cumsum([0, *lengths[:-1]])
        self.sums = _aligned_zeros(sum(lengths))
        self.minima = np.full(sum(lengths[1:]), np.inf)

    @property
    def total(self) -> float:
        """Sum of all priorities."""
        return float(self.sums[-1])

    @property
    def minimum(self) -> float:
        """The smallest priority above zero; infinity if there is none."""
        return float(self.minima[-1])

    def set(self, indices: npt.ArrayLike, priorities: npt.ArrayLike) -> None:
        """Give the places `indices` (B,) new priorities (B,); of a place that is named twice the last one counts.

        Raises
        ------
        ModelError
            If a place lies outside, or a priority is negative or not finite; then nothing has changed.
        """
        places, values = self._places(indices), np.ascontiguousarray(priorities, dtype=np.float64)
        if values.shape != places.shape:
            raise ModelError(f"{values.shape} priorities", f"{places.shape}, one for each index", "whoever gave them")
        if (malformed := first_without_mass(values)) >= 0:
            raise ModelError(f"priority {values[malformed]}", "a finite number >= 0", "whoever gave it")
        set_leaves(self.sums, self.minima, self.offsets, places, values)

    def find(self, masses: npt.ArrayLike) -> IntArray:
        """Give the place in which each mass lies.

        Parameters
        ----------
        masses : (B,) float64
            In [0, total). Ascending ones are found fastest.

        Returns
        -------
        (B,) int64
            The first place whose priority, added to those of all places before it, exceeds the mass.

        Raises
        ------
        ModelError
            If all priorities are zero, or a mass is negative, not finite or not below the total.
        """
        given = np.ascontiguousarray(masses, dtype=np.float64)
        if given.ndim != 1:
            raise ModelError(f"masses of shape {given.shape}", "(B,)", "whoever gave them")
        if not self.total > 0.0:
            raise ModelError("priorities that are all zero", "one above zero", "whoever looks a mass up")
        if (malformed := first_without_mass(given, self.total)) >= 0:
            raise ModelError(f"mass {given[malformed]}", f"at least 0, below {self.total}", "whoever gave it")
        found = np.empty(given.shape, np.int64)
        find_leaves(self.sums, self.offsets, given, found)
        return found

    def values(self, indices: npt.ArrayLike) -> FloatArray:
        """Priorities (B,) of the places `indices` (B,).

        Raises
        ------
        ModelError
            If a place lies outside.
        """
        return self.sums[self._places(indices)]

    def state(self) -> dict[str, Any]:
        """All that `restore` needs: ``priorities``, a (capacity,) float64 array of its own."""
        return {"priorities": self.sums[: self.capacity].copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken, to the last bit; an array may have become a tensor of torch.

        Raises
        ------
        ModelError
            If it is the state of a tree of another capacity, or holds what `set` refuses.
        """
        priorities = np.asarray(state["priorities"])
        if priorities.shape != (self.capacity,):
            raise ModelError(f"state of a sum tree of capacity {len(priorities)}", f"{self.capacity}", "the checkpoint")
        self.set(np.arange(self.capacity), priorities)

    def _places(self, indices: npt.ArrayLike) -> IntArray:
        places = np.ascontiguousarray(indices)
        if places.ndim != 1 or (places.dtype.kind not in "iu" and places.size):
            raise ModelError(f"indices {places.dtype} {places.shape}", "integers (B,)", "whoever gave them")
        places = places.astype(np.int64, copy=False)
        if (malformed := first_outside(places, self.capacity)) >= 0:
            raise ModelError(f"index {places[malformed]}", f"0 .. {self.capacity - 1}", "whoever gave it")
        return places


def _lengths(capacity: int) -> list[int]:
    """Nodes of each level, leaves first, each but the last filled up to whole parents."""
    lengths = [-(-capacity // WIDTH) * WIDTH]
    while (parents := lengths[-1] // WIDTH) > 1:
        lengths.append(-(-parents // WIDTH) * WIDTH)
    return [*lengths, 1]


def _aligned_zeros(count: int) -> FloatArray:
    """Zeros of which the first begins a line of cache, as every node does then."""
    line = WIDTH * np.dtype(np.float64).itemsize
    room = np.zeros(count + WIDTH)
    first = -room.ctypes.data % line // room.itemsize
    return room[first : first + count]
