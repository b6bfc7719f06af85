"""Each score finds its article, and scores that are not of these articles are refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.news import as_news, content_sha256, no_news
from MLOps.market.scored_news import with_scores


def news() -> pd.DataFrame:
    days = pd.to_datetime(["2017-01-03", "2017-01-04", "2017-01-05"], utc=True)
    plain = {"is_date_only": True, "title": "t", "text": "x", "source": ["a", "b", "a"]}
    return as_news(pd.DataFrame({"published_at": days, "article_id": ["1", "1", "2"], **plain}))


def scores(*rows: tuple[str, str, str, float], **columns: Any) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["source", "article_id", "ticker", "score"]).astype({"score": float})
    return frame.assign(**{"model_sha256": "m1", "content_sha256": content_sha256("t", "x")} | columns)


def test_an_article_has_its_own_score_and_one_for_each_company_that_it_names() -> None:
    found = with_scores(news(), scores(("a", "1", "", 0.5), ("a", "1", "AAPL", 0.7), ("b", "1", "", -0.2)))
    rows = found[["source", "article_id", "ticker", "score"]].fillna({"score": 9}).to_numpy().tolist()
    assert rows == [["a", "1", "", 0.5], ["b", "1", "", -0.2], ["a", "2", "", 9], ["a", "1", "AAPL", 0.7]]
    assert found["published_at"].iloc[3] == pd.Timestamp("2017-01-03", tz="UTC")


def test_news_without_scores_and_scores_of_nothing() -> None:
    found = with_scores(news(), scores())
    assert found["ticker"].tolist() == ["", "", ""]
    assert found["score"].isna().all()
    assert with_scores(no_news(), scores()).empty


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            scores(("a", "1", "", 0.1), ("c", "9", "", 0.1)),
            r"1 of 2 scored articles are not among the news \(first: c 9\)",
        ),
        (scores(("a", "1", "", 0.1), ("a", "2", "", 0.1), model=1).assign(model_sha256=["m1", "m2"]), "of 2 models"),
        (scores(("a", "1", "", 0.1), ("a", "1", "", 0.2)), "article 1 is scored twice"),
        (scores(("a", "1", "", 1.01)), "score 1.01; allowed: a number from -1 to 1"),
        (scores(("a", "1", "", np.nan)), "score nan"),
        (
            scores(("a", "1", "", 0.1), ("a", "2", "", 0.1)).assign(content_sha256=["old", content_sha256("t", "x")]),
            r"1 of 2 scored articles said something else when they were scored \(first: a 1\)",
        ),
    ],
)
def test_refuses_scores_that_do_not_belong_here(given: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        with_scores(news(), given)
    assert "\n" not in str(caught.value)
