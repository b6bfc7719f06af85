"""The weighted means, by hand."""

import numpy as np
import pytest

from MLOps.sentiment.article_score import article_scores
from MLOps.sentiment.sentences import ArticleSentences
from MLOps.settings.score_news import AggregationSettings

SETTINGS = AggregationSettings(title_weight=2, body_decay_fraction=0.5)
ARTICLE = ArticleSentences(("Apple up", "Rain today", "Apple and Amazon fall"), has_title=True)
PROBABILITIES = np.array([[0.1, 0.2, 0.7], [0.0, 1.0, 0.0], [0.8, 0.1, 0.1]])


def companies(sentence: str) -> set[str]:
    return {ticker for name, ticker in (("Apple", "AAPL"), ("Amazon", "AMZN")) if name in sentence}


def test_article_is_the_weighted_mean_of_its_sentences() -> None:
    whole = next(article_scores(ARTICLE, PROBABILITIES, SETTINGS, companies))
    assert (whole.ticker, whole.sentences) == ("", 3)  # weights 2, 1, 0.5
    assert whole.negative == pytest.approx((2 * 0.1 + 0.5 * 0.8) / 3.5)
    assert whole.neutral == pytest.approx((2 * 0.2 + 1 + 0.5 * 0.1) / 3.5)
    assert whole.positive == pytest.approx((2 * 0.7 + 0.5 * 0.1) / 3.5)
    assert whole.score == pytest.approx(whole.positive - whole.negative)


def test_company_has_the_sentences_that_name_it_with_the_weights_of_their_place() -> None:
    apple, amazon = list(article_scores(ARTICLE, PROBABILITIES, SETTINGS, companies))[1:]
    assert (apple.ticker, apple.sentences, amazon.ticker, amazon.sentences) == ("AAPL", 2, "AMZN", 1)
    assert apple.score == pytest.approx((2 * 0.6 + 0.5 * -0.7) / 2.5)
    assert amazon.score == pytest.approx(-0.7)


def test_body_without_title_begins_with_weight_one() -> None:
    article = ArticleSentences(ARTICLE.sentences, has_title=False)
    whole = next(article_scores(article, PROBABILITIES, SETTINGS, companies))
    assert whole.negative == pytest.approx((0.1 + 0.25 * 0.8) / 1.75)


def test_no_sentence_no_score() -> None:
    assert list(article_scores(ArticleSentences((), False), np.zeros((0, 3)), SETTINGS, companies)) == []
