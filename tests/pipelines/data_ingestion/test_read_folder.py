"""The user's own files: kinds, columns, what is filled in, and news."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.bars import as_bars
from MLOps.settings.ingestion import FolderSettings
from pipelines.data_ingestion.read_folder import FolderSource

_END = date(2018, 2, 28)


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., FolderSource]:
    def make(news: Path | None = None, **columns: str) -> FolderSource:
        settings = FolderSettings(
            bars=None, news=None, columns=columns or {"session": "date"}, licence="own", note="own", warnings=()
        )
        return FolderSource(settings, "XNYS", tmp_path / "bars", news)

    (tmp_path / "bars").mkdir()
    return make


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "jsonl"])
def test_every_kind_of_file_gives_the_same_bars(
    source: Callable[..., FolderSource], own_bars: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "bars" / f"own.{kind}"
    if kind == "parquet":
        own_bars.to_parquet(path)
    elif kind == "jsonl":
        own_bars.to_json(path, orient="records", lines=True, double_precision=15)
    else:
        own_bars.to_csv(path, index=False)
    bars = as_bars(source().bars((), None, _END))
    assert len(bars) == 120
    pd.testing.assert_series_equal(bars["close"], own_bars["close"], rtol=0, atol=0)
    assert f"{bars['timestamp'].iloc[0]:%Y-%m-%d %H:%M}" == "2018-01-02 21:00"
    assert (bars[["dividend", "split_ratio"]] == [0, 1]).all().all()


def test_a_file_without_tickers_is_named_after_its_ticker(
    source: Callable[..., FolderSource], own_bars: pd.DataFrame, tmp_path: Path
) -> None:
    for ticker, rows in own_bars.groupby("ticker"):
        rows.drop(columns="ticker").to_csv(tmp_path / "bars" / f"{ticker}.csv", index=False)
    assert set(source().bars((), None, _END)["ticker"]) == {"AAA", "BBB", "CCC"}


def test_columns_can_be_renamed(source: Callable[..., FolderSource], own_bars: pd.DataFrame, tmp_path: Path) -> None:
    own_bars.rename(columns={"date": "Day", "ticker": "tic"}).to_csv(tmp_path / "bars" / "own.csv", index=False)
    assert len(source(session="Day", ticker="tic").bars(("AAA",), None, _END)) == 40


def test_a_close_alone_makes_close_only_bars(
    source: Callable[..., FolderSource], own_bars: pd.DataFrame, tmp_path: Path
) -> None:
    own_bars[["date", "ticker", "close"]].to_csv(tmp_path / "bars" / "own.csv", index=False)
    bars = as_bars(source().bars((), None, _END))
    assert bars["is_close_only"].all()
    assert bars[["open", "high", "low", "close", "volume"]].isna().all().all()
    pd.testing.assert_series_equal(bars["adjusted_close"], own_bars["close"], check_names=False)


def test_delistings_and_corporate_actions_are_kept(
    source: Callable[..., FolderSource], own_bars: pd.DataFrame, tmp_path: Path
) -> None:
    is_last_bar = (own_bars["ticker"] == "CCC") & (own_bars["date"] == "2018-02-28")
    own_bars.assign(is_delisted=is_last_bar, dividend=0.25, split_ratio=2.0).to_csv(
        tmp_path / "bars" / "own.csv", index=False
    )
    bars = as_bars(source().bars((), None, _END))
    assert list(bars[bars["is_delisted"]]["ticker"]) == ["CCC"]
    assert (bars["dividend"] == 0.25).all()
    assert (bars["split_ratio"] == 2).all()


def test_an_empty_folder_and_an_unknown_kind_are_told(source: Callable[..., FolderSource], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data file"):
        source().bars((), None, _END)
    news = tmp_path / "news.docx"
    news.write_text("")
    with pytest.raises(DataError, match="is of no known kind"):
        source(news).news((), None, _END)


def test_news_of_a_day_and_of_an_instant_are_told_apart(source: Callable[..., FolderSource], tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text(
        '{"published_at": "2018-02-01", "title": "a day"}\n'
        '{"published_at": "2018-02-02T15:00:00Z", "title": "an instant"}\n'
        '{"published_at": "2018-03-02T15:00:00Z", "title": "too late"}\n'
    )
    news = source(path).news((), date(2018, 1, 1), _END)
    assert list(news["title"]) == ["a day", "an instant"]
    assert list(news["is_date_only"]) == [True, False]
    assert source().news((), None, _END).empty


def test_news_dated_absurdly_are_read_and_those_to_come_left_out(
    source: Callable[..., FolderSource], tmp_path: Path
) -> None:
    days = ["0001-01-01", "1900-01-01T12:00:00-05:00", "2018-02-01", "2999-01-01", "9999-12-31T23:59:59Z"]
    (tmp_path / "news.csv").write_text("published_at\n" + "\n".join(days) + "\n")
    news = source(tmp_path / "news.csv").news((), None, _END)
    assert news["published_at"].dt.strftime("%Y").astype(int).tolist() == [1, 1900, 2018]
    (tmp_path / "news.csv").write_text("published_at\nyesterday\n")
    with pytest.raises(DataError, match=r"published_at cannot be read .*yesterday"):
        source(tmp_path / "news.csv").news((), None, _END)


def test_news_without_a_time_are_told(source: Callable[..., FolderSource], tmp_path: Path) -> None:
    (tmp_path / "news.csv").write_text("title\nnothing\n")
    with pytest.raises(DataError, match="no column published_at"):
        source(tmp_path / "news.csv").news((), None, _END)
