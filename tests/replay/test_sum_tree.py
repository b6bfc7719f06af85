"""The sum tree against numbers worked by hand and against a naive one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.errors import ModelError
from MLOps.replay.sum_tree import SumTree

CAPACITIES = (1, 2, 7, 8, 9, 63, 64, 65, 100, 513)
EXACT = st.integers(0, 64).map(float)  # sums of these are exact in any order


def naive_find(priorities: np.ndarray, mass: float) -> int:
    """The first place whose running sum exceeds the mass."""
    return int(np.flatnonzero(np.cumsum(priorities) > mass)[0])


def test_ten_priorities_by_hand() -> None:
    tree = SumTree(10)
    tree.set([0, 1, 2, 9], [3.0, 0.0, 5.0, 2.0])
    assert tree.total == 10.0
    assert tree.minimum == 2.0
    masses = [0.0, 2.9, 3.0, 7.9, 8.0, 9.9]
    assert tree.find(masses).tolist() == [0, 0, 2, 2, 9, 9]
    assert tree.values([9, 1, 2]).tolist() == [2.0, 0.0, 5.0]


def test_three_levels_by_hand() -> None:
    """Place i has priority i; the sum of those before it is i (i - 1) / 2."""
    tree = SumTree(200)
    tree.set(np.arange(200), np.arange(200.0))
    assert tree.total == 200 * 199 / 2
    assert tree.minimum == 1.0
    begins = np.arange(1, 200) * np.arange(0, 199) / 2
    np.testing.assert_array_equal(tree.find(begins), np.arange(1, 200))
    np.testing.assert_array_equal(tree.find(begins[1:] - 0.5), np.arange(1, 199))


def test_last_of_a_place_named_twice_counts() -> None:
    tree = SumTree(20)
    tree.set([4, 17, 4, 17, 4], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert tree.values([4, 17]).tolist() == [5.0, 4.0]
    assert tree.total == 9.0
    assert tree.minimum == 4.0


def test_minimum_rises_again_and_ignores_zero() -> None:
    tree = SumTree(70)
    assert tree.minimum == np.inf
    tree.set([3, 66], [0.5, 2.0])
    assert tree.minimum == 0.5
    tree.set([3], [0.0])
    assert tree.minimum == 2.0
    tree.set([66], [0.0])
    assert (tree.minimum, tree.total) == (np.inf, 0.0)


@given(data=st.data(), capacity=st.sampled_from(CAPACITIES))
@settings(max_examples=60, deadline=None)
def test_equals_a_naive_one(data: st.DataObject, capacity: int) -> None:
    tree, naive = SumTree(capacity), np.zeros(capacity)
    change = st.lists(st.tuples(st.integers(0, capacity - 1), EXACT), min_size=1, max_size=40)
    for pairs in data.draw(st.lists(change, min_size=1, max_size=6)):
        indices, priorities = (list(column) for column in zip(*pairs, strict=True))
        tree.set(indices, priorities)
        for index, priority in pairs:
            naive[index] = priority
        np.testing.assert_array_equal(tree.values(np.arange(capacity)), naive)
        assert tree.total == naive.sum()
        assert tree.minimum == min(naive[naive > 0], default=np.inf)
        if naive.any():
            share = data.draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
            masses = np.minimum(np.array(share) * naive.sum(), np.nextafter(naive.sum(), 0.0))
            assert tree.find(masses).tolist() == [naive_find(naive, mass) for mass in masses]


@given(
    priorities=st.lists(st.floats(0, 1e12), min_size=1, max_size=300).filter(any),
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50),
)
@settings(max_examples=100, deadline=None)
def test_never_finds_a_place_without_mass(priorities: list[float], shares: list[float]) -> None:
    """Whatever rounding does: sizes from 1e-300 to 1e12 side by side, masses up to the last bit below the total."""
    tree = SumTree(len(priorities))
    tree.set(np.arange(len(priorities)), priorities)
    masses = np.minimum(np.array([*shares, 1.0]) * tree.total, np.nextafter(tree.total, 0.0))
    found = tree.find(masses)
    assert (tree.values(found) > 0).all()
    running = np.concatenate([[0.0], np.cumsum(priorities)])
    slack = 1e-12 * tree.total
    assert (running[found] <= masses + slack).all()
    assert (masses <= running[found + 1] + slack).all()


def test_mass_that_rounding_puts_beyond_the_end_finds_the_last_place_above_zero() -> None:
    from MLOps.replay.sum_tree_kernel import find_leaves

    tree = SumTree(600)
    tree.set([0, 70, 500], [0.1, 0.1, 0.1])
    found = np.empty(2, np.int64)
    find_leaves(tree.sums, tree.offsets, np.array([tree.total, 2 * tree.total]), found)
    assert found.tolist() == [500, 500]


def test_nothing_drifts_over_millions_of_changes() -> None:
    """Large and small in turns: a sum to which differences are added would keep the large ones' rounding errors."""
    tree, generator = SumTree(1_000), np.random.default_rng(3)
    for _ in range(500):
        places = generator.integers(0, 1_000, 4_096)
        tree.set(places, 10.0 ** generator.uniform(-8, 12, 4_096))
    small = generator.random(1_000)
    tree.set(np.arange(1_000), small)
    fresh = SumTree(1_000)
    fresh.set(np.arange(1_000), small)
    assert tree.total == fresh.total
    assert tree.total == pytest.approx(small.sum(), rel=1e-14)
    np.testing.assert_array_equal(tree.sums, fresh.sums)
    np.testing.assert_array_equal(tree.minima, fresh.minima)


