"""What the suite of crypto bars sets its limits on."""

import pandas as pd
import pytest

from MLOps.market.crypto_bar_checks import Span, crypto_check_columns

HOUR = pd.Timedelta(hours=1)


@pytest.fixture
def bars() -> pd.DataFrame:
    """Six hours from 2019-05-01 on, each with prices of its own."""
    opened = pd.date_range("2019-05-01", periods=6, freq="h", tz="UTC", unit="us")
    rise = pd.Series(range(6), dtype=float)
    prices = {"open": 10 + rise, "high": 12 + rise, "low": 9 + rise, "close": 11 + rise, "volume": 1.5}
    return pd.DataFrame({"opened_at": opened, "ticker": "BTC", **prices})


def _checked(bars: pd.DataFrame, *missing: Span) -> pd.DataFrame:
    return crypto_check_columns(bars, HOUR, missing)


def test_sound_bars_have_nothing_to_tell(bars: pd.DataFrame) -> None:
    checked = _checked(bars)
    assert checked[["is_on_grid", "is_low_lowest", "is_high_highest", "is_new"]].all(axis=None)
    assert (checked["bars_missing_before"] == 0).all()
    assert checked["day"].iloc[1] == "2019-05-01 01:00"


def test_missing_bars_are_counted_at_the_bar_after_them(bars: pd.DataFrame) -> None:
    assert _checked(bars.drop(index=[1, 2, 4]))["bars_missing_before"].tolist() == [0, 2, 1]


def test_missing_bars_that_were_looked_at_do_not_count(bars: pd.DataFrame) -> None:
    opened = bars["opened_at"]
    looked_at = (opened[1], opened[1]), (opened[4], opened[5])
    assert _checked(bars.drop(index=[1, 2, 4]), *looked_at)["bars_missing_before"].tolist() == [0, 1, 0]


def test_a_bar_beside_the_grid_is_seen(bars: pd.DataFrame) -> None:
    late = bars["opened_at"].where(bars.index != 3, bars["opened_at"] + pd.Timedelta(minutes=1).as_unit("us"))
    assert _checked(bars.assign(opened_at=late))["is_on_grid"].tolist() == [True, True, True, False, True, True]


def test_prices_outside_low_and_high_are_seen(bars: pd.DataFrame) -> None:
    wide = bars.assign(close=bars["close"].where(bars.index != 2, 99.0), open=bars["open"].where(bars.index != 4, 0.5))
    checked = _checked(wide)
    assert checked.index[~checked["is_high_highest"]].tolist() == [2]
    assert checked.index[~checked["is_low_lowest"]].tolist() == [4]


def test_the_same_bar_twice_is_seen_but_not_an_idle_hour(bars: pd.DataFrame) -> None:
    traded = ["open", "high", "low", "close", "volume"]
    twice = bars.copy()
    twice.loc[4, traded] = twice.loc[1, traded]
    assert _checked(twice)["is_new"].tolist() == [True, False, True, True, False, True]
    idle = bars.copy()
    idle.loc[[1, 2, 3], traded] = [10.0, 10.0, 10.0, 10.0, 0.0]
    assert _checked(idle)["is_new"].all()
