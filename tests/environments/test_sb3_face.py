"""Stable-Baselines3 finds in our ``VecEnv`` what its own promise."""

import warnings

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecCheckNan, VecMonitor

from MLOps.environments.gymnasium_face import StockTradingEnv
from MLOps.environments.sb3_face import StockTradingVecEnv
from MLOps.environments.stock_trading import StockTradingBatch, make_batch
from MLOps.inference.observation import fit_normalisation


@pytest.fixture
def make_env(make_panel, make_settings):
    def build(n_envs=3, sessions=12, seed=0, face=StockTradingVecEnv, **changes):
        panel = make_panel(sessions=sessions)
        return face(make_batch(panel, make_settings(**changes), fit_normalisation(panel, 10_000, 10), n_envs, seed))

    return build


def test_is_made_without_a_warning(make_env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = make_env()
    assert (env.num_envs, env.observation_space.shape, env.action_space.shape) == (3, (13,), (3,))


@pytest.mark.parametrize("changes", [{}, {"episode_sessions": 4}], ids=["terminated", "truncated"])
def test_steps_as_the_librarys_own_vec_env_does_over_single_envs(make_env, draw_actions, changes):
    ours = make_env(**changes)
    theirs = DummyVecEnv([lambda: make_env(1, face=StockTradingEnv, **changes)] * 3)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    for actions in draw_actions(25, 3, 3):
        (observations, rewards, dones, infos), expected = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(observations, expected[0])
        np.testing.assert_array_equal(rewards, expected[1])
        np.testing.assert_array_equal(dones, expected[2])
        assert rewards.dtype == expected[1].dtype
        for info, other in zip(infos, expected[3], strict=True):
            other = dict(other)
            if "terminal_observation" in info:
                last = other.pop("terminal_observation")
                np.testing.assert_array_equal(info["terminal_observation"], last)
                assert info["TimeLimit.truncated"] is other["TimeLimit.truncated"] is bool(changes)
                assert info["episode"] == other["episode"]
            else:
                assert not other.get("TimeLimit.truncated")
                assert info == {}


def test_what_a_step_gave_is_not_overwritten_by_the_next(make_env, draw_actions):
    env = make_env()
    kept = [env.reset()]
    copies = [kept[0].copy()]
    for actions in draw_actions(30, 3, 3):
        observations, rewards, dones, _ = env.step(actions)
        kept += [observations, rewards, dones]
        copies += [observations.copy(), rewards.copy(), dones.copy()]
    for values, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(values, copy)


def test_seeds_decide_on_random_starts(make_env):
    def starts(seed):
        env = make_env(n_envs=40, random_start=True)
        env.seed(seed)
        env.reset()
        return env.batch.accounts.start.tolist()

    assert starts(4) == starts(4) != starts(5)


def test_a_seed_counts_for_one_reset(make_env):
    env = make_env(n_envs=40, random_start=True)
    env.seed(4)
    first = env.reset()
    assert not np.array_equal(env.reset(), first)


def test_restored_env_goes_on_as_the_first_did(make_env, draw_actions):
    first, second = make_env(random_start=True), make_env(random_start=True, seed=8)
    first.reset()
    first.action_space.seed(3)
    for actions in draw_actions(7, 3, 3):
        first.step(actions)
    second.restore(first.state())
    np.testing.assert_array_equal(first.action_space.sample(), second.action_space.sample())
    for actions in draw_actions(30, 3, 3, seed=2):
        for ours, theirs in zip(first.step(actions)[:3], second.step(actions)[:3], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_librarys_wrappers_run_on_it(make_env, draw_actions):
    env = VecMonitor(VecCheckNan(make_env(), raise_exception=True))
    env.reset()
    ends = [info["episode"] for actions in draw_actions(22, 3, 3) for info in env.step(actions)[3] if "episode" in info]
    assert [end["l"] for end in ends] == [11] * 6


def test_attributes_are_asked_for_by_account_and_methods_refused(make_env):
    env = make_env()
    assert env.get_attr("num_envs", indices=[0, 2]) == [3, 3]
    assert env.env_is_wrapped(VecMonitor, indices=1) == [False]
    with pytest.raises(AttributeError):
        env.get_attr("no_such_thing")
    with pytest.raises(NotImplementedError, match="hmax"):
        env.set_attr("hmax", 3)
    with pytest.raises(NotImplementedError, match="render"):
        env.env_method("render")


def test_the_librarys_ppo_learns_on_it_and_the_seed_decides(make_env):
    def weights(seed):
        env = make_env(n_envs=4, sessions=20, episode_sessions=10, random_start=True)
        model = PPO("MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=2, seed=seed, device="cpu")
        model.learn(256)
        assert len(model.ep_info_buffer) > 0
        return np.concatenate([value.detach().numpy().ravel() for value in model.policy.parameters()])

    first = weights(1)
    np.testing.assert_array_equal(first, weights(1))
    assert not np.array_equal(first, weights(2))


@pytest.mark.parametrize("face", [StockTradingVecEnv, StockTradingEnv])
def test_a_batch_that_is_not_normalised_fits_the_space_that_is_declared(make_panel, make_settings, face):
    env = face(StockTradingBatch(make_panel(), make_settings(), None, n_envs=1, seed=0))
    seen = env.reset()[0]
    assert env.observation_space.dtype == seen.dtype == np.float64
    assert env.observation_space.contains(seen)
