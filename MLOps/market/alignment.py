"""Bars of several tickers on one grid of sessions, with every gap named or carried forward, never hidden.

FinRL drops a ticker from the whole history if one of its rows is missing, and says nothing. Here a
missing row is an error that names ticker and dates, unless the settings allow a short gap to be
carried forward. A ticker that was listed late or delisted inside the window is always an error:
either choice (leave it out, shorten the window) changes what is judged, so a person must take it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from MLOps.errors import DataError

FloatArray = npt.NDArray[np.float64]
_MEND = "config/stages/build_features.yaml (tickers, first_session, last_session, fill_limit_sessions)"


@dataclass(frozen=True)
class AlignedBars:
    """T sessions of N tickers.

    Attributes
    ----------
    sessions : (T,) datetime64[D]
    closed_at : (T,) datetime64[us]
        UTC instant of the session's close: the time of decision.
    tickers : tuple of N str
        In alphabetical order.
    open, high, low, close, volume : (T, N) float64
        NaN in all but close where only the close is known.
    is_carried : (T, N) bool
        True where a missing bar was carried forward.
    is_close_only : bool
        True if any bar has nothing but its close; the other columns are then not to be used.
    """

    sessions: npt.NDArray[np.datetime64]
    closed_at: npt.NDArray[np.datetime64]
    tickers: tuple[str, ...]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    is_carried: npt.NDArray[np.bool_]
    is_close_only: bool


def align(bars: pd.DataFrame, fill_limit: int) -> AlignedBars:
    """Lay bars on the grid of all sessions in which any ticker has a bar.

    Parameters
    ----------
    bars : DataFrame
        Columns session, ticker, timestamp, open, high, low, close, volume, is_close_only, is_delisted;
        one row a session and ticker, sorted by session.
    fill_limit : int
        How many sessions in a row a missing bar may be carried forward: the last close as open,
        high, low and close, no volume. 0 makes any missing bar an error.

    Raises
    ------
    DataError
        If a ticker begins late, has ended before the last session, has a longer gap than
        `fill_limit`, or a price is not a positive number (a volume: not a number >= 0).
    """
    closed_at = bars.groupby("session")["timestamp"].min()
    sessions = closed_at.index.to_numpy().astype("datetime64[D]")
    tickers = tuple(str(name) for name in sorted(bars["ticker"].unique()))
    rows = np.searchsorted(sessions, bars["session"].to_numpy().astype("datetime64[D]"))
    columns = np.searchsorted(np.array(tickers), bars["ticker"].to_numpy(dtype=str))
    is_missing = np.ones((len(sessions), len(tickers)), dtype=np.bool_)
    is_missing[rows, columns] = False
    _refuse_delisted(bars, sessions)
    source = _last_known_row(is_missing, fill_limit, sessions, tickers)

    def grid(name: str) -> FloatArray:
        values = np.full(is_missing.shape, np.nan)
        values[rows, columns] = bars[name].to_numpy(dtype=np.float64)
        return np.take_along_axis(values, source, axis=0)

    values = {name: grid(name) for name in ("close", "open", "high", "low", "volume")}
    is_close_only = bool(bars["is_close_only"].any())
    for name in ("close",) if is_close_only else values:
        _refuse_bad(name, values[name], sessions, tickers)
    carried = dict.fromkeys(("open", "high", "low"), values["close"]) | {"volume": np.zeros_like(values["close"])}
    for name, value in carried.items():
        np.copyto(values[name], value, where=is_missing)
    instants = closed_at.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return AlignedBars(sessions, instants, tickers, is_carried=is_missing, is_close_only=is_close_only, **values)


def _last_known_row(
    is_missing: npt.NDArray[np.bool_], fill_limit: int, sessions: npt.NDArray[np.datetime64], tickers: tuple[str, ...]
) -> npt.NDArray[np.intp]:
    """(T, N) row of the last bar at or before t; refuses a late start and a gap beyond the limit."""
    positions = np.arange(len(sessions))[:, None]
    source = np.maximum.accumulate(np.where(is_missing, -1, positions), axis=0)
    gap = positions - source
    for n, ticker in enumerate(tickers):
        absent = sessions[is_missing[:, n]]
        if source[0, n] < 0:
            first = sessions[int(np.argmin(is_missing[:, n]))]
            raise DataError(
                f"{ticker} has no bar before {first}, the others begin on {sessions[0]}",
                f"first_session from {first} on, or tickers without {ticker}",
                _MEND,
            )
        if gap[:, n].max() > fill_limit:
            listed = ", ".join(str(day) for day in absent[:5]) + (", ..." if len(absent) > 5 else "")
            raise DataError(
                f"{ticker} has no bar on {listed} ({len(absent)} sessions, {gap[:, n].max()} of them in a row)",
                f"at most fill_limit_sessions={fill_limit} in a row",
                _MEND,
            )
    return source


def _refuse_delisted(bars: pd.DataFrame, sessions: npt.NDArray[np.datetime64]) -> None:
    last = bars.loc[bars["is_delisted"], ["ticker", "session"]]
    for ticker, session in last.itertuples(index=False):
        if session < sessions[-1]:
            raise DataError(
                f"{ticker} was delisted after {session:%Y-%m-%d}, the data go on until {sessions[-1]}",
                f"last_session up to {session:%Y-%m-%d}, or tickers without {ticker}",
                _MEND,
            )


def _refuse_bad(name: str, values: FloatArray, sessions: npt.NDArray[np.datetime64], tickers: tuple[str, ...]) -> None:
    is_good = np.isfinite(values) & ((values >= 0) if name == "volume" else (values > 0))
    if not is_good.all():
        t, n = (int(position[0]) for position in np.nonzero(~is_good))
        raise DataError(
            f"{name} of {tickers[n]} on {sessions[t]} is {values[t, n]} ({int((~is_good).sum())} such bars)",
            "a number >= 0" if name == "volume" else "a positive number",
            "the bars, or the source that gave them",
        )
