"""Prioritised replay: frequencies, weights, priorities, state."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from MLOps.errors import ModelError
from MLOps.replay.prioritized import LEAST_PRIORITY, PrioritizedReplay
from MLOps.replay.transitions import ReplayBatch, Transitions
from MLOps.training.tensor_state import as_tensors

SIZE = 3
Make = Callable[[int, int], Transitions]


def replay(capacity: int = 8, exponent: float = 0.5, seed: int = 0) -> PrioritizedReplay:
    return PrioritizedReplay(capacity, SIZE, exponent, np.random.default_rng(seed))


def chances_of(memory: PrioritizedReplay) -> np.ndarray:
    """Chance of each transition in one draw."""
    leaves = memory.tree.values(np.arange(memory.tree.capacity))
    return leaves / memory.tree.total


def counts(memory: PrioritizedReplay, batches: int, batch_size: int, places: int) -> np.ndarray:
    drawn = [memory.sample(batch_size, 0.4).indices for _ in range(batches)]
    return np.bincount(np.concatenate(drawn), minlength=places)


def chi_square(observed: np.ndarray, chances: np.ndarray) -> float:
    expected = observed.sum() * chances / chances.sum()
    return float(((observed - expected) ** 2 / expected).sum())


def test_draws_follow_the_priorities_and_no_other_exponent(make_transitions: Make) -> None:
    """With single draws, which are independent: the chi-square of the right exponent passes, a near one's fails."""
    priorities = np.geomspace(0.1, 10, 40)
    memory = replay(64, exponent=0.6, seed=1)
    memory.add(make_transitions(0, 40))
    memory.set_priorities(np.arange(40), priorities)
    observed = counts(memory, 40_000, 1, 40)
    bound = chi2.ppf(0.999, df=39)
    assert chi_square(observed, priorities**0.6) < bound
    assert chi_square(observed, priorities**0.55) > bound
    assert chi_square(observed, priorities**0.65) > bound


def test_each_part_of_the_total_gives_one_draw(make_transitions: Make) -> None:
    """Priorities 1 1 2 4 in batches of 8: a place of n parts comes up n times in every batch."""
    memory = replay(exponent=1.0)
    memory.add(make_transitions(0, 4))
    memory.set_priorities([0, 1, 2, 3], [1.0, 1.0, 2.0, 4.0])
    for _ in range(20):
        assert np.bincount(memory.sample(8, 0.0).indices).tolist() == [1, 1, 2, 4]


def test_stratified_frequencies_over_many_batches(make_transitions: Make) -> None:
    """A part holds several places: over many batches each comes up in proportion, more evenly than free draws."""
    priorities = np.random.default_rng(5).random(200)
    memory = replay(200, exponent=0.7, seed=2)
    memory.add(make_transitions(0, 200))
    memory.set_priorities(np.arange(200), priorities)
    observed = counts(memory, 2_000, 32, 200)
    assert chi_square(observed, priorities**0.7) < chi2.ppf(0.999, df=199)
    assert chi_square(observed, priorities**0.5) > chi2.ppf(0.999, df=199)


def test_importance_weights_by_hand(make_transitions: Make) -> None:
    """Priorities 1, 4, 16 to the power 1/2 are 1, 2, 4, in sum 7: chances 1/7, 2/7, 4/7.

    (3 P)^-1/2 = sqrt(7/3), sqrt(7/6), sqrt(7/12); over the first, the largest: 1, sqrt(1/2), 1/2.
    """
    memory = replay(exponent=0.5)
    memory.add(make_transitions(0, 3))
    memory.set_priorities([0, 1, 2], [1.0, 4.0, 16.0])
    np.testing.assert_allclose(chances_of(memory)[:3], np.array([1, 2, 4]) / 7, rtol=1e-15)
    batch = memory.sample(64, 0.5)
    assert set(batch.indices.tolist()) == {0, 1, 2}
    expected = np.array([1, np.sqrt(0.5), 0.5], np.float32)
    np.testing.assert_allclose(batch.weights, expected[batch.indices], rtol=1e-6)
    np.testing.assert_array_equal(memory.sample(64, 0.0).weights, 1.0)


def test_largest_weight_is_that_of_the_replay_not_of_the_batch(make_transitions: Make) -> None:
    memory = replay(exponent=1.0)
    memory.add(make_transitions(0, 2))
    memory.set_priorities([0, 1], [1e-3, 1.0])
    batch = memory.sample(1, 1.0)
    assert batch.indices.tolist() == [1]
    np.testing.assert_allclose(batch.weights, 1e-3, rtol=1e-6)


