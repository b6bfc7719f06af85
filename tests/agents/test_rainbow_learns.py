"""The agent finds what is known to be best: the limits of a stopping problem, and balance in CartPole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MLOps.agents.rainbow import RainbowAgent
from MLOps.environments.discrete_batch import DiscreteBatch
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.training.rainbow_run import Evaluation, RainbowRun
from MLOps.training.random_state import isolated

STEPS, PRICES = 5, 1_000
SOLVED = 475.0  # mean steps of an episode, of 500 at most


@pytest.fixture(autouse=True)
def _beside_this_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)


def settings_with(**values: Any) -> TrainRainbowSettings:
    overrides = [f"{name.replace('__', '.')}={value}" for name, value in values.items()]
    return compose_settings(TrainRainbowSettings, "train_rainbow", overrides)


def trained(batch: DiscreteBatch, settings: TrainRainbowSettings, evaluate: Evaluation, enough: float) -> RainbowRun:
    """Play until the budget is spent or an evaluation gives `enough`."""
    with isolated(settings.training.seed, 1):
        agent = RainbowAgent(batch.observation_size, batch.actions, settings.model, settings.training)
        run = RainbowRun(agent, batch, settings.training, evaluate)
        while not run.is_done and run.best_score < enough:
            run.play_round()
    return run


@pytest.mark.parametrize("model", ["rainbow", "dqn"])
def test_finds_the_limits_of_a_stopping_problem(model: str) -> None:
    """The last policy, not the best one seen, is worth 98% of the best there is; buying at once is worth 0."""
    from stopping_problem import StoppingBatch, best_value, grid, value_on_grid

    seen = grid(STEPS, PRICES)

    def value(agent: RainbowAgent) -> float:
        values = agent.values(seen.reshape(-1, 2)).reshape(STEPS, PRICES, 2)
        return value_on_grid(values[..., 1] > values[..., 0])

    settings = settings_with(
        model=model,
        model__v_min=-1,
        model__v_max=1,
        model__hidden_sizes="[32]",
        model__stream_size=32,
        training__num_frames=12_000,
        training__n_envs=16,
        training__learning_starts=500,
        training__learning_rate=0.001,
        training__target_update_every=100,
        training__evaluate_every_frames=12_000,
    )
    run = trained(StoppingBatch(16, STEPS, 1), settings, value, enough=np.inf)
    assert best_value(STEPS) > 0.5
    assert value(run.agent) > 0.98 * best_value(STEPS)


@pytest.mark.slow
def test_balances_cart_pole_within_sixty_thousand_steps() -> None:
    from cart_pole import CartPoleBatch

    def mean_steps(agent: RainbowAgent) -> float:
        batch = CartPoleBatch(50, seed=7)
        observations, running, steps = batch.reset(), np.ones(50, bool), 0
        while running.any():
            steps += running.sum()
            step = batch.step(agent.values(observations).argmax(1))
            running &= ~step.is_last
            observations = step.observations
        return float(steps / 50)

    settings = settings_with(
        model__v_min=0,
        model__v_max=100,
        training__num_frames=60_000,
        training__n_envs=8,
        training__frames_per_update=2,
        training__learning_starts=1_000,
        training__learning_rate=0.001,
        training__discount=0.99,
        training__replay_capacity=50_000,
        training__target_update_every=200,
        training__evaluate_every_frames=2_000,
        training__patience_evaluations=1_000,
    )
    assert trained(CartPoleBatch(8, seed=1), settings, mean_steps, SOLVED).best_score >= SOLVED
