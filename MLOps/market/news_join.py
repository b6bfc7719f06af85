"""News joined to sessions as of the time it was known (`MLOps.market.news.known_at`), not the day it is filed under."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MLOps.market.news_kernels import faded_sums

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
InstantArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class NewsScores:
    """K scores of articles, in any order.

    Attributes
    ----------
    known : (K,) datetime64[us]
        UTC instants at which the articles were known.
    topic : (K,) int64
        What the score is about: 0 is the article as a whole, 1 to N a company that it names.
    score : (K,) float64
        -1 to 1; NaN where the article has none.
    """

    known: InstantArray
    topic: IntArray
    score: FloatArray


@dataclass(frozen=True)
class SessionNews:
    """What the news said before the decisions of T sessions, of the market (column 0) and of N companies.

    Attributes
    ----------
    sentiment : (T, 1 + N) float64
        Mean score of all articles known before, the newer the heavier, drawn towards 0; between -1 and 1.
    articles : (T, 1 + N) int64
        Articles that became known since the session before, whether scored or not.
    """

    sentiment: FloatArray
    articles: IntArray


def join_news(
    closed_at: InstantArray, news: NewsScores, half_life_hours: float, prior_articles: FloatArray
) -> SessionNews:
    """Let each decision see the articles that were known strictly before it.

    The sentiment at a close c is ``sum(w * score) / (prior + sum(w))`` with
    ``w = 2 ** (-(c - known) / half_life)`` over the scored articles with ``known < c``: a mean in which
    `prior` articles of score 0 stand beside the real ones. When news stops, w goes to 0 and the
    sentiment with it.

    Session t counts the articles with ``close_{t-1} <= known < close_t``: what becomes known at the very
    instant of the decision is too late for it. The first session counts all older ones.

    The order of the articles changes no bit, and no later article changes anything earlier.

    Parameters
    ----------
    closed_at : (T,) datetime64[us]
        UTC instants of the decisions, ascending.
    news : NewsScores
    half_life_hours : float
        After so many hours an article weighs half.
    prior_articles : (1 + N,) float64
        Articles of score 0 that stand beside the real ones, above 0.
    """
    shape = (len(closed_at), len(prior_articles))
    # ascending in time as the sums need it, and beyond that in one order whatever the order of the rows was
    order = np.lexsort((news.score, news.topic, news.known))
    order = order[~np.isnan(news.score[order])]
    weights, weighted = np.empty(shape), np.empty(shape)
    faded_sums(
        _microseconds(closed_at),
        _microseconds(news.known[order]),
        news.topic[order],
        news.score[order],
        half_life_hours,
        weights,
        weighted,
    )
    session = np.searchsorted(closed_at, news.known, side="right")
    is_in_time = session < len(closed_at)
    cell = session[is_in_time] * shape[1] + news.topic[is_in_time]
    articles = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    return SessionNews(sentiment=weighted / (prior_articles + weights), articles=articles)


def _microseconds(instants: InstantArray) -> IntArray:
    return instants.astype("datetime64[us]").astype(np.int64)