@pytest.mark.parametrize("capacity", CAPACITIES)
def test_state_restores_every_node(capacity: int) -> None:
    tree, other = SumTree(capacity), SumTree(capacity)
    generator = np.random.default_rng(1)
    for _ in range(5):
        tree.set(generator.integers(0, capacity, 20), generator.random(20))
    other.set([capacity - 1], [7.0])
    other.restore(tree.state())
    np.testing.assert_array_equal(other.sums, tree.sums)
    np.testing.assert_array_equal(other.minima, tree.minima)


def test_state_is_a_copy() -> None:
    tree = SumTree(4)
    state = tree.state()
    tree.set([1], [1.0])
    assert state["priorities"].tolist() == [0.0] * 4


@pytest.mark.parametrize("priority", [np.nan, np.inf, -1e-9])
def test_priority_that_is_none_is_refused_and_nothing_changes(priority: float) -> None:
    tree = SumTree(10)
    tree.set([1], [1.0])
    with pytest.raises(ModelError, match=rf"priority {priority}; allowed: a finite number >= 0"):
        tree.set([0, 1], [5.0, priority])
    assert (tree.total, tree.values([0]).tolist()) == (1.0, [0.0])


@pytest.mark.parametrize("index", [-1, 10, 2**40])
def test_index_outside_is_refused(index: int) -> None:
    tree = SumTree(10)
    with pytest.raises(ModelError, match=rf"index {index}; allowed: 0 .. 9"):
        tree.set([3, index], [1.0, 1.0])
    with pytest.raises(ModelError, match=rf"index {index}"):
        tree.values([index])
    assert tree.total == 0.0


@pytest.mark.parametrize("mass", [-0.5, 3.0, np.nan, np.inf])
def test_mass_outside_is_refused(mass: float) -> None:
    tree = SumTree(10)
    tree.set([4], [3.0])
    with pytest.raises(ModelError, match=rf"mass {mass}; allowed: at least 0, below 3.0"):
        tree.find([1.0, mass])


def test_other_bad_input_is_refused() -> None:
    tree = SumTree(10)
    with pytest.raises(ModelError, match="all zero"):
        tree.find([0.0])
    with pytest.raises(ModelError, match="one for each index"):
        tree.set([1, 2], [1.0])
    with pytest.raises(ModelError, match="integers"):
        tree.set([1.0], [1.0])
    with pytest.raises(ModelError, match="masses of shape"):
        tree.find([[0.0]])
    with pytest.raises(ModelError, match="capacity 0"):
        SumTree(0)
    with pytest.raises(ModelError, match="capacity 9"):
        tree.restore(SumTree(9).state())


def test_empty_calls_do_nothing() -> None:
    tree = SumTree(10)
    tree.set([], [])
    tree.set([2], [1.0])
    assert tree.find([]).tolist() == []
    assert tree.values([]).tolist() == []
    assert tree.total == 1.0
