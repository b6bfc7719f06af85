"""Uniform replay: the same face, equal chances."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2

from MLOps.errors import ModelError
from MLOps.replay.transitions import Transitions
from MLOps.replay.uniform import UniformReplay

Make = Callable[[int, int], Transitions]


def replay(capacity: int = 8, seed: int = 0) -> UniformReplay:
    return UniformReplay(capacity, 3, np.random.default_rng(seed))


def test_all_have_the_same_chance_and_weight_whatever_their_priority(make_transitions: Make) -> None:
    memory = replay(30)
    memory.add(make_transitions(0, 20))
    memory.set_priorities(np.arange(20), np.geomspace(1e-3, 1e3, 20))
    batch = memory.sample(20_000, 0.7)
    observed = np.bincount(batch.indices, minlength=20)
    assert len(observed) == 20
    assert ((observed - 1_000) ** 2 / 1_000).sum() < chi2.ppf(0.999, df=19)
    np.testing.assert_array_equal(batch.weights, np.ones(20_000, np.float32))


def test_newest_overwrite_the_oldest(make_transitions: Make) -> None:
    memory = replay(8)
    for first in range(0, 25, 5):
        memory.add(make_transitions(first, 5))
    batch, whole = memory.sample(64), make_transitions(0, 25)
    number = (-batch.returns).astype(int)
    assert set(number.tolist()) == set(range(17, 25))
    for name in Transitions._fields:
        np.testing.assert_array_equal(getattr(batch, name), getattr(whole, name)[number], name)


def test_restored_replay_goes_on_to_the_last_bit(make_transitions: Make) -> None:
    memory, other = replay(8, seed=1), replay(8, seed=2)
    memory.add(make_transitions(0, 11))
    memory.sample(3)
    other.restore(memory.state())
    for replayed in (memory, other):
        replayed.add(make_transitions(11, 2))
    expected, batch = memory.sample(40), other.sample(40)
    for a, b in zip(expected, batch, strict=True):
        np.testing.assert_array_equal(a, b)


def test_bad_input_is_refused(make_transitions: Make) -> None:
    with pytest.raises(ModelError, match="a batch asked of an empty replay"):
        replay().sample(4)
    memory = replay()
    memory.add(make_transitions(0, 1))
    with pytest.raises(ModelError, match="batch size 0"):
        memory.sample(0)
    with pytest.raises(ModelError, match="the checkpoint"):
        replay(4).restore(memory.state() | {"ring": {"rows": np.zeros((5, 9), np.float32), "position": 0}})
