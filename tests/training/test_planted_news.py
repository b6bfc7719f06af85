"""Proof that the path from news to orders can carry a signal, and that it finds none where none is.

A market is made in which a hidden mood moves the next session's return, and each article tells a little of the
mood of its day. The news go through the real join, environment, PPO and backtest. With them the agents must earn
more than without; with the same articles dealt to other days they must not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import exchange_calendars
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from MLOps.evaluation.paired_seeds import PairedEffects, paired_effects
from MLOps.market.bars import as_bars, write_bars
from MLOps.market.feature_table import build_table
from MLOps.market.news import as_news, write_news
from MLOps.market.panel import MarketPanel, read_panel
from MLOps.settings.compose import compose_settings
from MLOps.settings.features import FeatureSettings
from MLOps.settings.score_news import ScoreNewsSettings
from MLOps.settings.sentiment_ablation import SentimentAblationSettings
from MLOps.stage import MemoryTracker
from MLOps.training.news_ablation import NewsAblation

FloatArray = npt.NDArray[np.float64]
TEST_SESSIONS, SESSIONS = 1500, 2060
PERSISTENCE, EFFECT, NOISE = 0.8, 0.02, 0.01
ARTICLES_A_DAY, ARTICLE_NOISE = 3.0, 0.2
SENTENCES = (
    (
        "A terrible accident kills three workers.",
        "The company suffers horrible losses and fears worse.",
        "Angry crowds attack a corrupt government.",
        "Fraud charges destroy the trust of customers.",
        "A sad failure leaves many people in despair.",
    ),
    (
        "The committee meets on the second floor on Tuesday.",
        "The report has four parts and a table.",
        "The bus to the harbour leaves at noon.",
        "Two offices will move to the north of the city.",
        "The museum shows paintings of the last century.",
    ),
    (
        "Customers are delighted with a great new product.",
        "The company celebrates its best results ever.",
        "Workers praise a generous and fair agreement.",
        "Hopes of a strong recovery win the day.",
        "A brilliant success makes investors happy.",
    ),
)
FEATURES = ("turbulence_window_sessions=20", "indicators=[macd,rsi_30]")
ABLATION = (
    "environment.indicators=[macd,rsi_30]",
    # a fixed number of shares is next to nothing, or all, where prices walk as far as here
    "environment.actions=target_weights",
    "training.total_timesteps=14000",
    "training.seeds=[0,1]",
)


@dataclass(frozen=True)
class PlantedMarket:
    """Bars of three tickers, and articles of which each has the true sentiment as its score."""

    bars: pd.DataFrame
    news: pd.DataFrame

    def with_news_of_other_days(self, generator: np.random.Generator) -> pd.DataFrame:
        """The same articles, each at the time of another one."""
        return self.news.assign(score=generator.permutation(self.news["score"].to_numpy()))


def plant(seed: int) -> PlantedMarket:
    """A market in which the mood of session t moves the return from t to t + 1, and outlasts it by a few sessions."""
    generator = np.random.default_rng(seed)
    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-03")
    days = calendar.sessions_window(pd.Timestamp("2012-01-03"), SESSIONS)
    closed_at = calendar.schedule.loc[days, "close"].reset_index(drop=True)
    mood = persistent(generator.normal(size=SESSIONS))
    return PlantedMarket(make_bars(mood, days, closed_at, generator), make_news(mood, closed_at, generator))


def persistent(shocks: FloatArray) -> FloatArray:
    """A first-order autoregression of deviation 1."""
    mood = shocks.copy()
    for t in range(1, len(mood)):
        mood[t] = PERSISTENCE * mood[t - 1] + np.sqrt(1 - PERSISTENCE**2) * shocks[t]
    return mood


def make_bars(
    mood: FloatArray, days: pd.DatetimeIndex, closed_at: pd.Series, generator: np.random.Generator
) -> pd.DataFrame:
    """Without a drift of their own: who cannot read the mood has nothing to gain."""
    steps = np.zeros((SESSIONS, 3))
    steps[1:] = EFFECT * mood[:-1, None] + generator.normal(0, NOISE, (SESSIONS - 1, 3)) - (EFFECT**2 + NOISE**2) / 2
    close = 100 * np.exp(np.cumsum(steps, axis=0))
    frames = [
        pd.DataFrame(
            {"session": days, "timestamp": closed_at, "ticker": ticker, "volume": 1e6, "dividend": 0.0}
            | {"split_ratio": 1.0, "is_close_only": False, "is_delisted": False}
            | dict.fromkeys(("open", "high", "low", "close", "adjusted_close"), close[:, n])
        )
        for n, ticker in enumerate(("AAA", "BBB", "CCC"))
    ]
    return as_bars(pd.concat(frames))


def make_news(mood: FloatArray, closed_at: pd.Series, generator: np.random.Generator) -> pd.DataFrame:
    """Articles of the six hours before each close."""
    day = np.repeat(np.arange(SESSIONS), generator.poisson(ARTICLES_A_DAY, SESSIONS))
    seconds = generator.integers(60, 6 * 3600, len(day))
    score = np.clip(0.4 * mood[day] + generator.normal(0, ARTICLE_NOISE, len(day)), -1, 1)
    published_at = (closed_at.iloc[day] - pd.to_timedelta(seconds, unit="s")).reset_index(drop=True)
    return pd.DataFrame({"published_at": published_at, "is_date_only": False, "ticker": "", "score": score})


def write(scores: FloatArray, generator: np.random.Generator) -> list[str]:
    """A text of three sentences for each score, bad, indifferent or good as it says."""
    tones = np.digitize(scores, [-0.2, 0.2])
    return [" ".join(generator.choice(SENTENCES[tone], 3)) for tone in tones]


@pytest.fixture
def panel_of(tmp_path: Path) -> Callable[[pd.DataFrame, pd.DataFrame, SentimentAblationSettings], MarketPanel]:
    """Bars and scored news as an agent sees them, by way of the features file."""
    features = compose_settings(FeatureSettings, "build_features", FEATURES)

    def make(bars: pd.DataFrame, news: pd.DataFrame, settings: SentimentAblationSettings) -> MarketPanel:
        path = tmp_path / "features.parquet"
        build_table(bars, news, features).frame.to_parquet(path, index=False)
        return read_panel(path, settings.environment.feature_names)

    return make


def ablation_of(panel: MarketPanel, settings: SentimentAblationSettings) -> NewsAblation:
    """The last sessions are the test's, all before them training's."""
    border = len(panel.dates) - TEST_SESSIONS
    windows = slice(0, border), slice(border, len(panel.dates))
    return NewsAblation(panel, *windows, settings.environment, settings.agent, settings.training, settings.terms)


def returns_of(ablation: NewsAblation, sees_news: bool) -> FloatArray:
    """(S, K) of an agent for each seed."""
    return np.array([ablation.run(seed, sees_news).returns for seed in ablation.training.seeds])


def effects_of(market: PlantedMarket, panel_of: Callable[..., MarketPanel]) -> tuple[PairedEffects, PairedEffects]:
    """What the news are worth, and what the same news are worth on other days."""
    settings = compose_settings(SentimentAblationSettings, "run_sentiment_ablation", ABLATION)
    told = ablation_of(panel_of(market.bars, market.news, settings), settings)
    other_days = market.with_news_of_other_days(np.random.default_rng(0))
    shuffled = ablation_of(panel_of(market.bars, other_days, settings), settings)
    without = returns_of(told, sees_news=False)  # the market is the same, and so are the agents that see no news
    gain, nothing = (
        paired_effects(
            returns_of(ablation, sees_news=True),
            without,
            settings.terms.sessions_per_year,
            settings.terms.bootstrap,
            settings.power_fraction,
        )
        for ablation in (told, shuffled)
    )
    return gain, nothing


def check(gain: PairedEffects, nothing: PairedEffects) -> None:
    assert gain.annual_return.lower > 0, gain
    assert nothing.annual_return.lower <= 0 <= nothing.annual_return.upper, nothing
    assert gain.annual_return.mean > 3 * abs(nothing.annual_return.mean)


def test_planted_news_show_their_gain_and_shuffled_ones_none(panel_of: Callable[..., MarketPanel]) -> None:
    check(*effects_of(plant(2), panel_of))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3, 4, 5, 6, 7, 8, 9, 10])
def test_so_it_is_in_other_markets(seed: int, panel_of: Callable[..., MarketPanel]) -> None:
    check(*effects_of(plant(seed), panel_of))


def finding_in_texts(workspace: Path, market: PlantedMarket, texts: list[str]) -> str:
    """What the stages find, from bars and raw texts on: VADER scores, features, agents, report."""
    from deployment.backtesting.run_sentiment_ablation import run_sentiment_ablation
    from pipelines.feature_engineering.build_features import build_features
    from pipelines.sentiment_model.score_news import score_news

    write_bars(market.bars, workspace / "bars")
    numbers = np.arange(len(texts)).astype(str)
    articles = market.news.assign(title="", text=texts, source="planted", article_id=numbers)
    write_news(as_news(articles), workspace / "news.parquet")
    shared = [f"paths.workspace={workspace}", "tracking.enabled=false", "registry.kind=filesystem"]
    read = [*shared, "news_path=news.parquet"]
    scored = score_news(compose_settings(ScoreNewsSettings, "score_news", read), MemoryTracker())
    read += ["bars_path=bars", f"scores_path={scored.artifacts['scores'].path}", "versioning.enabled=false"]
    built = build_features(compose_settings(FeatureSettings, "build_features", [*read, *FEATURES]), MemoryTracker())
    table = pd.read_parquet(built.artifacts["features"].path)
    days = table.loc[table["has_news"] > 0, "date"].dt.date.unique()
    windows = [
        f"train={{first: {days[0]}, last: {days[-TEST_SESSIONS - 1]}}}",
        f"test={{first: {days[-TEST_SESSIONS]}, last: {days[-1]}}}",
        f"features_path={built.artifacts['features'].path}",
    ]
    settings = compose_settings(SentimentAblationSettings, "run_sentiment_ablation", [*shared, *windows, *ABLATION])
    return str(run_sentiment_ablation(settings, MemoryTracker()).details["finding"])


@pytest.mark.slow
def test_so_it_is_from_raw_texts_on(workspace: Path, tmp_path: Path) -> None:
    market, generator = plant(2), np.random.default_rng(0)
    texts = write(market.news["score"].to_numpy(), generator)
    assert finding_in_texts(workspace, market, texts) == "gain"
    dealt = generator.permutation(np.array(texts, dtype=object)).tolist()
    assert finding_in_texts(tmp_path / "dealt", market, dealt) == "no_difference_found"
