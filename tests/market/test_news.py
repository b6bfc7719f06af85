"""The news contract, and when an article was known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.news import as_news, known_at, no_news, read_news, write_news


@pytest.fixture
def articles() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "published_at": pd.to_datetime(["2020-01-03 15:30", "2020-01-02"], utc=True, format="ISO8601"),
            "is_date_only": [False, True],
            "title": ["Late", None],
            "text": ["b", "a"],
            "source": "paper",
            "article_id": ["2", "1"],
        }
    )


def test_news_come_back_as_they_were_written(articles: pd.DataFrame, tmp_path: Path) -> None:
    news = as_news(articles)
    write_news(news, tmp_path / "news.parquet")
    pd.testing.assert_frame_equal(read_news(tmp_path / "news.parquet"), news)
    assert list(news["article_id"]) == ["1", "2"]
    assert news["title"].iloc[0] == ""


def test_no_news_can_be_written_and_read(tmp_path: Path) -> None:
    write_news(no_news(), tmp_path / "news.parquet")
    assert read_news(tmp_path / "news.parquet").empty


@pytest.mark.parametrize(
    ("day", "end"),
    [
        ("2017-01-04", "2017-01-05 05:00"),  # New York, winter: UTC-5
        ("2017-07-04", "2017-07-05 04:00"),  # summer: UTC-4
        ("2017-03-12", "2017-03-13 04:00"),  # the day on which the clocks change
    ],
)
def test_an_article_with_a_date_only_is_known_when_its_day_ends(articles: pd.DataFrame, day: str, end: str) -> None:
    dated = articles.assign(published_at=pd.Timestamp(day, tz="UTC"), is_date_only=True)
    assert set(known_at(dated, "America/New_York")) == {pd.Timestamp(end, tz="UTC")}


@pytest.mark.parametrize(
    ("day", "timezone", "end"),
    [
        ("2018-11-03", "America/Sao_Paulo", "2018-11-04 03:00"),  # midnight is 01:00 at once
        ("2018-11-03", "America/Havana", "2018-11-04 05:00"),  # there are two of it, the day ends with the second
        ("2999-12-31", "America/New_York", "3000-01-01 05:00"),
    ],
)
def test_a_day_ends_whatever_the_clocks_and_the_centuries_do(
    articles: pd.DataFrame, day: str, timezone: str, end: str
) -> None:
    published = pd.DatetimeIndex(np.array([day] * 2, dtype="datetime64[us]"), tz="UTC")
    known = known_at(articles.assign(published_at=published, is_date_only=True), timezone)
    assert known.dt.strftime("%Y-%m-%d %H:%M").tolist() == [end, end]


def test_an_article_with_a_time_is_known_at_that_time(articles: pd.DataFrame) -> None:
    timed = articles.assign(is_date_only=False)
    pd.testing.assert_series_equal(known_at(timed, "America/New_York"), timed["published_at"], check_dtype=False)


def test_the_last_version_of_an_article_stays(articles: pd.DataFrame) -> None:
    news = as_news(pd.concat([articles, articles.assign(text="corrected")]))
    assert list(news["text"]) == ["corrected", "corrected"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_versions_the_one_published_last_stays_in_whatever_order_they_come(
    articles: pd.DataFrame, order: tuple[int, int]
) -> None:
    corrected = articles.assign(text="corrected", published_at=articles["published_at"] + pd.Timedelta(hours=1))
    news = as_news(pd.concat([(articles, corrected)[position] for position in order]))
    assert list(news["text"]) == ["corrected", "corrected"]
    assert list(news["published_at"]) == sorted(corrected["published_at"])


def test_missing_column_and_missing_time_are_told(articles: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column source"):
        as_news(articles.drop(columns="source"))
    with pytest.raises(DataError, match="1 articles without published_at"):
        as_news(articles.assign(published_at=articles["published_at"].where(articles.index == 0)))


def test_missing_and_broken_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_news(tmp_path / "news.parquet")
    (tmp_path / "news.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="is not a Parquet file"):
        read_news(tmp_path / "news.parquet")
