"""Sessions of an exchange and the instants at which they close."""

from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from MLOps.errors import DataError, SettingsError

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

# The library begins 20 years back unless told; no data set here is older.
_FIRST_DAY = "1970-01-01"


@lru_cache(maxsize=4)
def _calendar(name: str) -> "ExchangeCalendar":
    from exchange_calendars import errors, get_calendar

    try:
        return get_calendar(name, start=_FIRST_DAY)
    except errors.InvalidCalendarName as error:
        raise SettingsError(
            f"calendar={name}", "a name of exchange_calendars, such as XNYS", "data.calendar"
        ) from error


def session_closes(name: str, first: date, last: date) -> "pd.Series[pd.Timestamp]":
    """Close of each session from `first` to `last`, both included.

    Returns
    -------
    Series of datetime64[us, UTC]
        Indexed by session (datetime64[us] at midnight, no time zone); empty if there is none.

    Raises
    ------
    DataError
        If a date lies outside the calendar, which ends about a year from now.
    """
    calendar = _calendar(name)
    begin, end = pd.Timestamp(first), pd.Timestamp(last)
    if begin < calendar.first_session.normalize() or end > calendar.last_session:
        raise DataError(
            f"{begin:%Y-%m-%d} to {end:%Y-%m-%d} leaves the calendar {name}",
            f"{calendar.first_session:%Y-%m-%d} to {calendar.last_session:%Y-%m-%d}",
            "the dates of the data, data.start or run_date",
        )
    closes: pd.Series[pd.Timestamp] = calendar.closes.loc[begin:end].dt.as_unit("us")
    closes.index = pd.DatetimeIndex(closes.index).as_unit("us")
    return closes


def last_session(name: str, day: date, now: datetime | None = None) -> date:
    """The last session on or before `day` that has closed by `now`."""
    closes = session_closes(name, (pd.Timestamp(day) - pd.Timedelta(days=30)).date(), day)
    if now is not None:
        closes = closes[closes <= pd.Timestamp(now)]
    return pd.Timestamp(closes.index[-1]).date()


def shift_session(name: str, session: date, count: int) -> date:
    """The session `count` sessions after `session` (before it, if negative).

    Raises
    ------
    DataError
        If the calendar does not reach that far.
    """
    calendar = _calendar(name)
    sessions = calendar.sessions
    position = int(sessions.searchsorted(pd.Timestamp(session), side="right")) - 1 + count
    if not 0 <= position < len(sessions):
        raise DataError(f"{count} sessions from {session} leave the calendar {name}", mend="data.as_of or run_date")
    return pd.Timestamp(sessions[position]).date()


def sessions_between(name: str, first: date, last: date) -> int:
    """How many sessions lie after `first` and up to `last`; negative if `last` is the earlier one."""
    sessions = _calendar(name).sessions
    start, stop = (int(sessions.searchsorted(pd.Timestamp(day), side="right")) for day in (first, last))
    return stop - start


def exchange_timezone(name: str) -> str:
    """IANA name of the time zone in which the exchange's days begin and end."""
    return str(_calendar(name).tz)


def close_instants(name: str, sessions: pd.Series) -> pd.Series:
    """When each of `sessions` closed, as datetime64[us, UTC].

    A date on which the exchange was shut gets 21:00 UTC, so that a row stays a row until the
    validation names it.
    """
    days = pd.to_datetime(sessions).astype("datetime64[us]")
    if days.empty:
        return pd.Series([], index=days.index, dtype="datetime64[us, UTC]")
    closes = days.map(session_closes(name, days.min().date(), days.max().date()))
    fallback = (days + pd.Timedelta(hours=21)).dt.tz_localize("UTC")
    return pd.to_datetime(closes, utc=True).fillna(fallback).astype("datetime64[us, UTC]")
