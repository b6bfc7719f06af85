"""Scores of the news, through the stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.market.news import as_news, content_sha256, write_news
from MLOps.market.news_scores import COLUMNS, write_scores
from monitoring.drift.news_columns import read_news_scores

Check = Callable[..., Any]
WINDOWS = ("news.current_rows=60", "news.reference_rows=300", "news.minimum_current_rows=30", "subjects=[news_scores]")
ARTICLES = 400


@pytest.fixture
def scores(workspace: Path) -> pd.DataFrame:
    """Scores of 400 articles, one a day; the news lie in the workspace."""
    ids = [f"{number:04d}" for number in range(ARTICLES)]
    days = pd.date_range("2016-01-01", periods=ARTICLES, tz="UTC")
    news = pd.DataFrame({"published_at": days, "article_id": ids, "is_date_only": True})
    (workspace / "data/raw/latest").mkdir(parents=True)
    write_news(as_news(news.assign(title="t", text="", source="test")), workspace / "data/raw/latest/news.parquet")
    shares = np.random.default_rng(8).dirichlet([2, 3, 2], ARTICLES)
    frame = pd.DataFrame(shares, columns=["negative", "neutral", "positive"]).assign(article_id=ids)
    whole = {"source": "test", "ticker": "", "content_sha256": content_sha256("t", ""), "model_sha256": "c0ffee"}
    sentences = np.random.default_rng(9).integers(1, 9, ARTICLES)
    frame = frame.assign(**whole, sentences=sentences, score=frame["positive"] - frame["negative"])
    return frame[list(COLUMNS)]


@pytest.fixture
def check_scores(check: Check, workspace: Path) -> Check:
    def run(scores: pd.DataFrame) -> Any:
        write_scores(scores, workspace / "scores.parquet")
        return check(None, "--scores_path", "scores.parquet", *WINDOWS)

    return run


def test_rows_are_articles_in_the_order_of_publication(scores: pd.DataFrame, workspace: Path) -> None:
    write_scores(scores.iloc[::-1].iloc[1:], workspace / "scores.parquet")
    frame = read_news_scores(workspace / "data/raw/latest/news.parquet", workspace / "scores.parquet").frame
    assert frame.index.is_monotonic_increasing
    np.testing.assert_array_equal(frame["score"].iloc[:-1], scores["score"].iloc[:-1])
    assert frame.iloc[-1].isna().all()  # the article without a score


def test_scores_of_the_same_kind_do_not_drift(check_scores: Check, scores: pd.DataFrame) -> None:
    outcome = check_scores(scores)
    assert outcome.status == 0
    assert outcome.result["metrics"]["news_scores.status"] == 0


def test_mood_that_turned_drifts(check_scores: Check, scores: pd.DataFrame) -> None:
    turned = scores.copy()
    turned.loc[turned.index[-60:], ["negative", "neutral", "positive", "score"]] = [0.8, 0.1, 0.1, -0.7]
    outcome = check_scores(turned)
    assert outcome.status == 10
    assert "negative" in outcome.last_line


def test_articles_that_are_no_longer_scored_are_missing_values(check_scores: Check, scores: pd.DataFrame) -> None:
    outcome = check_scores(scores.iloc[:-20])
    assert outcome.status == 10
    assert "missing values: " in outcome.last_line
    assert "score (33%, before 0%)" in outcome.last_line


def test_too_few_articles_cannot_be_checked(check: Check, scores: pd.DataFrame, workspace: Path) -> None:
    write_scores(scores, workspace / "scores.parquet")
    minimum = "news.minimum_reference_blocks=7"
    outcome = check(None, "--scores_path", "scores.parquet", *WINDOWS, minimum, "news.reference_rows=420")
    assert outcome.status == 11
    assert "reference window: 340 rows" in outcome.last_line


def test_scores_that_are_not_there_cannot_be_checked(check: Check) -> None:
    outcome = check(None, "--scores_path", "nowhere.parquet", *WINDOWS)
    assert outcome.status == 11
    assert "does not exist" in outcome.last_line
