"""The compiled draw of a prioritised batch: masses, look-up, rows and weights in one call."""

import numpy as np
import numpy.typing as npt

from MLOps.compiled import compiled
from MLOps.replay.ring import gather_rows
from MLOps.replay.sum_tree_kernel import find_leaves

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
def to_leaves(priorities: FloatArray, least: float, exponent: float, leaves: FloatArray) -> tuple[float, int]:
    """Write max(|priority|, least)^exponent; gives the largest of them, and the first that is not finite or -1."""
    largest = 0.0
    for i in range(len(priorities)):
        leaves[i] = max(abs(priorities[i]), least) ** exponent
        if not leaves[i] < np.inf:
            return largest, i
        largest = max(largest, leaves[i])
    return largest, -1
