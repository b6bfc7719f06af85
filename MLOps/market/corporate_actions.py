"""Splits and dividends that the distance between raw and adjusted closes tells."""

import numpy as np
import pandas as pd

# An adjustment of at least a quarter is a split; the largest special dividends stay below it.
_SPLIT_FROM = 1.25
# Below this, in cash a share, an adjustment is rounding of the source.
_DIVIDEND_FROM = 0.005


def infer_actions(bars: pd.DataFrame) -> pd.DataFrame:
    """`bars` with `split_ratio` and `dividend` read from its prices.

    With the factor ``f_t = adjusted_close_t / close_t``, the ratio ``r_t = f_t / f_(t-1)`` is 1 on
    ordinary days, the number of new shares on a split's day, and ``1 / (1 - d / close_(t-1))`` on
    the day a dividend d goes off (the adjustment that Yahoo and CRSP describe).

    Parameters
    ----------
    bars : DataFrame
        Columns session, ticker, close, adjusted_close, in order of sessions within a ticker.

    Returns
    -------
    DataFrame
        A copy; rows whose closes are NaN keep a ratio of 1 and no dividend.
    """
    factor = bars["adjusted_close"] / bars["close"]
    ratio = (factor / factor.groupby(bars["ticker"]).shift()).fillna(1.0)
    last_close = bars["close"].groupby(bars["ticker"]).shift()
    is_split = (ratio >= _SPLIT_FROM) | (ratio <= 1 / _SPLIT_FROM)
    dividend = (last_close * (1 - 1 / ratio)).fillna(0.0).round(4)
    result = bars.copy()
    result["split_ratio"] = np.where(is_split, ratio.round(4), 1.0)
    result["dividend"] = np.where(~is_split & (dividend >= _DIVIDEND_FROM), dividend, 0.0)
    return result
