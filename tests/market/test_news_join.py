"""A session sees only what was known before its close, the newer the more."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from MLOps.market.calendars import session_closes
from MLOps.market.news import known_at
from MLOps.market.news_join import NewsScores, SessionNews, join_news

CLOSES = np.array(["2017-01-03T21:00", "2017-01-04T21:00", "2017-01-05T21:00"], dtype="datetime64[us]")
HALF_LIFE_HOURS = 24.0
PRIORS = np.array([2.0, 1.0, 1.0])
SECOND = np.timedelta64(1, "s")


def instants(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


def scored(known: np.ndarray, scores: list[float], topics: list[int] | None = None) -> NewsScores:
    topic = np.array(topics or [0] * len(scores), dtype=np.int64)
    return NewsScores(known.astype("datetime64[us]"), topic, np.array(scores, dtype=float))


def joined(news: NewsScores, closes: np.ndarray = CLOSES) -> SessionNews:
    return join_news(closes, news, HALF_LIFE_HOURS, PRIORS)


def by_definition(news: NewsScores, closes: np.ndarray) -> np.ndarray:
    """The formula as the docstring has it, one session and topic after the other."""
    expected = np.zeros((len(closes), len(PRIORS)))
    for t, close in enumerate(closes):
        for topic, prior in enumerate(PRIORS):
            counts = (news.known < close) & (news.topic == topic) & ~np.isnan(news.score)
            age_hours = (close - news.known[counts]) / np.timedelta64(1, "h")
            weight = 2.0 ** (-age_hours / HALF_LIFE_HOURS)
            expected[t, topic] = (weight * news.score[counts]).sum() / (prior + weight.sum())
    return expected


@pytest.mark.parametrize(
    ("known", "first"),
    [
        ("2017-01-04T20:59:59.999999", 1),
        ("2017-01-04T21:00", 2),  # at the instant of the decision: too late for it
        ("2017-01-03T21:00", 1),
        ("2016-12-31T12:00", 0),
        ("1900-01-01T00:00", 0),
        ("2017-01-05T21:00", 3),
        ("2999-01-01T00:00", 3),
    ],
)
def test_an_article_is_first_seen_by_the_decision_after_it(known: str, first: int) -> None:
    news = joined(scored(instants(known), [0.5]))
    assert news.articles[:, 0].tolist() == [int(t == first) for t in range(3)]
    assert (news.sentiment[:first] == 0).all()
    if known != "1900-01-01T00:00":  # which weighs nothing any more
        assert (news.sentiment[first:, 0] > 0).all()
    assert (news.sentiment[:, 1:] == 0).all()


def test_an_article_weighs_half_after_each_half_life() -> None:
    """Known a half-life before the second close: 0.5 x 1/2 over a prior of 2 and a weight of 1/2."""
    news = joined(scored(instants("2017-01-03T21:00"), [0.5]))
    np.testing.assert_allclose(news.sentiment[:, 0], [0, 0.25 / 2.5, 0.125 / 2.25], rtol=1e-15)


def test_sentiment_is_a_mean_with_the_prior_beside_it() -> None:
    """Three articles at the last instant before the close weigh 1 each, to a billionth."""
    known = np.repeat(CLOSES[:1] - np.timedelta64(1, "us"), 3)
    news = joined(scored(known, [1.0, 1.0, -0.5]))
    np.testing.assert_allclose(news.sentiment[0, 0], 1.5 / (2 + 3), rtol=1e-9)


def test_sentiment_fades_to_nothing_when_news_stops() -> None:
    closes = CLOSES[0] + np.arange(400) * np.timedelta64(1, "D")
    news = joined(scored(np.repeat(closes[0] - SECOND, 1000), [0.9] * 1000), closes)
    assert news.sentiment[0, 0] > 0.89
    assert (np.diff(news.sentiment[:, 0]) < 0).all()
    assert 0 < news.sentiment[-1, 0] < 1e-100
    assert joined(scored(closes[:1] - SECOND, [0.9]), np.append(closes[:1], closes[:1] + 10**18)).sentiment[1, 0] == 0


def test_an_article_without_a_score_counts_as_news_alone() -> None:
    known = instants("2017-01-03T22:00", "2017-01-04T10:00", "2017-01-05T01:00")
    news, alone = joined(scored(known, [0.5, np.nan, np.nan])), joined(scored(known[:1], [0.5]))
    assert news.articles[:, 0].tolist() == [0, 2, 1]
    np.testing.assert_array_equal(news.sentiment, alone.sentiment)


def test_companies_are_kept_apart() -> None:
    known = np.repeat(CLOSES[:1] - SECOND, 3)
    news = joined(scored(known, [0.5, -0.8, np.nan], [0, 1, 2]))
    assert news.articles[0].tolist() == [1, 1, 1]
    assert np.sign(news.sentiment[0]).tolist() == [1, -1, 0]


def test_no_articles_mean_no_news() -> None:
    news = joined(scored(instants(), []))
    assert not news.articles.any()
    assert (news.sentiment == 0).all()


START = np.datetime64("2017-01-02T00:00", "us")
SCORES = st.one_of(st.floats(-1, 1), st.just(float("nan")))
ROWS = st.lists(st.tuples(st.integers(0, 4 * 86400), SCORES, st.integers(0, 2)), max_size=40)
no_deadline = settings(deadline=None)  # the first example may wait for the compiler or the calendar
SHUFFLER = st.randoms(use_true_random=False)


def news_of(rows: list[tuple[int, float, int]]) -> NewsScores:
    seconds, scores, topics = zip(*rows, strict=True) if rows else ((), (), ())
    return scored(START + np.array(seconds, dtype="timedelta64[s]"), list(scores), list(topics))


def bits(news: SessionNews, sessions: int | None = None) -> tuple[bytes, bytes]:
    return news.sentiment[:sessions].tobytes(), news.articles[:sessions].tobytes()


@no_deadline
@given(ROWS)
def test_sentiment_is_what_its_definition_says(rows: list[tuple[int, float, int]]) -> None:
    news = news_of(rows)
    np.testing.assert_allclose(joined(news).sentiment, by_definition(news, CLOSES), rtol=1e-12, atol=1e-300)


@no_deadline
@given(ROWS, SHUFFLER)
def test_the_order_of_the_articles_changes_no_bit(rows: list[tuple[int, float, int]], random) -> None:
    assert bits(joined(news_of(rows))) == bits(joined(news_of(random.sample(rows, len(rows)))))


@no_deadline
@given(ROWS, st.integers(1, 3))
def test_later_articles_and_sessions_change_nothing_earlier(rows: list[tuple[int, float, int]], kept: int) -> None:
    in_time = [row for row in rows if START + row[0] * SECOND < CLOSES[kept - 1]]
    assert bits(joined(news_of(in_time), CLOSES[:kept])) == bits(joined(news_of(rows)), kept)


@no_deadline
@given(ROWS, st.integers(0, 2), st.floats(-1, 1), st.integers(0, 2), st.integers(0, 10**6))
def test_an_article_past_the_decision_changes_nothing_up_to_it(
    rows: list[tuple[int, float, int]], session: int, score: float, topic: int, late_seconds: int
) -> None:
    """One second past it, at its very instant, or any time later: as if it were not there."""
    others = news_of(rows)
    late = scored(CLOSES[session : session + 1] + late_seconds * SECOND, [score], [topic])
    both = NewsScores(*(np.append(getattr(others, name), getattr(late, name)) for name in ("known", "topic", "score")))
    assert bits(joined(both), session + 1) == bits(joined(others), session + 1)


@no_deadline
@given(st.dates(date(2016, 9, 1), date(2017, 4, 28)), st.sampled_from(["America/New_York", "Asia/Tokyo", "UTC"]))
def test_an_article_with_a_date_only_never_acts_before_the_next_midnight(day: date, timezone: str) -> None:
    """Whatever the clocks do: half days, weekends, holidays and the change of the time are all in these months."""
    closes = session_closes("XNYS", date(2016, 8, 31), date(2017, 5, 5)).dt.tz_convert(timezone)
    news = pd.DataFrame({"published_at": [pd.Timestamp(day, tz="UTC")], "is_date_only": True})
    known = known_at(news, timezone).dt.tz_localize(None).to_numpy()
    seen = joined(scored(known, [0.5]), closes.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    local_days = closes.dt.date.to_numpy()
    assert (seen.sentiment[local_days <= day] == 0).all()
    assert (seen.sentiment[local_days > day, 0] > 0).all()
    assert local_days[seen.articles[:, 0] > 0].tolist() == local_days[local_days > day][:1].tolist()


@pytest.mark.parametrize(
    ("published", "session"),
    [
        ("2016-11-25 17:59:59", "2016-11-25"),  # the half day after Thanksgiving closes at 13:00, 18:00 UTC
        ("2016-11-25 18:00:00", "2016-11-28"),  # then it is Monday's
        ("2016-11-23 21:00:00", "2016-11-25"),  # Thanksgiving itself has no session
        ("2017-03-10 20:59:59", "2017-03-10"),  # Friday in winter: 16:00 is 21:00 UTC
        ("2017-03-12 12:00:00", "2017-03-13"),  # the Sunday on which the clocks change
        ("2017-03-13 19:59:59", "2017-03-13"),  # Monday in summer: 16:00 is 20:00 UTC
        ("2017-03-13 20:00:00", "2017-03-14"),
        ("2016-12-24 10:00:00", "2016-12-27"),  # a weekend, and Monday a holiday
    ],
)
def test_the_decision_is_the_exchanges_close(published: str, session: str) -> None:
    closes = session_closes("XNYS", date(2016, 11, 21), date(2017, 3, 17))
    known = instants(published.replace(" ", "T"))
    articles = joined(scored(known, [0.5]), closes.dt.tz_localize(None).to_numpy()).articles[:, 0]
    assert closes.index[articles > 0].strftime("%Y-%m-%d").tolist() == [session]
    before = pd.Timestamp(session) - timedelta(days=1)
    assert not articles[closes.index <= before].any()
