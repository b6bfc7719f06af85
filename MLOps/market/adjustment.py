"""Prices on one scale without jumps from splits and dividends, and without knowledge of later ones.

The usual adjusted close is scaled back from the end of the data: each new dividend changes the level
of every earlier price, so the level of an old price tells what will be paid later. Here the scale is
anchored at a ticker's first bar and grows forward: the price of session t holds the splits and
dividends up to t only. Returns are the same (total returns); history is never restated.
"""

import pandas as pd

PRICES = ("open", "high", "low", "close")


def forward_adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """Replace raw prices and volume by forward-adjusted ones.

    With the back-adjusted close ``b`` and the raw close ``c``, the ratio ``b_t / c_t`` is the product
    of all adjustments after t, hence ``(b_t / c_t) / (b_0 / c_0)`` grows by those in (0, t] only.
    Volume is counted in the shares of the ticker's first bar: divided by the splits in (0, t].

    Parameters
    ----------
    bars : DataFrame
        Rows of the bars contract (MLOps/market/bars.py), sorted by session.

    Returns
    -------
    DataFrame
        A copy with adjusted open, high, low, close and volume. A bar of which only the adjusted
        close is known keeps that as its close, on the source's scale: its past levels may hold later
        dividends, its returns do not.
    """
    result = bars.copy()
    by_ticker = bars["ticker"]
    factor = bars["adjusted_close"] / bars["close"]
    factor /= factor.groupby(by_ticker).transform("first")
    for name in PRICES:
        result[name] = bars[name] * factor
    splits = bars["split_ratio"].groupby(by_ticker).cumprod()
    result["volume"] = bars["volume"] * splits.groupby(by_ticker).transform("first") / splits
    result["close"] = result["close"].where(~bars["is_close_only"], bars["adjusted_close"])
    return result
