"""What both replays are filled with, drawn alike in two interpreters. Needs NumPy only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

CAPACITY, SIZE, BATCH = 1_000_000, 32, 256
PRIORITY_EXPONENT, IMPORTANCE_EXPONENT = 0.6, 0.4
_CHUNK, _SEED, _LEAST = 50_000, 11, 0.01


@dataclass(frozen=True)
class Chunk:
    """Transitions that follow each other, as (N, 32) or (N,) arrays, and the priorities they begin with."""

    first: int
    observations: Float32Array
    actions: npt.NDArray[np.int64]
    rewards: Float32Array
    next_observations: Float32Array
    discounts: Float32Array
    priorities: Float32Array


def chunks() -> Iterator[Chunk]:
    """A million transitions."""
    generator = np.random.default_rng(_SEED)
    for first in range(0, CAPACITY, _CHUNK):
        yield Chunk(
            first,
            generator.random((_CHUNK, SIZE), dtype=np.float32),
            generator.integers(0, 2, _CHUNK),
            generator.random(_CHUNK, dtype=np.float32),
            generator.random((_CHUNK, SIZE), dtype=np.float32),
            generator.random(_CHUNK, dtype=np.float32),
            draw_priorities(generator, _CHUNK),
        )


def new_priorities(batches: int = 64) -> Float32Array:
    """(batches, B) what a learner would give back."""
    return draw_priorities(np.random.default_rng(_SEED + 1), (batches, BATCH))


def draw_priorities(generator: np.random.Generator, shape: int | tuple[int, ...]) -> Float32Array:
    """Absolute errors as they are: many small, a few large; none so small that a floor would count."""
    return (_LEAST + generator.exponential(1.0, shape)).astype(np.float32)
