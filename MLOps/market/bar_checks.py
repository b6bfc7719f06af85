"""What a validation must know of each bar beyond its own columns."""

from collections.abc import Collection
from datetime import date

import numpy as np
import pandas as pd

from MLOps.market.bars import PRICES
from MLOps.market.calendars import session_closes

_WHOLE_RATIOS = np.array([2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50, 100], dtype=float)


def check_columns(
    bars: pd.DataFrame,
    calendar: str,
    as_of: date,
    split_tolerance_fraction: float,
    accepted_jumps: Collection[str] = (),
) -> pd.DataFrame:
    """`bars` in their given order, with columns on which a suite can set limits.

    Parameters
    ----------
    bars : DataFrame
        Rows of the bars contract, not sorted, so that the source's own order can be judged.
    calendar : str
        Exchange calendar.
    as_of : date
        Last session that the bars should hold.
    split_tolerance_fraction : float
        How near to a whole number a ratio of closes must be to look like a split.
    accepted_jumps : collection of str
        ``"TICKER YYYY-MM-DD"`` of jumps that were looked at.

    Returns
    -------
    DataFrame
        With the further columns day (ISO text), is_<price>_known, is_after_previous, is_at_close,
        is_low_lowest, is_high_highest, sessions_missing_before, sessions_missing_after (at a
        ticker's last bar), split_like_ratio (0 where the close did not jump like a split).
    """
    frame = bars.copy()
    sessions = frame["session"]
    closes = session_closes(calendar, sessions.min().date(), max(as_of, sessions.max().date()))
    position = pd.Series(np.arange(len(closes)), index=closes.index)
    by_ticker = frame.groupby("ticker", sort=False)
    frame["day"] = sessions.dt.strftime("%Y-%m-%d")
    for name in (*PRICES, "volume"):
        frame[f"is_{name}_known"] = frame["is_close_only"] | frame[name].notna()
    frame["is_after_previous"] = ~(sessions < by_ticker["session"].shift())
    frame["is_at_close"] = frame["timestamp"] == sessions.map(closes)
    frame["is_low_lowest"] = _is_lowest(frame)
    frame["is_high_highest"] = ~(frame["high"] < frame[["open", "close", "low"]].max(axis=1))
    frame["sessions_missing_before"] = _missing_before(frame, position)
    frame["sessions_missing_after"] = _missing_after(frame, position, as_of)
    frame["split_like_ratio"] = _split_like(frame, split_tolerance_fraction, accepted_jumps)
    return frame


def _is_lowest(frame: pd.DataFrame) -> pd.Series:
    return ~(frame["low"] > frame[["open", "close", "high"]].min(axis=1))


def _missing_before(frame: pd.DataFrame, position: pd.Series) -> pd.Series:
    """Sessions between a bar and its ticker's last one before it; 0 at the first bar."""
    ordered = frame.sort_values(["ticker", "session"], kind="stable")
    place = ordered["session"].map(position)
    step: pd.Series = place - place.groupby(ordered["ticker"]).shift()
    return (step - 1).clip(lower=0).fillna(0).reindex(frame.index)


def _missing_after(frame: pd.DataFrame, position: pd.Series, as_of: date) -> pd.Series:
    """Sessions between a ticker's last bar and `as_of`; 0 on other rows and where it was delisted."""
    is_last = frame["session"] == frame.groupby("ticker")["session"].transform("max")
    end = position[position.index <= pd.Timestamp(as_of)].max()
    missing: pd.Series = (end - frame["session"].map(position)).clip(lower=0).fillna(0)
    return missing.where(is_last & ~frame["is_delisted"], 0.0)


def _split_like(frame: pd.DataFrame, tolerance_fraction: float, accepted_jumps: Collection[str]) -> pd.Series:
    """Ratio of a close to the one before it where that ratio is near n or 1/n, else 0."""
    ordered = frame.sort_values(["ticker", "session"], kind="stable")
    close = ordered["adjusted_close"].where(ordered["adjusted_close"] > 0)
    ratio = close / close.groupby(ordered["ticker"]).shift()
    distance = np.abs(np.abs(np.log(ratio.to_numpy()))[:, None] - np.log(_WHOLE_RATIOS)[None, :])
    near = np.nan_to_num(distance, nan=np.inf).min(axis=1) <= tolerance_fraction
    is_accepted = (ordered["ticker"] + " " + ordered["day"]).isin(accepted_jumps)
    return ratio.where(near & ~is_accepted, 0.0).reindex(frame.index)