def test_new_transitions_have_the_largest_priority_so_far(make_transitions: Make) -> None:
    memory = replay(4, exponent=0.5)
    memory.add(make_transitions(0, 2))
    assert memory.tree.values([0, 1]).tolist() == [1.0, 1.0]
    memory.set_priorities([0], [9.0])
    memory.add(make_transitions(2, 1))
    assert memory.tree.values([0, 1, 2]).tolist() == [3.0, 1.0, 3.0]
    memory.set_priorities([0, 2], [1.0, 1.0])
    memory.add(make_transitions(3, 1))
    assert memory.tree.values([3]).tolist() == [3.0], "the largest so far, though it is no longer there"


def test_new_transitions_have_a_priority_of_1_where_all_that_were_set_are_smaller(make_transitions: Make) -> None:
    memory = replay(4, exponent=0.5)
    memory.add(make_transitions(0, 2))
    memory.set_priorities([0, 1], [0.25, 0.09])
    memory.add(make_transitions(2, 1))
    assert memory.tree.values([0, 1, 2]).tolist() == [0.5, 0.3, 1.0]


def test_size_of_a_priority_counts_and_a_floor_is_kept(make_transitions: Make) -> None:
    memory = replay(exponent=2.0)
    memory.add(make_transitions(0, 3))
    memory.set_priorities([0, 1, 2], np.array([-3.0, 0.0, 1e-9], np.float32))
    assert memory.tree.values([0, 1, 2]).tolist() == [9.0, LEAST_PRIORITY**2, LEAST_PRIORITY**2]


def test_last_priority_of_one_drawn_twice_counts(make_transitions: Make) -> None:
    memory = replay(exponent=1.0)
    memory.add(make_transitions(0, 3))
    memory.set_priorities([1, 2, 1], [5.0, 2.0, 3.0])
    assert memory.tree.values([0, 1, 2]).tolist() == [1.0, 3.0, 2.0]


@pytest.mark.parametrize("parts", [[25], [1] * 25, [7, 8, 9, 1], [3, 0, 22]])
def test_newest_overwrite_the_oldest(make_transitions: Make, parts: list[int]) -> None:
    """25 transitions through 8 places, also more at once than there are places: the last 8 stay, whole."""
    memory, first = replay(8), 0
    for count in parts:
        memory.add(make_transitions(first, count))
        first += count
    assert len(memory) == 8
    assert memory.tree.total == 8.0
    assert_tells_its_origin(memory.sample(64, 0.4), make_transitions, set(range(17, 25)))


def test_before_it_is_full_only_what_was_added_is_drawn(make_transitions: Make) -> None:
    memory = replay(1_000)
    memory.add(make_transitions(0, 5))
    assert len(memory) == 5
    assert_tells_its_origin(memory.sample(50, 0.4), make_transitions, set(range(5)))


def assert_tells_its_origin(batch: ReplayBatch, make_transitions: Make, numbers: set[int]) -> None:
    """Every row of a batch is one of the transitions `numbers`, all of them came up, at the place of their number."""
    number = (-batch.returns).astype(int)
    assert set(number.tolist()) == numbers
    whole = make_transitions(0, max(numbers) + 1)
    for name in Transitions._fields:
        values = getattr(batch, name)
        np.testing.assert_array_equal(values, getattr(whole, name)[number], name)
        assert values.dtype == getattr(whole, name).dtype
    assert (batch.indices.dtype, batch.weights.dtype) == (np.int64, np.float32)


def played(memory: PrioritizedReplay, make_transitions: Make, first: int, steps: int) -> list[ReplayBatch]:
    """What a learner would do, deterministically."""
    batches = []
    for step in range(first, first + steps):
        memory.add(make_transitions(step * 3, step % 4))
        batches.append(memory.sample(16, min(1.0, step / 50)))
        memory.set_priorities(batches[-1].indices, 0.1 + np.cos(batches[-1].returns + step) ** 2)
    return batches


