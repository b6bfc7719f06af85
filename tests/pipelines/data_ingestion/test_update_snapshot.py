"""A network source is asked only for what is new; restated history is noticed, told and fetched whole."""

import logging
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from MLOps.market.bars import as_bars, select_sessions, write_bars
from MLOps.market.calendars import close_instants
from MLOps.market.news import as_news, no_news, write_news
from MLOps.market.source import Origin
from pipelines.data_ingestion.update_snapshot import Snapshot, update_bars, update_news, write_snapshot

_FIRST, _YESTERDAY, _TODAY = date(2018, 1, 2), date(2018, 12, 31), date(2019, 1, 2)


class RecordingSource:
    """A network source that serves a frame and remembers from when it was asked."""

    origin = Origin("recorded", "none", "made by a test")
    is_local = False

    def __init__(self, bars: pd.DataFrame, news: pd.DataFrame | None = None) -> None:
        self._bars, self._news = bars, no_news() if news is None else news
        self.asked_from: list[date | None] = []

    def bars(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:
        self.asked_from.append(start)
        return select_sessions(self._bars, start, end, ",".join(tickers))

    def news(self, tickers: Sequence[str], start: date | None, end: date) -> pd.DataFrame:  # noqa: ARG002 - the protocol's
        self.asked_from.append(start)
        days = self._news["published_at"].dt.date
        return self._news[(days >= (start or date.min)) & (days <= end)]


@pytest.fixture(scope="session")
def year_of_bars(make_prices: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """All sessions of 2018 and the first two of 2019, two tickers."""
    prices = make_prices(tickers=("AAA", "BBB"), sessions=253)
    facts = {"dividend": 0.0, "split_ratio": 1.0, "is_close_only": False, "is_delisted": False}
    return as_bars(prices.assign(timestamp=close_instants("XNYS", prices["session"]), **facts))


@pytest.fixture
def last(year_of_bars: pd.DataFrame, tmp_path: Path) -> Snapshot:
    snapshot = Snapshot(tmp_path / "last", _YESTERDAY)
    write_bars(select_sessions(year_of_bars, None, _YESTERDAY), snapshot.bars)
    return snapshot


def test_only_new_sessions_and_an_overlap_are_fetched(year_of_bars: pd.DataFrame, last: Snapshot) -> None:
    source = RecordingSource(year_of_bars)
    update = update_bars(source, ("AAA", "BBB"), None, _TODAY, last, overlap_sessions=5)
    assert source.asked_from == [date(2018, 12, 21)]  # five sessions before the 31st, and one that is not compared
    assert (update.fetched_rows, update.restated_rows) == (2, 0)
    pd.testing.assert_frame_equal(as_bars(update.bars), select_sessions(year_of_bars, None, _TODAY))


def test_restated_history_is_fetched_whole_and_told(
    year_of_bars: pd.DataFrame, last: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    restated = year_of_bars.copy()
    of_aaa = restated["ticker"] == "AAA"
    restated.loc[of_aaa, "adjusted_close"] *= 0.99  # a dividend scales all of the past
    source = RecordingSource(restated)
    with caplog.at_level(logging.WARNING):
        update = update_bars(source, ("AAA", "BBB"), None, _TODAY, last, overlap_sessions=5)
    assert source.asked_from == [date(2018, 12, 21), None]
    assert update.restated_rows == 251
    assert (
        "251 rows of AAA, 2018-01-02 to 2018-12-31, 0 removed, 0 added, adjusted_close by up to 1.0000%" in caplog.text
    )
    pd.testing.assert_frame_equal(as_bars(update.bars), select_sessions(restated, None, _TODAY))


def test_rows_that_vanished_or_appeared_are_restated_history(
    year_of_bars: pd.DataFrame, last: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    source = RecordingSource(year_of_bars.drop(index=year_of_bars.index[-8]))
    update = update_bars(source, ("AAA", "BBB"), None, _TODAY, last, overlap_sessions=5)
    assert update.restated_rows == 1
    assert "1 removed" in caplog.text


def test_a_local_source_is_read_whole_and_judged_whole(year_of_bars: pd.DataFrame, last: Snapshot) -> None:
    source = RecordingSource(year_of_bars.assign(volume=year_of_bars["volume"].where(year_of_bars.index > 3, 1.0)))
    source.is_local = True
    update = update_bars(source, (), None, _TODAY, last, overlap_sessions=5)
    assert source.asked_from == [None]
    assert update.restated_rows == 4


def test_equal_years_are_linked_and_others_written(year_of_bars: pd.DataFrame, last: Snapshot, tmp_path: Path) -> None:
    bars = select_sessions(year_of_bars, None, _TODAY)
    assert write_snapshot(bars, tmp_path / "new", last) == 1
    assert (tmp_path / "new" / "2018.parquet").samefile(last.bars / "2018.parquet")
    fresh = write_bars(bars, tmp_path / "fresh")
    for year, path in fresh.items():
        assert (tmp_path / "new" / f"{year}.parquet").read_bytes() == path.read_bytes()


def test_news_are_fetched_from_the_last_snapshot_on(last: Snapshot) -> None:
    days = pd.to_datetime(["2018-12-30 10:00", "2018-12-31 11:00", "2019-01-02 12:00"], utc=True)
    articles = as_news(
        pd.DataFrame({"published_at": days, "is_date_only": False, "title": "t", "text": "", "source": "s"}).assign(
            article_id=["1", "2", "3"]
        )
    )
    write_news(articles.iloc[:2], last.news)
    source = RecordingSource(pd.DataFrame(), articles)
    news = update_news(source, ("AAA",), None, _TODAY, last)
    assert source.asked_from == [_YESTERDAY]
    pd.testing.assert_frame_equal(news, articles)


def test_without_a_snapshot_everything_is_fetched(year_of_bars: pd.DataFrame) -> None:
    source = RecordingSource(year_of_bars)
    assert update_bars(source, ("AAA",), _FIRST, _TODAY, None, 5).fetched_rows == 504
    assert update_news(source, ("AAA",), _FIRST, _TODAY, None).empty
    assert source.asked_from == [_FIRST, _FIRST]
