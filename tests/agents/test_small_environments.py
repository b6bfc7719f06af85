"""The small environments that agents are tested in are what they say."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from MLOps.errors import ModelError


@pytest.fixture(autouse=True)
def _beside_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def test_carts_move_as_gymnasiums_do() -> None:
    """40 carts, each from its own start, pushed at random or by a rule that keeps the pole up, until each has ended."""
    from cart_pole import CartPoleBatch

    batch, generator = CartPoleBatch(40, seed=1), np.random.default_rng(2)
    observations = batch.reset()
    peers = [gymnasium.make("CartPole-v1") for _ in range(40)]
    for peer, start in zip(peers, batch.positions, strict=True):
        peer.reset()
        peer.unwrapped.state = start.copy()
    running, ends = set(range(40)), []
    while running:
        actions = np.where(np.arange(40) % 4 < 2, generator.integers(0, 2, 40), steady(observations))
        step = batch.step(actions)
        last = dict(zip(step.ended.tolist(), step.last_observations, strict=True))
        for e in sorted(running):
            seen, reward, has_terminated, is_truncated, _ = peers[e].step(int(actions[e]))
            np.testing.assert_allclose(last.get(e, step.observations[e]), seen, atol=1e-6, rtol=0)
            assert step.rewards[e] == reward
            assert bool(step.is_last[e]) == (has_terminated or is_truncated)
            assert bool(step.is_cut[e]) == (is_truncated and not has_terminated)
            if step.is_last[e]:
                running.remove(e)
                ends.append((bool(step.is_cut[e]), int(step.episode_steps[step.ended.tolist().index(e)])))
        observations = step.observations
    assert (True, 500) in ends, "one was cut"
    assert any(not is_cut and steps < 100 for is_cut, steps in ends), "one has fallen"


def steady(observations: np.ndarray) -> np.ndarray:
    """Push to where the pole is falling: keeps it up for 500 steps."""
    return (observations @ np.array([0.1, 0.3, 1.0, 1.0]) > 0).astype(np.int64)


def test_cart_that_ended_begins_anew_near_the_middle() -> None:
    from cart_pole import CartPoleBatch

    batch = CartPoleBatch(3, seed=0)
    batch.reset()
    lengths = []
    for _ in range(30):
        step = batch.step(np.array([1, 1, 1]))
        assert step.episode_rewards.tolist() == step.episode_steps.tolist()
        assert (np.abs(step.observations[step.ended]) <= 0.05).all()
        assert not step.is_cut.any()
        lengths += step.episode_steps.tolist()
    assert len(lengths) >= 6
    assert set(lengths) <= {8, 9, 10, 11}


@pytest.mark.parametrize("name", ["cart pole", "stopping"])
def test_restored_batch_goes_on_to_the_last_bit(name: str) -> None:
    from cart_pole import CartPoleBatch
    from stopping_problem import StoppingBatch

    make = {"cart pole": lambda seed: CartPoleBatch(5, seed), "stopping": lambda seed: StoppingBatch(5, 4, seed)}[name]
    batch, other, generator = make(1), make(2), np.random.default_rng(3)
    batch.reset()
    other.reset()
    for _ in range(7):
        batch.step(generator.integers(0, 2, 5))
    other.restore(batch.state())
    for _ in range(30):
        actions = generator.integers(0, 2, 5)
        for expected, given in zip(batch.step(actions), other.step(actions), strict=True):
            np.testing.assert_array_equal(given, expected)


def test_best_limits_by_hand() -> None:
    """c_1 = 1/2, c_2 = 1/2 - 1/8 = 3/8, c_3 = 3/8 - 9/128 = 39/128, c_4 = 39/128 - 39^2/2^15."""
    from stopping_problem import best_value, limits

    assert limits(1).tolist() == [1.0]
    assert limits(4).tolist() == [39 / 128, 3 / 8, 1 / 2, 1.0]
    assert best_value(1) == 0.0
    assert best_value(2) == 1 - 2 * 3 / 8
    assert best_value(4) == pytest.approx(1 - 2 * (39 / 128 - 39**2 / 2**15), rel=1e-15)


def test_no_other_limits_are_worth_more() -> None:
    from stopping_problem import best_value, limits, value_of

    generator = np.random.default_rng(0)
    for _ in range(200):
        other = limits(6) + generator.normal(0, 0.1, 6)
        assert value_of(np.clip(other, 0, 1)) < best_value(6)


def test_value_on_the_grid_is_the_exact_one() -> None:
    from stopping_problem import best_value, grid, limits, value_on_grid

    seen = grid(10, 2_000)
    assert seen.shape == (10, 2_000, 2)
    is_bought = seen[..., 0] < limits(10)[:, None]
    assert value_on_grid(is_bought) == pytest.approx(best_value(10), abs=1e-6)
    assert value_on_grid(np.zeros((10, 2_000), np.bool_)) == pytest.approx(0.0, abs=1e-12), "the last of all: the mean"


def test_played_rewards_are_those_of_the_exact_value() -> None:
    from stopping_problem import StoppingBatch, best_value, limits

    steps = 6
    batch, limit, rewards = StoppingBatch(1_000, steps, seed=4), limits(6), []
    observations = batch.reset()
    for _ in range(200):
        t = np.rint((1 - observations[:, 1]) * (steps - 1)).astype(int)
        step = batch.step((observations[:, 0] < limit[t]).astype(np.int64))
        assert (step.rewards[~step.is_last] == 0).all()
        rewards.append(step.episode_rewards)
        observations = step.observations
    paid = np.concatenate(rewards)
    assert abs(paid.mean() - best_value(steps)) < 4 * paid.std() / np.sqrt(len(paid))


def test_purchase_is_forced_at_the_last_step() -> None:
    from stopping_problem import StoppingBatch

    batch = StoppingBatch(1, 3, seed=0)
    first = batch.reset()
    assert first[0, 1] == 1.0
    steps = [batch.step(np.array([0])) for _ in range(3)]
    assert [bool(step.is_last[0]) for step in steps] == [False, False, True]
    assert [float(step.observations[0, 1]) for step in steps] == [0.5, 0.0, 1.0]
    np.testing.assert_allclose(steps[2].rewards, 1 - 2 * steps[2].last_observations[:, 0], rtol=1e-6)
    assert steps[2].episode_steps.tolist() == [3]
    assert not steps[2].is_cut.any()


def test_bad_actions_are_refused() -> None:
    from cart_pole import CartPoleBatch
    from stopping_problem import StoppingBatch

    for batch in (CartPoleBatch(2, 0), StoppingBatch(2, 3, 0)):
        batch.reset()
        for actions in ([0, 2], [0], [0.5, 0]):
            with pytest.raises(ModelError, match="of 0 and 1"):
                batch.step(np.array(actions))