def saved_by_torch(state: dict[str, Any]) -> dict[str, Any]:
    """Through a file as a checkpoint writes it: arrays as tensors, read without pickle."""
    file = BytesIO()
    torch.save(as_tensors(state), file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


@pytest.mark.parametrize("steps", [5, 60], ids=["not full", "wrapped around"])
def test_restored_replay_goes_on_to_the_last_bit(make_transitions: Make, steps: int) -> None:
    memory = replay(50, exponent=0.6, seed=3)
    played(memory, make_transitions, 1, steps)
    state = saved_by_torch(memory.state())
    undisturbed = played(memory, make_transitions, 1 + steps, 20)
    other = replay(50, exponent=0.6, seed=99)
    played(other, make_transitions, 7, 3)
    other.restore(state)
    for expected, batch in zip(undisturbed, played(other, make_transitions, 1 + steps, 20), strict=True):
        for name in ReplayBatch._fields:
            np.testing.assert_array_equal(getattr(batch, name), getattr(expected, name), name)
    np.testing.assert_array_equal(other.tree.sums, memory.tree.sums)


def test_state_holds_a_few_arrays_and_no_list(make_transitions: Make) -> None:
    """So that a large replay is written as blocks of memory."""
    memory = replay(100)
    memory.add(make_transitions(0, 100))
    state = memory.state()
    assert state["ring"]["rows"].shape == (100, 2 * SIZE + 3)
    assert state["tree"]["priorities"].shape == (100,)
    memory.add(make_transitions(100, 1))
    assert state["ring"]["rows"][0, 0] == 0.0, "the state is a copy"


def test_state_of_another_shape_is_refused(make_transitions: Make) -> None:
    memory = replay(8)
    memory.add(make_transitions(0, 8))
    with pytest.raises(ModelError, match=r"replay rows float32 \(8, 9\).*the checkpoint"):
        replay(4).restore(memory.state())
    with pytest.raises(ModelError, match="the checkpoint"):
        PrioritizedReplay(8, 2, 0.5, np.random.default_rng(0)).restore(memory.state())
    state = memory.state()
    with pytest.raises(ModelError, match="position 9"):
        memory.restore(state | {"ring": state["ring"] | {"position": 9}})


def test_empty_replay_gives_no_batch() -> None:
    with pytest.raises(ModelError, match="a batch asked of an empty replay; allowed: transitions added before"):
        replay().sample(4, 0.4)


@pytest.mark.parametrize(("index", "priority", "told"), [
    (0, np.nan, "priority nan; allowed: a finite number"),
    (0, -np.inf, "priority -inf"),
    (3, 1.0, "index 3; allowed: below 3"),
    (-1, 1.0, "index -1"),
])  # fmt: skip
def test_bad_priorities_are_refused_and_nothing_changes(
    make_transitions: Make, index: int, priority: float, told: str
) -> None:
    memory = replay()
    memory.add(make_transitions(0, 3))
    with pytest.raises(ModelError, match=told):
        memory.set_priorities([1, index], [7.0, priority])
    assert memory.tree.values([0, 1, 2]).tolist() == [1.0, 1.0, 1.0]
    memory.add(make_transitions(3, 1))
    assert memory.tree.values([3]).tolist() == [1.0]


def test_other_bad_input_is_refused(make_transitions: Make) -> None:
    memory = replay()
    memory.add(make_transitions(0, 3))
    for batch_size, exponent in ((0, 0.4), (4, -0.1), (4, np.nan)):
        with pytest.raises(ModelError, match=f"batch size {batch_size}, importance exponent {exponent}"):
            memory.sample(batch_size, exponent)
    with pytest.raises(ModelError, match=r"\(1,\) priorities for \(2,\) indices"):
        memory.set_priorities([0, 1], [1.0])
    with pytest.raises(ModelError, match="transitions of shapes"):
        memory.add(make_transitions(0, 3)._replace(actions=np.zeros(2, np.int64)))
    with pytest.raises(ModelError, match="transitions of shapes"):
        memory.add(make_transitions(0, 3)._replace(observations=np.zeros((3, SIZE + 1), np.float32)))
    assert len(memory) == 3
    for exponent in (-0.1, np.nan):
        with pytest.raises(ModelError, match=f"priority exponent {exponent}"):
            replay(exponent=exponent)
    with pytest.raises(ModelError, match="capacity 0"):
        replay(capacity=0)


def test_actions_survive_their_place_among_floats() -> None:
    memory = PrioritizedReplay(4, 1, 0.0, np.random.default_rng(0))
    actions = np.array([0, 1, 2**31 - 1, -1])
    column, row = np.zeros((4, 1), np.float32), np.zeros(4, np.float32)
    memory.add(Transitions(column, actions, row, column, row))
    batch = memory.sample(32, 0.0)
    np.testing.assert_array_equal(batch.actions, actions[batch.indices])
