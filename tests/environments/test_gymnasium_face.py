"""Gymnasium and its checkers accept our single and vector environments."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as check_by_gymnasium
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3.common.env_checker import check_env as check_by_sb3

from MLOps.environments.gymnasium_face import StockTradingEnv, StockTradingVectorEnv
from MLOps.environments.stock_trading import make_batch
from MLOps.inference.observation import fit_normalisation


@pytest.fixture
def make_env(make_panel, make_settings):
    def build(n_envs=None, sessions=12, seed=0, **changes):
        panel = make_panel(sessions=sessions)
        normalisation = fit_normalisation(panel, 10_000, 10)
        batch = make_batch(panel, make_settings(**changes), normalisation, n_envs or 1, seed)
        return StockTradingEnv(batch) if n_envs is None else StockTradingVectorEnv(batch)

    return build


@pytest.mark.filterwarnings("ignore:.*For Box action spaces", "ignore:.*render_modes", "ignore:.*spec")
@pytest.mark.parametrize("check", [check_by_sb3, check_by_gymnasium])
@pytest.mark.parametrize("changes", [{}, {"random_start": True, "episode_sessions": 5}, {"engine": "finrl"}])
def test_passes_the_checkers_of_the_libraries(make_env, check, changes):
    check(make_env(**changes))


def test_single_env_ends_and_is_cut_as_gymnasium_means_it(make_env):
    def ends(**changes):
        env = make_env(**changes)
        env.reset()
        return [env.step(np.zeros(3, np.float32))[2:4] for _ in range(11)]

    assert ends() == [(False, False)] * 10 + [(True, False)]
    assert ends(episode_sessions=11) == ends()
    assert ends(episode_sessions=10)[9] == (False, True)


def test_single_env_gives_the_last_observation_and_the_episodes_sum(make_env, draw_actions):
    env = make_env()
    first, info = env.reset()
    assert info == {}
    rewards = []
    for action in draw_actions(11, 3):
        observation, reward, is_last, _, info = env.step(action)
        rewards.append(reward)
    assert is_last
    assert not np.array_equal(observation, first)
    assert info == {"episode": {"r": pytest.approx(sum(rewards)), "l": 11, "t": 0.0}}
    np.testing.assert_array_equal(env.reset()[0], first)


def test_a_seed_given_at_reset_decides_on_the_start(make_env):
    env = make_env(random_start=True, sessions=40)
    starts = [env.reset(seed=seed)[0].tolist() for seed in (1, 2, 3, 1, 2, 3)]
    assert starts[:3] == starts[3:]
    assert len(set(map(tuple, starts))) > 1


def test_restored_single_env_goes_on_as_the_first_did(make_env, draw_actions):
    first, second = make_env(random_start=True), make_env(random_start=True, seed=5)
    first.reset(seed=1)
    first.action_space.seed(3)
    first.step(np.ones(3, np.float32))
    second.restore(first.state())
    np.testing.assert_array_equal(first.action_space.sample(), second.action_space.sample())
    for action in draw_actions(5, 3):
        ours, theirs = first.step(action), second.step(action)
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]


@pytest.mark.parametrize("changes", [{}, {"episode_sessions": 4}], ids=["terminated", "truncated"])
def test_vector_env_steps_as_gymnasiums_own_over_single_envs(make_env, draw_actions, changes):
    ours = make_env(3, **changes)
    theirs = SyncVectorEnv([lambda: make_env(**changes)] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    assert ours.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[0])
    for actions in draw_actions(25, 3, 3):
        *one, infos = ours.step(actions)
        *other, expected = theirs.step(actions)
        for values, others in zip(one, other, strict=True):
            np.testing.assert_array_equal(values, others)
        assert ("final_obs" in infos) == ("final_obs" in expected)
        if "final_obs" in infos:
            np.testing.assert_array_equal(infos["_final_obs"], expected["_final_obs"])
            np.testing.assert_array_equal(np.stack(infos["final_obs"]), np.stack(expected["final_obs"]))
            episodes, theirs_too = infos["final_info"]["episode"], expected["final_info"]["episode"]
            for name in ("r", "l", "_r", "_l"):
                np.testing.assert_array_equal(episodes[name], theirs_too[name])


def test_gymnasiums_vector_wrapper_runs_on_it(make_env, draw_actions):
    env = RecordEpisodeStatistics(make_env(2))
    env.reset(seed=3)
    lengths = []
    for actions in draw_actions(22, 2, 3):
        *_, infos = env.step(actions)
        if "episode" in infos:
            lengths += infos["episode"]["l"].tolist()
    assert lengths == [11] * 4


def test_observations_lie_in_their_space(make_env, draw_actions):
    env = make_env(4, sessions=30)
    assert isinstance(env.observation_space, gymnasium.spaces.Box)
    observations, _ = env.reset()
    assert observations in env.observation_space
    for actions in draw_actions(40, 4, 3):
        assert env.step(actions)[0] in env.observation_space
