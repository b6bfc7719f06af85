"""Gymnasium and Stable-Baselines3 accept the buy-timing environment."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_by_gymnasium
from stable_baselines3.common.env_checker import check_env as check_by_sb3

from MLOps.environments.dca_timing import DcaTimingBatch
from MLOps.environments.dca_timing_face import DcaTimingEnv
from MLOps.market.price_cycles import Cycles
from MLOps.settings.timing import DcaTimingSettings

HOLD, BUY = np.int64(0), np.int64(1)
SETTINGS = DcaTimingSettings(fee_bps=10, reward_scale=100, random_first_step=False)


def make_env(seed: int = 0, steps: int = 5, window: int = 4, settings: DcaTimingSettings = SETTINGS) -> DcaTimingEnv:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.02, 60)))
    starts = np.arange(window - 1, len(closes) - steps + 1)
    cycles = Cycles(closes, starts, steps, window, np.arange(len(closes)).astype("datetime64[us]"))
    return DcaTimingEnv(DcaTimingBatch(cycles, settings, 1, seed))


@pytest.mark.filterwarnings("ignore:.*render_modes", "ignore:.*spec")
@pytest.mark.parametrize("check", [check_by_gymnasium, check_by_sb3])
@pytest.mark.parametrize("window", [2, 30])
def test_passes_the_checkers_of_the_libraries(check: Callable[[Any], None], window: int) -> None:
    check(make_env(window=window))


def test_buying_terminates_and_nothing_is_cut() -> None:
    env = make_env()
    seen, info = env.reset(seed=3)
    assert info == {}
    after, reward, is_terminated, is_cut, info = env.step(BUY)
    assert (is_terminated, is_cut) == (True, False)
    assert info == {"episode": {"r": reward, "l": 1, "t": 0.0}}
    np.testing.assert_array_equal(after, seen)


def test_holding_pays_nothing_until_the_forced_purchase() -> None:
    env = make_env()
    env.reset(seed=3)
    steps = [env.step(HOLD) for _ in range(5)]
    assert [step[1] for step in steps[:4]] == [0] * 4
    assert [step[2] for step in steps] == [False] * 4 + [True]
    assert steps[-1][4] == {"episode": {"r": steps[-1][1], "l": 5, "t": 0.0}}
    assert steps[-1][0][1] == 0


def test_an_episode_begins_where_the_batch_lets_it() -> None:
    env = make_env(settings=SETTINGS.model_copy(update={"random_first_step": True}))
    remaining = [float(env.reset(seed=seed)[0][1]) for seed in range(60)]
    assert set(remaining) == {0, 0.25, 0.5, 0.75, 1}
    env.reset(seed=remaining.index(0.25))
    assert [env.step(HOLD)[2] for _ in range(2)] == [False, True]


def test_a_seed_given_at_reset_decides_on_the_cycle() -> None:
    env = make_env()
    first = env.reset(seed=7)[0]
    others = [env.reset()[0] for _ in range(5)]
    assert any(not np.array_equal(first, other) for other in others)
    np.testing.assert_array_equal(env.reset(seed=7)[0], first)


def test_a_restored_env_goes_on_as_the_first_would_have() -> None:
    env, other = make_env(0), make_env(1)
    env.reset(seed=1)
    env.action_space.seed(4)
    env.step(HOLD)
    other.reset()
    other.restore(env.state())
    for _ in range(40):
        action = env.action_space.sample()
        assert other.action_space.sample() == action
        ours, theirs = env.step(action), other.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
