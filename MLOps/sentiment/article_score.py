"""From the probabilities of sentences to those of an article, and of each company that it names.

An article's probabilities are the weighted mean of its sentences'. The title weighs `title_weight`, the
body's k-th sentence ``body_decay_fraction ** k`` (k from 0): a reader who leaves early has read what
matters, and so does the score. A company's are the same mean over the sentences that name it.
"""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import numpy as np

from MLOps.sentiment.scorer import NEGATIVE, NEUTRAL, POSITIVE, FloatArray, score_of
from MLOps.sentiment.sentences import ArticleSentences
from MLOps.settings.score_news import AggregationSettings

Companies = Callable[[str], Collection[str]]
"""The tickers of the companies that a sentence names."""


class SentimentScore(NamedTuple):
    """What is said of an article, or of one company in it.

    Attributes
    ----------
    ticker : str
        The company; empty for the article as a whole.
    sentences : int
        How many were averaged.
    negative, neutral, positive : float
        Weighted means of their probabilities.
    score : float
        ``positive - negative``.
    """

    ticker: str
    sentences: int
    negative: float
    neutral: float
    positive: float
    score: float


def article_scores(
    article: ArticleSentences, probabilities: FloatArray, settings: AggregationSettings, companies: Companies
) -> Iterator[SentimentScore]:
    """The article as a whole, then each company that it names, by ticker; nothing for no sentence.

    Parameters
    ----------
    article : ArticleSentences
        K sentences.
    probabilities : (K, 3) float64
        Of its sentences.
    settings : AggregationSettings
        Weights.
    companies : callable
        Gives the tickers of the companies that a sentence names.
    """
    if not article.sentences:
        return
    weights = sentence_weights(article, settings)
    yield _mean("", probabilities, weights)
    named = [companies(sentence) for sentence in article.sentences]
    for ticker in sorted({ticker for tickers in named for ticker in tickers}):
        rows = np.array([ticker in tickers for tickers in named])
        yield _mean(ticker, probabilities[rows], weights[rows])


def sentence_weights(article: ArticleSentences, settings: AggregationSettings) -> FloatArray:
    """(K,) weight of each sentence of an article."""
    title = [settings.title_weight] * article.has_title
    body = settings.body_decay_fraction ** np.arange(len(article.sentences) - len(title))
    return np.concatenate([title, body])


def _mean(ticker: str, probabilities: FloatArray, weights: FloatArray) -> SentimentScore:
    mean = weights @ probabilities / weights.sum()
    return SentimentScore(
        ticker=ticker,
        sentences=len(weights),
        negative=float(mean[NEGATIVE]),
        neutral=float(mean[NEUTRAL]),
        positive=float(mean[POSITIVE]),
        score=float(score_of(mean)),
    )
