"""No gap is hidden: it is carried forward within the limit, or named with ticker and dates."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError
from MLOps.market.alignment import align


def bars(sessions: int = 6, tickers: tuple[str, ...] = ("AA", "BB")) -> pd.DataFrame:
    rows = [
        {"session": day, "ticker": ticker, "close": 10.0 + t + 100 * n, "open": 9.0, "high": 300.0, "low": 1.0}
        for t, day in enumerate(pd.bdate_range("2020-01-01", periods=sessions))
        for n, ticker in enumerate(tickers)
    ]
    frame = pd.DataFrame(rows).assign(volume=5.0, is_close_only=False, is_delisted=False)
    return frame.assign(timestamp=(frame["session"] + pd.Timedelta(hours=21)).dt.tz_localize("UTC"))


def without(ticker: str, *rows: int) -> pd.DataFrame:
    frame = bars()
    days = frame["session"].unique()[list(rows)]
    return frame[~((frame["ticker"] == ticker) & frame["session"].isin(days))].reset_index(drop=True)


def test_complete_bars_become_arrays() -> None:
    aligned = align(bars(), fill_limit=0)
    assert aligned.tickers == ("AA", "BB")
    np.testing.assert_array_equal(aligned.close[:, 1], [110, 111, 112, 113, 114, 115])
    assert str(aligned.closed_at[0]) == "2020-01-01T21:00:00.000000"
    assert not aligned.is_carried.any()


def test_a_gap_within_the_limit_is_carried_without_trade() -> None:
    aligned = align(without("BB", 2, 3), fill_limit=2)
    np.testing.assert_array_equal(aligned.close[:, 1], [110, 111, 111, 111, 114, 115])
    np.testing.assert_array_equal(aligned.high[:, 1], [300, 300, 111, 111, 300, 300])
    np.testing.assert_array_equal(aligned.low[:, 1], [1, 1, 111, 111, 1, 1])
    np.testing.assert_array_equal(aligned.volume[:, 1], [5, 5, 0, 0, 5, 5])
    np.testing.assert_array_equal(aligned.is_carried.sum(axis=0), [0, 2])
    np.testing.assert_array_equal(aligned.close[:, 0], align(bars(), 0).close[:, 0])


def with_value(row: int, column: str, value: float) -> pd.DataFrame:
    frame = bars()
    frame.loc[row, column] = value
    return frame


def delisted() -> pd.DataFrame:
    frame = without("BB", 4, 5)
    frame.loc[(frame["ticker"] == "BB") & (frame["session"] == pd.Timestamp("2020-01-06")), "is_delisted"] = True
    return frame


REFUSED = {
    "gap": (without("BB", 2, 3), r"BB has no bar on 2020-01-03, 2020-01-06 \(2 sessions, 2 of them in a row\)"),
    "gap at the end": (without("AA", 4, 5), "AA has no bar on 2020-01-07, 2020-01-08"),
    "late listing": (without("BB", 0, 1), "BB has no bar before 2020-01-03, the others begin on 2020-01-01"),
    "delisting": (delisted(), "BB was delisted after 2020-01-06, the data go on until 2020-01-08"),
    "NaN close": (with_value(3, "close", np.nan), r"close of BB on 2020-01-02 is nan \(1 such bars\)"),
    "zero close": (with_value(2, "close", 0.0), "close of AA on 2020-01-02 is 0.0"),
    "NaN high": (with_value(0, "high", np.nan), "high of AA on 2020-01-01 is nan"),
    "negative volume": (with_value(1, "volume", -1.0), "volume of BB on 2020-01-01 is -1.0"),
}


@pytest.mark.parametrize(("frame", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_names_ticker_and_dates(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        align(frame, fill_limit=1)


def test_close_only_bars_need_a_close_only() -> None:
    frame = bars().assign(open=np.nan, high=np.nan, low=np.nan, volume=np.nan, is_close_only=True)
    aligned = align(frame, fill_limit=0)
    assert aligned.is_close_only
    assert np.isfinite(aligned.close).all()
    assert np.isnan(aligned.high).all()


@given(st.sets(st.tuples(st.integers(1, 29), st.sampled_from(["AA", "BB", "CC"])), max_size=40))
def test_never_drops_a_ticker_and_never_looks_ahead(gaps: set[tuple[int, str]]) -> None:
    frame = bars(sessions=30, tickers=("AA", "BB", "CC"))
    days = list(frame["session"].unique())
    missing = {(days[row], ticker) for row, ticker in gaps}
    kept = frame[[key not in missing for key in zip(frame["session"], frame["ticker"], strict=True)]]
    aligned = align(kept.reset_index(drop=True), fill_limit=30)
    wide = kept.pivot(index="session", columns="ticker", values="close").ffill()
    assert aligned.tickers == ("AA", "BB", "CC")
    np.testing.assert_array_equal(aligned.close, wide.to_numpy())


def test_finrl_drops_the_whole_ticker(make_finrl_frame: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """The fault that this module answers: one missing row, and the ticker is gone without a word."""
    from finrl.meta.preprocessor.preprocessors import FeatureEngineer

    cleaned = FeatureEngineer().clean_data(make_finrl_frame(without("BB", 2)))
    assert set(cleaned["tic"]) == {"AA"}
    assert set(align(without("BB", 2), fill_limit=1).tickers) == {"AA", "BB"}
