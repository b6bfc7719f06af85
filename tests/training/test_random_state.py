"""Training draws from seeded global generators and leaves the process's own as they were."""

import random

import numpy as np
import torch

from MLOps.training.random_state import capture, isolated, restore


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.standard_normal()), float(torch.rand(1))


def test_same_seed_same_draws_and_the_process_goes_on_undisturbed() -> None:
    before, threads = capture(), torch.get_num_threads()
    expected = draw()
    restore(before)
    with isolated(4, threads + 1):
        first = draw()
        assert torch.get_num_threads() == threads + 1
    with isolated(4, 1):
        assert draw() == first
    assert torch.get_num_threads() == threads
    assert draw() == expected != first


def test_restored_generators_repeat_their_draws() -> None:
    with isolated(1, 1):
        draw()  # leaves NumPy's generator with a cached Gaussian
        state = capture()
        expected = draw(), draw()
        restore(state)
        assert (draw(), draw()) == expected
