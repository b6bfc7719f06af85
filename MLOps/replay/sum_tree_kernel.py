"""The compiled sum tree: 16 children a node, so that a look-up touches five short stretches of memory, not twenty.

All levels lie in one array, the leaves first, each level filled up with zeros to whole nodes; node i of a level
has the children 16 i to 16 i + 15 of the level below. A node is always the sum of its children, added in their
order, and never a sum to which differences were added: so the tree depends on its leaves alone, to the last bit,
and nothing drifts however often it is changed.

Every pass goes level by level through all of its indices, not index by index through all levels: what is read
for one does not wait for what is read for another.
"""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WIDTH = 16
"""Children of a node: two lines of cache, which the processor fetches together."""


@compiled
def set_leaves(sums: FloatArray, minima: FloatArray, offsets: IntArray, indices: IntArray, values: FloatArray) -> None:
    """Write leaves and recompute every node above them.

    Parameters
    ----------
    sums : (S,) float64
        All levels, leaves first.
    minima : (S - S_0,) float64
        The same without the S_0 leaves: of each node the smallest leaf above zero, infinity if it has none.
    offsets : (L,) int64
        Where each level begins; the last one is a single node.
    indices : (B,) int64
        Leaves; where one is named twice, the last value counts. Neighbours cost least, so ascending is best.
    values : (B,) float64
    """
    for i in range(len(indices)):
        sums[indices[i]] = values[i]
    nodes, count = indices.copy(), len(indices)
    for level in range(1, len(offsets)):
        count = _parents(nodes, count)
        children, own, leaves = offsets[level - 1], offsets[level], offsets[1]
        for i in range(count):
            first, node = children + nodes[i] * WIDTH, own + nodes[i]
            sums[node] = _sum(sums, first)
            minima[node - leaves] = _smallest_leaf(sums, first) if level == 1 else _smallest(minima, first - leaves)


@compiled
def find_leaves(sums: FloatArray, offsets: IntArray, masses: FloatArray, found: IntArray) -> None:
    """Write the leaf in which each mass lies: the first whose running sum exceeds it. Never one of value zero.

    Parameters
    ----------
    sums, offsets
        As `set_leaves`; the total is above zero.
    masses : (B,) float64
        At least 0; what rounding has put beyond the total falls to the last leaf above zero.
    found : (B,) int64
        Written.
    """
    left = masses.copy()
    found[:] = 0
    for level in range(len(offsets) - 2, -1, -1):
        begin = offsets[level]
        for i in range(len(found)):
            first = begin + found[i] * WIDTH
            child, below = _child(sums, first, left[i])
            found[i] = first - begin + child
            left[i] -= below


@compiled
def _child(sums: FloatArray, first: int, mass: float) -> tuple[int, float]:
    """The child in which a mass lies and the sum of those before it; no branch, so that several are sought at once."""
    running = below = 0.0
    passed = 0
    for k in range(WIDTH):
        running += sums[first + k]
        is_passed = running <= mass
        passed += is_passed
        below = running if is_passed else below
    return (passed, below) if passed < WIDTH else _last_child(sums, first)


@compiled
def _last_child(sums: FloatArray, first: int) -> tuple[int, float]:
    """The last child above zero, and a sum before it that leaves nothing below zero."""
    for k in range(WIDTH - 1, -1, -1):
        if sums[first + k] > 0.0:
            return k, 0.0
    return WIDTH - 1, 0.0


@compiled
def _parents(nodes: IntArray, count: int) -> int:
    """Put the parents of the first `count` nodes in their place, equal neighbours once; gives how many there are."""
    kept = 0
    for i in range(count):
        parent = nodes[i] // WIDTH
        if kept == 0 or parent != nodes[kept - 1]:
            nodes[kept] = parent
            kept += 1
    return kept


@compiled
def _sum(sums: FloatArray, first: int) -> float:
    total = 0.0
    for k in range(WIDTH):
        total += sums[first + k]
    return total


@compiled
def _smallest_leaf(sums: FloatArray, first: int) -> float:
    smallest = np.inf
    for k in range(WIDTH):
        leaf = sums[first + k]
        smallest = min(smallest, leaf if leaf > 0.0 else np.inf)
    return smallest


@compiled
def _smallest(minima: FloatArray, first: int) -> float:
    smallest = np.inf
    for k in range(WIDTH):
        smallest = min(smallest, minima[first + k])
    return smallest


@compiled
def first_outside(indices: IntArray, count: int) -> int:
    """First position whose index is not among the `count` first places, or -1."""
    for i in range(len(indices)):
        if indices[i] < 0 or indices[i] >= count:
            return i
    return -1


@compiled
def first_without_mass(values: FloatArray, limit: float = np.inf) -> int:
    """First position whose value is not in [0, limit), or -1."""
    for i in range(len(values)):
        if not 0.0 <= values[i] < limit:
            return i
    return -1
