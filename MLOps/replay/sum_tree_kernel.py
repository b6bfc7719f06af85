"""The compiled sum tree: eight children a node, which lie in one line of the processor's cache.

All levels lie in one array, the leaves first, each level filled up with zeros to whole nodes; node i of a level
has the children 8 i to 8 i + 7 of the level below. A node is always the sum of its children, added in their order,
and never a sum to which differences were added: so the tree depends on its leaves alone, to the last bit, and
nothing drifts however often it is changed.

Every pass goes level by level through all of its indices, not index by index through all levels: what is read for
one does not wait for what is read for another. Places are unsigned, so that none may count from the end.
"""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled, inlined

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WIDTH = 8
"""Children of a node."""

_WIDTH, _LAST_CHILD, _ONE = np.uint64(WIDTH), np.uint64(WIDTH - 1), np.uint64(1)


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
    nodes, count = np.empty(len(indices), np.uint64), np.uint64(len(indices))
    for i in range(count):
        nodes[i] = indices[i]
        sums[nodes[i]] = values[i]
    leaves = np.uint64(offsets[1])
    for level in range(1, len(offsets)):
        count = _parents(nodes, count)
        below, own = np.uint64(offsets[level - 1]), np.uint64(offsets[level])
        for i in range(count):
            first, node = below + nodes[i] * _WIDTH, own + nodes[i]
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
    left, count = masses.copy(), np.uint64(len(masses))
    found[:] = 0
    for level in range(len(offsets) - 2, -1, -1):
        begin = np.uint64(offsets[level])
        for i in range(count):
            node = np.uint64(found[i]) * _WIDTH
            child, passed = _child(sums, begin + node, left[i])
            if child == _WIDTH:
                child, passed = _last_above_zero(sums, begin + node), 0.0  # all the way down: it stays too large
            found[i] = node + child
            left[i] -= passed


@inlined
def _child(sums: FloatArray, first: np.uint64, mass: float) -> tuple[np.uint64, float]:
    """The child in which a mass lies and the sum of those before it; no branch, so that several are sought at once."""
    running = passed = 0.0
    child = np.uint64(0)
    for k in range(_WIDTH):
        running += sums[first + k]
        is_passed = running <= mass
        child += np.uint64(is_passed)
        passed = running if is_passed else passed
    return child, passed


@compiled
def _last_above_zero(sums: FloatArray, first: np.uint64) -> np.uint64:
    child = _LAST_CHILD
    while child and not sums[first + child] > 0.0:
        child -= _ONE
    return child


@inlined
def _parents(nodes: npt.NDArray[np.uint64], count: np.uint64) -> np.uint64:
    """Put the parents of the first `count` nodes in their place, equal neighbours once; gives how many there are."""
    kept = np.uint64(0)
    for i in range(count):
        parent = nodes[i] // _WIDTH
        if not kept or parent != nodes[kept - _ONE]:
            nodes[kept] = parent
            kept += _ONE
    return kept


@inlined
def _sum(sums: FloatArray, first: np.uint64) -> float:
    total = 0.0
    for k in range(_WIDTH):
        total += sums[first + k]
    return total


@inlined
def _smallest_leaf(sums: FloatArray, first: np.uint64) -> float:
    smallest = np.inf
    for k in range(_WIDTH):
        leaf = sums[first + k]
        smallest = min(smallest, leaf if leaf > 0.0 else np.inf)
    return smallest


@inlined
def _smallest(minima: FloatArray, first: np.uint64) -> float:
    smallest = np.inf
    for k in range(_WIDTH):
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
