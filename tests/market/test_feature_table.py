"""The table of features: complete, known at the close, the same whatever comes later."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from MLOps.errors import DataError
from MLOps.market.bars import as_bars
from MLOps.market.feature_table import build_table, vix_known
from MLOps.settings.compose import compose_settings
from MLOps.settings.features import FeatureSettings

MakeBars = Callable[..., pd.DataFrame]
OWN_COLUMNS = ["open", "high", "low", "close", "volume", "macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30"]


def settings(**changes: Any) -> FeatureSettings:
    composed = compose_settings(FeatureSettings, "build_features", ["turbulence_window_sessions=60"])
    return FeatureSettings.model_validate(composed.model_dump() | changes)


def all_features(make_bars: MakeBars, sessions: int = 140) -> pd.DataFrame:
    """Bars in which every feature there is has something to read: dividends, a split, the volatility index."""
    bars = make_bars(sessions=sessions)
    growth = 1 + 0.0002 * np.searchsorted(np.sort(bars["session"].unique()), bars["session"])
    bars["adjusted_close"] = bars["close"] * growth / growth.max()
    bars.loc[(bars["ticker"] == "BBB") & (bars["session"] == bars["session"].iloc[300]), "split_ratio"] = 2.0
    vix = make_bars(("^VIX",), sessions=sessions, seed=11)
    return as_bars(pd.concat([bars, vix]))


def articles(bars: pd.DataFrame) -> pd.DataFrame:
    """Three scored articles around every second close, one dated only; one names AAA, one a company without bars."""
    closes = bars["timestamp"].unique()[::2]
    shifts = pd.to_timedelta([-3600, 1, 0], unit="s")
    whole = pd.DataFrame({"published_at": [close + shift for close in closes for shift in shifts], "ticker": ""})
    whole["is_date_only"] = np.arange(len(whole)) % 3 == 2
    named = [whole[::3].assign(ticker="AAA"), whole[1::3].assign(ticker="ZZZ")]
    frame = pd.concat([whole, *named], ignore_index=True)
    return frame.assign(score=np.random.default_rng(1).uniform(-1, 1, len(frame)))


def test_columns_and_order_are_finrls(make_bars: MakeBars) -> None:
    bars = all_features(make_bars)
    table = build_table(bars, articles(bars), settings())
    frame = table.frame
    assert list(frame.columns) == [
        *("date", "tic", "open", "high", "low", "close", "volume", "day"),
        *("macd", "boll_ub", "boll_lb", "rsi_30", "cci_30", "dx_30", "close_30_sma", "close_60_sma"),
        *("turbulence", "vix", "sentiment", "has_news", "news_count", "ticker_sentiment", "ticker_has_news"),
    ]
    assert list(zip(frame["date"], frame["tic"], strict=True)) == sorted(zip(frame["date"], frame["tic"], strict=True))
    assert (frame.groupby("date")["tic"].agg(tuple) == ("AAA", "BBB", "CCC")).all()
    assert np.isfinite(frame.drop(columns=["date", "tic"]).to_numpy(dtype=float)).all()
    assert (frame["day"] == frame["date"].dt.dayofweek).all()


def test_warm_up_rows_are_dropped_and_nothing_is_filled_back(make_bars: MakeBars) -> None:
    bars = make_bars(sessions=140)
    table = build_table(bars, None, settings())
    assert table.warm_up_sessions == 61
    assert table.frame["date"].unique().tolist() == bars["session"].unique()[61:].tolist()


def test_finrl_fills_the_warm_up_from_the_future(
    make_bars: MakeBars, make_finrl_frame: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    """Its bfill is not grouped: a ticker's first row takes the next value below it, another ticker's or a later one."""
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    bars = make_bars(("AAA", "BBB"), sessions=70)
    engineer = FeatureEngineer(tech_indicator_list=["boll_ub"])
    band = engineer.preprocess_data(make_finrl_frame(bars))["boll_ub"]
    assert band.iloc[1] == band.iloc[2], "BBB's first band is AAA's of the day after"
    ours = build_table(bars, None, settings(indicators=("boll_ub",), turbulence_window_sessions=20)).frame
    assert ours["date"].min() == bars["session"].unique()[21]
    assert ours["boll_ub"].is_unique


@pytest.mark.parametrize("known", [75, 100, 139])
def test_cutting_the_future_off_changes_no_feature(make_bars: MakeBars, known: int) -> None:
    """Every column there is, without a list: what is added later is under the test at once."""
    bars = all_features(make_bars)
    last = bars["session"].unique()[known - 1]
    decision = bars.loc[bars["session"] == last, "timestamp"].min()
    news = articles(bars)
    whole = build_table(bars, news, settings()).frame
    cut = build_table(
        bars[bars["session"] <= last].reset_index(drop=True), news[news["published_at"] < decision], settings()
    ).frame
    pd.testing.assert_frame_equal(cut, whole[whole["date"] <= last], check_exact=True)
    assert len(cut) == 3 * (known - 61)


def test_a_later_dividend_changes_no_feature(make_bars: MakeBars) -> None:
    """The source restates the whole adjusted past when a dividend is paid; the features must not show it."""
    bars = all_features(make_bars)
    restated = bars.assign(
        adjusted_close=bars["adjusted_close"].where(bars["ticker"] != "AAA", bars["adjusted_close"] * 0.9)
    )
    pd.testing.assert_frame_equal(
        build_table(restated, None, settings()).frame, build_table(bars, None, settings()).frame, rtol=1e-9
    )


def test_other_tickers_change_nothing_of_a_tickers_own(make_bars: MakeBars) -> None:
    bars = all_features(make_bars)
    others = bars["ticker"] == "BBB"
    moved = bars.copy()
    tilt = np.linspace(1.0, 3.0, int(others.sum()))
    for name in ("open", "high", "low", "close", "adjusted_close", "volume"):
        moved.loc[others, name] = bars.loc[others, name].to_numpy() * tilt
    before, after = (build_table(frame, None, settings()).frame for frame in (bars, moved))
    market_wide = {"turbulence"}
    own = [name for name in before.columns if name not in market_wide]
    mine = before["tic"] == "AAA"
    pd.testing.assert_frame_equal(before.loc[mine, own], after.loc[mine, own], check_exact=True)
    assert not np.allclose(before.loc[~mine, "close"], after.loc[~mine, "close"])
    assert not np.allclose(before["turbulence"], after["turbulence"])


def test_sentiment_is_empty_without_scores_and_the_mask_tells_of_news(make_bars: MakeBars) -> None:
    bars = make_bars(sessions=140)
    published = bars["timestamp"].unique()[100] - pd.Timedelta(hours=1)
    news = pd.DataFrame({"published_at": [published], "is_date_only": [False]})
    frame = build_table(bars, news, settings()).frame
    assert (frame["sentiment"] == 0).all()
    assert frame.loc[frame["has_news"], "date"].unique().tolist() == [bars["session"].unique()[100]]
    assert frame["has_news"].sum() == 3
    assert not build_table(bars, None, settings()).frame["has_news"].any()


def test_scored_news_speak_of_the_market_and_of_the_companies_that_they_name(make_bars: MakeBars) -> None:
    """Two articles a second before a close, both of score 0.6; one names BBB, and says worse of it."""
    bars = make_bars(sessions=140)
    published = bars["timestamp"].unique()[100] - pd.Timedelta(seconds=1)
    news = pd.DataFrame({"ticker": ["", "", "BBB", "ZZZ"], "score": [0.6, 0.6, -0.4, 0.9]})
    news = news.assign(published_at=published, is_date_only=False)
    chosen = {"half_life_hours": 24.0, "prior_articles": 2.0, "ticker_prior_articles": 1.0}
    frame = build_table(bars, news, settings(sentiment=chosen)).frame
    days = frame["date"].unique()
    first = frame[frame["date"] == days[100 - 61]].set_index("tic")
    np.testing.assert_allclose(first["sentiment"], 2 * 0.6 / (2 + 2), rtol=1e-4)
    np.testing.assert_allclose(first["ticker_sentiment"], [0, -0.4 / (1 + 1), 0], rtol=1e-4)
    assert first["news_count"].tolist() == [2, 2, 2]
    assert (first["has_news"].tolist(), first["ticker_has_news"].tolist()) == ([True] * 3, [False, True, False])
    after = frame[frame["date"] > days[100 - 61]]
    assert not after[["has_news", "ticker_has_news", "news_count"]].any(axis=None)
    assert (after["sentiment"] > 0).all()
    assert (after.groupby("tic")["sentiment"].diff().dropna() < 0).all()
    before = frame[frame["date"] < days[100 - 61]]
    assert (before[["sentiment", "ticker_sentiment", "news_count"]] == 0).all(axis=None)


@pytest.mark.parametrize("is_date_only", [True, False])
def test_an_article_dated_absurdly_says_nothing(make_bars: MakeBars, is_date_only: bool) -> None:
    """Years before the first session it weighs nothing any more, years after the last it is not known yet."""
    bars = make_bars(sessions=140)
    days = np.array(["0001-01-02", "1900-01-01", "2999-12-31", "9998-12-31"], dtype="datetime64[us]")
    news = pd.DataFrame({"published_at": pd.DatetimeIndex(days, tz="UTC"), "is_date_only": is_date_only})
    absurd = build_table(bars, news.assign(ticker="", score=0.9), settings()).frame
    pd.testing.assert_frame_equal(absurd, build_table(bars, None, settings()).frame, check_exact=True)


def test_vix_is_the_close_of_the_session_before(make_bars: MakeBars) -> None:
    bars = all_features(make_bars)
    frame = build_table(bars, None, settings()).frame
    vix = bars[bars["ticker"] == "^VIX"].set_index("session")["adjusted_close"]
    expected = vix.shift(1).loc[frame["date"]].to_numpy()
    np.testing.assert_array_equal(frame["vix"], expected)
    assert "vix" not in build_table(make_bars(sessions=140), None, settings()).frame


def test_an_old_vix_is_refused() -> None:
    sessions = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-07"))
    days = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-05"])
    vix = pd.DataFrame({"session": days, "ticker": "^VIX", "adjusted_close": [10.0, 11.0, 12.0]})
    known = vix_known(vix, sessions, fill_limit=2, warm_up=1)
    np.testing.assert_array_equal(known, [np.nan, 10, 11, 11, 11, 12])
    with pytest.raises(DataError, match=r"\^VIX has no close shortly before 2020-01-05 \(1 sessions\)"):
        vix_known(vix, sessions, fill_limit=1, warm_up=1)


def close_only(bars: pd.DataFrame) -> pd.DataFrame:
    return bars.assign(is_close_only=True, **dict.fromkeys(("open", "high", "low", "close", "volume"), np.nan))


def test_close_only_bars_drop_what_needs_high_and_low(make_bars: MakeBars) -> None:
    bars = make_bars(sessions=140)
    table = build_table(close_only(bars), None, settings())
    assert table.is_close_only
    assert table.dropped_indicators == ("cci_30", "dx_30")
    assert not {"open", "high", "low", "volume", "cci_30", "dx_30"} & set(table.frame.columns)
    whole = build_table(bars, None, settings()).frame
    pd.testing.assert_frame_equal(table.frame, whole[table.frame.columns], check_exact=True)


def test_a_short_gap_is_carried_and_counted(make_bars: MakeBars) -> None:
    bars = make_bars(sessions=140)
    gap = (bars["ticker"] == "BBB") & (bars["session"] == bars["session"].unique()[100])
    table = build_table(bars[~gap].reset_index(drop=True), None, settings(fill_limit_sessions=1))
    assert table.carried_bars == 1
    with pytest.raises(DataError, match="BBB has no bar on 2018-05-25"):
        build_table(bars[~gap].reset_index(drop=True), None, settings())


def test_keeps_the_wanted_tickers_and_window(make_bars: MakeBars) -> None:
    bars = make_bars(sessions=140)
    days = bars["session"].unique()
    wanted = settings(tickers=("CCC", "AAA"), first_session=days[10].date(), last_session=days[120].date())
    frame = build_table(bars, None, wanted).frame
    assert sorted(frame["tic"].unique()) == ["AAA", "CCC"]
    assert (frame["date"].min(), frame["date"].max()) == (days[10 + 61], days[120])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tickers": ("AAA", "ZZZ")}, "unknown ticker ZZZ; allowed: AAA, BBB, CCC"),
        ({"first_session": "2030-01-01"}, "no bars of AAA, BBB, CCC between 2030-01-01 and .*sessions from 2018-01-02"),
        ({"last_session": "2018-03-29"}, "61 sessions from 2018-01-02 to 2018-03-29; allowed: more than 61"),
    ],
)
def test_refuses_a_window_or_ticker_without_data(make_bars: MakeBars, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        build_table(make_bars(sessions=140), None, settings(**changes))
    assert "\n" not in str(caught.value)
