"""The off-policy agents play, remember and learn what the library's own loop does, bit for bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from MLOps.agents.replay import BatchedReplay, GaussianNoise
from MLOps.environments.sb3_face import StockTradingVecEnv

REMEMBERED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "pos", "full")


def learnt(algorithm: type[OffPolicyAlgorithm], environment: StockTradingVecEnv, **changes: Any) -> OffPolicyAlgorithm:
    model = algorithm(
        "MlpPolicy",
        environment,
        learning_starts=40,
        buffer_size=150,
        batch_size=16,
        train_freq=2,
        gradient_steps=2,
        policy_kwargs={"net_arch": [16, 8]},
        seed=3,
        device="cpu",
        **changes,
    )
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model.learn(180, log_interval=1)


@pytest.mark.parametrize("n_envs", [1, 3])
@pytest.mark.parametrize("algorithm", [DDPG, TD3, SAC])
def test_ends_where_the_librarys_does(
    algorithm: type[OffPolicyAlgorithm], n_envs: int, make_vec_env: Callable[..., StockTradingVecEnv]
) -> None:
    changes = {"episode_sessions": 13, "random_start": True}
    ours_noise: dict[str, Any] = {}
    their_noise: dict[str, Any] = {}
    if algorithm is not SAC:
        ours_noise["action_noise"] = GaussianNoise(0.2, n_envs, 2)
        their_noise["action_noise"] = NormalActionNoise(np.zeros(2), np.full(2, 0.2))
    ours = learnt(type("Ours", (BatchedReplay, algorithm), {}), make_vec_env(n_envs, **changes), **ours_noise)
    theirs = learnt(algorithm, make_vec_env(n_envs, **changes), **their_noise)
    mine, other = ours.replay_buffer, theirs.replay_buffer
    for name in REMEMBERED:
        np.testing.assert_array_equal(getattr(mine, name), getattr(other, name), err_msg=name)
    assert other.timeouts.any()
    assert (ours._n_updates, ours._episode_num) == (theirs._n_updates, theirs._episode_num)
    for name, tensor in theirs.policy.state_dict().items():
        np.testing.assert_array_equal(ours.policy.state_dict()[name], tensor, err_msg=name)
