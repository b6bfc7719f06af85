"""Pairs of agents that differ in what the news say and in nothing else."""

from collections.abc import Callable

import numpy as np
import pytest

from MLOps.market.panel import MarketPanel
from MLOps.settings.compose import compose_settings
from MLOps.settings.environment import SENTIMENT_COLUMNS
from MLOps.settings.sentiment_ablation import SentimentAblationSettings
from MLOps.training.news_ablation import NewsAblation


@pytest.fixture(scope="module")
def settings() -> SentimentAblationSettings:
    return compose_settings(
        SentimentAblationSettings,
        "run_sentiment_ablation",
        [
            "environment.indicators=[macd]",
            "agent.network.hidden_sizes=[8]",
            "agent.hyperparameters.n_envs=4",
            "agent.hyperparameters.n_steps=16",
            "agent.hyperparameters.batch_size=32",
            "training.total_timesteps=256",
        ],
    )


@pytest.fixture(scope="module")
def ablation_of(settings: SentimentAblationSettings) -> Callable[[float], NewsAblation]:
    """A maker of ablations on 80 sessions of two tickers, with news as loud as is said."""

    def make(loudness: float) -> NewsAblation:
        generator = np.random.default_rng(2)
        features = generator.normal(size=(80, 2, 1 + len(SENTIMENT_COLUMNS)))
        features[:, :, 1:] *= loudness
        panel = MarketPanel(
            dates=np.datetime64("2020-01-01", "D") + np.arange(80),
            tickers=("AA", "BB"),
            close=50 * np.exp(np.cumsum(generator.normal(0, 0.02, (80, 2)), axis=0)),
            features=features,
            feature_names=settings.environment.feature_names,
            turbulence=np.zeros(80),
        )
        windows = slice(0, 50), slice(50, 80)
        return NewsAblation(panel, *windows, settings.environment, settings.agent, settings.training, settings.terms)

    return make


def test_where_the_news_say_nothing_the_pair_is_equal_to_the_last_bit(
    ablation_of: Callable[[float], NewsAblation],
) -> None:
    silent = ablation_of(0.0)
    told, untold = silent.run(5, sees_news=True), silent.run(5, sees_news=False)
    assert told.returns == untold.returns
    assert told.performance == untold.performance
    assert any(told.returns)


def test_where_they_say_something_the_pair_differs(ablation_of: Callable[[float], NewsAblation]) -> None:
    loud = ablation_of(1.0)
    assert loud.run(5, sees_news=True).returns != loud.run(5, sees_news=False).returns


def test_the_agent_without_news_is_the_same_whatever_they_say(ablation_of: Callable[[float], NewsAblation]) -> None:
    assert ablation_of(1.0).run(5, sees_news=False) == ablation_of(3.0).run(5, sees_news=False)


def test_a_run_repeats_itself_and_another_seed_is_another_agent(ablation_of: Callable[[float], NewsAblation]) -> None:
    loud = ablation_of(1.0)
    assert loud.run(5, sees_news=True) == loud.run(5, sees_news=True)
    assert loud.run(5, sees_news=True).returns != loud.run(6, sees_news=True).returns


def test_only_the_test_window_is_traded(ablation_of: Callable[[float], NewsAblation]) -> None:
    run = ablation_of(1.0).run(5, sees_news=True)
    assert len(run.returns) == 29
    assert run.performance.total_return == pytest.approx(np.prod(1 + np.array(run.returns)) - 1)


def test_nothing_after_the_training_window_is_learned_from(ablation_of: Callable[[float], NewsAblation]) -> None:
    """Another future changes no order before it: the first sessions of the test are traded alike."""
    ablation = ablation_of(1.0)
    before = ablation.run(5, sees_news=True).returns[:10]
    ablation.panel.close[65:] *= 3
    ablation.panel.features[65:] += 9
    assert ablation.run(5, sees_news=True).returns[:10] == before
