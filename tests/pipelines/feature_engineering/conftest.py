"""Fixtures of the feature stage's tests: workspaces in which ingestion has been, and the stage over them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from MLOps.market.bars import as_bars, write_bars
from MLOps.market.news import as_news, content_sha256, write_news
from MLOps.market.news_scores import COLUMNS, write_scores
from MLOps.settings.compose import compose_settings
from MLOps.settings.features import FeatureSettings
from MLOps.stage import MemoryTracker, StageResult
from pipelines.feature_engineering import build_features as stage


@dataclass(frozen=True)
class Done:
    """A run that nothing disturbed."""

    workspace: Path
    result: StageResult


@pytest.fixture(scope="session")
def bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """140 sessions of AAA, BBB and CCC."""
    prices = make_prices(sessions=140)
    closed_at = (prices["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
    return as_bars(
        prices.assign(timestamp=closed_at, dividend=0.0, split_ratio=1.0, is_close_only=False, is_delisted=False)
    )


@pytest.fixture(scope="session")
def lay_down(bars: pd.DataFrame) -> Callable[[Path], Path]:
    """A maker of what ingestion leaves in a workspace: bars, and news before two of the closes."""

    def lay(workspace: Path) -> Path:
        write_bars(bars, workspace / "data/raw/one/bars")
        published = bars["timestamp"].unique()[[100, 120]] - pd.Timedelta(hours=1)
        articles = pd.DataFrame({"published_at": published, "is_date_only": False, "article_id": ["1", "2"]})
        write_news(as_news(articles.assign(title="t", text="", source="test")), workspace / "data/raw/one/news.parquet")
        (workspace / "data/raw/latest").symlink_to("one")
        return workspace

    return lay


@pytest.fixture(scope="session")
def make_scores() -> Callable[..., pd.DataFrame]:
    """A maker of scores of the two articles; the first one names BBB."""

    def make(model_sha256: str = "c0ffee") -> pd.DataFrame:
        rows = [("test", "1", "", 0.6), ("test", "1", "BBB", -0.4), ("test", "2", "", 0.2)]
        frame = pd.DataFrame(rows, columns=["source", "article_id", "ticker", "score"])
        plain = {
            "content_sha256": content_sha256("t", ""),
            "sentences": 1,
            "negative": 0.2,
            "neutral": 0.3,
            "positive": 0.5,
        }
        return frame.assign(model_sha256=model_sha256, **plain)[list(COLUMNS)]

    return make


@pytest.fixture
def scored(ingested: Path, make_scores: Callable[..., pd.DataFrame]) -> Path:
    """A workspace of its own in which the news were scored too."""
    (ingested / "data/scores").mkdir()
    write_scores(make_scores(), ingested / "data/scores/scores.parquet")
    return ingested


@pytest.fixture
def ingested(workspace: Path, lay_down: Callable[[Path], Path]) -> Path:
    """A workspace of its own in which ingestion has been."""
    return lay_down(workspace)


@pytest.fixture(scope="session")
def overrides() -> tuple[str, ...]:
    """What lets the stage do with 140 sessions, and leave nothing in stores."""
    return ("turbulence_window_sessions=60", "tracking.enabled=false", "versioning.enabled=false")


@pytest.fixture(scope="session")
def settings_of(overrides: tuple[str, ...]) -> Callable[..., FeatureSettings]:
    """``settings_of(workspace, "key=value", ...)``: the stage's settings there."""

    def compose(workspace: Path, *more: str) -> FeatureSettings:
        return compose_settings(FeatureSettings, "build_features", [*overrides, f"paths.workspace={workspace}", *more])

    return compose


@pytest.fixture(scope="session")
def build(settings_of: Callable[..., FeatureSettings]) -> Callable[..., StageResult]:
    """``build(workspace, "key=value", ...)``: the stage, run there."""

    def run(workspace: Path, *more: str) -> StageResult:
        return stage.build_features(settings_of(workspace, *more), MemoryTracker())

    return run


@pytest.fixture(scope="session")
def done(
    tmp_path_factory: pytest.TempPathFactory, lay_down: Callable[[Path], Path], build: Callable[..., StageResult]
) -> Done:
    """A run that nothing disturbed; its workspace is only read."""
    workspace = lay_down(tmp_path_factory.mktemp("done"))
    return Done(workspace, build(workspace))
