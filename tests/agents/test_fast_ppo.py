"""Our PPO and the library's own, from the same seed, play the same rollout and learn the same from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from torch import nn

from MLOps.agents.fast_ppo import FastPPO
from MLOps.agents.rollouts import BatchedRollouts
from MLOps.environments.sb3_face import StockTradingVecEnv

pytestmark = pytest.mark.filterwarnings("ignore:You have specified a mini-batch size")  # the last one is smaller

MakeVecEnv = Callable[..., StockTradingVecEnv]


BUFFERED = ("observations", "actions", "rewards", "episode_starts", "values", "log_probs", "advantages", "returns")


def by_session(rows: np.ndarray) -> np.ndarray:
    """(T, E, ...); the library lays its rows out account by account once it has learnt from them."""
    return rows if rows.shape[:2] == (32, 4) else rows.reshape(4, 32, -1).swapaxes(0, 1).squeeze()


class FastA2C(BatchedRollouts, A2C):
    pass


def learnt(
    algorithm: type[OnPolicyAlgorithm], environment: StockTradingVecEnv, *, timesteps: int = 1, **changes: Any
) -> OnPolicyAlgorithm:
    """By default one rollout and the update from it."""
    options = {"n_steps": 32, "policy_kwargs": {"net_arch": [16, 8]}} | changes
    if issubclass(algorithm, PPO):
        options = {"batch_size": 24, "n_epochs": 3} | options
    model = algorithm("MlpPolicy", environment, seed=3, device="cpu", **options)
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model.learn(timesteps)


def assert_alike(ours: OnPolicyAlgorithm, theirs: OnPolicyAlgorithm, tolerance: float = 1e-6) -> None:
    moved = 0.0
    for (name, mine), (_, other) in zip(ours.policy.named_parameters(), theirs.policy.named_parameters(), strict=True):
        np.testing.assert_allclose(mine.detach(), other.detach(), rtol=0, atol=tolerance, err_msg=name)
        moved = max(moved, float(other.detach().abs().max()))
    assert moved > 1e-3
    told, expected = ours.logger.name_to_value, theirs.logger.name_to_value
    for name in (key for key in expected if key.startswith(("train/", "rollout/"))):
        assert told[name] == pytest.approx(expected[name], rel=1e-4, abs=1e-5), name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ent_coef": 0.02, "vf_coef": 0.7},
        {"normalize_advantage": False},
        {"max_grad_norm": 0.05, "clip_range": 0.02},
        {"target_kl": 0.0005, "learning_rate": 0.003},
        {"n_envs": 1},
        {"batch_size": 96, "n_epochs": 5},
    ],
    ids=lambda changes: ",".join(changes) or "defaults",
)
def test_one_update_is_the_librarys(changes: dict[str, Any], make_vec_env: MakeVecEnv) -> None:
    n_envs = changes.get("n_envs", 3)
    options = {name: value for name, value in changes.items() if name != "n_envs"}
    ours = learnt(FastPPO, make_vec_env(n_envs), **options)
    theirs = learnt(PPO, make_vec_env(n_envs), **options)
    assert ours._n_updates == theirs._n_updates
    assert_alike(ours, theirs)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.ELU, nn.SiLU])
def test_one_update_is_the_librarys_with_every_activation(
    activation: type[nn.Module], make_vec_env: MakeVecEnv
) -> None:
    kwargs = {"net_arch": [16, 12, 8], "activation_fn": activation}
    models = [learnt(algorithm, make_vec_env(3), policy_kwargs=kwargs.copy()) for algorithm in (FastPPO, PPO)]
    assert_alike(*models)


def test_an_early_stop_is_the_librarys(make_vec_env: MakeVecEnv) -> None:
    models = [
        learnt(algorithm, make_vec_env(3), target_kl=1e-4, learning_rate=0.01, n_epochs=9)
        for algorithm in (FastPPO, PPO)
    ]
    assert models[0]._n_updates < 9
    assert_alike(*models)


@pytest.mark.parametrize(("ours", "theirs"), [(FastPPO, PPO), (FastA2C, A2C)])
def test_a_rollout_over_the_ends_of_episodes_is_the_librarys(
    ours: type[OnPolicyAlgorithm], theirs: type[OnPolicyAlgorithm], make_vec_env: MakeVecEnv
) -> None:
    changes = {"episode_sessions": 11, "random_start": True}
    models = [learnt(algorithm, make_vec_env(4, **changes), learning_rate=1e-9) for algorithm in (ours, theirs)]
    mine, other = (model.rollout_buffer for model in models)
    for name in BUFFERED:
        values, expected = (by_session(getattr(buffer, name)) for buffer in (mine, other))
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=2e-5, err_msg=name)
    assert mine.episode_starts.sum() > 4 + 4
    for told, expected in zip(models[0].ep_info_buffer, models[1].ep_info_buffer, strict=True):
        assert told == pytest.approx(expected)


def test_a_saved_model_is_the_librarys_own_and_learns_on(make_vec_env: MakeVecEnv, tmp_path: Path) -> None:
    ours = learnt(FastPPO, make_vec_env(3))
    ours.save(tmp_path / "ours.zip")
    theirs = PPO.load(tmp_path / "ours.zip", env=make_vec_env(3), device="cpu")
    again = FastPPO.load(tmp_path / "ours.zip", env=make_vec_env(3), device="cpu")
    moments = [model.policy.optimizer.state_dict()["state"][0]["exp_avg"] for model in (ours, theirs, again)]
    assert torch.equal(moments[0], moments[1])
    for model in (theirs, again):
        model.set_logger(Logger(folder=None, output_formats=[]))
        model.set_random_seed(8)
        model.learn(96, reset_num_timesteps=False)
    assert_alike(again, theirs)
    assert type(theirs) is PPO
    assert not [name for name, value in vars(theirs).items() if type(value).__module__.startswith("MLOps.agents")]


def test_a_callback_may_stop_a_rollout(make_vec_env: MakeVecEnv) -> None:
    model = FastPPO("MlpPolicy", make_vec_env(3), n_steps=32, batch_size=24, seed=3, device="cpu")
    before = [parameter.detach().clone() for parameter in model.policy.parameters()]
    model.set_logger(Logger(folder=None, output_formats=[]))
    model.learn(96, callback=lambda _locals, _globals: False)
    assert model.num_timesteps == 3
    assert all(torch.equal(old, new) for old, new in zip(before, model.policy.parameters(), strict=True))
