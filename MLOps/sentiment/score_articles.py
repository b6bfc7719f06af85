"""Scores articles in chunks: known ones from the cache, the others by the model, opened when the first one comes up."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from MLOps.market.news import content_sha256
from MLOps.market.news_scores import COLUMNS
from MLOps.sentiment.article_score import Companies, SentimentScore, article_scores
from MLOps.sentiment.score_cache import ScoreCache
from MLOps.sentiment.scorer import FloatArray, SentenceScorer
from MLOps.sentiment.sentences import ArticleSentences, SentenceReader
from MLOps.settings.score_news import AggregationSettings

_LOG = logging.getLogger(__name__)


@dataclass
class ScoringFigures:
    """What the work came to."""

    articles: int = 0
    articles_scored: int = 0
    articles_from_cache: int = 0
    articles_without_sentences: int = 0
    sentences: int = 0
    sentences_scored: int = 0
    scoring_seconds: float = 0.0

    @property
    def sentences_per_second(self) -> float:
        """Speed of the model, reading and cache left out; 0 where nothing was scored."""
        return self.sentences_scored / self.scoring_seconds if self.scoring_seconds else 0.0


@dataclass
class ArticleScorer:
    """Scores articles under one model and one set of rules.

    Parameters
    ----------
    open_model : callable
        Opens the model; called once, and only if an article is not in the cache.
    model_sha256 : str
        Its digest, for the rows.
    reader : SentenceReader
        Gives an article's sentences.
    aggregation : AggregationSettings
        Weights of the sentences.
    companies : callable
        Gives the tickers of the companies that a sentence names.
    cache : ScoreCache
        What was scored before; a chunk's new scores are added to it before the next chunk begins.
    """

    open_model: Callable[[], SentenceScorer]
    model_sha256: str
    reader: SentenceReader
    aggregation: AggregationSettings
    companies: Companies
    cache: ScoreCache
    figures: ScoringFigures = field(default_factory=ScoringFigures)

    @cached_property
    def _model(self) -> SentenceScorer:
        return self.open_model()

    def score(self, news: pd.DataFrame, chunk_articles: int, reached: Callable[[int], None]) -> pd.DataFrame:
        """Rows of the contract in MLOps/market/news_scores.py; none for an article without a sentence to score.

        Parameters
        ----------
        news : DataFrame
            Of the contract in MLOps/market/news.py.
        chunk_articles : int
            Articles between two writes to the cache.
        reached : callable
            Is told how many articles are done.
        """
        known = self.cache.read()
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(news), chunk_articles):
            chunk = news.iloc[start : start + chunk_articles]
            rows += self._chunk(chunk, known)
            reached(start + len(chunk))
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _chunk(self, chunk: pd.DataFrame, known: dict[str, FloatArray]) -> Iterator[tuple[object, ...]]:
        contents = [content_sha256(title, text) for title, text in zip(chunk["title"], chunk["text"], strict=True)]
        articles = {
            content: self.reader.read(title, text)
            for content, title, text in zip(contents, chunk["title"], chunk["text"], strict=True)
        }
        scored = self._scored({c: article for c, article in articles.items() if not _fits(known.get(c), article)})
        known |= scored
        self._count(contents, articles, scored)
        for source, article_id, content in zip(chunk["source"], chunk["article_id"], contents, strict=True):
            for said in article_scores(articles[content], known[content], self.aggregation, self.companies):
                yield self._row(source, article_id, content, said)

    def _scored(self, unseen: Mapping[str, ArticleSentences]) -> dict[str, FloatArray]:
        """(K, 3) probabilities of each unseen article, added to the cache."""
        if not unseen:
            return {}
        sentences = [sentence for article in unseen.values() for sentence in article.sentences]
        model, started = self._model, time.perf_counter()
        probabilities = model.probabilities(sentences)
        self.figures.scoring_seconds += time.perf_counter() - started
        self.figures.sentences_scored += len(sentences)
        ends = np.cumsum([len(article.sentences) for article in unseen.values()])
        scored = dict(zip(unseen, np.split(probabilities, ends[:-1]), strict=True))
        self.cache.add(scored)
        return scored

    def _count(
        self, contents: list[str], articles: Mapping[str, ArticleSentences], scored: Mapping[str, FloatArray]
    ) -> None:
        new = sum(content in scored for content in contents)
        lengths = [len(articles[content].sentences) for content in contents]
        self.figures.articles += len(contents)
        self.figures.articles_scored += new
        self.figures.articles_from_cache += len(contents) - new
        self.figures.articles_without_sentences += lengths.count(0)
        self.figures.sentences += sum(lengths)

    def _row(self, source: str, article_id: str, content: str, said: SentimentScore) -> tuple[object, ...]:
        probabilities = (said.negative, said.neutral, said.positive)
        return (source, article_id, said.ticker, content, said.sentences, *probabilities, said.score, self.model_sha256)


def _fits(probabilities: FloatArray | None, article: ArticleSentences) -> bool:
    return probabilities is not None and len(probabilities) == len(article.sentences)
