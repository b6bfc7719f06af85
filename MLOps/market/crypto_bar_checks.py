"""What a validation must know of each crypto bar beyond its own columns."""

from collections.abc import Sequence

import pandas as pd

from MLOps.market.crypto_bars import PRICES

Span = tuple[pd.Timestamp, pd.Timestamp]
"""Opening of the first and of the last bar of a stretch."""


def crypto_check_columns(bars: pd.DataFrame, length: pd.Timedelta, missing_spans: Sequence[Span]) -> pd.DataFrame:
    """`bars` with columns on which a suite can set limits.

    Parameters
    ----------
    bars : DataFrame
        Columns of the contract in MLOps/market/crypto_bars.py, sorted by opened_at; numbers may be NaN.
    length : Timedelta
        Time from a bar's open to its close.
    missing_spans : sequence of Span
        Stretches without bars that were looked at.

    Returns
    -------
    DataFrame
        With the further columns day (ISO text of opened_at, UTC), is_on_grid, is_low_lowest,
        is_high_highest, is_new (no other bar with trades has the same prices and volume), and
        bars_missing_before (how many bars are missing between it and the bar before, those that
        were looked at left out).
    """
    opened = bars["opened_at"]
    traded = [*PRICES, "volume"]
    is_moving = (bars["volume"] > 0) & (bars["high"] > bars["low"])
    return bars.assign(
        day=opened.dt.strftime("%Y-%m-%d %H:%M"),
        is_on_grid=opened.dt.floor(length) == opened,
        is_low_lowest=~(bars["low"] > bars[["open", "close", "high"]].min(axis=1)),
        is_high_highest=~(bars["high"] < bars[["open", "close", "low"]].max(axis=1)),
        is_new=~(is_moving & bars.duplicated(traded, keep=False)),
        bars_missing_before=_missing_before(opened, length, missing_spans),
    )


def _missing_before(
    opened: "pd.Series[pd.Timestamp]", length: pd.Timedelta, missing_spans: Sequence[Span]
) -> "pd.Series[int]":
    grid = pd.date_range(opened.iloc[0], opened.iloc[-1], freq=length)
    missing = grid.difference(pd.DatetimeIndex(opened))
    for first, last in missing_spans:
        missing = missing[(missing < first) | (missing > last)]
    bar_after = opened.searchsorted(missing)
    counts = pd.Series(bar_after).value_counts()
    return pd.Series(range(len(opened)), index=opened.index).map(counts).fillna(0).astype(int)
