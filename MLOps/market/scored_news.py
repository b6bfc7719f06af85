"""News with the scores of its articles, checked: which score belongs to which article, and to what in it."""

import numpy as np
import pandas as pd

from MLOps.errors import DataError
from MLOps.market.news import content_sha256

_ARTICLE = ["source", "article_id"]
_MEND = "scores_path, or run pipelines/sentiment_model/score_news.py on these news"


def with_scores(news: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """One row for each article as a whole (ticker ``""``) and for each company that one names.

    Parameters
    ----------
    news : DataFrame
        Of the contract in MLOps/market/news.py.
    scores : DataFrame
        Of the contract in MLOps/market/news_scores.py.

    Returns
    -------
    DataFrame
        The news' columns, ticker and score; score is NaN for an article that has none.

    Raises
    ------
    DataError
        If the scores are of several models, of other articles or of other versions of them, doubled, or no numbers
        from -1 to 1.
    """
    _refuse_faults(news, scores)
    chosen = scores[[*_ARTICLE, "ticker", "score"]]
    is_whole = chosen["ticker"] == ""
    whole = news.merge(chosen[is_whole], on=_ARTICLE, how="left", validate="one_to_one").fillna({"ticker": ""})
    named = news.merge(chosen[~is_whole], on=_ARTICLE, how="inner", validate="one_to_many")
    return pd.concat([whole, named], ignore_index=True)


def _refuse_faults(news: pd.DataFrame, scores: pd.DataFrame) -> None:
    models = sorted(scores["model_sha256"].unique())
    if len(models) > 1:
        raise DataError(f"scores of {len(models)} models ({', '.join(models)})", "scores of one model", _MEND)
    known = pd.MultiIndex.from_frame(news[_ARTICLE].astype(str))
    scored = pd.MultiIndex.from_frame(scores[_ARTICLE].astype(str))
    if len(foreign := scored[~scored.isin(known)].unique()):
        source, article = foreign[0]
        raise DataError(
            f"{len(foreign)} of {scored.nunique()} scored articles are not among the news (first: {source} {article})",
            "scores of the articles in news_path",
            _MEND,
        )
    contents = [content_sha256(title, text) for title, text in zip(news["title"], news["text"], strict=True)]
    is_other = pd.Series(contents, index=known).reindex(scored).to_numpy() != scores["content_sha256"].to_numpy()
    if is_other.any():
        source, article = scored[is_other][0]
        raise DataError(
            f"{scored[is_other].nunique()} of {scored.nunique()} scored articles said something else when they were "
            f"scored (first: {source} {article})",
            "scores of these titles and texts",
            _MEND,
        )
    if len(twice := scores[scores.duplicated([*_ARTICLE, "ticker"])]):
        raise DataError(f"article {twice['article_id'].iloc[0]} is scored twice", "one score an article", _MEND)
    values = scores["score"].to_numpy(dtype=np.float64)
    if (is_wrong := ~(np.abs(values) <= 1)).any():
        raise DataError(f"score {values[is_wrong][0]}", "a number from -1 to 1", _MEND)
