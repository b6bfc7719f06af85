"""The compiled halves of prioritised replay: a batch drawn in one call, its priorities set in another."""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled
from MLOps.replay.ring import gather_rows
from MLOps.replay.sum_tree_kernel import find_leaves, set_leaves

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
Int32Array = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]


@compiled
def draw(
    sums: FloatArray,
    minima: FloatArray,
    offsets: IntArray,
    rows: Float32Array,
    labels: Int32Array,
    uniforms: FloatArray,
    importance_exponent: float,
    indices: IntArray,
    observations: Float32Array,
    actions: IntArray,
    returns: Float32Array,
    next_observations: Float32Array,
    discounts: Float32Array,
    weights: Float32Array,
) -> None:
    """Fill a batch, its arrays last as in `ReplayBatch`; `uniforms` (B,) are in [0, 1)."""
    batch_size, total, smallest = len(uniforms), sums[-1], minima[-1]
    part = total / batch_size
    masses = np.empty(batch_size)
    for i in range(batch_size):
        masses[i] = (i + uniforms[i]) * part  # ascending, so that neighbours share what they read of the tree
    find_leaves(sums, offsets, masses, indices)
    for i in range(batch_size):
        weights[i] = (smallest / sums[indices[i]]) ** importance_exponent
    gather_rows(rows, labels, indices, observations, actions, returns, next_observations, discounts)


@compiled
def set_priorities(
    sums: FloatArray,
    minima: FloatArray,
    offsets: IntArray,
    size: int,
    indices: IntArray,
    priorities: FloatArray,
    least: float,
    exponent: float,
) -> tuple[float, int, int]:
    """Write max(|priority|, least)^exponent as leaves of the tree.

    Returns
    -------
    largest : float
        Of what was written.
    outside : int
        First position whose index is not below `size`, or -1.
    not_finite : int
        First position whose priority makes no finite leaf, or -1. If there is one of either, nothing was written.
    """
    largest, leaves = 0.0, np.empty(len(indices))
    for i in range(len(indices)):
        if indices[i] < 0 or indices[i] >= size:
            return largest, i, -1
        leaves[i] = max(abs(priorities[i]), least) ** exponent
        if not (abs(priorities[i]) < np.inf and leaves[i] < np.inf):
            return largest, -1, i
        largest = max(largest, leaves[i])
    set_leaves(sums, minima, offsets, indices, leaves)
    return largest, -1, -1
