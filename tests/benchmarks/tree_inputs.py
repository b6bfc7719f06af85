"""What both sum trees are given, drawn alike in two processes: sums that no rounding touches. Needs NumPy only.

Priorities are even and small, masses odd: every sum stays below 2^24, exact in float32 in any order, and no mass lies
where two places meet.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CAPACITY, BATCH = 1_000_000, 256
_SEED, _LARGEST = 17, 16


class TreeCalls(NamedTuple):
    """Priorities (capacity,) to begin with; indices, priorities, masses (calls, B) of the calls that follow."""

    first: FloatArray
    indices: IntArray
    priorities: FloatArray
    masses: FloatArray


def tree_calls(calls: int) -> TreeCalls:
    """The same at each call."""
    generator = np.random.default_rng(_SEED)
    first = _even(generator, (CAPACITY,))
    shape = (calls, BATCH)
    most = int(first.sum()) - _LARGEST * BATCH * calls  # below the total, whatever the calls take away
    masses = 2.0 * generator.integers(0, most // 2, shape) + 1
    return TreeCalls(first, generator.integers(0, CAPACITY, shape), _even(generator, shape), masses)


def _even(generator: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    return 2.0 * generator.integers(1, _LARGEST // 2 + 1, shape)
