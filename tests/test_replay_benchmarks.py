"""The checks of the replay's benchmarks refuse what is not equal."""

from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "benchmarks"


@pytest.fixture(autouse=True)
def _benchmarks_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def test_draws_with_another_exponent_are_refused() -> None:
    from comparison import NotEqualError
    from rows.replay_vs_cpprb import _alike

    generator = np.random.default_rng(2)
    priorities = 0.01 + generator.exponential(size=10_000)
    leaves = priorities**0.6
    drawn = {exponent: priorities**exponent / (priorities**exponent).sum() for exponent in (0.6, 0.65)}
    right, wrong = (generator.choice(10_000, 51_200, p=chances) for chances in drawn.values())
    assert "chi-square" in _alike(right, leaves)
    with pytest.raises(NotEqualError, match="draws do not follow the priorities"):
        _alike(wrong, leaves)


def test_no_rounding_touches_the_trees_inputs() -> None:
    """Else float32 and float64 could differ in a look-up without either being wrong."""
    from tree_inputs import CAPACITY, tree_calls

    calls = tree_calls(200)
    running, priorities = np.cumsum(calls.first), calls.first.copy()
    for indices, values in zip(calls.indices, calls.priorities, strict=True):
        priorities[indices] = values
    assert running[-1] < 2**24
    assert (running == np.cumsum(calls.first, dtype=np.float32)).all()
    assert (calls.masses % 2 == 1).all()
    assert (calls.first % 2 == 0).all()
    assert calls.masses.max() < priorities.sum()
    assert len(priorities) == CAPACITY
