"""The stage with news: what their scores become, what is told of them, and which ones it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.artifacts import sha256_of
from MLOps.errors import DataError
from MLOps.market.data_warnings import data_warnings
from MLOps.market.news_scores import write_scores
from MLOps.market.panel import read_panel
from MLOps.stage import StageResult

Build = Callable[..., StageResult]
Done = Any  # of this folder's conftest.py
SCORES = "scores_path=data/scores/scores.parquet"


def told_by_scoring(folder: Path, **told: Any) -> None:
    """Lay down what the stage that scored the news said."""
    result = StageResult(stage="score_news", key="k", status="made", folder=folder, **told)
    (folder / "result.json").write_text(result.model_dump_json())


def test_works_without_news(ingested: Path, build: Build) -> None:
    result = build(ingested, "news_path=null")
    assert result.metrics["sessions_with_news_fraction"] == 0
    assert set(result.inputs) == {"bars"}


def test_scores_become_the_sentiment_of_the_market_and_of_the_named_company(scored: Path, build: Build) -> None:
    result = build(scored, SCORES)
    assert set(result.inputs) == {"bars", "news", "scores"}
    panel = read_panel(
        result.artifacts["features"].path, ("sentiment", "has_news", "ticker_sentiment", "ticker_has_news")
    )
    first, second = 100 - 61, 120 - 61  # sessions whose closes the articles came shortly before
    assert (panel.features[:first] == 0).all()
    assert (panel.features[first:, :, 0] > 0).all()
    assert panel.features[[first, second], 0, 1].tolist() == [1, 1]
    assert np.sign(panel.features[first, :, 2]).tolist() == [0, -1, 0]
    assert panel.features[..., 3].nonzero() == (np.array([first]), np.array([1]))
    assert result.metrics["ticker_sessions_with_news_fraction"] == pytest.approx(1 / (79 * 3))
    assert result.details["sessions_with_news"] == "2 of 79"
    assert result.details["sentiment_model_sha256"] == "c0ffee"


def test_news_without_scores_leave_the_sentiment_at_0(done: Done) -> None:
    features = read_panel(done.result.artifacts["features"].path, ("sentiment", "ticker_sentiment")).features
    assert (features == 0).all()
    assert "sentiment_model_sha256" not in done.result.details


def test_says_what_scoring_said_of_its_model(scored: Path, build: Build) -> None:
    told_by_scoring(scored / "data/raw/one", details={"warnings": "survivorship"})
    told = {"model_kind": "vader", "model_version": 3, "warnings": "general lexicon", "engine": "of no interest"}
    told_by_scoring(scored / "data/scores", details=told)
    result = build(scored, SCORES)
    assert (result.details["sentiment_model_kind"], result.details["sentiment_model_version"]) == ("vader", 3)
    assert "engine" not in " ".join(result.details)
    survivorship, general, news = data_warnings(result.details)
    assert (survivorship, general) == ("survivorship", "general lexicon")
    assert news.startswith("News: 2 of 79 sessions have any, scored by vader (c0ffee)")
    told_by_scoring(scored / "data/scores", details=told | {"warnings": "another"})
    assert build(scored, SCORES).key != result.key


def test_tells_articles_that_have_no_score(
    scored: Path, make_scores: Callable[..., pd.DataFrame], caplog: pytest.LogCaptureFixture, build: Build
) -> None:
    assert "articles_without_score" not in build(scored, SCORES).details
    write_scores(make_scores().head(2), scored / "data/scores/scores.parquet")
    details = build(scored, SCORES).details
    assert details["articles_without_score"] == "1 of 2"
    assert "1 of 2 articles have no score" in caplog.text


def test_tells_tickers_of_which_the_scoring_knows_no_name(
    done: Done, scored: Path, caplog: pytest.LogCaptureFixture, build: Build
) -> None:
    assert "tickers_without_names" not in done.result.details, "without scores no ticker has news"
    known = "companies.apple.tickers=[AAA,CCC]"
    details = build(scored, SCORES, known).details
    assert details["tickers_without_names"] == "BBB"
    assert "no names of BBB: no news will be theirs" in caplog.text
    known = "companies.apple.tickers=[AAA,BBB,CCC]"
    assert "tickers_without_names" not in build(scored, SCORES, known).details


def test_refuses_scores_of_other_news_or_of_several_models(
    scored: Path, make_scores: Callable[..., pd.DataFrame], build: Build
) -> None:
    told_by_scoring(scored / "data/scores", inputs={"news": "another digest"})
    with pytest.raises(DataError, match=r"scores.parquet was made of other news than .*news.parquet"):
        build(scored, SCORES)
    told_by_scoring(scored / "data/scores", inputs={"news": sha256_of(scored / "data/raw/one/news.parquet")})
    assert build(scored, SCORES).status == "made"
    mixed = pd.concat([make_scores().head(1), make_scores("decaf").tail(1)])
    write_scores(mixed, scored / "data/scores/scores.parquet")
    with pytest.raises(DataError, match="scores of 2 models"):
        build(scored, SCORES)
