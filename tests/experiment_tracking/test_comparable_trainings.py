"""Which trainings are compared: of one agent, market and budget, whatever their seed and dates."""

import pytest

from experiment_tracking.comparable_trainings import TRAININGS, comparable_name
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.settings.sentiment_model import TrainSentimentModelSettings
from MLOps.settings.stage_settings import StageSettings
from MLOps.settings.training import TrainRlAgentSettings

_TYPES: dict[str, type[StageSettings]] = {
    "train_rainbow": TrainRainbowSettings,
    "train_rl_agent": TrainRlAgentSettings,
    "train_sentiment_model": TrainSentimentModelSettings,
}


def name_of(stage: str, *overrides: str) -> str:
    return comparable_name(compose_settings(_TYPES[stage], stage, overrides), stage)


def test_every_training_is_covered() -> None:
    assert set(_TYPES) == TRAININGS


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("train_rainbow", "training=quick"),
        ("train_rainbow", "training.num_frames=1000"),
        ("train_rainbow", "data=eth"),
        ("train_rainbow", "data.cycle_steps=7"),
        ("train_rainbow", "environment.reward_scale=1"),
        ("train_rainbow", "registry.model_name=crypto_timing_eth"),
        ("train_rl_agent", "training.total_timesteps=20000"),
        ("train_rl_agent", "rl_agents@agent=sac_stocktrading_params"),
        ("train_rl_agent", "environment.reward_scaling=0.5"),
        ("train_sentiment_model", "hyperparameters.epochs=1"),
    ],
)
def test_other_agents_markets_and_budgets_are_not_compared(stage: str, change: str) -> None:
    assert name_of(stage, change) != name_of(stage)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        ("train_rainbow", "training.seed=1"),
        ("train_rainbow", "training.learning_rate=0.1"),  # a bad one is what the comparison finds
        ("train_rainbow", "data.test_start=2019-02-01"),
        ("train_rl_agent", "training.seed=1"),
        ("train_sentiment_model", "hyperparameters.learning_rate=0.1"),
    ],
)
def test_seeds_dates_and_hyperparameters_make_no_other_kind(stage: str, change: str) -> None:
    assert name_of(stage, change) == name_of(stage)
