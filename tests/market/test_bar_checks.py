"""The facts on which the validation suite sets its limits, each worked by hand."""

from datetime import date

import pandas as pd
import pytest

from MLOps.market.bar_checks import check_columns

_AS_OF = date(2022, 12, 30)


def _bars(days: list[str], closes: list[float], ticker: str = "AAA") -> pd.DataFrame:
    sessions = pd.to_datetime(days).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "timestamp": (sessions + pd.Timedelta(hours=21)).tz_localize("UTC"),
            "session": sessions,
            "ticker": ticker,
            "open": closes,
            "high": closes,
            "low": closes,
            "close": closes,
            "volume": 1.0,
            "adjusted_close": closes,
            "dividend": 0.0,
            "split_ratio": 1.0,
            "is_close_only": False,
            "is_delisted": False,
        }
    )


def _checked(bars: pd.DataFrame, accepted_jumps: tuple[str, ...] = ()) -> pd.DataFrame:
    return check_columns(bars, "XNYS", _AS_OF, 0.03, accepted_jumps)


def test_sound_bars_raise_nothing() -> None:
    checked = _checked(_bars(["2022-12-28", "2022-12-29", "2022-12-30"], [10, 11, 10.5]))
    flags = [
        name for name in checked.columns if name.startswith("is_") and name not in ("is_close_only", "is_delisted")
    ]
    assert checked[flags].all().all()
    assert (checked[["sessions_missing_before", "sessions_missing_after", "split_like_ratio"]] == 0).all().all()


def test_missing_sessions_are_counted_without_weekends_and_holidays() -> None:
    # 2022-12-26 was a holiday: between the 23rd and the 29th lie two sessions, after the 29th one.
    checked = _checked(_bars(["2022-12-23", "2022-12-29"], [10, 11]))
    assert list(checked["sessions_missing_before"]) == [0, 2]
    assert list(checked["sessions_missing_after"]) == [0, 1]


def test_a_delisted_ticker_may_end_early() -> None:
    bars = _bars(["2022-12-22", "2022-12-23"], [10, 11]).assign(is_delisted=[False, True])
    assert list(_checked(bars)["sessions_missing_after"]) == [0, 0]


def test_order_is_judged_within_a_ticker() -> None:
    newest_first = _bars(["2022-12-30", "2022-12-29"], [10, 11])
    other = _bars(["2022-12-29", "2022-12-30"], [10, 11], "BBB")
    checked = _checked(pd.concat([newest_first, other], ignore_index=True))
    assert list(checked["is_after_previous"]) == [True, False, True, True]
    assert list(checked["sessions_missing_before"]) == [0, 0, 0, 0]


def test_a_day_without_a_session_and_a_wrong_close_are_seen() -> None:
    bars = _bars(["2022-12-24", "2022-12-30"], [10, 11])
    assert list(_checked(bars)["is_at_close"]) == [False, True]
    late = bars.assign(timestamp=bars["timestamp"] + pd.Timedelta(minutes=1))
    assert list(_checked(late)["is_at_close"]) == [False, False]


def test_low_and_high_must_enclose_the_day() -> None:
    bars = _bars(["2022-12-29", "2022-12-30"], [10, 11])
    checked = _checked(bars.assign(low=[10.1, 11.0], high=[10.0, 10.9]))
    assert list(checked["is_low_lowest"]) == [False, False]
    assert list(checked["is_high_highest"]) == [False, False]


def test_close_only_bars_may_lack_the_rest() -> None:
    unknown = dict.fromkeys(("open", "high", "low", "close", "volume"), float("nan"))
    bars = _bars(["2022-12-29", "2022-12-30"], [10, 11]).assign(**unknown)
    assert not _checked(bars)["is_close_known"].any()
    assert _checked(bars.assign(is_close_only=True))["is_close_known"].all()


@pytest.mark.parametrize(
    ("closes", "is_split_like"),
    [
        ([100, 50.5], True),  # 2-for-1, on a day that rose by 1%
        ([100, 301], True),  # 1-for-3
        ([100, 48.15], False),  # AAPL on 2000-09-29: a real crash
        ([100, 65], False),  # NFLX on 2022-04-20: a real crash
    ],
)
def test_jumps_by_a_whole_ratio_look_like_splits(closes: list[float], is_split_like: bool) -> None:
    bars = _bars(["2022-12-29", "2022-12-30"], closes)
    assert (_checked(bars)["split_like_ratio"].iloc[1] != 0) == is_split_like
    assert _checked(bars, ("AAA 2022-12-30",))["split_like_ratio"].iloc[1] == 0


def test_missing_and_negative_closes_do_not_break_the_ratios() -> None:
    bars = _bars(["2022-12-28", "2022-12-29", "2022-12-30"], [10, float("nan"), -10])
    assert list(_checked(bars)["split_like_ratio"]) == [0, 0, 0]
