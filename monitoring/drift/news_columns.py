"""Scores of news as a table over time."""

from pathlib import Path

from MLOps.market.news import read_news
from MLOps.market.news_scores import read_scores
from MLOps.market.scored_news import with_scores
from monitoring.drift.sample import Table

_COLUMNS = ["score", "negative", "neutral", "positive", "sentences"]


def read_news_scores(news_path: Path, scores_path: Path) -> Table:
    """The scores of whole articles, a row each in the order of publication; NaN for an article without a score.

    Raises
    ------
    DataError
        If either file is missing or malformed, or the scores are of other articles.
    """
    news, scores = read_news(news_path), read_scores(scores_path)
    joined = with_scores(news, scores)
    whole = joined[joined["ticker"] == ""]
    of_whole = scores[scores["ticker"] == ""].drop(columns=["ticker", "score"])
    table = whole.merge(of_whole, on=["source", "article_id"], how="left", validate="one_to_one")
    return Table(table.set_index("published_at").sort_index(kind="stable")[_COLUMNS].astype(float))
