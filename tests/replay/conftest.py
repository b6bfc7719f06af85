"""Transitions that tell where they come from."""

from collections.abc import Callable

import numpy as np
import pytest

from MLOps.replay.transitions import Transitions

SIZE = 3


@pytest.fixture(scope="session")
def make_transitions() -> Callable[..., Transitions]:
    """``make(first, count)``: the transitions number `first` on, each of whose numbers follows from its own."""

    def make(first: int, count: int) -> Transitions:
        number = np.arange(first, first + count)
        observations = (number[:, None] + np.arange(SIZE) / 8).astype(np.float32)
        return Transitions(
            observations=observations,
            actions=number % 5,
            returns=(-number).astype(np.float32),
            next_observations=observations + np.float32(0.5),
            discounts=(1 / (1 + number)).astype(np.float32),
        )

    return make
