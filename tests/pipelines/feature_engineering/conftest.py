"""Fixtures of the feature stage's tests: workspaces in which ingestion has been."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from MLOps.market.bars import as_bars, write_bars
from MLOps.market.news import as_news, write_news


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


@pytest.fixture
def ingested(workspace: Path, lay_down: Callable[[Path], Path]) -> Path:
    """A workspace of its own in which ingestion has been."""
    return lay_down(workspace)
