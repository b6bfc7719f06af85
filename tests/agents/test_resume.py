"""A training that was interrupted and resumed ends with the weights of an undisturbed one, bit for bit."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from MLOps.agents.agent import Agent
from MLOps.errors import ModelError
from MLOps.stage import MemoryTracker
from MLOps.training.checkpoint import CheckpointStore
from MLOps.training.progress import Progress
from MLOps.training.random_state import isolated
from MLOps.training.train import train

BUDGET, EVERY, STOP_AT = 160, 30, 130


class Interrupting(Progress):
    """Ends the training as Ctrl-C does."""

    def reach(self, timesteps: int) -> None:
        if timesteps >= STOP_AT:
            raise KeyboardInterrupt
        super().reach(timesteps)


def trained(
    make_agent: Callable[..., Agent],
    name: str,
    folder: Path,
    *,
    progress: type[Progress] = Progress,
    every: int = EVERY,
) -> tuple[dict[str, np.ndarray], MemoryTracker]:
    tracker = MemoryTracker()
    with isolated(5, 1):
        agent = make_agent(name, seed=5)
        train(agent, BUDGET, tracker, progress(BUDGET, show_bar=False), CheckpointStore(folder), every, resume=True)
    return dict(agent.actor().weights), tracker


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value)


@pytest.fixture
def make_many(make_small_agent: Callable[..., Agent]) -> Callable[..., Agent]:
    """Agents that play three accounts at once, where their library can, from random sessions on."""

    def make(name: str, seed: int) -> Agent:
        overrides = ["environment.random_start=true"]
        if not name.startswith("elegantrl"):  # which knows no cut episode
            overrides += ["environment.episode_sessions=20", "agent.hyperparameters.n_envs=3"]
        return make_small_agent(name, *overrides, seed=seed)

    return make


def test_resumed_training_ends_where_an_undisturbed_one_does(
    agent_name: str, make_many: Callable[..., Agent], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    undisturbed, whole_curve = trained(make_many, agent_name, tmp_path / "a", every=10**9)
    assert not (tmp_path / "a").exists()
    with pytest.raises(KeyboardInterrupt):
        trained(make_many, agent_name, tmp_path / "b", progress=Interrupting)
    assert "continues" not in caplog.text
    resumed, curve = trained(make_many, agent_name, tmp_path / "b")
    assert "training continues from the checkpoint at timestep" in caplog.text
    assert_same(undisturbed, resumed)
    last = {name: values[-1] for name, values in curve.curves.items()}
    assert last == {name: values[-1] for name, values in whole_curve.curves.items() if name in last}


def test_a_broken_checkpoint_means_a_start_from_zero(
    make_small_agent: Callable[..., Agent], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed, _ = trained(make_small_agent, "a2c", tmp_path / "a", every=10**9)
    with pytest.raises(KeyboardInterrupt):
        trained(make_small_agent, "a2c", tmp_path / "b", progress=Interrupting)
    file = next((tmp_path / "b").iterdir())
    file.write_bytes(file.read_bytes()[:-100])
    assert_same(undisturbed, trained(make_small_agent, "a2c", tmp_path / "b")[0])
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("name", ["ppo", "td3", "elegantrl_ddpg"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_diverged_training_says_so(name: str, make_small_agent: Callable[..., Agent], tmp_path: Path) -> None:
    def poisoned(_name: str, seed: int) -> Agent:
        agent = make_small_agent(name, seed=seed)
        network = agent._agent.act if name.startswith("elegantrl") else agent._model.policy
        for parameter in network.parameters():
            parameter.data.fill_(torch.nan)
        return agent

    with pytest.raises(ModelError, match=r"training diverged by timestep \d+.*learning_rate"):
        trained(poisoned, name, tmp_path)
    assert not tmp_path.joinpath("checkpoint.pt").exists()
