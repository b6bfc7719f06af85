"""News joined to sessions as of the time it was known (`MLOps.market.news.known_at`), not the day it is filed under."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
InstantArray = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class SessionNews:
    """What the news said before each decision.

    Attributes
    ----------
    sentiment : (T,) float64
        Mean score of the session's articles; 0 where there are none, or none has a score.
    has_news : (T,) bool
        True where at least one article became known for this session.
    """

    sentiment: FloatArray
    has_news: npt.NDArray[np.bool_]


def join_news(closed_at: InstantArray, known: InstantArray, scores: FloatArray) -> SessionNews:
    """Give each article to the first session that closes after it was known.

    Session t gets the articles with ``close_{t-1} <= known < close_t``: what becomes known at the
    very instant of the decision is too late for it. The first session gets all older ones.

    Parameters
    ----------
    closed_at : (T,) datetime64[us]
        UTC instants of the decisions, ascending.
    known : (K,) datetime64[us]
        UTC instants at which the articles were known, in any order.
    scores : (K,) float64
        Sentiment of each article, -1 to 1; NaN where it has none.
    """
    position = np.searchsorted(closed_at, known, side="right")
    is_in_time = position < len(closed_at)
    has_score = is_in_time & ~np.isnan(scores)
    articles = np.bincount(position[is_in_time], minlength=len(closed_at))
    scored = np.bincount(position[has_score], minlength=len(closed_at))
    # summed in one order, so that the order of the articles' rows cannot change the last digit
    order = np.lexsort((scores[has_score], known[has_score]))
    total = np.bincount(position[has_score][order], weights=scores[has_score][order], minlength=len(closed_at))
    return SessionNews(sentiment=total / np.maximum(scored, 1), has_news=articles > 0)
