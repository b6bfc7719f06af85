"""What a gradient step of Rainbow's network must compute at least: products of matrices, counted from its layers."""

from itertools import pairwise
from time import process_time

import torch

from MLOps.settings.rainbow import RainbowModelSettings

_SIDE, _TRIES, _CALLS = 1_024, 10, 5


def multiply_adds(model: RainbowModelSettings, observation_size: int, actions: int, batch_size: int) -> int:
    """Of one update by double DQN at batch B: forward passes and the backward one, all other work left out.

    The online network sees 2 B rows (observations and next ones), the target network B. Going back, each layer's
    weights cost B rows more, and so do its inputs, but for the first layer's, whose slopes nobody needs.
    """
    sizes = (observation_size, *model.hidden_sizes)
    first = sizes[0] * sizes[1]
    trunk = sum(inputs * outputs for inputs, outputs in pairwise(sizes))
    outputs = (1, actions) if model.is_dueling else (actions,)
    streams = sum(model.stream_size * (sizes[-1] + model.returned_atoms * output) for output in outputs)
    forward = trunk + streams
    rows = 3 if model.is_double else 2
    return batch_size * (rows * forward + forward + forward - first)


def multiply_adds_a_second() -> float:
    """What one thread reaches in a product of large float32 matrices: the best of several tries, by processor time."""
    left, right, into = (torch.rand(_SIDE, _SIDE) for _ in range(3))

    def seconds() -> float:
        start = process_time()
        for _ in range(_CALLS):
            torch.mm(left, right, out=into)
        return process_time() - start

    seconds()
    return _CALLS * _SIDE**3 / min(seconds() for _ in range(_TRIES))
