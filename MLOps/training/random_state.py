"""The global generators that RL libraries draw from: kept apart from the rest of the process, saved, restored."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def isolated(seed: int, threads: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's global generators and set torch's threads; put all back at the end.

    Parameters
    ----------
    seed : int
        In [0, 2**32).
    threads : int
        Threads of torch; another number may change the last bits of a sum.
    """
    before, threads_before = capture(), torch.get_num_threads()
    torch.set_num_threads(threads)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        restore(before)
        torch.set_num_threads(threads_before)


def capture() -> dict[str, Any]:
    """The generators' states as tensors and plain values, so that a checkpoint needs no pickled code."""
    name, words, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(words, dtype=np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
    }


def restore(state: dict[str, Any]) -> None:
    """Go back to where `state` was captured."""
    name, words, position, has_gauss, gauss = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((name, words.numpy().astype(np.uint32), position, has_gauss, gauss))
    torch.set_rng_state(state["torch"])
