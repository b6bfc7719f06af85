"""A session sees only what was published before its close."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.market.news_join import join_news

CLOSES = np.array(["2017-01-03T21:00", "2017-01-04T21:00", "2017-01-05T21:00"], dtype="datetime64[us]")


def instants(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("2017-01-04T20:59:59.999999", [False, True, False]),
        ("2017-01-04T21:00", [False, False, True]),  # at the instant of the decision: too late for it
        ("2017-01-03T21:00", [False, True, False]),
        ("2016-12-31T12:00", [True, False, False]),
        ("2017-01-05T21:00", [False, False, False]),
        ("2017-02-01T00:00", [False, False, False]),
    ],
)
def test_an_article_reaches_the_first_decision_after_it(known: str, expected: list[bool]) -> None:
    news = join_news(CLOSES, instants(known), np.array([0.5]))
    assert news.has_news.tolist() == expected
    np.testing.assert_array_equal(news.sentiment, np.where(expected, 0.5, 0.0))


def test_scores_are_averaged_and_missing_ones_left_out() -> None:
    known = instants("2017-01-03T22:00", "2017-01-04T10:00", "2017-01-04T11:00", "2017-01-05T01:00")
    news = join_news(CLOSES, known, np.array([0.5, -0.1, np.nan, np.nan]))
    np.testing.assert_allclose(news.sentiment, [0.0, 0.2, 0.0])
    assert news.has_news.tolist() == [False, True, True]


def test_no_articles_mean_no_news() -> None:
    news = join_news(CLOSES, instants(), np.array([]))
    assert not news.has_news.any()
    assert (news.sentiment == 0).all()


@given(
    st.lists(st.tuples(st.integers(0, 4 * 86400), st.floats(-1, 1)), max_size=30),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_later_articles_and_their_order_change_nothing(rows: list[tuple[int, float]], random, kept: int) -> None:
    start = np.datetime64("2017-01-02T00:00", "us")

    def joined(chosen: list[tuple[int, float]]) -> tuple[list[float], list[bool]]:
        known = start + np.array([second for second, _ in chosen], dtype="timedelta64[s]")
        news = join_news(CLOSES, known.astype("datetime64[us]"), np.array([score for _, score in chosen]))
        return news.sentiment[:kept].tolist(), news.has_news[:kept].tolist()

    shuffled = random.sample(rows, len(rows))
    in_time = [row for row in shuffled if start + np.timedelta64(row[0], "s") < CLOSES[kept - 1]]
    assert joined(rows) == joined(shuffled) == joined(in_time)
