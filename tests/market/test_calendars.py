"""Exchange sessions, their closes, and counting in sessions."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from MLOps.errors import DataError, SettingsError
from MLOps.market.calendars import (
    close_instants,
    exchange_timezone,
    last_session,
    session_closes,
    sessions_between,
    shift_session,
)


def test_an_early_close_is_known() -> None:
    closes = session_closes("XNYS", date(2022, 11, 23), date(2022, 11, 25))
    assert [f"{close:%m-%d %H:%M}" for close in closes] == ["11-23 21:00", "11-25 18:00"]


def test_sessions_before_the_librarys_default_start_are_known() -> None:
    assert len(session_closes("XNYS", date(1990, 1, 2), date(1990, 1, 5))) == 4


def test_a_holiday_gives_the_session_before() -> None:
    assert last_session("XNYS", date(2023, 1, 1)) == date(2022, 12, 30)


def test_a_session_that_has_not_closed_is_not_known() -> None:
    day = date(2022, 12, 30)
    assert last_session("XNYS", day, datetime(2022, 12, 30, 20, 59, tzinfo=UTC)) == date(2022, 12, 29)
    assert last_session("XNYS", day, datetime(2022, 12, 30, 21, 0, tzinfo=UTC)) == day


@given(st.dates(date(1990, 1, 1), date(2024, 1, 1)), st.integers(0, 500))
def test_shifting_and_counting_are_inverse(day: date, count: int) -> None:
    start = last_session("XNYS", day)
    assert sessions_between("XNYS", start, shift_session("XNYS", start, count)) == count
    assert shift_session("XNYS", shift_session("XNYS", start, count), -count) == start


def test_a_day_on_which_the_exchange_was_shut_still_gets_an_instant() -> None:
    instants = close_instants("XNYS", pd.Series(pd.to_datetime(["2022-12-30", "2022-12-31"])))
    assert [f"{instant:%d %H:%M}" for instant in instants] == ["30 21:00", "31 21:00"]


def test_no_session_has_no_instant() -> None:
    assert close_instants("XNYS", pd.Series([], dtype="datetime64[us]")).empty


def test_leaving_the_calendar_is_told() -> None:
    with pytest.raises(DataError, match="leaves the calendar XNYS"):
        session_closes("XNYS", date(1960, 1, 1), date(1960, 2, 1))
    with pytest.raises(DataError, match="leave the calendar XNYS"):
        shift_session("XNYS", date(2020, 1, 2), 100_000)


def test_an_unknown_calendar_is_told() -> None:
    with pytest.raises(SettingsError, match="calendar=MOON"):
        last_session("MOON", date(2020, 1, 2))


@pytest.mark.parametrize(("calendar", "timezone"), [("XNYS", "America/New_York"), ("XLON", "Europe/London")])
def test_the_days_of_an_exchange_are_those_of_its_place(calendar: str, timezone: str) -> None:
    assert exchange_timezone(calendar) == timezone
