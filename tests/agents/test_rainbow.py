"""The agent around the learner: what it explores by, remembers, replays and saves."""

from typing import Any

import numpy as np
import pytest

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.trading_batch import Step
from MLOps.replay.prioritized import PrioritizedReplay
from MLOps.replay.transitions import ReplayBatch
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.training.tensor_state import as_tensors

ENVS, WIDTH, ACTIONS = 4, 3, 2


def agent_of(model: str = "rainbow", **training: Any) -> RainbowAgent:
    small = {"n_envs": ENVS, "batch_size": 8, "replay_capacity": 32} | training
    settings = compose_settings(
        TrainRainbowSettings,
        "train_rainbow",
        [
            f"model={model}",
            "model.hidden_sizes=[8]",
            "model.stream_size=4",
            "model.atoms=7",
            "model.v_min=-1",
            "model.v_max=1",
            "model.n_steps=1",
            *(f"training.{name}={value}" for name, value in small.items()),
        ],
    )
    return RainbowAgent(WIDTH, ACTIONS, settings.model, settings.training)


def play(agent: RainbowAgent, rounds: int, seed: int = 2) -> None:
    """Fill the replay with drawn steps, every one of which ends its episode."""
    generator = np.random.default_rng(seed)
    for _ in range(rounds):
        before, after = (generator.normal(size=(ENVS, WIDTH)).astype(np.float32) for _ in range(2))
        rewards, every = generator.normal(size=ENVS), np.ones(ENVS, bool)
        step = Step(after, rewards, every, ~every, np.arange(ENVS), after, rewards, np.ones(ENVS, np.int64))
        agent.remember(before, generator.integers(0, ACTIONS, ENVS), step)


def seen(rows: int = ENVS, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, WIDTH)).astype(np.float32)


def test_update_gives_its_errors_back_as_priorities(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_of(priority_exponent=0.5)
    play(agent, 8)
    assert isinstance(agent.replay, PrioritizedReplay)
    drawn: list[ReplayBatch] = []
    sample = agent.replay.sample
    monkeypatch.setattr(agent.replay, "sample", lambda *given: drawn.append(sample(*given)) or drawn[-1])
    update = agent.learn(0.0)
    last = dict(zip(drawn[0].indices.tolist(), update.errors.tolist(), strict=True))
    leaves = agent.replay.tree.values(np.array(list(last)))
    np.testing.assert_allclose(leaves, np.sqrt(list(last.values())), rtol=1e-6)


@pytest.mark.parametrize(("progress", "exponent"), [(0.0, 0.4), (0.5, 0.7), (1.0, 1.0)])
def test_importance_exponent_rises_to_1(monkeypatch: pytest.MonkeyPatch, progress: float, exponent: float) -> None:
    agent = agent_of(importance_exponent=0.4)
    play(agent, 8)
    asked: list[float] = []
    sample = agent.replay.sample

    def note(size: int, given: float) -> ReplayBatch:
        asked.append(given)
        return sample(size, given)

    monkeypatch.setattr(agent.replay, "sample", note)
    agent.learn(progress)
    assert asked == [pytest.approx(exponent)]


@pytest.mark.parametrize(("progress", "epsilon"), [(0.0, 1.0), (0.1, 0.55), (0.2, 0.1), (0.9, 0.1)])
def test_random_actions_become_few_in_a_line_and_stay(progress: float, epsilon: float) -> None:
    agent = agent_of("dqn", epsilon_start=1.0, epsilon_end=0.1, epsilon_fraction=0.2)
    assert agent.epsilon(progress) == pytest.approx(epsilon)
    assert agent_of("rainbow").epsilon(progress) == 0


def test_so_many_actions_are_random_and_both_come() -> None:
    agent = agent_of("dqn", epsilon_start=0.6, epsilon_end=0.6)
    observations = seen(5_000)
    greedy = agent.values(observations).argmax(1)
    acted = agent.act(observations, 0.0)
    assert (acted != greedy).mean() == pytest.approx(0.3, abs=0.03)  # half of the random ones hit the other action
    assert set(acted.tolist()) == {0, 1}


def test_noise_explores_anew_in_each_round_and_values_are_without_it() -> None:
    agent, observations = agent_of(), seen(500)
    rounds = [agent.act(observations, 0.0) for _ in range(4)]
    assert any((one != rounds[0]).any() for one in rounds[1:])
    np.testing.assert_array_equal(agent.values(observations), agent.values(observations))


def test_without_priorities_all_weigh_alike() -> None:
    agent = agent_of("dqn")
    play(agent, 8)
    np.testing.assert_array_equal(agent.replay.sample(8, 0.4).weights, 1)


@pytest.mark.parametrize("model", ["rainbow", "dqn"])
def test_goes_on_from_a_state_as_if_it_had_not_stopped(model: str) -> None:
    one, other = agent_of(model, epsilon_end=0.5), agent_of(model, epsilon_end=0.5)
    play(one, 8)
    one.act(seen(), 0.5)
    one.learn(0.5)
    other.restore(as_tensors(one.state()))
    for agent in (one, other):
        play(agent, 2, seed=9)
    observations = seen(300)
    np.testing.assert_array_equal(one.act(observations, 0.5), other.act(observations, 0.5))
    losses = [[agent.learn(0.6).loss for _ in range(3)] for agent in (one, other)]
    assert losses[0] == losses[1]
