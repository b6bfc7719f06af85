"""Every agent learns, and what it learnt acts the same in our own runner."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from MLOps.agents.agent import Actor, Agent
from MLOps.agents.factory import accounts_of, make_agent
from MLOps.environments.stock_trading import make_batch
from MLOps.inference.model_folder import Architecture, MlpActorCard, Normalisation, ObservationSchema, write_model
from MLOps.inference.observation import Normaliser, fit_normalisation
from MLOps.inference.policy import MlpActorPolicy, load_policy
from MLOps.market.panel import MarketPanel
from MLOps.settings.training import TrainRlAgentSettings
from MLOps.training.random_state import isolated


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.pauses: list[int] = []
        self.figures: dict[str, float] = {}

    def stepped(self, timesteps: int) -> None:
        self.steps.append(timesteps)

    def paused(self, timesteps: int) -> None:
        self.pauses.append(timesteps)

    def reported(self, timesteps: int, figures: Mapping[str, float]) -> None:
        assert timesteps > 0
        self.figures.update(figures)


def policy_of(actor: Actor, normalisation: Normalisation, folder: Path) -> MlpActorPolicy:
    card = MlpActorCard(
        architecture=Architecture(hidden_sizes=actor.hidden_sizes, activation=actor.activation, squash=actor.squash),
        observation=ObservationSchema(tickers=("AA", "BB"), indicators=("macd", "rsi_30"), size=9),
        normalisation=normalisation,
        action={
            "kind": "share_orders",
            "max_shares_per_order": 100,
            "is_fractional": False,
            "turbulence_threshold": None,
        },
        environment={},
        windows={},
        provenance={},
    )
    write_model(folder, card, actor.weights)
    policy = load_policy(folder)
    assert isinstance(policy, MlpActorPolicy)
    return policy


def raw_observations(normalisation: Normalisation) -> np.ndarray:
    """Observations within and far beyond what the normalisation was fitted on."""
    values = np.random.default_rng(0).normal(size=(300, 9)) * 4
    return np.array(normalisation.mean) + values * np.array(normalisation.scale)


def assert_acts_alike(agent: Agent, normalisation: Normalisation, folder: Path) -> None:
    observations = raw_observations(normalisation)
    theirs = agent.act(Normaliser(normalisation)(observations))
    ours = policy_of(agent.actor(), normalisation, folder).actions(observations)
    assert np.ptp(theirs) > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_learns_reports_and_acts_as_our_runner_does(
    agent_name: str, make_small_agent: Callable[..., Agent], normalisation: Normalisation, tmp_path: Path
) -> None:
    recorder = Recorder()
    with isolated(3, 1):
        agent = make_small_agent(agent_name)
        before = agent.actor().weights["layers.0.weight"].copy()
        played = agent.learn(100, recorder)
    assert 100 <= played < 100 + 40
    assert recorder.steps[-1] == played
    assert recorder.pauses[0] in (0, 40)  # 40: after the random sessions that fill the replay buffer
    assert recorder.figures["episode_length"] == 60
    assert "episode_reward" in recorder.figures
    assert any("loss" in name for name in recorder.figures)
    assert not np.array_equal(agent.actor().weights["layers.0.weight"], before)
    assert agent.is_finite()
    assert_acts_alike(agent, normalisation, tmp_path)


@pytest.mark.parametrize("name", ["ppo", "a2c", "ddpg", "td3", "sac"])
def test_many_accounts_play_at_once(
    name: str, make_small_agent: Callable[..., Agent], normalisation: Normalisation, tmp_path: Path
) -> None:
    recorder = Recorder()
    with isolated(3, 1):
        agent = make_small_agent(name, "agent.hyperparameters.n_envs=4")
        before = agent.actor().weights["layers.0.weight"].copy()
        played = agent.learn(260, recorder)
    assert recorder.steps[:3] == [4, 8, 12]
    assert recorder.steps[-1] == played
    assert recorder.figures["episode_length"] == 60
    assert not np.array_equal(agent.actor().weights["layers.0.weight"], before)
    assert_acts_alike(agent, normalisation, tmp_path)


def test_learns_on_finrls_own_environment(make_small_agent: Callable[..., Agent]) -> None:
    recorder = Recorder()
    with isolated(3, 1):
        agent = make_small_agent("ppo", "environment.engine=finrl", "agent.hyperparameters.n_envs=2")
        agent.learn(128, recorder)
    assert recorder.figures["episode_length"] == 60
    assert "train/value_loss" in recorder.figures


@pytest.mark.parametrize("name", ["ppo", "a2c"])
def test_learns_to_hold_what_rises(
    name: str, panel: MarketPanel, make_settings: Callable[..., TrainRlAgentSettings]
) -> None:
    """One ticker gains a twentieth at each close, the other loses as much."""
    growth = np.stack([1.05 ** np.arange(61), 1.05 ** -np.arange(61.0)], axis=1)
    market = replace(panel, close=50 * growth)
    settings = make_settings(
        name, "agent.hyperparameters.n_envs=16", "agent.hyperparameters.n_steps=15", "agent.hyperparameters.gamma=0.9"
    )
    scale = fit_normalisation(market, 1_000_000, 10)
    with isolated(3, 1):
        agent = make_agent(
            settings.agent, make_batch(market, settings.environment, scale, accounts_of(settings.agent), 3), 3
        )
        agent.learn(4_000, Recorder())
    first = make_batch(market, settings.environment, scale, 1, 3).reset()
    rising, falling = agent.act(first)[0]
    assert rising > 0
    assert rising > falling


@pytest.mark.parametrize("activation", ["relu", "elu", "silu"])
@pytest.mark.parametrize("name", ["ppo", "sac"])
def test_every_activation_acts_as_our_runner_does(
    name: str, activation: str, make_small_agent: Callable[..., Agent], normalisation: Normalisation, tmp_path: Path
) -> None:
    with isolated(3, 1):
        agent = make_small_agent(name, f"agent.network.activation={activation}", "agent.network.hidden_sizes=[64,32]")
        agent.learn(32, Recorder())
    assert_acts_alike(agent, normalisation, tmp_path)


@pytest.mark.parametrize("name", ["ppo", "a2c"])
def test_explained_variance_is_reported(name: str, make_small_agent: Callable[..., Agent]) -> None:
    recorder = Recorder()
    with isolated(3, 1):
        make_small_agent(name).learn(32, recorder)
    assert "train/explained_variance" in recorder.figures


def test_network_has_the_asked_sizes(agent_name: str, make_small_agent: Callable[..., Agent]) -> None:
    actor = make_small_agent(agent_name, "agent.network.hidden_sizes=[12,7,5]").actor()
    shapes = [actor.weights[f"layers.{i}.weight"].shape for i in range(4)]
    assert shapes == [(12, 9), (7, 12), (5, 7), (2, 5)]
    assert actor.hidden_sizes == (12, 7, 5)


def test_export_is_the_librarys_own_file(
    agent_name: str, make_small_agent: Callable[..., Agent], normalisation: Normalisation, tmp_path: Path
) -> None:
    agent = make_small_agent(agent_name)
    agent.export(tmp_path)
    (file,) = tmp_path.iterdir()
    observations = Normaliser(normalisation)(raw_observations(normalisation))
    if agent_name.startswith("elegantrl"):
        first = torch.load(file, weights_only=True)["net.0.weight"]
        np.testing.assert_array_equal(first, agent.actor().weights["layers.0.weight"])
    else:
        import stable_baselines3

        again = getattr(stable_baselines3, agent_name.upper()).load(file, device="cpu")
        np.testing.assert_array_equal(again.predict(observations, deterministic=True)[0], agent.act(observations))
